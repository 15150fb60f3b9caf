"""Acceptance: what is gained and lost when every prediction from some confidence on is taken for true."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

JUDGED = ("val", "test")
Numbers = NDArray[np.int64]
Shares = NDArray[np.float64]

THRESHOLDS = (*(at / 20 for at in range(20)), 0.99)


def overall(predictions: pd.DataFrame) -> pd.DataFrame:
    """Compare thresholds on the crops of val and test.

    Args:
        predictions: rows of the predictions table.

    Returns:
        split, threshold, crops, accepted (share of the crops from that confidence on), precision (share of those that
        is right; empty without any), recall (share of all crops that is accepted and right).
    """
    rows = []
    for split, crops in _by_split(predictions):
        right = (crops["label"] == crops["prediction"]).to_numpy()
        for threshold in THRESHOLDS:
            accepted = (crops["confidence"] >= threshold).to_numpy()
            hits = int((accepted & right).sum())
            precision = hits / accepted.sum() if accepted.any() else np.nan
            rows.append((split, threshold, len(crops), accepted.mean(), precision, hits / len(crops)))
    return pd.DataFrame(rows, columns=["split", "threshold", "crops", "accepted", "precision", "recall"]).round(4)


def per_class(predictions: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Compare thresholds on the crops of each class of val and test.

    Args:
        predictions: rows of the predictions table.
        classes: all classes.

    Returns:
        split, label, threshold, crops (of the label), lost (share of them below the threshold, whatever they were taken
        for), recall (share of them accepted as what they are), precision (share of what is accepted as the label that
        is right); empty where there is none.
    """
    parts = []
    for split, crops in _by_split(predictions):
        right = crops["label"] == crops["prediction"]
        support = _count(crops["label"], classes)
        for threshold in THRESHOLDS:
            accepted = crops["confidence"] >= threshold
            hits = _count(crops["label"][accepted & right], classes)
            kept, said = _count(crops["label"][accepted], classes), _count(crops["prediction"][accepted], classes)
            columns: dict[str, Any] = {"split": split, "label": classes, "threshold": threshold, "crops": support}
            shares = {
                "lost": 1 - _share(kept, support),
                "recall": _share(hits, support),
                "precision": _share(hits, said),
            }
            parts.append(pd.DataFrame(columns | shares))
    return pd.concat(parts).sort_values(["split", "label", "threshold"], kind="stable", ignore_index=True).round(4)


def thresholds(predictions: pd.DataFrame, classes: list[str], precision: float) -> pd.DataFrame:
    """Find for each class the lowest confidence from which on its predictions reach a precision on val.

    Args:
        predictions: rows of the predictions table.
        classes: all classes.
        precision: the wanted one, 0 to 1.

    Returns:
        label, threshold (empty if none reaches it), and for val and test, precision and the number of predictions
        accepted from there on: ``val_precision``, ``val_accepted``, ``test_precision``, ``test_accepted``.
    """
    rows = []
    splits = {split: _confidences(predictions[predictions["split"] == split]) for split in JUDGED}
    none = pd.DataFrame({"confidence": [], "right": []})
    for name in classes:
        threshold = _lowest(splits["val"].get(name, none), precision)
        row: dict[str, object] = {"label": name, "threshold": threshold}
        for split, of_class in splits.items():
            given = of_class.get(name, none)
            accepted = given["right"][given["confidence"] >= threshold]  # none where the threshold is empty
            row |= {f"{split}_precision": round(accepted.mean(), 4), f"{split}_accepted": len(accepted)}
        rows.append(row)
    return pd.DataFrame(rows)


def _lowest(given: pd.DataFrame, precision: float) -> float:
    # Each confidence is a threshold that takes all predictions down to it, equal ones included.
    steps = given.groupby("confidence")["right"].agg(["sum", "size"]).sort_index(ascending=False).cumsum()
    enough = steps[steps["sum"] >= precision * steps["size"] - 1e-9]
    return float(enough.index.min()) if len(enough) else np.nan


def _confidences(crops: pd.DataFrame) -> dict[str, pd.DataFrame]:
    right = (crops["label"] == crops["prediction"]).astype(float)
    return dict(tuple(crops[["confidence"]].assign(right=right).groupby(crops["prediction"])))


def _by_split(predictions: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    parts = [(split, predictions[predictions["split"] == split]) for split in JUDGED]
    return [(split, crops) for split, crops in parts if len(crops)]


def _count(labels: pd.Series, classes: list[str]) -> Numbers:
    return np.asarray(labels.value_counts().reindex(classes, fill_value=0), np.int64)


def _share(part: Numbers, whole: Numbers) -> Shares:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
