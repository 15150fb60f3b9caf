"""The pages of a run: what they say, on a drawn run whose labels are hostile."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from test_pages import EVIL, QUOTES, cells, parsed

from camtraps import collections, data_card, evaluation_page, layout, model_card, runs, taxonomy
from camtraps.reports import ReportParams, Sources, compose, overview, plots
from camtraps.shards import Reader
from camtraps.thumbnails import Album

PARAMS = ReportParams(candidates=20, review_mb=5, page_mb=1)


@pytest.fixture(autouse=True)
def there(drawn, monkeypatch):
    """Be in the folder of the run."""
    monkeypatch.chdir(drawn)


@pytest.fixture(scope="module")
def run(drawn):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(drawn)
        return runs.read(layout.collection())


@pytest.fixture(scope="module")
def pages(drawn, run):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(drawn)
        return compose(run, sources(), PARAMS)


def sources():
    home = layout.collection()
    return Sources(
        photos=collections.read_images(home),
        crops=Reader(layout.CROPS),
        examples=Reader(layout.EVALUATION),
        taxonomy=taxonomy.read(home / "taxonomy.csv"),
    )


def test_every_page_is_whole_and_labels_stay_text(pages):
    assert list(pages) == ["index.html", "data.html", "evaluation.html", "model.html", "review.html"]
    for name, text in pages.items():
        page = parsed(text)
        assert not page.depth, name
        assert not [attribute for attribute, _ in page.attributes if attribute.startswith("on")], name
        sources = [value for attribute, value in page.attributes if attribute == "src"]
        assert all(value.startswith("data:image/jpeg;base64,") for value in sources), name
    for name in ("data.html", "evaluation.html", "model.html"):
        text = "".join(parsed(pages[name]).text)
        assert EVIL in text, name
        assert QUOTES in text, name


def test_the_same_run_gives_the_same_pages(run, pages):
    assert compose(run, sources(), PARAMS) == pages


def test_a_page_is_no_larger_than_its_pictures_may_make_it(pages):
    for name in ("data.html", "evaluation.html"):
        assert len(pages[name]) < 1_000_000 + 200_000


def test_the_overview_says_how_good_it_is_and_how_sure_that_is(run):
    scores = {"top1": 0.9, "top1_low": 0.8, "top1_high": 0.95, "top1_majority": 0.3, "crops": 1200, "locations": 5}
    text = overview(replace(run, scores={"test": scores}))
    assert (
        "names 90.0% of 1,200 animals rightly (95% interval over locations: 80.0% to 95.0%), more than the 30.0%"
        in text
    )


def test_a_classifier_no_better_than_the_commonest_label_is_not_praised():
    scores = {"top1": 0.4, "top1_low": 0.1, "top1_high": 0.6, "top1_majority": 0.3, "crops": 10, "locations": 2}
    assert "which does not differ surely from the 30.0% of" in evaluation_page.lead({"test": scores})


def test_scores_stand_one_a_row_and_one_split_a_column_with_their_intervals():
    val, test = {"crops": 1200, "top1": 0.5}, {"crops": 900, "top1": 0.25, "top1_low": 0.1, "top1_high": 0.5}
    shown = cells(evaluation_page.scores_table({"val": val, "test": test}))
    assert [row[:3] for row in shown] == [
        ["score", "val", "test"],
        ["crops", "1,200", "900"],
        ["top1", "0.500", "0.250 (0.100–0.500)"],
    ]


def test_counts_name_the_commonest_reasons():
    reasons = {"failed": {"photo not found": 2}, "skipped": {"late": 1, "early": 5}}
    count = {"unit": "photos", "rows_in": 10, "rows_out": 2, "skipped": 6, "failed": 2, "reasons": reasons}
    assert cells(data_card.counts_table({"query": count}))[1] == [
        "query", "photos", "10", "2", "6", "2", "2 photo not found; 5 early; 1 late",
    ]  # fmt: skip


def crops_of(*given):
    """Make rows from (label, split, location, night, number)."""
    rows = [row for *row, number in given for _ in range(number)]
    frame = pd.DataFrame(rows, columns=["label", "split", "location", "night"])
    days = pd.to_datetime(["2024-05-01"] * len(frame))
    return frame.assign(dataset="d", image=[f"d/{at}" for at in range(len(frame))], box=0, datetime=days)


CROPS = crops_of(("fox", "train", "007", False, 3), ("fox", "test", "1", True, 1), ("NA", "train", "007", True, 1))


def test_the_data_card_counts_labels_by_split_locations_and_night():
    labels = data_card.labels(CROPS).set_index("label")
    assert labels.loc["fox"].to_dict() == {
        "crops": 4,
        "train: crops": 3, "train: locations": 1, "train: night": "0%",
        "val: crops": 0, "val: locations": 0, "val: night": "–",
        "test: crops": 1, "test: locations": 1, "test: night": "100%",
    }  # fmt: skip
    assert labels.loc["NA", "train: night"] == "100%"


def test_the_data_card_counts_labels_at_each_location_most_crops_first():
    places = data_card.locations(CROPS)
    assert places[["location", "split", "crops", "night", "first day", "NA", "fox"]].to_numpy(object).tolist() == [
        ["007", "train", 4, "25%", "2024-05-01", 1, 3],
        ["1", "test", 1, "100%", "2024-05-01", 0, 1],
    ]


def test_a_licence_is_said_where_it_is_known_and_no_key_is_shown(run):
    row = run.datasets[0] | {"licence": "CC BY 4.0", "images": "https://host/photos?sig=secret"}
    shown = data_card.sources(replace(run, datasets=[row])).iloc[0]
    assert shown["licence"] == "CC BY 4.0"
    assert shown["photos lie at"] == "https://host/photos"
    assert data_card.sources(run).iloc[0]["licence"] == "not known"


def test_failures_are_listed_with_their_reason(pages):
    assert ["crop", "d/gone.jpg", "–", "photo not found"] in cells(pages["data.html"])


def test_samples_are_spread_over_the_locations_of_a_label(tmp_path):
    crops = crops_of(("fox", "train", "busy", False, 30), ("owl", "train", "busy", False, 2))
    quiet = [crops_of(("fox", "train", f"place {at}", False, 1)).assign(image=f"d/q{at}") for at in range(10)]
    shown = data_card.sample_of_labels(pd.concat([crops, *quiet]))
    assert shown["label"].value_counts().to_dict() == {"fox": 12, "owl": 2}
    assert shown[shown["label"] == "fox"]["location"].nunique() == 11


def block(text, name):
    start = text.index(f'id="{name}">') + len(f'id="{name}">')
    return json.loads(text[start : text.index("</script>", start)])


def test_cells_of_the_confusion_matrix_know_their_photos_the_surest_first(run, pages):
    given, tested = block(pages["evaluation.html"], "cells"), run.predictions.crops
    tested = tested[tested["split"] == "test"]
    assert sum(given["totals"].values()) == len(tested)
    pictures = block(pages["evaluation.html"], "pictures")
    for cell, photos in given["photos"].items():
        label, prediction = (given["classes"][int(at)] for at in cell.split("-"))
        own = tested[(tested["label"] == label) & (tested["prediction"] == prediction)]
        assert len(photos) == min(len(own), evaluation_page.PER_CELL)
        sure = own.sort_values(["confidence", "image"], ascending=[False, True])["image"].head(len(photos))
        assert sorted(where.split(",")[0] for _, where, _ in photos) == sorted(sure)
        assert all(number is None or number < len(pictures) for number, _, _ in photos)


def test_the_reliability_of_a_label_counts_its_predictions(run, pages):
    given, tested = block(pages["evaluation.html"], "cells"), run.predictions.crops
    for at, bins in given["reliability"].items():
        said = tested[(tested["split"] == "test") & (tested["prediction"] == given["classes"][int(at)])]
        assert sum(number for _, _, number in bins) == len(said)
        right = sum(share * number for _, share, number in bins)
        assert right == pytest.approx((said["label"] == said["prediction"]).sum(), abs=0.1)


def test_the_restricted_view_takes_the_surest_predictions_only():
    rows = pd.DataFrame({"label": ["a", "a", "b"], "prediction": ["a", "b", "b"], "confidence": [0.99, 0.98, 1.0]})
    drawn = evaluation_page.confusion(rows, ["a", "b"])
    assert "all 3</button>" in drawn
    assert "confidence from 0.99: 2</button>" in drawn
    every, sure = drawn.split('data-matrix="sure"')
    assert every.count("taken for b: 1") == 2
    assert sure.count("taken for b: 1") == 1


def test_an_extreme_example_says_what_it_was_taken_for(run):
    row = run.evaluation["examples"].iloc[:1].assign(kind="fn", actual="fox", predicted="<b>", confidence=0.75)
    drawn = evaluation_page.gallery_of_extremes(row, Reader(layout.EVALUATION), Album(10_000_000))
    assert "missed, taken for &lt;b&gt;, 0.750" in drawn
    assert drawn.count("<img") == 1


def test_the_model_card_names_weak_labels_few_crops_and_the_worse_light(run):
    per_class = pd.DataFrame(
        {"split": "test", "label": ["fox", "owl"], "support": [40, 3], "recall": [0.4, 1.0], "precision": [1.0, 1.0]}
    )
    test = run.scores["test"] | {"day_top1": 0.9, "night_top1": 0.5}
    weak = replace(run, evaluation=run.evaluation | {"per_class": per_class}, scores=run.scores | {"test": test})
    said = " ".join(model_card.limits(weak))
    assert "It misses more than half of: fox (40%)." in said
    assert "fewer than 30 crops, so by chance as much as by skill: owl (3)." in said
    assert "By night it is worse than by day: 50.0% of crops right against 90.0%." in said


def test_the_model_card_has_the_hashes_of_its_data(run, pages):
    import hashlib

    for path in runs.HASHED.values():
        assert hashlib.sha256(path.read_bytes()).hexdigest() in pages["model.html"]


def test_plots_are_of_test_alone(run):
    drawn = plots(run)
    scored = run.evaluation["per_class"]
    assert drawn["per_class"]["recall"].tolist() == scored.loc[scored["split"] == "test", "recall"].tolist()
    assert len(drawn["confusion"]) == (run.predictions.crops["split"] == "test").sum()
    assert drawn["balance"]["crops"].sum() == len(run.assigned)
