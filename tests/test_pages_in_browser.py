"""The pages in a real browser without a network: what a person does with them, from the disk."""

import csv
import json
import re
import time

import pytest
from browser import opened
from imports import ROOT

from camtraps import collections, layout, review_page, runs, taxonomy
from camtraps.reports import ReportParams, Sources, compose
from camtraps.shards import Reader

EVIL = "<img src=x onerror=alert(1)>"
QUOTES = """' onload=alert(2) "onload="alert(3)"><script>alert(4)</script>"""
NUM = 5000  # candidates
PARAMS = ReportParams(candidates=60, review_mb=20, page_mb=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, drawn):
    """Give a folder with the pages of a drawn run, and ``many.html``, a review of thousands of candidates."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(drawn)
        run, sources = runs.read(layout.collection()), _sources()
        for name, text in compose(run, sources, PARAMS).items():
            (folder / name).write_text(text, encoding="utf-8")
        (folder / "many.html").write_text(_many(run, sources), encoding="utf-8")
    (folder / "downloads").mkdir()
    return folder


def _sources() -> Sources:
    home = layout.collection()
    return Sources(
        photos=collections.read_images(home),
        crops=Reader(layout.CROPS),
        examples=Reader(layout.EVALUATION),
        taxonomy=taxonomy.read(home / "taxonomy.csv"),
    )


def _many(run, sources):
    import pandas as pd

    copies = -(-NUM // len(run.candidates))
    rows = pd.concat([run.candidates] * copies, ignore_index=True).head(NUM)
    rows = rows.assign(rank=range(1, NUM + 1), file=[f"{at:05}.jpg" for at in range(NUM)])
    given = review_page.Reviewed(
        name="many",
        candidates=rows.assign(image=rows["image"]),
        neighbours=run.neighbours,
        crops=run.crops,
        detections=run.detections,
        predictions=run.predictions,
        classes=run.classes,
        taxonomy=sources.taxonomy,
    )
    return review_page.compose(given, sources.photos, sources.crops, 60_000_000)


@pytest.fixture(scope="module")
def browser(folder):
    with opened(folder / "downloads") as browser:
        yield browser


@pytest.fixture
def review(browser, folder):
    """Open the review as somebody who has not decided anything."""
    browser.open(folder / "review.html")
    browser.run("localStorage.clear()")
    browser.open(folder / "review.html")
    browser.press("Anna Example", "\ue007")
    browser.complaints()
    return browser


def count(browser):
    return browser.text("#count")


def decisions(folder, name="corrections-bench.csv"):
    """Wait for the file that the browser saves; give its rows."""
    path, end = folder / "downloads" / name, time.monotonic() + 60
    # The browser holds the place with an empty file, and writes another one first.
    while not (path.exists() and path.stat().st_size) or list(path.parent.glob("*.crdownload")):
        assert time.monotonic() < end, list((folder / "downloads").iterdir())
        time.sleep(0.05)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    path.unlink()
    return rows


@pytest.mark.parametrize("page", ["index", "data", "evaluation", "model", "review"])
def test_a_page_loads_without_network_or_complaint_and_runs_nothing_of_the_data(browser, folder, page):
    for width in (800, 1280):
        browser.size(width)
        browser.open(folder / f"{page}.html")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth"), width
    assert browser.complaints() == []
    assert (
        browser.run("return [...document.querySelectorAll('img')].filter(each => each.src.endsWith('/x')).length") == 0
    )
    fetched = browser.run("return performance.getEntriesByType('resource').map(each => each.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []


def test_a_name_is_asked_for_once(review, folder):
    assert review.text("#who") == "Reviewer: Anna Example"
    review.open(folder / "review.html")
    assert not review.run("return document.getElementById('ask').open")


def test_labels_stay_text(review):
    texts = review.run("return [...document.querySelectorAll('#filters option')].map(each => each.textContent)")
    assert any(text.startswith(EVIL) for text in texts)
    assert any(text.startswith(QUOTES) for text in texts)
    shown = set()
    for _ in range(30):
        shown.add(review.text("#question"))
        review.press("s")
    assert any(EVIL in text for text in shown)
    review.press("w", EVIL)
    assert review.text("#options li[aria-selected=true]").startswith(EVIL)
    assert review.complaints() == []


def test_decisions_by_keyboard_are_saved_and_stay(review, folder):
    label = review.run("return JSON.parse(document.getElementById('data').textContent).candidates[0].label")
    review.press("r")  # the first: right
    review.press("w", "capreolus", "\ue007")  # the second, by its taxon
    review.press("s")  # the third is skipped
    review.press("u")
    review.press("w", 'porcupine, "big"', "\ue007")  # a class that nobody knows
    assert count(review) == "4 of 60 decided"
    review.click("#save")
    rows = decisions(folder)
    assert list(rows[0]) == [
        "dataset", "file", "correct_class", "reviewer", "date", "reason", "decision", "label", "predicted",
    ]  # fmt: skip
    assert [row["decision"] for row in rows] == ["right", "wrong", "unknown", "wrong"]
    assert [row["correct_class"] for row in rows] == [label, "roe deer", "", 'porcupine, "big"']
    assert {row["reviewer"] for row in rows} == {"Anna Example"}
    review.open(folder / "review.html")
    assert count(review) == "4 of 60 decided"
    assert review.text("#where").startswith("No. 3:")  # the first one that is open


def test_undo_takes_back_decisions_one_by_one(review):
    review.press("r", "r")
    review.press("z")
    assert count(review) == "1 of 60 decided"
    assert review.text("#where").startswith("No. 2:")
    review.press("z", "z")
    assert count(review) == "0 of 60 decided"
    assert review.text("#message") == "There is nothing to undo."


def test_a_note_goes_with_its_decision(review, folder):
    review.press("n", 'blurred, "dark"', "\ue007")
    review.press("u")
    review.click("#save")
    assert decisions(folder)[0]["reason"] == 'blurred, "dark"'


def test_filters_choose_photos(review):
    everything = review.run("return JSON.parse(document.getElementById('data').textContent).candidates")
    wanted = [each for each in everything if each["label"] == EVIL]
    review.run(
        "const list = document.getElementById('filters').elements.label; list.value = arguments[0];"
        "list.dispatchEvent(new Event('input', {bubbles: true}))",
        f"={EVIL}",
    )
    assert review.text("#matching") == f"{len(wanted)} of 60 shown"
    assert 0 < len(wanted) < 60
    assert review.text("#question").startswith(f"Labelled {EVIL}, looks like ")
    review.press("r")
    review.run(
        "const form = document.getElementById('filters').elements; form.show.value = 'open'; form.score.value = 50;"
        "form.show.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    strong = [each for each in wanted[1:] if each["score"] >= 0.5]
    assert review.text("#matching") == f"{len(strong)} of 60 shown"


def test_a_saved_file_restores_the_state_in_another_browser(review, folder):
    review.press("r", "u", "s", "r")
    review.click("#save")
    rows = decisions(folder)
    review.run("localStorage.clear()")
    review.open(folder / "review.html")
    review.press("Ben", "\ue007")
    path = folder / "again.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # as a spreadsheet writes it
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows([*rows, rows[0] | {"file": "not here.jpg"}])
    review.find("#file").send_keys(str(path))
    review.wait(LOADED)
    assert review.text("#message") == "3 decisions loaded from again.csv. 1 are about photos that are not here."
    assert count(review) == "3 of 60 decided"
    review.click("#save")
    assert decisions(folder) == rows


LOADED = """async () => {
  while (!document.getElementById('message').textContent) await new Promise(requestAnimationFrame);
}"""


def test_the_photo_is_shown_with_its_box_or_it_is_said_why_not(review):
    assert review.run("return document.querySelector('#photo img').naturalWidth") == 400
    box = review.run("return document.querySelector('#photo .box').style.cssText")
    assert "left: 25%" in box
    assert "width: 50%" in box
    for _ in range(12):  # ten photos are there
        review.press("s")
    assert review.text("#photo") == "Only the crop is shown: photo not found."
    assert review.run("return document.querySelector('#crop img').naturalWidth") > 0
    assert review.run("return document.querySelectorAll('#near img').length") == 6


def test_everything_can_be_reached_by_tab_in_order(review):
    seen = []
    for _ in range(25):
        review.press("\ue004")
        seen.append(review.run("return document.activeElement.id || document.activeElement.name"))
    wanted = ["view-one", "view-grid", "who", "load", "save", "label", "predicted", "right", "wrong", "unknown", "skip"]
    places = [seen.index(name) for name in wanted]
    assert places == sorted(places)


def test_five_thousand_candidates_scroll_smoothly(browser, folder):
    browser.size(1280)
    browser.driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    browser.open(folder / "many.html")
    if browser.run("return document.getElementById('ask').open"):
        browser.press("Anna", "\ue007")
    browser.click("#view-grid")
    assert browser.text("#matching") == f"{NUM} of {NUM} shown"
    before = busy(browser)
    scrolled = browser.wait(SCROLL)
    per_frame = (busy(browser) - before) / 120
    assert scrolled["cards"] < 80  # what is out of sight does not exist
    assert scrolled["end"]
    assert per_frame < 0.016, per_frame  # all work of a frame fits into it
    assert browser.complaints() == []


def busy(browser):
    """Give how long the processor has worked for the page's main thread, in seconds; other programs do not count."""
    metrics = browser.driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return next(each["value"] for each in metrics if each["name"] == "TaskDuration")


