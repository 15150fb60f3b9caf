"""Evaluation: tables of a run counted by hand; the scores themselves are tested in test_metrics."""

import re

import numpy as np
import pandas as pd
import pytest
from make_tables import rows

from camtraps import predictions as tables_of_predictions
from camtraps.evaluation import EvaluateParams, answers, evaluate, evaluate_foreign, predictions, together
from camtraps.schema import PREDICTIONS

CLASSES = ["deer", "fox", "owl"]
PARAMS = {"accept_precision": 0.9, "extreme_examples": 3, "foreign": None, "foreign_mapping": None, "max_failed": 0.0}
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


def params(**changes):
    return EvaluateParams(**PARAMS | changes)


def table_of(run, classes=CLASSES, **columns):
    given = [
        {"image": f"d/{at}", "dataset": "d", "location": place, "split": split, "label": label}
        for at, (split, place, label, _) in enumerate(run)
    ]
    crops = rows(PREDICTIONS, *given).drop(columns=["prediction", "confidence"]).assign(**columns)
    return predictions(crops, np.array([probabilities for *_, probabilities in run]), classes)


def logits_of(run, temperature=1.0):
    return temperature * np.log(np.clip([probabilities for *_, probabilities in run], 1e-12, 1))


def judged(run=RUN, classes=CLASSES, temperature=1.0, **columns):
    return evaluate(
        table_of(run, classes, **columns).crops, logits_of(run, temperature), temperature, classes, params()
    )


def test_a_prediction_is_the_most_probable_class_and_its_probability():
    table = table_of(RUN).crops
    assert table["prediction"].tolist() == ["deer", "fox", "fox", "deer", "owl", "fox", "fox", "owl", "deer"]
    assert table["confidence"].tolist() == pytest.approx([0.9, 0.7, 0.7, 0.6, 0.8, 0.8, 0.6, 1.0, 0.5], abs=2e-6)


def test_prediction_and_confidence_are_those_of_the_stored_probabilities(tmp_path):
    even = [("test", "1", "deer", [1 / 3 - 1e-9, 1 / 3, 1 / 3 + 1e-9]), *RUN]
    tables_of_predictions.write(table_of(even), tmp_path / "p.parquet")
    found = tables_of_predictions.read(tmp_path / "p.parquet")
    best = found.probabilities.argmax(axis=1)
    assert found.crops["prediction"].tolist() == [CLASSES[at] for at in best]
    assert found.crops["prediction"].tolist() != ["deer"] * 10
    assert found.crops["confidence"].tolist() == found.probabilities.max(axis=1).astype(float).round(6).tolist()


def test_each_split_is_scored_by_itself():
    scores = judged().scores
    assert list(scores) == ["train", "val", "test"]
    assert [scores[split]["top1"] for split in scores] == [1.0, 0.5, 0.5]
    assert [scores[split]["crops"] for split in scores] == [3, 2, 4]
    assert [scores[split]["locations"] for split in scores] == [1, 1, 2]


def test_a_split_without_crops_has_no_scores():
    assert list(judged([row for row in RUN if row[0] != "val"]).scores) == ["train", "test"]


def test_the_baseline_is_the_commonest_class_of_train():
    assert judged().scores["test"]["top1_majority"] == 0.25  # one fox of four


def test_the_calibration_is_also_told_as_it_was_before():
    # E4: there was no word on calibration. Divided by 2 the logits give the probabilities above, before that not.
    result = judged(temperature=2.0)
    plain = judged(temperature=1.0)
    scores = result.scores["test"]
    assert scores["ece"] == plain.scores["test"]["ece"]
    assert scores["ece_uncalibrated"] != scores["ece"]
    assert scores["brier_uncalibrated"] != scores["brier"]
    before, after = (result.tables[name] for name in ("reliability_uncalibrated", "reliability"))
    assert after.equals(plain.tables["reliability"])
    assert before["confidence"].mean() > after["confidence"].mean()


def test_class_rows_are_counted_by_hand():
    per_class = judged().tables["per_class"]
    assert list(per_class.columns) == ["split", "label", "support", "precision", "recall", "f1", "ap"]
    assert len(per_class) == 9
    row = per_class[(per_class["split"] == "test") & (per_class["label"] == "fox")].iloc[0]
    assert (row["support"], row["precision"], row["recall"]) == (1, 0.5, 1.0)


def test_the_confusion_lists_every_crop():
    confusion = judged().tables["confusion"]
    assert sorted(confusion[confusion["split"] == "test"][["actual", "predicted"]].to_numpy().tolist()) == [
        ["deer", "fox"],
        ["fox", "fox"],
        ["owl", "deer"],
        ["owl", "owl"],
    ]
    assert len(confusion) == len(RUN)


def test_locations_are_scored_one_by_one():
    rows_of_test = judged().tables["per_location"].query("split == 'test'").drop(columns=["split", "dataset"])
    assert rows_of_test.to_dict("records") == [
        {"location": "3", "crops": 2, "top1": 0.5, "labels": 2},
        {"location": "4", "crops": 2, "top1": 0.5, "labels": 1},
    ]


