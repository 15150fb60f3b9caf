"""Sampling weights of training crops: by label and by the detector's confidence."""

import numpy as np
from numpy.typing import NDArray


def by_confidence(confidence: NDArray[np.float64], calibrated: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight crops by how sure their box is.

    Args:
        confidence: of the detector, NaN for a box that a person drew, which weighs 1.
        calibrated: chance that the box is right; it counts in place of the confidence where it is not NaN.

    Returns:
        Weights from 0.01, so that nothing is lost, to 1.
    """
    known = np.where(np.isnan(calibrated), confidence, calibrated)
    return np.asarray(np.clip(np.nan_to_num(known, nan=1.0), 0.01, 1.0))


def by_label(weights: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Scale weights so that every label that occurs has the same total, and the sum stays what it was.

    ``w_i * (n / c) / (sum of the weights of i's label)`` with n the sum of all weights, c the number of labels
    (CameraTraps' label weighting).
    """
    totals = np.bincount(labels, weights)
    return np.asarray(weights * weights.sum() / (totals > 0).sum() / totals[labels])


def draw(weights: NDArray[np.float64], seed: tuple[int, ...]) -> NDArray[np.int64]:
    """Draw one epoch's crops: as many as there are, with replacement where weights differ, else a permutation."""
    generator = np.random.default_rng(seed)
    if np.allclose(weights, weights[0]):
        return generator.permutation(len(weights))
    return generator.choice(len(weights), len(weights), p=weights / weights.sum())