# Scrolls 120 frames by 240 pixels, more than a row: 14,400 pixels a second; then to the end.
SCROLL = """async () => {
  const grid = document.getElementById('grid'), frame = () => new Promise(requestAnimationFrame);
  let cards = 0;
  for (let at = 1; at <= 120; at++) {
    grid.scrollTop = 240 * at;
    await frame();
    cards = Math.max(cards, document.querySelectorAll('.card').length);
  }
  grid.scrollTop = grid.scrollHeight;
  await frame();
  await frame();
  const last = [...document.querySelectorAll('.card')].at(-1).textContent;
  return {cards, end: last.startsWith('5000.')};
}"""


def test_a_cell_of_the_confusion_matrix_opens_its_photos(browser, folder):
    browser.size(1280)
    browser.open(folder / "evaluation.html")
    browser.click("#worst [data-cell]")
    assert browser.run("return document.getElementById('cell').open")
    assert ", taken for " in browser.text("#cell-title")
    assert browser.run("return document.querySelector('#cell-photos img').complete")
    browser.click("#cell button")
    browser.click("[data-view=sure]")
    shown = browser.run("return [...document.querySelectorAll('[data-matrix]')].map(each => each.hidden)")
    assert shown == [True, False]
    assert browser.complaints() == []


def test_a_table_sorts_by_a_click(browser, folder):
    browser.open(folder / "evaluation.html")
    column = """window.table = [...document.querySelectorAll('table')].find(
      each => each.rows[0].cells[1].textContent === 'support');
    return [...table.rows].slice(1).map(row => Number(row.cells[1].textContent))"""
    support = browser.run(column)
    browser.run("table.rows[0].cells[1].querySelector('button').click()")
    assert browser.run(column) == sorted(support, reverse=True)
    browser.run("table.rows[0].cells[1].querySelector('button').click()")
    assert browser.run(column) == sorted(support)
    assert browser.run("return table.rows[0].cells[1].getAttribute('aria-sort')") == "ascending"


