"""MegaDetector batch results (format 1.0 to 1.6), read into rows and written from rows.

Format: "MegaDetector batch processing output format" in the MegaDetector repository. Boxes there and here are
[x, y, width, height], relative, from the top left.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camtraps.errors import InputError, raise_all
from camtraps.formats.rows import Parsed, Problem, escaped, inside, is_number, name_problem

FORMAT_VERSION = "1.6"
CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}


@dataclass(frozen=True)
class Results:
    """A parsed result file: the detector's name and one row a photo of the recorded detections table."""

    detector: str
    parsed: Parsed


def parse(document: Any, dataset: str, path: Path) -> Results:
    """Turn a MegaDetector result document into rows, sorted by file.

    A photo that stands twice keeps its first entry, but a success replaces a failure.

    Raises:
        InputError: it is not such a document; all its problems are in the message.
    """
    _check(document, path)
    categories = {str(key): str(name) for key, name in document["detection_categories"].items()}
    parsed = Parsed(num_given=len(document["images"]))
    rows: dict[str, dict[str, Any]] = {}
    for at, image in enumerate(document["images"]):
        file = image["file"].replace("\\", "/")
        item = escaped(f"images[{at}] {image['file']}")
        if problem := name_problem(file):
            parsed.problems.append(Problem(item, "dropped", problem))
            continue
        row = _row(image, file, dataset, categories, parsed.problems)
        if file not in rows or (rows[file]["failure"] and not row["failure"]):
            rows[file] = row
    parsed.rows = [rows[file] for file in sorted(rows)]
    return Results(str(document["info"].get("detector") or "megadetector_v4"), parsed)


def document(images: list[dict[str, Any]], info: dict[str, Any], categories: dict[str, str]) -> dict[str, Any]:
    """Build a result document of format 1.6.

    Args:
        images: entries with ``file`` and ``detections`` or ``failure``.
        info: more keys for ``info``.
        categories: classification categories, ``{"0": name}``.
    """
    return {
        "info": {"format_version": FORMAT_VERSION, **info},
        "detection_categories": CATEGORIES,
        "classification_categories": categories,
        "images": images,
    }


def _check(document: Any, path: Path) -> None:
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected an object with info, detection_categories and images")
    problems = []
    for key, kind in (("info", dict), ("detection_categories", dict), ("images", list)):
        if not isinstance(document.get(key), kind):
            problems.append(
                f"key {key!r} is missing or not a {kind.__name__}; it has {', '.join(map(str, document))[:80]}"
            )
    raise_all(path, problems)
    for at, image in enumerate(document["images"]):
        if not isinstance(image, dict) or not isinstance(image.get("file"), str):
            problems.append(f"images[{at}]: expected an object with a text 'file', got {image!r}"[:150])
        elif not isinstance(image.get("detections"), list | None):
            problems.append(f"images[{at}].detections: expected a list, got {image['detections']!r}"[:150])
    raise_all(path, problems)


def _row(
    image: dict[str, Any], file: str, dataset: str, categories: dict[str, str], problems: list[Problem]
) -> dict[str, Any]:
    detections = image.get("detections")
    failure = image.get("failure") or (None if detections is not None else "no detections recorded")
    row = {"image": f"{dataset}/{file}", "dataset": dataset, "file": file}
    if failure:
        return {**row, "failure": str(failure), "boxes": None}
    boxes = []
    for at, detection in enumerate(detections or []):
        try:
            boxes.append(_box(detection, categories))
        except ValueError as error:
            problems.append(Problem(f"{file} detections[{at}]", "ignored", str(error)))
    return {**row, "failure": None, "boxes": boxes}


def _box(detection: Any, categories: dict[str, str]) -> dict[str, Any]:
    if not isinstance(detection, dict):
        raise ValueError(f"expected an object, got {detection!r}")
    confidence = detection.get("conf")
    if not is_number(confidence) or not 0 <= confidence <= 1:
        raise ValueError(f"conf is not a number from 0 to 1: {confidence!r}")
    category = str(detection.get("category"))
    if category not in categories:
        raise ValueError(f"category {category!r} is not in detection_categories")
    box, _ = inside(detection.get("bbox"))
    return {"category": categories[category], "confidence": float(confidence), **box}
