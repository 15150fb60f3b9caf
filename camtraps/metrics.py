"""Scores of a classifier: pure functions of labels, probabilities and locations."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import average_precision_score, f1_score, precision_recall_fscore_support, recall_score

BINS = 15  # of the calibration error
RESAMPLES = 2000

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]  # (crops, classes), rows sum to 1


def scores(labels: Labels, probabilities: Probabilities, locations: NDArray[Any], majority: int) -> dict[str, float]:
    """Score the crops of one split.

    Macro scores are means over the classes that occur in the split, so that a class without crops there neither helps
    nor harms. `top3` is absent with fewer than three classes.

    Args:
        labels: true class index, (crops,).
        probabilities: (crops, classes).
        locations: (crops,); crops of one location are not independent, so the interval resamples locations.
        majority: the commonest class of the training split.
    """
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    low, high = interval((predicted == labels).astype(float), locations)
    values: dict[str, float] = {
        "crops": len(labels),
        "locations": len(np.unique(locations)),
        "top1": top_k(labels, probabilities, 1),
        "top3": top_k(labels, probabilities, 3),
        "macro_recall": recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "macro_f1": f1_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "macro_ap": float(np.mean([average_precision_score(labels == c, probabilities[:, c]) for c in present])),
        "log_loss": -np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1)).mean(),
        "ece": calibration_error(labels, probabilities),
        "top1_majority": float((labels == majority).mean()),
        "top1_low": low,
        "top1_high": high,
    }
    if probabilities.shape[1] < 3:
        del values["top3"]
    return {name: value if isinstance(value, int) else round(float(value), 4) for name, value in values.items()}


def per_class(labels: Labels, probabilities: Probabilities, classes: list[str]) -> pd.DataFrame:
    """Score each class of one split.

    Returns:
        label, support, precision (0 if never predicted), recall and ap (empty if the split has none of it), f1.
    """
    predicted = probabilities.argmax(axis=1)
    every = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    ap = [average_precision_score(labels == c, probabilities[:, c]) if support[c] else np.nan for c in every]
    table = pd.DataFrame(
        {"label": classes, "support": support, "precision": precision, "recall": recall, "f1": f1, "ap": ap}
    )
    return table.assign(recall=table["recall"].where(table["support"] > 0)).round(4)


def top_k(labels: Labels, probabilities: Probabilities, k: int) -> float:
    """Share of crops whose class is among the k most probable."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def calibration_error(labels: Labels, probabilities: Probabilities) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over 15 equal bins (Guo et al. 2017)."""
    table = reliability(labels, probabilities)
    return float((table["crops"] * (table["accuracy"] - table["confidence"]).abs()).sum() / table["crops"].sum())


def reliability(labels: Labels, probabilities: Probabilities) -> pd.DataFrame:
    """Compare confidence and accuracy of the prediction, bin by bin.

    Returns:
        bin (upper edge), crops, confidence and accuracy (means); bins without crops are left out.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edge = np.clip(np.ceil(confidence * BINS), 1, BINS) / BINS
    table = pd.DataFrame({"bin": edge.round(4), "confidence": confidence, "accuracy": right.astype(float)})
    grouped = table.groupby("bin")
    return (
        grouped.mean().assign(crops=grouped.size()).round(4).reset_index()[["bin", "crops", "confidence", "accuracy"]]
    )


def interval(right: NDArray[np.float64], locations: NDArray[Any]) -> tuple[float, float]:
    """Give the 95% interval of the mean of ``right`` by bootstrap over whole locations (percentile method)."""
    crops, hits = _resampled(right, np.zeros(len(right), int), locations, num_classes=1)
    low, high = np.quantile(hits / crops, [0.025, 0.975])
    return float(low), float(high)


def macro_recall_error(labels: Labels, probabilities: Probabilities, locations: NDArray[Any]) -> float:
    """Give the standard error of the macro recall, by bootstrap over locations; classes not drawn are left out."""
    right = (probabilities.argmax(axis=1) == labels).astype(float)
    crops, hits = _resampled(right, labels, locations, probabilities.shape[1])
    recalls = hits / np.maximum(crops, 1)  # (resamples, classes)
    return float((recalls.sum(axis=1) / (crops > 0).sum(axis=1)).std())


def mean_error(values: NDArray[np.float64], locations: NDArray[Any]) -> float:
    """Give the standard error of the mean of ``values``, (crops,), by bootstrap over locations."""
    crops, sums = _resampled(values, np.zeros(len(values), int), locations, num_classes=1)
    return float((sums / crops).std())


def _resampled(
    right: NDArray[np.float64], classes: Labels, locations: NDArray[Any], num_classes: int
) -> NDArray[np.float64]:
    """Draw whole locations with replacement, as many as there are, and count what was drawn by class.

    Args:
        right: 1 for each crop that is right, else 0, (crops,).
        classes: class index, (crops,).
        locations: (crops,).
        num_classes: classes to count, whether they occur or not.

    Returns:
        (2, resamples, classes): first all crops, then the right ones.
    """
    _, index = np.unique(locations, return_inverse=True)
    num = index.max() + 1
    counts = np.zeros((2, num, num_classes))
    np.add.at(counts[0], (index, classes), 1)
    np.add.at(counts[1], (index, classes), right)
    times = np.random.default_rng(0).multinomial(num, np.full(num, 1 / num), RESAMPLES)  # (resamples, locations)
    return np.asarray(times @ counts)


def fit_temperature(labels: Labels, logits: NDArray[np.float64]) -> float:
    """Find the temperature (0.2 to 5) by which logits are divided for the lowest log loss (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = minimize_scalar(loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def calibrated(logits: NDArray[np.float64], temperature: float) -> Probabilities:
    """Turn logits into probabilities at a temperature."""
    return np.asarray(softmax(logits / temperature, axis=1))