def test_what_dvc_plots_writes_draws_without_a_network(browser, folder):
    from dvc_render.html import HTML
    from dvc_render.vega import VegaRenderer

    points = [{"x": "a", "y": 1}, {"x": "b", "y": 2}]
    encoding = {"x": {"field": "x", "type": "nominal"}, "y": {"field": "y", "type": "quantitative"}}
    chart = {"data": {"values": points}, "mark": "bar", "encoding": encoding}
    template = (ROOT / ".dvc/plots.html").read_text(encoding="utf-8")
    assert "http" not in re.sub(r"<script>.*?</script>|<!--.*?-->", "", template, flags=re.DOTALL)
    drawing = VegaRenderer.DIV.format(id="plot", partial=json.dumps(chart))
    page = HTML(template).with_scripts(VegaRenderer.SCRIPTS).with_element(drawing).embed()
    (folder / "plots.html").write_text(page, encoding="utf-8")
    browser.open(folder / "plots.html")
    wait = "async () => { while (!document.querySelector('#plot canvas')) await new Promise(requestAnimationFrame); }"
    browser.wait(wait)
    assert browser.complaints() == []


def contrast(browser, selector):
    """Give the contrast of an element's text (WCAG 2): 21 for black on white; 4.5 is enough."""
    colours = browser.run(
        """let each = document.querySelector(arguments[0]); const ink = getComputedStyle(each).color;
        while (getComputedStyle(each).backgroundColor === 'rgba(0, 0, 0, 0)') each = each.parentElement;
        return [ink, getComputedStyle(each).backgroundColor]""",
        selector,
    )
    light = sorted(_luminance([float(part) for part in colour[4:-1].split(",")]) for colour in colours)
    return (light[1] + 0.05) / (light[0] + 0.05)


def _luminance(colour):
    parts = [value / 255 for value in colour]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(review, scheme):
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    review.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for selector in ("h1", "#about", "#right", "#skip", "nav a", "#evidence li", "#where"):
        assert contrast(review, selector) >= 4.5, selector
