"""The most probable classes of a picture, in the words of CameraTraps' tutorial."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TITLE = "Prediction finished. Most likely classes:"


def top(probabilities: NDArray[np.floating], num: int) -> list[tuple[int, float]]:
    """Give the numbers and probabilities of the most probable classes, the first of equal ones first.

    Args:
        probabilities: of one picture, (classes,).
        num: how many; all if there are no more.
    """
    order = np.argsort(-probabilities, kind="stable")[:num]
    return [(int(at), float(probabilities[at])) for at in order]


def sentences(probabilities: NDArray[np.floating], classes: Sequence[str], num: int) -> list[str]:
    """Give the title and a line for each of the most probable classes: ``"zebra" with confidence 86.55%``."""
    return [TITLE, *(f'    "{classes[at]}" with confidence {share:.2%}' for at, share in top(probabilities, num))]
