"""What the foreign formats are made into: rows, boxes inside the image with a known category, and problems."""

import re
import sys
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from camtraps.files import climbs

# Class names of annotations that are not animals, as LILA's datasets spell them.
CATEGORY_OF_CLASS = {
    "person": "person",
    "human": "person",
    "people": "person",
    "homo sapiens": "person",
    "vehicle": "vehicle",
    "car": "vehicle",
    "group": "group",
}

# Labels say "animal" by naming one; these say that there is nothing to box.
EMPTY_CLASSES = frozenset({"empty", "blank"})

SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Problem:
    """Something of a source that could not be taken over (``dropped``) or was mended (``mended``)."""

    item: str
    kind: str
    reason: str


@dataclass
class Parsed:
    """Rows of the catalog table, and what could not be taken over."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    num_given: int = 0


def category_of(name: str) -> str:
    """Give the detection category of a class: person, vehicle, group, else animal."""
    return CATEGORY_OF_CLASS.get(name.strip().lower().replace("_", " "), "animal")


def name_problem(file: str) -> str | None:
    """Say why a file name cannot be used, if so."""
    if climbs(file):
        return "file name leads out of the image folder"
    # JSON can hold half a character, which is what some tools make of names that are not UTF-8.
    return None if file.isascii() or not SURROGATE.search(file) else "file name is not Unicode text"


def inside(box: Any) -> tuple[dict[str, float], bool]:
    """Clip a relative box to the image.

    Args:
        box: [x, y, width, height], relative to the image.

    Returns:
        x, y, w, h, and whether more than rounding (half a percent of the side) had to be cut off.

    Raises:
        ValueError: not four finite numbers, or nothing of it lies in the image.
    """
    if not isinstance(box, list) or len(box) != 4 or not all(is_number(value) for value in box):
        raise ValueError(f"box is not four numbers: {box!r}")
    x, y, w, h = map(float, box)
    left, top, right, bottom = max(0.0, x), max(0.0, y), min(1.0, x + w), min(1.0, y + h)
    if w <= 0 or h <= 0 or right <= left or bottom <= top:
        raise ValueError(f"box has no area inside the image: {[round(value, 4) for value in (x, y, w, h)]}")
    cut_off = max(left - x, top - y, x + w - right, y + h - bottom)
    # Clipping in floating point moves the last digits of boxes that were fine: leave those as they are.
    if cut_off <= 1e-9:
        return {"x": x, "y": y, "w": w, "h": h}, False
    return {"x": left, "y": top, "w": right - left, "h": bottom - top}, cut_off > 0.005


def is_number(value: Any) -> TypeGuard[int | float]:
    """Say whether a value of a JSON file is a finite number that a float holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
