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
TOPS = (1, 3, 5)
SCORES: tuple[str, ...] = (
    *("crops", "locations", "top1", "top3", "top5", "macro_recall", "macro_f1", "macro_ap", "micro_ap"),
    *("log_loss", "brier", "ece", "top1_majority", "top1_low", "top1_high", "macro_recall_low", "macro_recall_high"),
)
LEVELS = 2**19  # of probabilities, as finely as `predictions` stores them
BLOCK = 65_536  # crops whose pairs with classes are held in memory at once

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float64]  # (crops, classes), rows sum to 1


def scores(labels: Labels, probabilities: Probabilities, locations: NDArray[Any], majority: int) -> dict[str, float]:
    """Score the crops of one split: what `scores_of_part` says, average precision, and the baseline.

    Args:
        labels: true class index, (crops,).
        probabilities: (crops, classes).
        locations: (crops,); crops of one location are not independent, so the intervals resample locations.
        majority: the commonest class of the training split.
    """
    present = np.unique(labels)
    precisions = [average_precision_score(labels == each, probabilities[:, each]) for each in present]
    more = {
        "macro_ap": float(np.mean(precisions)),
        "micro_ap": micro_average_precision(labels, probabilities),
        "top1_majority": float((labels == majority).mean()),
    }
    values = scores_of_part(labels, probabilities, locations) | {name: round(more[name], 4) for name in more}
    return {name: values[name] for name in SCORES if name in values}


def scores_of_part(labels: Labels, probabilities: Probabilities, locations: NDArray[Any]) -> dict[str, float]:
    """Score some crops with what is quick to compute.

    Macro scores are means over the classes that occur among them, so that a class without crops there neither helps
    nor harms. `top3` and `top5` are absent where there are fewer classes. Intervals are of 95%. Arguments as in
    `scores`.
    """
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    low, high = interval((predicted == labels).astype(float), locations)
    macro_low, macro_high = macro_recall_interval(labels, probabilities, locations)
    values: dict[str, float] = {
        "crops": len(labels),
        "locations": len(np.unique(locations)),
        **{f"top{k}": top_k(labels, probabilities, k) for k in TOPS if k <= probabilities.shape[1]},
        "macro_recall": recall_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "macro_f1": f1_score(labels, predicted, labels=present, average="macro", zero_division=0),
        "log_loss": log_loss(labels, probabilities).mean(),
        "brier": brier(labels, probabilities),
        "ece": calibration_error(labels, probabilities),
        "top1_low": low,
        "top1_high": high,
        "macro_recall_low": macro_low,
        "macro_recall_high": macro_high,
    }
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
    return float(among_top(labels, probabilities, k).mean())


def among_top(labels: Labels, probabilities: Probabilities, k: int) -> NDArray[np.bool_]:
    """Say of each crop whether its class is among the k most probable; of equal ones the first count first."""
    own = probabilities[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    before = (probabilities > own).sum(axis=1) + ((probabilities == own) & earlier).sum(axis=1)
    return np.asarray(before < k)


def weighted_accuracy(right: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """Share of the weight that is right, 0 to 1: of all crops at once, since a mean over batches may exceed 1."""
    return float((weights * right).sum() / weights.sum())


def log_loss(labels: Labels, probabilities: Probabilities) -> NDArray[np.float64]:
    """Loss of each crop, -log of the probability of its class, which counts as no lower than 1e-7."""
    return np.asarray(-np.log(np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1)))


def brier(labels: Labels, probabilities: Probabilities) -> float:
    """Mean squared distance of the probabilities from the truth, summed over classes: 0 to 2 (Brier 1950).

    Unlike the calibration error it also falls when the classifier tells classes apart better, and it has no bins.
    """
    own = probabilities[np.arange(len(labels)), labels]
    return float((np.square(probabilities).sum(axis=1) - 2 * own + 1).mean())


def micro_average_precision(labels: Labels, probabilities: Probabilities) -> float:
    """Average precision over all pairs of crop and class at once, where every crop counts the same.

    Probabilities are told apart to 1 / LEVELS, which makes it a matter of counting, however many pairs there are.
    """
    pairs, hits = np.zeros(LEVELS + 1), np.zeros(LEVELS + 1)
    for start in range(0, len(labels), BLOCK):
        part = np.rint(probabilities[start : start + BLOCK] * LEVELS).astype(np.int64)
        own = part[np.arange(len(part)), labels[start : start + BLOCK]]
        pairs += np.bincount(part.reshape(-1), minlength=LEVELS + 1)
        hits += np.bincount(own, minlength=LEVELS + 1)
    found, right = np.cumsum(pairs[::-1]), np.cumsum(hits[::-1])
    return float((hits[::-1] * right / np.maximum(found, 1)).sum() / len(labels))


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


def macro_recall_interval(labels: Labels, probabilities: Probabilities, locations: NDArray[Any]) -> tuple[float, float]:
    """Give the 95% interval of the macro recall, by bootstrap over locations; classes not drawn are left out."""
    low, high = np.quantile(_macro_recalls(labels, probabilities, locations), [0.025, 0.975])
    return float(low), float(high)


def macro_recall_error(labels: Labels, probabilities: Probabilities, locations: NDArray[Any]) -> float:
    """Give the standard error of the macro recall, by bootstrap over locations; classes not drawn are left out."""
    return float(_macro_recalls(labels, probabilities, locations).std())


def _macro_recalls(labels: Labels, probabilities: Probabilities, locations: NDArray[Any]) -> NDArray[np.float64]:
    right = (probabilities.argmax(axis=1) == labels).astype(float)
    return _macro_means(*_resampled(right, labels, locations, probabilities.shape[1]))


def macro_mean(values: NDArray[np.float64], classes: Labels, locations: NDArray[Any]) -> tuple[float, float, float]:
    """Give the mean over classes of the mean of ``values``, and its 95% interval by bootstrap over locations.

    Arguments, each of (crops,), as in `_resampled`; with one class for all crops it is their mean.
    """
    num_classes = int(classes.max()) + 1
    crops, sums = (
        np.bincount(classes, weights, num_classes).astype(np.float64) for weights in (np.ones(len(classes)), values)
    )
    low, high = np.quantile(_macro_means(*_resampled(values, classes, locations, num_classes)), [0.025, 0.975])
    return float(_macro_means(crops[None], sums[None])[0]), float(low), float(high)


def _macro_means(crops: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean over the classes that have crops of their mean: (resamples, classes) to (resamples,)."""
    means = sums / np.maximum(crops, 1)
    return np.asarray(means.sum(axis=1) / (crops > 0).sum(axis=1))


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
    found = np.empty(logits.shape)
    for start in range(0, len(logits), BLOCK):
        found[start : start + BLOCK] = softmax(logits[start : start + BLOCK] / temperature, axis=1)
    return found
