"""Scores as CameraTraps writes them: its columns, its order, and the same bytes again."""

import csv
import gzip
import io
import time

import make_tables
import numpy as np
import pandas as pd
import pytest

from camtraps.exports import scores

CLASSES = ["deer", "fox", "owl"]
CROPS = [
    ("val", "fox", [0.25, 0.5, 0.25]),
    ("test", "deer", [0.75, 0.25, 0.0]),
    ("test", "deer", [0.5, 0.25, 0.25]),
    ("test", "deer", [0.25, 0.5, 0.25]),
    ("test", "fox", [0.0, 0.75, 0.25]),
]


def predicted(crops=CROPS, classes=CLASSES):
    return make_tables.predictions(
        *(
            {"image": f"d/{at}.jpg", "split": split, "label": label, "probabilities": row}
            | {"prediction": classes[int(np.argmax(row))]}
            for at, (split, label, row) in enumerate(crops)
        )
    )


def outputs(folder, given, classes=CLASSES, detector="human", name="outputs_test.csv.gz"):
    detectors = pd.Series([detector] * len(given.crops))
    return scores.export_outputs(given, detectors, classes, folder / name)


def test_outputs_have_the_columns_of_cameratraps(tmp_path):
    assert outputs(tmp_path, predicted().where(np.arange(5) > 0)) == "4 crops, 3 classes"
    lines = gzip.decompress((tmp_path / "outputs_test.csv.gz").read_bytes()).decode().splitlines()
    assert list(csv.reader(lines[:2])) == [
        ["path", "label", "weight", "deer", "fox", "owl"],
        ["d/1.jpg___crop00.jpg", "deer", "0.666667", "0.75", "0.25", "0"],
    ]
    table = pd.read_csv(tmp_path / "outputs_test.csv.gz")
    assert table[CLASSES].to_numpy().tolist() == [row for split, _, row in CROPS if split == "test"]
    assert table.groupby("label")["weight"].sum().round(4).to_dict() == {"deer": 2.0, "fox": 2.0}


def test_outputs_may_be_plain_and_name_the_detector(tmp_path):
    outputs(tmp_path, predicted(), detector="md", name="o.csv")
    assert (tmp_path / "o.csv").read_text().splitlines()[1].startswith('"d/0.jpg___crop00_md.jpg","fox",1,0.25')


def test_outputs_are_the_same_bytes_at_any_time_and_in_any_chunks(tmp_path, monkeypatch):
    outputs(tmp_path, predicted(), name="a.csv.gz")
    monkeypatch.setattr(time, "time", lambda: 2e9)
    outputs(tmp_path, predicted(), name="b.csv.gz")
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    monkeypatch.setattr(scores, "CHUNK", 2)
    outputs(tmp_path, predicted(), name="c.csv.gz")
    assert len({gzip.decompress((tmp_path / f"{name}.csv.gz").read_bytes()) for name in "ac"}) == 1


def test_labels_called_path_label_or_weight_overwrite_nothing(tmp_path):
    # E6: they overwrote the columns of the same name.
    classes = ["path", "label", "weight"]
    given = predicted([(split, classes[at % 3], row) for at, (split, _, row) in enumerate(CROPS)], classes)
    outputs(tmp_path, given, classes)
    lines = gzip.decompress((tmp_path / "outputs_test.csv.gz").read_bytes()).decode().splitlines()
    first, *rest = list(csv.reader(lines))
    assert first == [*classes, *classes]
    assert [row[0] for row in rest] == [f"d/{at}.jpg___crop00.jpg" for at in range(5)]
    assert [list(map(float, row[3:])) for row in rest] == [row for *_, row in CROPS]
    assert list(pd.read_csv(io.StringIO("\n".join(lines))).columns) == [*classes, "path.1", "label.1", "weight.1"]


def test_overall_metrics_are_in_percent_and_weighted_ones_are_shares_of_all_crops(tmp_path):
    # E8: the weighted accuracy was divided by the size of the batch. Here: deer 2 of 3, fox 1 of 1, half each.
    assert scores.export_overall(predicted(), CLASSES, tmp_path / "o.csv") == "2 splits"
    table = pd.read_csv(tmp_path / "o.csv")
    columns = "split,loss,loss_weighted,acc_top1,acc_top3,acc_weighted_top1,acc_weighted_top3"
    assert list(table.columns) == columns.split(",")
    test = table.set_index("split").loc["test"]
    losses = -np.log([0.75, 0.5, 0.25, 0.75])
    assert test["loss"] == pytest.approx(losses.mean(), abs=1e-4)
    assert test["loss_weighted"] == pytest.approx((losses[:3].mean() + losses[3]) / 2, abs=1e-4)
    assert test[["acc_top1", "acc_top3"]].tolist() == [75.0, 100.0]
    assert test["acc_weighted_top1"] == pytest.approx(100 * (2 / 3 + 1) / 2, abs=1e-4)
    assert test["acc_weighted_top3"] == 100.0


def test_two_classes_have_no_top3(tmp_path):
    # E2
    given = predicted([("test", "a", [0.5, 0.5]), ("test", "b", [0.25, 0.75])], ["a", "b"])
    scores.export_overall(given, ["a", "b"], tmp_path / "o.csv")
    (row,) = pd.read_csv(tmp_path / "o.csv").to_dict("records")
    assert row["acc_top1"] == 100
    assert np.isnan([row["acc_top3"], row["acc_weighted_top3"]]).all()


def test_label_stats_have_no_recall_without_example_and_no_precision_but_nought(tmp_path):
    scores.export_label_stats(predicted(), CLASSES, tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text().splitlines() == [
        "split,label,precision,recall",
        "val,deer,0.0,NaN",
        "val,fox,1.0,1.0",
        "val,owl,0.0,NaN",
        "test,deer,1.0,0.666667",
        "test,fox,0.5,1.0",
        "test,owl,0.0,NaN",
    ]


def test_confusion_matrices_have_the_truth_by_row_and_the_same_bytes_again(tmp_path):
    for name in "ab":
        scores.export_confusion(predicted(), CLASSES, tmp_path / f"{name}.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert found.files == ["val", "test"]
        assert found["test"].tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
        assert found["test"].dtype == np.int64
