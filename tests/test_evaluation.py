"""Evaluation: tables of a run counted by hand; the scores themselves are tested in test_metrics."""

import numpy as np
import pytest
from make_tables import rows

from camtraps import tables
from camtraps.evaluation import evaluate, predictions
from camtraps.schema import ASSIGNED, PREDICTIONS

CLASSES = ["deer", "fox", "owl"]
# Split, location, label, and the probabilities of deer, fox, owl.
RUN = [
    ("train", "1", "deer", [0.9, 0.1, 0.0]),
    ("train", "1", "fox", [0.2, 0.7, 0.1]),
    ("train", "1", "fox", [0.2, 0.7, 0.1]),
    ("val", "2", "fox", [0.6, 0.3, 0.1]),
    ("val", "2", "owl", [0.1, 0.1, 0.8]),
    ("test", "3", "fox", [0.1, 0.8, 0.1]),
    ("test", "3", "deer", [0.3, 0.6, 0.1]),
    ("test", "4", "owl", [0.0, 0.0, 1.0]),
    ("test", "4", "owl", [0.5, 0.1, 0.4]),
]


def table_of(run, classes=CLASSES):
    given = [
        {"image": f"d/{at}", "dataset": "d", "location": place, "split": split, "label": label}
        for at, (split, place, label, _) in enumerate(run)
    ]
    return predictions(rows(ASSIGNED, *given), np.array([probabilities for *_, probabilities in run]), classes)


def judged(run=RUN, classes=CLASSES):
    table = table_of(run, classes)
    return evaluate(table, np.stack(table["probabilities"]).astype(float), classes)


def test_a_prediction_is_the_most_probable_class_and_its_probability():
    table = table_of(RUN)
    assert table["prediction"].tolist() == ["deer", "fox", "fox", "deer", "owl", "fox", "fox", "owl", "deer"]
    assert table["confidence"].tolist() == [0.9, 0.7, 0.7, 0.6, 0.8, 0.8, 0.6, 1.0, 0.5]


def test_the_predictions_fit_their_table(tmp_path):
    tables.write(table_of(RUN), tmp_path / "p.parquet", PREDICTIONS)
    assert tables.read(tmp_path / "p.parquet", PREDICTIONS)["probabilities"][0].tolist() == pytest.approx([0.9, 0.1, 0])


def test_each_split_is_scored_by_itself():
    scores = judged().scores
    assert list(scores) == ["train", "val", "test"]
    assert [scores[split]["top1"] for split in scores] == [1.0, 0.5, 0.5]
    assert [scores[split]["crops"] for split in scores] == [3, 2, 4]
    assert [scores[split]["locations"] for split in scores] == [1, 1, 2]


def test_the_baseline_is_the_commonest_class_of_train():
    assert judged().scores["test"]["top1_majority"] == 0.25  # one fox of four


def test_the_calibration_error_is_also_given_as_it_was_before():
    table = table_of(RUN)
    raw = np.array([[0.0, 1.0, 0.0]] * len(RUN))
    scores = evaluate(table, raw, CLASSES).scores["test"]
    assert scores["ece_uncalibrated"] == 0.75  # always sure of fox, right once in four
    assert scores["ece"] != scores["ece_uncalibrated"]


def test_class_rows_are_counted_by_hand():
    per_class = judged().per_class
    assert len(per_class) == 9
    row = per_class[(per_class["split"] == "test") & (per_class["label"] == "fox")].iloc[0]
    assert (row["support"], row["precision"], row["recall"]) == (1, 0.5, 1.0)


def test_the_confusion_lists_every_crop():
    confusion = judged().confusion
    assert sorted(confusion[confusion["split"] == "test"][["actual", "predicted"]].to_numpy().tolist()) == [
        ["deer", "fox"],
        ["fox", "fox"],
        ["owl", "deer"],
        ["owl", "owl"],
    ]
    assert len(confusion) == len(RUN)


def test_locations_are_scored_one_by_one():
    rows_of_test = judged().per_location.query("split == 'test'").drop(columns=["split", "dataset"])
    assert rows_of_test.to_dict("records") == [
        {"location": "3", "crops": 2, "top1": 0.5, "labels": 2},
        {"location": "4", "crops": 2, "top1": 0.5, "labels": 1},
    ]


def test_two_classes_are_evaluated_without_top3():
    run = [(split, str(at), label, [0.6, 0.4]) for at, split in enumerate(["train", "val", "test"]) for label in "ab"]
    scores = judged(run, ["a", "b"]).scores
    assert all("top3" not in scores[split] and scores[split]["top1"] == 0.5 for split in scores)
