"""Which boxes become crops, and which rectangle of the photo each of them is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from camtraps import failures
from camtraps.params import check_range
from camtraps.taxonomy import fold


@dataclass(frozen=True, kw_only=True, slots=True)
class CropParams:
    """Section ``crop`` of params.yaml."""

    threshold: float
    """Boxes of a detector below this confidence, 0 to 1, are not cropped; boxes of people always are."""
    square: bool
    """Cut a square around the box (its longer side, slid inside the photo) instead of the box itself."""
    margin: float
    """Side of the rectangle as a multiple of the box's, 1 to 4."""
    min_side: int
    """Boxes whose longer side is shorter than this, in pixels, are not cropped."""
    max_side: int | None
    """Crops are stored no larger than this, in pixels; null keeps all pixels."""
    quality: int
    """JPEG quality, 1 to 100."""
    max_failed: float
    """Share of boxes that may fail, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, threshold=(0.0, 1.0), margin=(1.0, 4.0), min_side=(1, 10_000), max_side=(16, 65_500))
        check_range(self, quality=(1, 100), max_failed=(0.0, 1.0))


@dataclass(frozen=True)
class Selected:
    """Boxes to cut, with what the crops table needs to know of their photo, and the boxes left out."""

    boxes: pd.DataFrame
    skipped: pd.DataFrame


def select(queried: pd.DataFrame, detections: pd.DataFrame, threshold: float) -> Selected:
    """Choose the boxes to cut: animals, confident enough, and of the class that the photo is labelled with.

    A photo with several labels gives no crops, since training takes one label a crop.

    Args:
        queried: rows of the queried table.
        detections: rows of the detections table, for photos of ``queried`` only.
        threshold: smallest confidence of a detector's box.
    """
    columns = ["image", "dataset", "file", "location", "sequence", "datetime", "class", "label", "labels"]
    boxes = detections.rename(columns={"class": "box_class"}).merge(queried[columns], on="image", validate="m:1")
    assert len(boxes) == len(detections), "detections of photos that were not queried"
    other = boxes["box_class"].notna() & (boxes["box_class"].fillna("").map(fold) != boxes["class"].map(fold))
    reason = np.select(
        [boxes["labels"].map(len) > 1, boxes["category"] != "animal", boxes["confidence"] < threshold, other],
        [
            "several labels: " + boxes["labels"].map(", ".join).astype("str") + "; training takes one a crop",
            "not an animal but a " + boxes["category"],
            "confidence below crop.threshold",
            "box is of another class: " + boxes["box_class"].fillna("").astype(str),
        ],
        default="",
    )
    left = pd.Series(reason, index=boxes.index).astype("str")
    out = boxes[left != ""]
    skipped = failures.rows("crop", "skipped", zip(out["image"], out["box"], left[left != ""], strict=True))
    return Selected(boxes[left == ""].reset_index(drop=True), skipped)


def rectangle(
    box: tuple[float, float, float, float], size: tuple[int, int], square: bool, margin: float
) -> tuple[int, int, int, int]:
    """Give the pixels to cut for a box.

    A square keeps its size and slides inside the image at all four edges; where it is larger than the image it is
    centred on it, so that the part outside comes out black. What has no square is clipped to the image. Coordinates
    are rounded once; the result is at least 1 px wide and high.

    Args:
        box: x, y, w, h, relative to the upright image.
        size: width and height of the upright image, in pixels.
        square: see above.
        margin: factor on the side or on both sides of the box, about its centre.

    Returns:
        left, top, right, bottom, in pixels.
    """
    (x, y, w, h), (width, height) = box, size
    wide, high = w * width * margin, h * height * margin
    centre_x, centre_y = (x + w / 2) * width, (y + h / 2) * height
    if square:
        side = max(1, round(max(wide, high)))
        left, right = _slide(centre_x, side, width)
        top, bottom = _slide(centre_y, side, height)
        return left, top, right, bottom
    left, right = _clip(centre_x, wide, width)
    top, bottom = _clip(centre_y, high, height)
    return left, top, right, bottom


def relative(rectangle_px: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Give the part of a rectangle that lies in the image as x, y, w, h relative to it."""
    (left, top, right, bottom), (width, height) = rectangle_px, size
    left, top, right, bottom = max(0, left), max(0, top), min(width, right), min(height, bottom)
    return left / width, top / height, (right - left) / width, (bottom - top) / height


def _slide(centre: float, side: int, length: int) -> tuple[int, int]:
    start = -((side - length) // 2) if side > length else min(max(0, round(centre - side / 2)), length - side)
    return start, start + side


def _clip(centre: float, extent: float, length: int) -> tuple[int, int]:
    start = min(max(0, round(centre - extent / 2)), length - 1)
    return start, min(length, max(start + 1, round(centre + extent / 2)))
