"""The comparison of two classifiers, with values by hand."""

import numpy as np
import pandas as pd
import pytest

from camtraps.comparison import by_label, by_location, kappa, overall, pair, thresholds
from camtraps.contenders import Results

COLUMNS = ["image", "location", "label", "prediction", "confidence"]


def results(name, *rows, split="test"):
    """Make results of crops from (image, location, label, prediction, confidence)."""
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return Results(name, frame.assign(box=0, dataset="d", split=split))


A = results(
    "A",
    ("1", "x", "fox", "fox", 0.9),
    ("2", "x", "fox", "owl", 0.8),
    ("3", "y", "owl", "owl", 0.7),
    ("4", "y", "owl", "fox", 0.6),
)
B = results(
    "B",
    ("1", "x", "fox", "fox", 0.99),
    ("2", "x", "fox", "fox", 0.95),
    ("3", "y", "owl", "fox", 0.5),
    ("4", "y", "owl", "fox", 0.4),
)


def values(pairs):
    return dict(overall(pairs).itertuples(index=False))


def test_both_are_counted_side_by_side():
    said = values(pair(A, B, "test"))
    assert said["crops that both have"] == "4 (A 4, B 4)"
    assert said["same prediction"] == "50.0%"
    assert (said["A right"], said["B right"]) == ("50.0%", "50.0%")
    assert (said["only A right"], said["only B right"], said["both wrong"]) == ("1", "1", "1")
    assert said["B better than A by"] == "+0.0% (-50.0% to +50.0%)"


def test_kappa_is_agreement_beyond_chance():
    # 0.5 agree; by chance 0.5 * 1 + 0.5 * 0.
    assert kappa(A.rows["prediction"], B.rows["prediction"]) == pytest.approx(0.0)
    assert kappa(A.rows["prediction"], A.rows["prediction"]) == 1.0
    assert kappa(B.rows["prediction"], B.rows["prediction"]) == 1.0  # only one class at all


def test_each_label_has_recall_and_precision_of_both():
    fox, owl = by_label(pair(A, B, "test")).to_dict("records")
    assert [fox[name] for name in ("crops", "recall A", "recall B", "precision A", "precision B")] == [
        2,
        0.5,
        1,
        0.5,
        0.5,
    ]
    assert [owl[name] for name in ("recall A", "recall B", "precision A")] == [0.5, 0, 0.5]
    assert np.isnan(owl["precision B"])  # B never says owl


def test_one_wins_where_its_lead_is_no_chance():
    # Of six crops that only B has right, none that only A has: 2 * 0.5 ** 6 = 0.03; of five: 0.06.
    for num, winner in ((6, "B"), (5, "–")):
        rows = [(str(at), "x", "fox", "owl", 0.5) for at in range(num)]
        right = [(*row[:3], "fox", 0.5) for row in rows]
        (row,) = by_location(pair(results("A", *rows), results("B", *right), "test")).to_dict("records")
        assert row == {
            "location": "d/x", "crops": num, "right A": 0, "right B": 1, "only A right": 0, "only B right": num,
            "wins": winner,
        }  # fmt: skip


def test_equivalent_thresholds_are_equally_precise():
    table = thresholds(pair(A, B, "test")).set_index("threshold A")
    assert table.loc[0.9].tolist() == [1.0, 0.25, 0.95, 1.0, 0.5]  # B is right in both from 0.95 on
    assert table.loc[0.0].tolist() == [0.5, 1.0, 0.4, 0.5, 1.0]
    assert 0.95 not in table.index  # A has no prediction there


def test_where_b_is_never_as_precise_there_is_no_threshold():
    wrong = results("B", *[(*row[:3], "elk", 0.9) for row in A.rows[COLUMNS].itertuples(index=False)])
    assert thresholds(pair(A, wrong, "test"))["threshold B"].isna().all()


def test_what_is_in_another_split_of_one_of_them_is_left_out():
    moved = Results("B", B.rows.assign(split=["train", "test", "test", "test"]))
    pairs = pair(A, moved, "test")
    assert len(pairs.rows) == 3
    assert values(pairs)["left out, in another split"] == "1"


def test_labels_of_the_later_one_count_and_differences_are_told():
    corrected = Results("B", B.rows.assign(label=["owl", "fox", "owl", "owl"]))
    pairs = pair(A, corrected, "test")
    assert values(pairs)["labels that differ; those of B count"] == "1"
    assert values(pairs)["A right"] == "25.0%"


def test_beside_photos_crops_are_taken_by_their_surest_prediction():
    two = results("A", ("1", "x", "fox", "owl", 0.6), ("1", "x", "fox", "fox", 0.8))
    two = Results("A", two.rows.assign(box=[0, 1]))
    photos = Results("B", pd.DataFrame({"image": ["1"], "prediction": ["fox"], "confidence": [0.5]}))
    pairs = pair(two, photos, "test")
    assert pairs.unit == "photos"
    assert values(pairs)["A right"] == values(pairs)["B right"] == "100.0%"


def test_without_labels_only_agreement_is_known():
    photos = Results("B", pd.DataFrame({"image": ["1", "2"], "prediction": ["fox", "owl"], "confidence": 0.5}))
    assert list(values(pair(photos, photos, "test"))) == [
        "photos that both have", "same prediction", "agreement beyond chance (kappa)",
    ]  # fmt: skip
