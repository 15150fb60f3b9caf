"""Smoothing: what a classifier says of one photo, steadied by the others of its sequence."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from camtraps.formats.photo_headers import moment


def sequences(taken: Sequence[str | None], gap_seconds: float) -> list[int]:
    """Number the sequences of one place's photos: they follow each other by at most a gap.

    Args:
        taken: time of each photo, as ``2024-04-01 05:06:07``; a photo without a time is a sequence of its own.
        gap_seconds: longest pause within a sequence.
    """
    times = [moment(time) for time in taken]
    numbers = list(range(len(times)))
    known = sorted((time, at) for at, time in enumerate(times) if time is not None)
    for (before, first), (time, at) in pairwise(known):
        if (time - before).total_seconds() <= gap_seconds:
            numbers[at] = numbers[first]
    return numbers


def smooth(logits: NDArray[np.float32], groups: Sequence[int]) -> NDArray[np.float64]:
    """Give each crop the mean logits of its group.

    Args:
        logits: (crops, classes).
        groups: number of each crop's group.
    """
    _, place, counts = np.unique(np.asarray(groups, np.int64), return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), logits.shape[1]))
    np.add.at(sums, place, logits)
    return np.asarray((sums / counts[:, None])[place])
