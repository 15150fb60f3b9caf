"""What the readers of foreign formats give: photos, annotations, categories, locations, all as their source said it.

A reader is a generator over one source. It turns keys and layouts into these rows and decides nothing else: ids that
lead nowhere, doubled photos, dates in strange forms, boxes outside the image are the business of `intake`, once for all
formats. Rows may come in any order; readers of large tables may give whole Arrow tables of the schemas below instead.
"""

import re
import sys
from typing import Any, NamedTuple, TypeGuard

import pyarrow as pa

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


class Photo(NamedTuple):
    """A photo; numbers and times are text as given, so that a wrong one can be shown."""

    place: str
    """Where it stands in its source, for messages: ``images[3]``, ``media.csv:17``."""
    key: str
    """What annotations name it by."""
    file: str
    """Relative to the dataset's image folder; ``\\`` and ``./`` are allowed."""
    location: str | None = None
    sequence: str | None = None
    frame: str | None = None
    taken: str | None = None
    width: str | None = None
    height: str | None = None
    corrupt: bool = False
    dataset: str | None = None
    """None: the dataset that the import is for."""


class Annotation(NamedTuple):
    """What a source says of a photo: a class, a box, or both; several of one photo add up."""

    place: str
    photo: str
    """The photo's ``key``."""
    name: str | None = None
    """Its class, or the id of a `Category` if the source has those; None says nothing about the class."""
    level: str = "image"
    """``sequence`` where the source speaks of the whole sequence, else ``image``."""
    x: float | None = None
    """The box: top left corner, width, height; all four or none."""
    y: float | None = None
    w: float | None = None
    h: float | None = None
    in_pixels: bool = False
    """The box is in pixels of the photo, else relative to it, 0 to 1."""
    category: str | None = None
    """animal, person, vehicle or group; None: what the class suggests."""
    boxed: bool = False
    """A person looked for things to box, though this row has no box: a photo without boxes is then truly empty."""
    problem: str | None = None
    """Why its box cannot be read (``box is not four numbers``); the class still counts."""
    found: str | None = None
    """The value that the problem is about."""


class Category(NamedTuple):
    """A class of a source that names classes by an id."""

    place: str
    id: str
    name: str


class Location(NamedTuple):
    """A place where cameras stood, in degrees (WGS 84); kept for exports that need it."""

    location: str
    latitude: float
    longitude: float
    dataset: str | None = None


class Fault(NamedTuple):
    """Something without which the source cannot be read as a whole; the import is refused, with all of its faults."""

    text: str


class Problem(NamedTuple):
    """Something of a source that is not taken over as it stands.

    ``kind`` is dropped (a photo that cannot be used), ignored (an annotation that cannot, or its box), mended (left
    empty or changed) or skipped (not meant to be a photo). ``reason`` is the same for all problems of one sort, so that
    they can be counted; ``found`` is the value.
    """

    item: str
    kind: str
    reason: str
    found: str = ""


Given = Photo | Annotation | Category | Location | Problem | Fault | pa.Table

_TEXT, _REAL, _FLAG = pa.string(), pa.float64(), pa.bool_()
PHOTOS = pa.schema([(name, _FLAG if name == "corrupt" else _TEXT) for name in Photo._fields])
ANNOTATIONS = pa.schema(
    [
        (name, _REAL if name in "xywh" else _FLAG if name in ("in_pixels", "boxed") else _TEXT)
        for name in Annotation._fields
    ]
)
CATEGORIES, PROBLEMS = (pa.schema([(name, _TEXT) for name in kind._fields]) for kind in (Category, Problem))


def text(value: Any) -> str | None:
    """Give a JSON value as text; None for null, an empty or blank text and NaN."""
    if value is None or value != value:  # only NaN differs from itself
        return None
    given = value if isinstance(value, str) else str(value)
    return given if given and not given.isspace() else None


def box_of(value: Any) -> dict[str, Any]:
    """Give the columns x, y, w, h of an `Annotation` for a list of four numbers, else its problem."""
    if value is None:
        return {}
    if not isinstance(value, list | tuple) or len(value) != 4 or not all(is_number(number) for number in value):
        return {"problem": "box is not four numbers", "found": repr(value)[:100]}
    x, y, w, h = map(float, value)
    return {"x": x, "y": y, "w": w, "h": h}


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


def escaped(text: str) -> str:
    """Write half characters, which JSON and file names can hold and UTF-8 cannot, as their escapes."""
    return text.encode(errors="backslashreplace").decode()


def is_number(value: Any) -> TypeGuard[int | float]:
    """Say whether a value of a JSON file is a finite number that a float holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
