"""Acceptance: what is gained and lost from some confidence on, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from camtraps import acceptance

COLUMNS = ["split", "label", "prediction", "confidence"]
CROPS = [
    ("val", "deer", "deer", 0.9),
    ("val", "fox", "deer", 0.8),
    ("val", "deer", "deer", 0.7),
    ("val", "fox", "fox", 0.6),
    ("val", "fox", "fox", 0.3),
    ("test", "deer", "deer", 0.85),
    ("test", "deer", "fox", 0.95),
    ("train", "deer", "fox", 1.0),
]


@pytest.fixture
def crops():
    return pd.DataFrame(CROPS, columns=COLUMNS)


def at(table, **values):
    for name, value in values.items():
        table = table[table[name] == value]
    (row,) = table.to_dict("records")
    return row


def test_a_threshold_accepts_a_share_with_a_precision(crops):
    table = acceptance.overall(crops)
    assert at(table, split="val", threshold=0.0) == {
        "split": "val", "threshold": 0.0, "crops": 5, "accepted": 1.0, "precision": 0.8, "recall": 0.8,
    }  # fmt: skip
    row = at(table, split="val", threshold=0.7)  # three accepted, two of them right
    assert (row["accepted"], row["precision"], row["recall"]) == (0.6, 0.6667, 0.4)
    assert np.isnan(at(table, split="val", threshold=0.95)["precision"])


def test_train_is_left_out_since_the_network_has_learned_it(crops):
    assert set(acceptance.overall(crops)["split"]) == {"val", "test"}
    assert set(acceptance.per_class(crops, ["deer", "fox"])["split"]) == {"val", "test"}


def test_what_is_lost_is_told_by_class(crops):
    table = acceptance.per_class(crops, ["deer", "fox", "owl"])
    fox = at(table, split="val", label="fox", threshold=0.7)  # of three foxes one is accepted, as a deer
    assert (fox["crops"], fox["lost"], fox["recall"]) == (3, 0.6667, 0.0)
    assert np.isnan(fox["precision"])
    deer = at(table, split="val", label="deer", threshold=0.7)
    assert (deer["lost"], deer["recall"], deer["precision"]) == (0.0, 1.0, 0.6667)
    owl = at(table, split="test", label="owl", threshold=0.0)
    assert owl["crops"] == 0
    assert np.isnan([owl["lost"], owl["recall"]]).all()


def test_a_class_gets_the_lowest_threshold_that_reaches_the_precision_on_val(crops):
    table = acceptance.thresholds(crops, ["deer", "fox", "owl"], 0.95).set_index("label")
    # At 0.8 one of two deer would be wrong; from 0.3 on all foxes of val are right, the one of test is not.
    assert table["threshold"].fillna(-1).tolist() == [0.9, 0.3, -1]
    assert table.loc["deer"].tolist()[1:3] == [1.0, 1]
    assert np.isnan(table.loc["deer", "test_precision"])
    assert table.loc["fox"].tolist() == [0.3, 1.0, 2, 0.0, 1]
    assert table.loc["owl", "val_accepted"] == 0


def test_a_lower_precision_accepts_more(crops):
    table = acceptance.thresholds(crops, ["deer"], 0.6)
    assert table["threshold"].tolist() == [0.7]  # two of three right


def test_equal_confidences_are_accepted_together():
    crops = pd.DataFrame(
        [("val", "a", "a", 0.5), ("val", "b", "a", 0.5)], columns=["split", "label", "prediction", "confidence"]
    )
    assert np.isnan(acceptance.thresholds(crops, ["a"], 0.9)["threshold"][0])
