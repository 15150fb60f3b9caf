"""Scores as CameraTraps writes them: ``outputs_*.csv.gz``, ``overall_metrics.csv``, ``label_stats.csv``, matrices."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from camtraps import metrics, outputs, plots
from camtraps.files import replacing, write_text
from camtraps.predictions import Predictions
from camtraps.schema import SPLIT_NAMES as SPLITS
from camtraps.shards import member_name

CHUNK = 10_000  # crops whose text is held in memory


def weights(predictions: pd.DataFrame) -> NDArray[np.float64]:
    """Give the weight of each crop with which all labels of a split weigh the same; they sum to the split's crops."""
    by_label = predictions.groupby(["split", "label"])["image"].transform("size")
    total = predictions.groupby("split")["image"].transform("size")
    num_labels = predictions.groupby("split")["label"].transform("nunique")
    return np.asarray(total / num_labels / by_label, np.float64)


def export_outputs(predictions: Predictions, detectors: pd.Series, classes: list[str], path: Path) -> str:
    """Write the probabilities of crops as CSV, gzipped if the name ends in ``.gz``; give the counts as text.

    The columns are ``path`` (the crop's name of CameraTraps), ``label``, ``weight``, and one for each class in the
    order of label_index.json. They are told by their place: a class may be called `path`, `label` or `weight` too.

    Args:
        predictions: those to write.
        detectors: which made the box of each crop.
        classes: in the order of the probabilities.
        path: the file to write.
    """
    crops = predictions.crops
    names = list(map(member_name, crops["image"], crops["box"], detectors))
    table = [pa.array(names), pa.array(crops["label"].tolist(), pa.string()), pa.array(weights(crops).round(6))]
    with outputs.writing(path, ["path", "label", "weight"], classes) as writer:
        for start in range(0, len(crops), CHUNK):
            keys = (each.slice(start, CHUNK) for each in table)
            writer.write(keys, predictions.probabilities[start : start + CHUNK])
    return f"{len(crops):,} crops, {len(classes)} classes"


def export_overall(predictions: Predictions, classes: list[str], path: Path) -> str:
    """Write ``overall_metrics.csv``: loss and accuracies in percent of each split, plain and weighted.

    Weighted ones are of all crops of the split at once, with weights by which all labels weigh the same.
    """
    rows: list[dict[str, object]] = []
    crops, index = predictions.crops, {name: at for at, name in enumerate(classes)}
    labels, by_label = crops["label"].map(index).to_numpy(np.int64), weights(crops)
    for split in SPLITS:
        here = (crops["split"] == split).to_numpy()
        if here.any():
            found, own = predictions.probabilities[here].astype(np.float64), labels[here]
            row: dict[str, object] = {"split": split, "loss": metrics.log_loss(own, found).mean()}
            row["loss_weighted"] = np.average(metrics.log_loss(own, found), weights=by_label[here])
            for k in (1, 3) if len(classes) >= 3 else (1,):
                right = metrics.among_top(own, found, k)
                row[f"acc_top{k}"] = 100 * right.mean()
                row[f"acc_weighted_top{k}"] = 100 * metrics.weighted_accuracy(right, by_label[here])
            rows.append(row)
    columns = ["split", "loss", "loss_weighted", "acc_top1", "acc_top3", "acc_weighted_top1", "acc_weighted_top3"]
    table = pd.DataFrame(rows, columns=columns).round(4)
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
    return f"{len(table)} splits"


def export_label_stats(predictions: Predictions, classes: list[str], path: Path) -> str:
    """Write ``label_stats.csv``: split, label, precision (0 if never predicted), recall (NaN if it has no example)."""
    parts = []
    for split, counts in matrices(predictions.crops, classes).items():
        said, true, right = counts.sum(axis=0), counts.sum(axis=1), np.diagonal(counts)
        recall = np.where(true > 0, right / np.maximum(true, 1), np.nan)
        columns = {"split": split, "label": classes, "precision": right / np.maximum(said, 1), "recall": recall}
        parts.append(pd.DataFrame(columns))
    table = pd.concat(parts).round(6)
    write_text(path, table.to_csv(index=False, lineterminator="\n", na_rep="NaN"))
    return f"{len(table)} rows"


def export_confusion(predictions: Predictions, classes: list[str], path: Path) -> str:
    """Write ``confusion_matrices.npz``: one array (classes, classes) a split, `[i, j]` = truth i predicted j."""
    found = matrices(predictions.crops, classes)
    with replacing(path) as part, part.open("wb") as file:
        np.savez(file, **found)  # type: ignore[arg-type]
    return f"{', '.join(found)}: {len(classes)} x {len(classes)}"


def matrices(predictions: pd.DataFrame, classes: list[str]) -> dict[str, NDArray[np.int64]]:
    """Count labels (rows) and predictions (columns) of each split that has crops."""
    parts = {split: predictions[predictions["split"] == split] for split in SPLITS}
    pairs = {
        split: rows.rename(columns={"label": "actual", "prediction": "predicted"}) for split, rows in parts.items()
    }
    return {split: plots.count_pairs(rows, classes) for split, rows in pairs.items() if len(rows)}