def test_datasets_and_day_and_night_are_scored_apart():
    # E4: nothing was told by dataset, and nothing by light.
    at = np.arange(len(RUN))
    result = judged(night=at >= 7, dataset=np.where(at % 2 == 1, "odd", "even"))
    by_light = result.tables["per_light"].set_index(["split", "light"])
    assert by_light.loc[("test", "day"), ["crops", "top1"]].tolist() == [2, 0.5]
    assert by_light.loc[("test", "night"), ["crops", "top1"]].tolist() == [2, 0.5]
    assert ("val", "night") not in by_light.index
    by_dataset = result.tables["per_dataset"].set_index(["split", "dataset"])
    assert by_dataset.loc[("test", "odd"), ["crops", "top1"]].tolist() == [2, 1.0]
    assert (result.scores["test"]["night_top1"], result.scores["train"]["day_top1"]) == (0.5, 1.0)
    assert "night_top1" not in result.scores["val"]


def test_a_photo_and_a_sequence_are_judged_by_the_mean_of_their_logits():
    # E4: nothing was told by photo and by sequence. Alone one of two crops is right.
    crops = [("test", "1", "deer", [0.9, 0.05, 0.05]), ("test", "1", "deer", [0.4, 0.6, 0.0])]
    crops += [("test", "1", "fox", [0.5, 0.4, 0.1])]
    result = judged(crops, image=["d/a", "d/a", "d/b"], box=[0, 1, 0], sequence=["s", "s", "s"])
    assert result.scores["test"]["top1"] == round(1 / 3, 4)
    assert result.scores["test"]["image_top1"] == 0.5
    levels = result.tables["levels"].set_index("level")
    assert levels["examples"].to_dict() == {"crop": 3, "image": 2, "sequence": 1}
    assert result.scores["test"]["sequence_top1"] == 1.0  # two of its three crops are deer


def test_the_label_of_a_photo_is_that_of_most_crops_and_of_as_many_the_first_class():
    crops = [("test", "1", label, [0.5, 0.25, 0.25]) for label in ("owl", "fox", "owl", "fox", "deer")]
    table = table_of(crops).crops
    found = together(answers(table, logits_of(crops), CLASSES), pd.Series(["b", "a", "b", "b", "b"]))
    assert found.labels.tolist() == [1, 2]
    assert together(answers(table, logits_of(crops), CLASSES), pd.Series(["a"] * 5)).labels.tolist() == [1]


def test_a_photo_without_sequence_is_a_sequence_of_its_own():
    result = judged(sequence=pd.array([None] * len(RUN), "str"))
    levels = result.tables["levels"].set_index(["split", "level"])["examples"]
    assert levels["test", "sequence"] == levels["test", "image"] == 4


def test_two_classes_are_evaluated_without_top3():
    # E1, E2, R2: without label weighting, and with two classes, nothing could be evaluated.
    run = [(split, str(at), label, [0.6, 0.4]) for at, split in enumerate(["train", "val", "test"]) for label in "ab"]
    scores = judged(run, ["a", "b"]).scores
    assert all("top3" not in scores[split] and scores[split]["top1"] == 0.5 for split in scores)


def test_labels_may_be_called_as_columns_are():
    # E6: labels called `path`, `label` or `weight` overwrote columns.
    run = [(split, "1", ["path", "label", "weight"][at % 3], row) for at, (split, _, _, row) in enumerate(RUN)]
    result = judged(run, ["path", "label", "weight"])
    assert set(result.tables["per_class"]["label"]) == {"path", "label", "weight"}
    assert result.scores["test"]["crops"] == 4


def test_a_foreign_classifier_is_scored_on_the_same_crops():
    table = table_of(RUN).crops
    own = np.array([[*probabilities, 0.0] for *_, probabilities in RUN])
    own[5] = [0.0, 0.0, 0.0, 1.0]  # the fox is none of our labels to it
    found = evaluate_foreign(table, own, CLASSES)
    assert found.scores["test"]["top1_foreign"] == 0.25
    assert found.scores["val"]["top1_foreign"] == 0.5
    assert found.tables["per_class_foreign"]["label"].unique().tolist() == [*CLASSES, "other"]
    both = judged().with_foreign(found)
    assert both.scores["test"]["top1"] == 0.5
    assert both.scores["test"]["top1_foreign"] == 0.25
    assert "per_class" in both.tables


def test_a_foreign_classifier_is_scored_on_the_splits_that_it_has_seen():
    table, own = table_of(RUN).crops, np.full((9, 4), 0.25)
    own[(table["split"] != "test").to_numpy()] = np.nan
    found = evaluate_foreign(table, own, CLASSES)
    assert list(found.scores) == ["test"]
    both = judged().with_foreign(found)
    assert "top1_foreign" in both.scores["test"]
    assert "top1_foreign" not in both.scores["val"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accept_precision": 1.5}, "accept_precision: must be from 0.0 to 1.0, got 1.5"),
        ({"foreign": "../x.csv"}, "foreign: must be a file in data/<name>/foreign, got '../x.csv'"),
        ({"foreign_mapping": "a.json"}, "foreign_mapping: has no effect without evaluate.foreign; set both or none"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(changes, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        params(**changes)
