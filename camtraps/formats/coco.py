"""COCO Camera Traps (CCT): images, categories and annotations in one JSON.

Format: the README of LILA's "COCO Camera Traps"; `bbox` is absolute, `bbox_relative` an alternative to it.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

from camtraps.errors import InputError, raise_all
from camtraps.formats.rows import EMPTY_CLASSES, Parsed, Problem, category_of, inside, is_number, name_problem

LARGEST = 2**31 - 1  # what the catalog's whole numbers hold


def parse(document: Any, dataset: str, path: Path) -> Parsed:
    """Turn a CCT document into catalog rows, sorted by file.

    Args:
        document: the parsed JSON.
        dataset: the dataset's name; ``image`` becomes ``<dataset>/<file_name>``.
        path: the file, for messages.

    Returns:
        One row a photo; ``boxes`` is a list where the photo has at least one box annotation, else None.

    Raises:
        InputError: it is not CCT (a list or a required key is missing, a category id has two names); all such
            problems are in the message. Or none of its annotations fits its images and categories.
    """
    images, categories, annotations = _lists(document, path)
    names = {category["id"]: str(category["name"]) for category in categories}
    parsed = Parsed(num_given=len(images))
    by_id = _photos(images, dataset, parsed)
    for at, annotation in enumerate(annotations):
        _annotate(annotation, f"annotations[{at}]", by_id, names, parsed.problems)
    parsed.rows = sorted((photo for photo in by_id.values() if photo), key=lambda photo: photo["file"])
    if parsed.rows and annotations and not any(photo["labels"] for photo in parsed.rows):
        last = parsed.problems[-1]
        raise InputError(
            f"{path}: none of its annotations names an image and a category of it: {last.item}: {last.reason}"
        )
    return parsed


def _lists(document: Any, path: Path) -> list[list[dict[str, Any]]]:
    if not isinstance(document, dict):
        raise InputError(
            f"{path}: expected an object with images, categories and annotations, got a {type(document).__name__}"
        )
    needed = {"images": ("id", "file_name"), "categories": ("id", "name"), "annotations": ("image_id", "category_id")}
    problems = []
    for name, keys in needed.items():
        if not isinstance(document.get(name), list):
            problems.append(f"the list {name!r} is missing; it has {', '.join(map(str, document))[:80]}")
            continue
        for at, item in enumerate(document[name]):
            if not isinstance(item, dict):
                problems.append(f"{name}[{at}]: expected an object, got {item!r}"[:150])
            else:
                lacking = [key for key in keys if not isinstance(item.get(key), str | int) or item[key] == ""]
                problems += [f"{name}[{at}]: key {key!r} is missing or {item.get(key)!r}"[:150] for key in lacking]
    raise_all(path, problems)
    raise_all(path, _two_names(document["categories"]))
    return [document[name] for name in needed]


def _two_names(categories: list[dict[str, Any]]) -> list[str]:
    names: dict[Any, Any] = {}
    return [
        f"categories[{at}]: id {each['id']!r} is {each['name']!r} here and {names[each['id']]!r} above"
        for at, each in enumerate(categories)
        if names.setdefault(each["id"], each["name"]) != each["name"]
    ]


def _photos(images: list[dict[str, Any]], dataset: str, parsed: Parsed) -> dict[Any, dict[str, Any] | None]:
    by_id: dict[Any, dict[str, Any] | None] = {}
    files: set[str] = set()
    for at, image in enumerate(images):
        file = str(image["file_name"]).replace("\\", "/")
        item = f"images[{at}] {image['file_name']}".encode(errors="backslashreplace").decode()
        if image["id"] in by_id:
            parsed.problems.append(Problem(item, "dropped", f"image id {image['id']!r} stands twice"))
            continue
        by_id[image["id"]] = None
        if problem := name_problem(file):
            parsed.problems.append(Problem(item, "dropped", problem))
        elif file in files:
            parsed.problems.append(Problem(item, "dropped", "file name stands twice"))
        else:
            files.add(file)
            by_id[image["id"]] = _photo(image, file, dataset, item, parsed.problems)
    return by_id


def _photo(image: dict[str, Any], file: str, dataset: str, item: str, problems: list[Problem]) -> dict[str, Any]:
    when = image.get("datetime")
    try:
        taken = None if when in (None, "") else datetime.fromisoformat(str(when)).replace(tzinfo=None, microsecond=0)
    except ValueError:
        taken = None
        problems.append(Problem(item, "mended", f"datetime {when!r} is not ISO 8601; left empty"))
    return {
        "image": f"{dataset}/{file}",
        "dataset": dataset,
        "file": file,
        "location": _text(image.get("location")),
        "sequence": _text(image.get("seq_id")),
        "frame": _whole(image, "frame_num", item, problems),
        "datetime": taken,
        "width": _whole(image, "width", item, problems),
        "height": _whole(image, "height", item, problems),
        "corrupt": image.get("corrupt") is True,
        "labels": [],
        "boxes": None,
    }


def _annotate(
    annotation: dict[str, Any],
    place: str,
    by_id: dict[Any, dict[str, Any] | None],
    names: dict[Any, str],
    problems: list[Problem],
) -> None:
    if annotation["image_id"] not in by_id:
        problems.append(Problem(place, "dropped", f"image_id {annotation['image_id']!r} is no image of this file"))
        return
    photo = by_id[annotation["image_id"]]
    if photo is None:  # its image was dropped, with a reason of its own
        return
    name = names.get(annotation["category_id"])
    if name is None:
        problems.append(
            Problem(place, "dropped", f"category_id {annotation['category_id']!r} is no category of this file")
        )
        return
    label = {"class": name, "level": "sequence" if annotation.get("sequence_level_annotation") is True else "image"}
    if label not in photo["labels"]:
        photo["labels"].append(label)
    if name.lower() not in EMPTY_CLASSES and (_has(annotation, "bbox") or _has(annotation, "bbox_relative")):
        _add_box(annotation, place, photo, name, problems)


def _add_box(annotation: dict[str, Any], place: str, photo: dict[str, Any], name: str, problems: list[Problem]) -> None:
    try:
        box, was_clipped = inside(_relative(annotation, photo))
    except ValueError as error:
        problems.append(Problem(f"{place} of {photo['file']}", "dropped", str(error)))
        return
    if was_clipped:
        problems.append(Problem(f"{place} of {photo['file']}", "mended", "box reaches outside the image; clipped"))
    photo["boxes"] = [*(photo["boxes"] or []), {"category": category_of(name), "class": name, **box}]


def _relative(annotation: dict[str, Any], photo: dict[str, Any]) -> Any:
    if not _has(annotation, "bbox"):
        return annotation["bbox_relative"]
    width, height, box = photo["width"], photo["height"], annotation["bbox"]
    if not width or not height:
        raise ValueError("box is in pixels but the image has no width and height")
    if not isinstance(box, list) or len(box) != 4 or not all(is_number(value) for value in box):
        raise ValueError(f"box is not four numbers: {box!r}")
    return [box[0] / width, box[1] / height, box[2] / width, box[3] / height]


def _text(value: Any) -> str | None:
    return None if value is None or str(value).strip() == "" else str(value)


def _has(annotation: dict[str, Any], key: str) -> bool:
    # Tools that write tables as JSON give every annotation every key, empty or NaN where it has none.
    return annotation.get(key) is not None


def _whole(image: dict[str, Any], key: str, item: str, problems: list[Problem]) -> int | None:
    value = image.get(key)
    if is_number(value) and 0 <= value <= LARGEST:
        return int(value)
    if value is not None:
        problems.append(Problem(item, "mended", f"{key} {value!r} is no whole number from 0 to {LARGEST}; left empty"))
    return None
