"""Animl: its COCO Camera Traps export, and the MegaDetector-like file that the ancestor made of one.

The export differs from other CCT files in that each image has a ``serving_bucket_key``, its name in Animl's bucket. In
the other file the detection categories are species, the boxes were drawn by people, and images have a location.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from camtraps.errors import InputError
from camtraps.formats import coco
from camtraps.formats.rows import Annotation, Category, Fault, Given, Photo, Problem, box_of, text
from camtraps.streams import members

BUCKET = "s3://animl-images-serving-prod"
MAKER = "cct_to_md"  # the tool that turns an export into a MegaDetector file
CUT = "ends in the middle"  # of the message of streams
HINT = (
    "its categories are missing: Animl cuts large exports off when their last photo has no labelled object; "
    "export again in Animl with a narrower filter (dates, deployments, reviewed photos), a piece at a time"
)

By = Literal["file_name", "serving_bucket_key"]


def read(path: Path, by: By) -> Iterator[Given]:
    """Read an Animl export in either form, told apart by what stands in it.

    Labels of the export that nobody validated are dropped: they are the guesses of a model.

    Args:
        path: the JSON; also gzipped or in a zip.
        by: what the photos are found by: ``file_name`` where they were downloaded to a folder, ``serving_bucket_key``
            in `BUCKET`.

    Raises:
        MissingError: no such file.
        InputError: it is not JSON, is cut off, or has no bucket keys though asked for.
    """
    if _is_cct(path):
        yield from _export(path, by)
    elif by == "serving_bucket_key":
        raise InputError(
            f"{path}: a file of MegaDetector's form has no serving_bucket_key; say with --images where the photos are"
        )
    else:
        yield from _ground_truth(path)


def _is_cct(path: Path) -> bool:
    for key, _, item in members(path):
        if key in ("annotations", "categories", "detection_categories"):
            return key != "detection_categories"
        if key == "images" and isinstance(item, dict):
            return "file" not in item
    return True  # whose reader says what is missing


def _export(path: Path, by: By) -> Iterator[Given]:
    keys: list[str] = []
    try:
        for key, at, item in members(path):
            keys += [] if key in keys[-1:] else [str(key)]
            if key in coco.NEEDED and not (at is None and item == []):
                yield from _of_export(str(key), at, item, by)
    except InputError as error:
        if CUT in str(error) and "categories" not in keys:
            raise InputError(f"{error}; {HINT}") from None
        raise
    for key in coco.NEEDED:
        if key not in keys:
            yield Fault(f"the list {key!r} is missing; it has {', '.join(keys)[:80]}")


def _of_export(key: str, at: int | None, item: Any, by: By) -> Iterator[Given]:
    place = f"{key}[{at}]"
    if at is None or not isinstance(item, dict):
        expected = "an object" if at is not None else "a list"
        yield Fault(f"{key if at is None else place}: expected {expected}, got {item!r}"[:200])
        return
    needed = {*coco.NEEDED[key], by} if key == "images" else coco.NEEDED[key]
    if lacking := [name for name in sorted(needed) if not isinstance(item.get(name), str | int) or item[name] == ""]:
        yield from (Fault(f"{place}: key {name!r} is missing or {item.get(name)!r}"[:200]) for name in lacking)
    elif key == "images":
        yield coco.photo(item, place)._replace(file=str(item[by]))
    elif key == "categories":
        yield Category(place, str(item["id"]), str(item["name"]))
    elif item.get("validated") is False:
        yield Problem(place, "ignored", "its label was not validated by a person in Animl", str(item["category_id"]))
    else:
        yield coco.annotation(item, place)


def _ground_truth(path: Path) -> Iterator[Given]:
    keys: list[str] = []
    maker, unmarked = None, None
    for key, at, item in members(path):
        keys += [] if key in keys[-1:] else [str(key)]
        if key == "info" and isinstance(item, dict):
            maker = item.get("detector")
        elif key == "detection_categories":
            yield from _categories(item)
        elif key == "images" and not (at is None and item == []):
            place = "images" if at is None else f"images[{at}]"
            if at is None or not isinstance(item, dict):
                yield Fault(f"{place}: expected {'an object' if at is not None else 'a list'}, got {item!r}"[:200])
                continue
            if item.get("is_ground_truth") is not True:
                unmarked = unmarked or place
            yield from _image(item, place)
    if unmarked and maker != MAKER:
        yield Fault(
            f"{unmarked} is not marked is_ground_truth; results of a detector come in with `camtraps import detections`"
        )
    for key in ("images", "detection_categories"):
        if key not in keys:
            yield Fault(f"key {key!r} is missing; it has {', '.join(keys)[:80]}")


def _categories(given: Any) -> Iterator[Given]:
    if not isinstance(given, dict):
        yield Fault(f"detection_categories: expected an object of ids to names, got {given!r}"[:200])
        return
    for number, name in given.items():
        if isinstance(name, str) and name.strip():
            yield Category(f"detection_categories.{number}", number, name)
        else:
            yield Fault(f"detection_categories.{number}: expected a name, got {name!r}"[:200])


def _image(image: dict[str, Any], place: str) -> Iterator[Given]:
    file, detections = image.get("file"), image.get("detections")
    if not isinstance(file, str) or not file.strip():
        yield Fault(f"{place}.file: expected a file name, got {file!r}"[:200])
        return
    if not isinstance(detections, list | None):
        yield Fault(f"{place}.detections: expected a list, got {detections!r}"[:200])
        return
    key = text(image.get("id")) or file
    yield Photo(place, key, file, text(image.get("location")), taken=text(image.get("datetime")))
    for at, detection in enumerate(detections or []):
        here = f"{place}.detections[{at}]"
        if not isinstance(detection, dict) or not isinstance(detection.get("category"), str | int):
            yield Fault(f"{here}: expected an object with category and bbox, got {detection!r}"[:200])
        else:
            yield Annotation(here, key, str(detection["category"]), **box_of(detection.get("bbox")))
