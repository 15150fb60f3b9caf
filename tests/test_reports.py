"""Reports: one page that needs no other file, in which data stays text."""

import base64
import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from make_tables import colour_crops, rows

from camtraps.reports import Readers, Run, compose, counts_table, curve, sample_of_labels, score_table, table
from camtraps.schema import CANDIDATES
from camtraps.shards import Reader

EVIL = "<img src=x onerror=alert(1)>"
QUOTES = """' onload=alert(2) "onload="alert(3)"><script>alert(4)</script>"""


class Tags(HTMLParser):
    """Collects tags, their attributes, and all text; what is opened must be closed."""

    VOID = ("meta", "img")

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text, self.depth = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.depth.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.depth.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(page):
    tags = Tags()
    tags.feed(page)
    return tags


def cells(html):
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in html.split("<tr>")[1:]]


def evaluation_of(crops):
    bins = pd.DataFrame({"split": ["test"], "bin": [0.5], "crops": [4], "confidence": [0.4], "accuracy": [0.5]})
    accept = {"split": ["test"] * 2, "threshold": [0.0, 0.5], "accepted": [1.0, 0.0], "precision": [0.5, float("nan")]}
    extreme = {"label": EVIL, "kind": "fn", "rank": 1, "actual": EVIL, "predicted": QUOTES, "confidence": 0.75}
    return {
        "confusion": pd.DataFrame({"split": ["test"], "actual": [EVIL], "predicted": [QUOTES]}),
        "per_class": pd.DataFrame({"split": ["test"], "label": [EVIL], "support": [4], "recall": [float("nan")]}),
        "levels": pd.DataFrame({"split": ["test"], "level": ["image"], "top1": [0.5]}),
        "per_light": pd.DataFrame({"split": ["test"], "light": ["night"], "top1": [0.5]}),
        "per_dataset": pd.DataFrame({"split": ["test"], "dataset": [EVIL], "top1": [0.5]}),
        "reliability": bins,
        "reliability_uncalibrated": bins,
        "accept": pd.DataFrame(accept),
        "examples": crops.iloc[:1][["image", "box", "shard", "offset", "length"]].assign(**extreme),
    }


def readers(folder):
    return Readers(Reader(folder), Reader(folder))


@pytest.fixture
def run(tmp_path):
    labels = [EVIL, EVIL, QUOTES, QUOTES]
    crops = colour_crops(tmp_path, labels).assign(image=[f"d/{name}.jpg" for name in ("a", "b", "c", QUOTES)])
    candidate = {"rank": 1, "image": "d/a.jpg", "split": "test", "label": EVIL, "predicted": QUOTES}
    counts = {"unit": "photos", "rows_in": 1200, "rows_out": 4, "skipped": 1196, "failed": 0}
    return Run(
        name=EVIL,
        counts={"query": counts | {"reasons": {"skipped": {f"label {EVIL}": 1196}}}},
        scores={"test": {"crops": 4, "top1": 0.5}},
        classes=[EVIL, QUOTES],
        history=[{"epoch": at, "train_loss": 1.5, "val_log_loss": 1.0, "val_macro_recall": 0.5} for at in range(3)],
        evaluation=evaluation_of(crops),
        crops=crops,
        candidates=rows(CANDIDATES, candidate),
    )


def test_labels_stay_text(run, tmp_path):
    page = parsed(compose(run, readers(tmp_path), 10))
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    text = "".join(page.text)
    assert text.count(EVIL) >= 6
    assert text.count(QUOTES) >= 4
    assert not page.depth


def test_the_page_needs_no_other_file(run, tmp_path):
    page = parsed(compose(run, readers(tmp_path), 10))
    sources = [value for name, value in page.attributes if name in ("src", "href", "data")]
    assert len(sources) == 1 + 4 + 1  # a candidate, samples, an extreme example
    assert all(value.startswith("data:image/jpeg;base64,") for value in sources)
    assert not {"link", "iframe", "object"} & set(page.tags)


def test_a_candidate_is_shown_by_its_own_crop(run, tmp_path):
    row = run.crops.iloc[0]
    picture = base64.b64encode(Reader(tmp_path).read(row["shard"], row["offset"], row["length"])).decode()
    page = compose(replace(run, crops=run.crops.iloc[:1]), readers(tmp_path), 10)
    assert page.count(picture) == 3  # as a candidate, as a sample of its label, as an extreme example
    assert "1. is labelled &lt;img" in page


def test_no_more_candidates_are_shown_than_asked_for(run, tmp_path):
    several = rows(CANDIDATES, *({"rank": at + 1, "image": f"d/{name}.jpg"} for at, name in enumerate("abc")))
    page = compose(replace(run, candidates=several), readers(tmp_path), 2)
    assert "Labels that are probably wrong, 2 of 3" in page
    assert page.count("is labelled") == 2


def test_a_run_without_candidates_has_a_page(run, tmp_path):
    page = compose(replace(run, candidates=rows(CANDIDATES)), readers(tmp_path), 10)
    assert "Labels that are probably wrong, 0 of 0" in page


def test_an_extreme_example_says_what_it_was_taken_for(run, tmp_path):
    page = compose(run, readers(tmp_path), 10)
    assert f"missed, taken for {html.escape(QUOTES)}, 0.750" in page


def test_numbers_are_readable_and_empty_ones_are_a_dash():
    shown = cells(table(pd.DataFrame({"name": ["NA"], "many": [1234567], "share": [0.12345], "none": [float("nan")]})))
    assert shown == [["name", "many", "share", "none"], ["NA", "1,234,567", "0.123", "–"]]


def test_scores_stand_one_a_row_and_one_split_a_column():
    shown = cells(score_table({"val": {"crops": 1200, "top1": 0.5}, "test": {"crops": 900, "top1": 0.25}}))
    assert shown == [["score", "val", "test"], ["crops", "1,200", "900"], ["top1", "0.500", "0.250"]]


def test_counts_name_the_commonest_reasons():
    reasons = {"failed": {"photo not found": 2}, "skipped": {"late": 1, "early": 5}}
    count = {"unit": "photos", "rows_in": 10, "rows_out": 2, "skipped": 6, "failed": 2, "reasons": reasons}
    assert cells(counts_table({"query": count}))[1] == [
        "query", "photos", "10", "2", "6", "2", "2 photo not found; 5 early; 1 late",
    ]  # fmt: skip


def test_a_curve_of_one_epoch_is_drawn():
    drawn = curve(pd.DataFrame({"train_loss": [2.0], "val_top1": [0.5]}), ["train_loss", "val_top1"])
    assert drawn.count("<polyline") == 2
    assert "epoch 1 to 1" in drawn


def test_a_higher_value_is_drawn_higher():
    (points,) = re.findall(r'points="([^"]*)"', curve(pd.DataFrame({"recall": [0.0, 1.0]}), ["recall"]))
    (left, low), (right, high) = (map(float, point.split(",")) for point in points.split())
    assert left < right
    assert high < low  # y grows downwards


def test_samples_are_spread_over_the_locations_of_a_label(tmp_path):
    crops = colour_crops(tmp_path, ["fox"] * 40 + ["owl"] * 2)
    crops = crops.assign(location=["busy"] * 30 + [f"place {at}" for at in range(10)] + ["busy", None])
    shown = sample_of_labels(crops)
    assert shown["label"].value_counts().to_dict() == {"fox": 12, "owl": 2}
    assert shown[shown["label"] == "fox"]["location"].nunique() == 11
