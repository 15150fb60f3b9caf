"""Boxes beside each other: how far they overlap, and which box of one set is which of another."""

import numpy as np
from numpy.typing import NDArray

RIGHT = 0.5  # intersection over union from which a box counts as the true one, as in COCO's and MegaDetector's tests


def iou(boxes: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give intersection over union, 0 to 1, of boxes and another one, or of pairs of boxes.

    Args:
        boxes: (..., 4) of x, y, width, height; any unit.
        other: (4,) or a shape that fits, in the same unit.
    """
    low = np.maximum(boxes[..., :2], other[..., :2])
    high = np.minimum(boxes[..., :2] + boxes[..., 2:], other[..., :2] + other[..., 2:])
    shared = np.clip(high - low, 0, None).prod(axis=-1)
    union = boxes[..., 2:].prod(axis=-1) + other[..., 2:].prod(axis=-1) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def match(found: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which found boxes of a photo are right.

    In the order given, best first, each takes the free true box that it overlaps most, if by at least `RIGHT`; each
    true box is taken once.

    Args:
        found: (n, 4) boxes.
        true: (m, 4) boxes.

    Returns:
        (n,) flags.
    """
    is_right = np.zeros(len(found), bool)
    if not len(true):
        return is_right
    overlaps = iou(found[:, None], true[None])
    for at in range(len(found)):
        best = int(overlaps[at].argmax())
        if overlaps[at, best] >= RIGHT:
            is_right[at] = True
            overlaps[:, best] = -1
    return is_right
