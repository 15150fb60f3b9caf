"""Confident learning: which labels a classifier's out-of-sample probabilities count as wrong.

The formulas are those of Northcutt, Jiang and Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset
Labels", Journal of Artificial Intelligence Research 70: thresholds of self-confidence, the confident joint, and the
normalised margin as the order.
"""

import numpy as np
from numpy.typing import NDArray


def thresholds(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give each class's mean self-confidence: its mean probability among what is labelled so, (classes,).

    A class that nothing is labelled as has a threshold that nothing reaches.

    Args:
        probabilities: out of sample, (crops, classes).
        labels: given classes, (crops,).
    """
    num = probabilities.shape[1]
    counts = np.bincount(labels, minlength=num)
    sums = np.bincount(labels, probabilities[np.arange(len(labels)), labels], num)
    means: NDArray[np.float64] = np.divide(sums, counts, out=np.full(num, np.inf), where=counts > 0)
    return means


def off_diagonal(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say what counts in the confident joint off its diagonal, (crops,).

    A crop counts for the most probable of the classes whose thresholds it reaches, if it reaches any; it is off the
    diagonal where that is not its label.

    Args:
        probabilities: out of sample, (crops, classes).
        labels: given classes, (crops,).
    """
    reached = probabilities >= thresholds(probabilities, labels) - 1e-12  # of equal values, a mean may be a bit higher
    best = np.where(reached, probabilities, -1.0).argmax(axis=1)
    return np.asarray(reached.any(axis=1) & (best != labels))


def normalised_margin(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give p(label) less the highest probability of another class, -1 to 1: the lower, the more suspicious."""
    crops = np.arange(len(labels))
    others = probabilities.copy()
    others[crops, labels] = -1.0
    margins: NDArray[np.float64] = probabilities[crops, labels] - others.max(axis=1)
    return margins
