"""Which boxes become crops, and which rectangle of the photo each of them is."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from camtraps import failures
from camtraps.errors import InputError
from camtraps.params import check_range
from camtraps.taxonomy import fold


@dataclass(frozen=True, kw_only=True, slots=True)
class CropParams:
    """Section ``crop`` of params.yaml."""

    categories: tuple[str, ...]
    """Categories of detections to crop: animal, person, vehicle, group ..."""
    threshold: float
    """Boxes of a detector below this confidence, 0 to 1, are not cropped; boxes of people always are."""
    drop_repeats: bool
    """Leave out boxes that recur at the same place, as stumps and rocks do (``repeat`` of the detections table)."""
    rule: Literal["camtraps", "ancestor"]
    """How a box becomes a rectangle: ours, or as CameraTraps computed it, to compare with its crops."""
    shape: Literal["square", "box", "padded"]
    """Cut a square around the box (its longer side, slid inside the photo), the box itself, or the box itself put on a
    black square."""
    margin: float
    """Side of the rectangle as a multiple of the box's, 1 to 4."""
    min_side: int
    """Boxes whose longer side is shorter than this, in pixels, are not cropped."""
    max_side: int | None
    """Crops are stored no larger than this, in pixels; null keeps all pixels."""
    quality: int
    """JPEG quality, 1 to 100."""
    subsampling: Literal[420, 444]
    """Colour resolution of the JPEG: halved both ways, or full."""
    save_full_images: bool
    """Keep photos that come from elsewhere in data/<name>/images."""
    max_failed: float
    """Share of boxes that may fail, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, threshold=(0.0, 1.0), margin=(1.0, 4.0), min_side=(1, 10_000), max_side=(16, 65_500))
        check_range(self, quality=(1, 100), max_failed=(0.0, 1.0))
        if not self.categories:
            raise ValueError("categories: must name at least one, such as animal")
        if self.rule == "ancestor" and self.shape == "padded":
            raise ValueError("shape: must be square or box under rule ancestor, got 'padded'")
        if self.rule == "ancestor" and self.margin != 1:
            raise ValueError(f"margin: must be 1.0 under rule ancestor, which has none, got {self.margin}")


@dataclass(frozen=True)
class Plan:
    """The pixels to cut for a box, and the side of a black square to put them in the middle of, None for no square.

    ``rectangle`` is left, top, right, bottom in pixels of the upright image; what of it lies outside comes out black.
    """

    rectangle: tuple[int, int, int, int]
    pad_to: int | None = None

    @property
    def num_pixels(self) -> int:
        """Pixels of the crop before it is shrunk, with the black around it."""
        left, top, right, bottom = self.rectangle
        return max((right - left) * (bottom - top), (self.pad_to or 0) ** 2)


@dataclass(frozen=True)
class Selected:
    """Boxes to cut, with what the crops table needs to know of their photo, and the boxes left out."""

    boxes: pd.DataFrame
    skipped: pd.DataFrame


def select(queried: pd.DataFrame, detections: pd.DataFrame, params: CropParams) -> Selected:
    """Choose the boxes to cut: of a wanted category, confident enough, and of the class of the photo.

    A photo with several labels gives no crops, since training takes one label a crop.

    Args:
        queried: rows of the queried table.
        detections: rows of the detections table, for photos of ``queried`` only.
        params: which categories, from which confidence on, and whether boxes that recur are left out.

    Raises:
        InputError: no box is of a wanted category.
    """
    there = set(detections["category"].unique())
    if there and not there & set(params.categories):
        asked, given = ", ".join(params.categories), ", ".join(sorted(there))
        raise InputError(f"params.yaml: crop.categories: no box is of category {asked}; there are: {given}")
    columns = ["image", "dataset", "file", "location", "sequence", "datetime", "class", "label"]
    several = queried["labels"].map(lambda names: ", ".join(names) if len(names) > 1 else "").astype("str")
    photos = queried[columns].assign(several=several)
    boxes = detections.rename(columns={"class": "box_class"}).merge(photos, on="image", validate="m:1")
    assert len(boxes) == len(detections), "detections of photos that were not queried"
    reasons = pd.Series("", boxes.index, "str")
    # The first that applies is the reason, so the last is written first.
    other = boxes["box_class"].notna() & (_folded(boxes["box_class"]) != _folded(boxes["class"]))
    reasons[other] = "box is of another class: " + boxes["box_class"][other]
    if params.drop_repeats:
        reasons[boxes["repeat"].notna()] = "recurs at the same place (crop.drop_repeats)"
    reasons[boxes["confidence"] < params.threshold] = "confidence below crop.threshold"
    unwanted = ~boxes["category"].isin(params.categories)
    reasons[unwanted] = "not in crop.categories: " + boxes["category"][unwanted]
    many = boxes["several"] != ""
    reasons[many] = "several labels: " + boxes["several"][many] + "; training takes one a crop"
    boxes, is_left_out = boxes.drop(columns="several"), reasons != ""
    columns_out = (column[is_left_out].tolist() for column in (boxes["image"], boxes["box"], reasons))
    skipped = failures.rows("crop", "skipped", zip(*columns_out, strict=True))
    return Selected(boxes[~is_left_out].reset_index(drop=True), skipped)


def _folded(names: pd.Series) -> pd.Series:
    return names.map({name: fold(name) for name in names.dropna().unique()})


def plan(box: tuple[float, float, float, float], size: tuple[int, int], params: CropParams) -> Plan | None:
    """Plan which pixels to cut for a box.

    A square keeps its size and slides inside the image at all four edges; where it is larger than the image it is
    centred on it, so that the part outside comes out black. What has no square is clipped to the image. Coordinates
    are rounded once; the result is at least 1 px wide and high.

    Rule ``ancestor`` computes what CameraTraps did (``save_crop`` of its crop_detections.py), cut-off coordinates and
    black right and bottom edges included.

    Args:
        box: x, y, w, h, relative to the upright image.
        size: width and height of the upright image, in pixels.
        params: rule, shape and margin, a factor on the side or on both sides of the box, about its centre.

    Returns:
        None under rule ancestor, for a box that has no pixel.
    """
    if params.rule == "ancestor":
        return _as_ancestor(box, size, is_square=params.shape == "square")
    (x, y, w, h), (width, height) = box, size
    wide, high = w * width * params.margin, h * height * params.margin
    centre_x, centre_y = (x + w / 2) * width, (y + h / 2) * height
    if params.shape == "square":
        side = max(1, round(max(wide, high)))
        left, right = _slide(centre_x, side, width)
        top, bottom = _slide(centre_y, side, height)
        return Plan((left, top, right, bottom))
    left, right = _clip(centre_x, wide, width)
    top, bottom = _clip(centre_y, high, height)
    return Plan((left, top, right, bottom), max(right - left, bottom - top) if params.shape == "padded" else None)


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


def _as_ancestor(box: tuple[float, float, float, float], size: tuple[int, int], is_square: bool) -> Plan | None:
    (width, height), (x, y, w, h) = size, box
    left, top, wide, high = int(x * width), int(y * height), int(w * width), int(h * height)
    side = max(wide, high)
    if is_square:
        # The limit is that of the box and not of the square, which so leaves the image at the right and at the bottom.
        left = max(0, min(left - (side - wide) // 2, width - wide))
        top = max(0, min(top - (side - high) // 2, height - high))
        wide, high = min(width, side), min(height, side)
    if wide == 0 or high == 0:
        return None
    return Plan((left, top, left + wide, top + high), side if is_square and wide != high else None)
