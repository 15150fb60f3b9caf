"""Pools: probabilities of a classifier's labels, added up into targets."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def matrix(labels: Sequence[str], pools: Mapping[str, Sequence[str]], targets: Sequence[str]) -> NDArray[np.float64]:
    """Say which label counts for which target.

    Args:
        labels: of the classifier.
        pools: labels of each target; one without labels, or that is not there, gets nothing.
        targets: in the order of the result.

    Returns:
        (labels, targets) of 0 and 1: probabilities (crops, labels) times it are those of the targets, which is what
        log-sum-exp does to logits.
    """
    at = {name: number for number, name in enumerate(labels)}
    result = np.zeros((len(labels), len(targets)))
    for number, target in enumerate(targets):
        result[[at[name] for name in pools.get(target, ())], number] = 1.0
    return result
