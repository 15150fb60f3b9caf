"""Judge a classifier on every split: the predictions table and the tables that scores and plots are made of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from camtraps import metrics
from camtraps.schema import SPLIT_NAMES as SPLITS

UNCALIBRATED = "ece_uncalibrated"


@dataclass(frozen=True)
class Evaluation:
    """Scores by split (the metrics contract), and tables by class, confusion, confidence and location."""

    scores: dict[str, dict[str, float]]
    per_class: pd.DataFrame
    confusion: pd.DataFrame
    reliability: pd.DataFrame
    per_location: pd.DataFrame


def predictions(assigned: pd.DataFrame, probabilities: metrics.Probabilities, classes: list[str]) -> pd.DataFrame:
    """Make rows of the predictions table.

    Args:
        assigned: rows of the assigned table, in the order of the probabilities.
        probabilities: (crops, classes), calibrated.
        classes: names of the columns.
    """
    best = probabilities.argmax(axis=1)
    return assigned.assign(
        prediction=np.array(classes)[best],
        confidence=probabilities.max(axis=1).round(6),
        probabilities=list(probabilities.astype(np.float32)),
    )


def evaluate(table: pd.DataFrame, raw: metrics.Probabilities, classes: list[str]) -> Evaluation:
    """Judge the predictions.

    Args:
        table: rows of the predictions table.
        raw: the same crops' probabilities before calibration.
        classes: all classes, in the order of the probabilities.
    """
    index = {name: at for at, name in enumerate(classes)}
    labels = table["label"].map(index).to_numpy(np.int64)
    probabilities = np.stack(table["probabilities"].to_list()).astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    places = (table["dataset"] + "/" + table["location"]).to_numpy(dtype=str)
    majority = int(np.bincount(labels[(table["split"] == "train").to_numpy()], minlength=len(classes)).argmax())
    scores: dict[str, dict[str, float]] = {}
    by_class, by_bin = [], []
    for split in SPLITS:
        at = (table["split"] == split).to_numpy()
        scores[split] = metrics.scores(labels[at], probabilities[at], places[at], majority)
        scores[split][UNCALIBRATED] = round(metrics.calibration_error(labels[at], raw[at]), 4)
        by_class.append(metrics.per_class(labels[at], probabilities[at], classes).assign(split=split))
        by_bin.append(metrics.reliability(labels[at], probabilities[at]).assign(split=split))
    columns = ["split", "label", "support", "precision", "recall", "f1", "ap"]
    confusion = table[["split", "label", "prediction"]].rename(columns={"label": "actual", "prediction": "predicted"})
    return Evaluation(
        scores=scores,
        per_class=pd.concat(by_class, ignore_index=True)[columns],
        confusion=confusion.sort_values(["split", "actual", "predicted"], kind="stable"),
        reliability=pd.concat(by_bin, ignore_index=True)[["split", "bin", "crops", "confidence", "accuracy"]],
        per_location=_per_location(table),
    )


def _per_location(table: pd.DataFrame) -> pd.DataFrame:
    right = table.assign(top1=(table["label"] == table["prediction"]).astype(float))
    grouped: Any = right.groupby(["split", "dataset", "location"])
    return (
        grouped.agg(crops=("top1", "size"), top1=("top1", "mean"), labels=("label", "nunique")).round(4).reset_index()
    )
