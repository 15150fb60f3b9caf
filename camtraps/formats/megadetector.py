"""MegaDetector results (batch output format 1.0 to 1.6), read photo by photo; a batch task's answer, read.

Format: "MegaDetector batch processing output format" in the MegaDetector repository. Boxes there and here are
[x, y, width, height], relative, from the top left.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from camtraps.errors import InputError
from camtraps.files import read_json
from camtraps.formats.rows import Fault, Problem, escaped, inside, is_number
from camtraps.streams import members

FORMAT_VERSION = "1.6"
CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
UNNAMED = "megadetector_v4"  # the detector of a file that names none, says the format
NEEDED = ("info", "detection_categories", "images")
PHOTOS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".avif")
NO_BOX = "none of its boxes can be used"  # why a photo failed that has some
NEEDLESS = re.compile(r"^(\.[\\/]+)+|(?<=[\\/])(\.?[\\/])+")  # in a path: ./ and doubled slashes

Box = tuple[str, float, float, float, float, float]  # id of the category, confidence, x, y, width, height


class Result(NamedTuple):
    """What a file says of one photo: why it failed, or boxes, which may be none."""

    at: int
    """Its place in the list ``images``."""
    file: str
    """As given, but with ``/`` between folders and without ``./``."""
    failure: str | None
    boxes: list[Box] | None


class Header(NamedTuple):
    """What a file says of itself: its detector, and the names of the ids of its categories, in lower case."""

    detector: str
    categories: dict[str, str]


class Task(NamedTuple):
    """What the answer of a finished task says: where its results lie, and how many shards of photos have none."""

    url: str
    num_failed_shards: int


def read(path: Path) -> Iterator[Result | Header | Problem | Fault]:
    """Read a result file of any size; also gzipped, or alone in a zip.

    A photo with neither detections nor a failure is a failure, and so is one with boxes of which none can be used; a
    box that reaches outside the image is clipped, and ignored if most of it lies there. Unknown keys, classifications
    and ``max_detection_conf`` are passed over.

    Yields:
        Results in the order of the file, problems (boxes that cannot be used, videos) and faults; the header last,
        because many files name their categories behind the photos. Whether it names all of them is not looked at.

    Raises:
        MissingError: no such file.
        InputError: it is not JSON.
    """
    found: dict[str, Any] = {}
    for key, at, item in members(path, "images"):
        if key == "images" and at is not None:
            found[key] = []
            yield from _of_image(item, at)
        elif key in NEEDED:
            found[key] = item if at is None else [item]
    for key in NEEDED:
        kind = list if key == "images" else dict
        if key not in found:
            yield Fault(f"key {key!r} is missing; it is no file of MegaDetector's results")
        elif not isinstance(found[key], kind):
            yield Fault(f"{key}: expected {'a list' if kind is list else 'an object'}, got {found[key]!r}"[:150])
        elif key == "info":
            yield from _version_faults(found[key])
        elif key == "detection_categories":
            yield from _name_faults(found[key])
    if all(isinstance(found.get(key), dict) for key in ("info", "detection_categories")):
        names = {escaped(number): escaped(str(name)) for number, name in found["detection_categories"].items()}
        detector = escaped(str(found["info"].get("detector") or UNNAMED))
        yield Header(detector, {number: name.strip().lower() for number, name in names.items()})


def is_response(path: Path) -> bool:
    """Say whether a file is the answer of a task of the Batch API; errors as in `read`."""
    return any(key == "Status" for key, _, _ in _start(path))


def read_response(path: Path) -> Task:
    """Read the answer of a finished task of the Batch Detection API, version 3 or 4.

    Raises:
        MissingError: no such file.
        InputError: it is no such answer, the task is not completed or had no photo, or its results are another task's.
    """
    document = read_json(path)
    status = document.get("Status") if isinstance(document, dict) else None
    if not isinstance(status, dict):
        # Not the value: it may hold the address of results, with its key.
        got = f"Status of type {type(status).__name__}" if isinstance(document, dict) else type(document).__name__
        raise InputError(f"{path}: expected the answer of a task, with an object 'Status', got {got}")
    message = status.get("message")
    if status.get("request_status") != "completed":
        said = f"{status.get('request_status')!r}: {message}"[:150]
        raise InputError(f"{path}: the task is not completed but {said}; save its answer again when it is")
    if not isinstance(message, dict):
        raise InputError(f"{path}: the task has no results: {str(message)[:150]!r}; did it match any photo?")
    urls = message.get("output_file_urls")
    url = urls.get("detections") if isinstance(urls, dict) else None
    if not isinstance(url, str):
        raise InputError(
            f"{path}: Status.message.output_file_urls.detections: expected a URL, got {type(url).__name__}"
        )
    _check_task(path, document.get("TaskId"), url)
    num_failed = message.get("num_failed_shards")
    return Task(url, int(num_failed) if is_number(num_failed) else 0)


def tidy(file: str) -> str:
    """Give a path with ``/`` between folders and without ``./`` and doubled slashes; an address as it is."""
    return file if "://" in file else NEEDLESS.sub("", file).replace("\\", "/")


def _start(path: Path) -> Iterator[tuple[str | None, int | None, Any]]:
    """Give the members of a file up to the first that an answer of a task cannot have."""
    for member in members(path):
        yield member
        if member[0] in NEEDED or member[1] is not None:
            return


def _check_task(path: Path, task: Any, url: str) -> None:
    """Refuse results that lie in the folder of another task: of version 3 it is named ID, of version 4 job_ID."""
    folder = url.partition("?")[0].rpartition("/")[0].rpartition("/")[2]
    if isinstance(task, str) and folder.removeprefix("job_").replace("-", "") != task.replace("-", ""):
        raise InputError(f"{path}: TaskId is {task!r}, but its detections lie in {folder!r}; is it of another task?")


def _version_faults(info: dict[str, Any]) -> Iterator[Fault]:
    version = info.get("format_version")
    try:
        is_known = version is None or 1 <= round(float(str(version)), 2) <= float(FORMAT_VERSION)
    except ValueError:
        is_known = False
    if not is_known:
        yield Fault(f"info.format_version: {version!r} is none of 1.0 to {FORMAT_VERSION}, which can be read"[:150])


def _name_faults(categories: dict[str, Any]) -> Iterator[Fault]:
    for number, name in categories.items():
        if not isinstance(name, str) or not name.strip():
            yield Fault(f"detection_categories.{escaped(number)}: expected a name, got {name!r}"[:150])


def _of_image(image: Any, at: int) -> Iterator[Result | Problem | Fault]:
    if not isinstance(image, dict) or not isinstance(image.get("file"), str):
        yield Fault(f"images[{at}]: expected an object with a text 'file', got {image!r}"[:150])
        return
    detections, file = image.get("detections"), tidy(image["file"])
    if not isinstance(detections, list | None):
        yield Fault(f"images[{at}].detections: expected a list, got {detections!r}"[:150])
        return
    if _is_video(image, file):
        yield Problem(escaped(f"images[{at}] {file}"), "skipped", "it is a video, not a photo")
        return
    failure = image.get("failure") or (None if detections is not None else "no detections recorded")
    if failure:
        yield Result(at, file, escaped(str(failure)), None)
        return
    boxes = []
    for detection in detections or ():
        box, wrong = _box(detection)
        if wrong:
            yield Problem(escaped(f"images[{at}] {file}"), *wrong)
        if box:
            boxes.append(box)
    is_lost = bool(detections) and not boxes
    yield Result(at, file, NO_BOX if is_lost else None, None if is_lost else boxes)


def _is_video(image: dict[str, Any], file: str) -> bool:
    has_frames = image.get("frame_rate") is not None or image.get("frames_processed") is not None
    boxes = image.get("detections") or ()
    has_frames = has_frames or any(isinstance(box, dict) and box.get("frame_number") is not None for box in boxes)
    return has_frames and not file.lower().endswith(PHOTOS)


def _box(detection: Any) -> tuple[Box | None, tuple[str, str, str] | None]:
    """Give a box, and kind, reason and value of what is wrong with it."""
    if not isinstance(detection, dict):
        return None, ("ignored", "detection is no object", repr(detection)[:100])
    confidence, given = detection.get("conf"), detection.get("bbox")
    if not is_number(confidence) or not 0 <= confidence <= 1:
        return None, ("ignored", "conf is not a number from 0 to 1", repr(confidence)[:100])
    try:
        place, is_cut = inside(given)
    except ValueError as error:
        return None, ("ignored", str(error).partition(":")[0], repr(given)[:100])
    _, _, width, height = map(float, detection["bbox"])
    if is_cut and place["w"] * place["h"] < width * height / 2:
        return None, ("ignored", "most of the box lies outside the image", repr(given)[:100])
    wrong = ("mended", "box reaches outside the image; clipped", repr(given)[:100]) if is_cut else None
    category = escaped(str(detection.get("category")))
    return (category, float(confidence), place["x"], place["y"], place["w"], place["h"]), wrong
