"""Repeat detections: boxes that recur at the same place of the same camera, as stumps and rocks do."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from camtraps.boxes import iou

# A larger share of the photo is an animal close to the camera, or the whole scene, and fills the frame again and again
# (MegaDetector's repeat detection elimination has the same limit).
MAX_AREA = 0.2


def flag(
    detections: pd.DataFrame, queried: pd.DataFrame, min_iou: float, min_sequences: int | None
) -> "pd.Series[int]":
    """Number the groups of boxes that recur.

    A group is a box and all others of its location that overlap it by ``min_iou``, if they come from at least
    ``min_sequences`` sequences (a photo without sequence is one of its own): an animal that rests stays for one
    sequence, a stump for all. The box with most neighbours founds the first group; a box is in one group at most.
    Boxes that people drew, photos without location and boxes over `MAX_AREA` are left alone.

    Args:
        detections: rows of the detections table.
        queried: rows of the queried table, which say where a photo was taken.
        min_iou: intersection over union, above 0 to 1.
        min_sequences: see above; None flags nothing.

    Returns:
        Group numbers from 0 (Int32, empty for a box that does not recur), on the index of ``detections``.
    """
    groups = pd.Series(pd.NA, index=detections.index, dtype="Int32")
    if min_sequences is None or detections.empty:
        return groups
    boxes = detections.merge(queried[["image", "dataset", "location", "sequence"]], on="image", how="left")
    boxes.index = detections.index
    boxes = boxes[boxes["confidence"].notna() & boxes["location"].notna() & (boxes["w"] * boxes["h"] <= MAX_AREA)]
    boxes = boxes.assign(sequence=boxes["sequence"].fillna("image " + boxes["image"]))
    number = 0
    for _, place in boxes.sort_values(["dataset", "location", "image", "box"]).groupby(["dataset", "location"]):
        if place["sequence"].nunique() < min_sequences:
            continue
        sequences = pd.factorize(place["sequence"])[0]
        for members in _groups(place[["x", "y", "w", "h"]].to_numpy(), sequences, min_iou, min_sequences):
            groups[place.index[members]] = number
            number += 1
    return groups


def _groups(
    boxes: NDArray[np.float64], sequences: NDArray[np.int64], min_iou: float, min_sequences: int
) -> Iterator[NDArray[np.int64]]:
    corners = np.column_stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    tree = cKDTree(corners)
    # No corner of a box that overlaps by min_iou is further away.
    reach = boxes[:, 2:].max(axis=1) * (1 - min_iou) / min_iou + 1e-9
    near = tree.query_ball_point(corners, reach, p=np.inf, return_length=True)
    free = np.ones(len(boxes), bool)
    for seed in np.argsort(-near, kind="stable"):
        if near[seed] < min_sequences:
            break
        if not free[seed]:
            continue
        others = np.sort(tree.query_ball_point(corners[seed], reach[seed], p=np.inf))
        members = others[free[others] & (iou(boxes[others], boxes[seed]) >= min_iou)]
        if len(np.unique(sequences[members])) >= min_sequences:
            free[members] = False
            yield members
