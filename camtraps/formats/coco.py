"""COCO Camera Traps (CCT): images, categories and annotations in one JSON, read element by element.

Format: the README of LILA's "COCO Camera Traps"; `bbox` is absolute, `bbox_relative` an alternative to it. Annotations
may stand before the images and categories that they name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from camtraps.errors import InputError
from camtraps.formats.rows import Annotation, Category, Fault, Given, Photo, box_of, text
from camtraps.streams import members

NEEDED = {"images": ("id", "file_name"), "categories": ("id", "name"), "annotations": ("image_id", "category_id")}


def read(path: Path) -> Iterator[Given]:
    """Read a CCT file: its images, categories and annotations.

    Raises:
        MissingError: no such file.
        InputError: it is not JSON, or a list as a whole.
    """
    seen: list[str] = []
    for key, at, item in members(path):
        if key is None:
            raise InputError(f"{path}: expected an object with {', '.join(NEEDED)}, got a list")
        if not seen or seen[-1] != key:
            seen.append(key)
        if key not in NEEDED or (at is None and item == []):
            continue
        if at is None:
            yield Fault(f"{key}: expected a list, got {item!r}"[:150])
        else:
            yield from _rows(key, item, f"{key}[{at}]")
    for name in NEEDED:
        if name not in seen:
            yield Fault(f"the list {name!r} is missing; it has {', '.join(seen)[:80] or 'nothing'}")


def _rows(key: str, item: Any, place: str) -> Iterator[Given]:
    if not isinstance(item, dict):
        yield Fault(f"{place}: expected an object, got {item!r}"[:150])
    elif lacking := _lacking(item, NEEDED[key]):
        yield from (Fault(f"{place}: key {name!r} is missing or {item.get(name)!r}"[:150]) for name in lacking)
    elif key == "images":
        yield photo(item, place)
        if item.get("boxed") is True:  # our own exports: somebody looked, and found nothing to box
            yield Annotation(place, str(item["id"]), boxed=True)
    elif key == "annotations":
        yield annotation(item, place)
    else:
        yield Category(place, str(item["id"]), str(item["name"]))


def photo(image: dict[str, Any], place: str) -> Photo:
    """Turn an image with an id and a file name into a photo."""
    return Photo(
        place,
        str(image["id"]),
        str(image["file_name"]),
        text(image.get("location")),
        text(image.get("seq_id")),
        text(image.get("frame_num")),
        text(image.get("datetime")),
        text(image.get("width")),
        text(image.get("height")),
        image.get("corrupt") is True,
    )


def annotation(given: dict[str, Any], place: str) -> Annotation:
    """Turn an annotation with the ids of its image and category into a row; ``name`` is the category's id."""
    # Tools that write tables as JSON give every annotation every key, empty or NaN where it has none.
    in_pixels = given.get("bbox") is not None
    return Annotation(
        place,
        str(given["image_id"]),
        str(given["category_id"]),
        "sequence" if given.get("sequence_level_annotation") is True else "image",
        in_pixels=in_pixels,
        **box_of(given["bbox"] if in_pixels else given.get("bbox_relative")),
    )


def _lacking(item: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
    return [key for key in keys if not isinstance(item.get(key), str | int) or item[key] == ""]
