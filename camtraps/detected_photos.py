"""Photos of a result file of MegaDetector with their boxes, numbered as there: an unusable box keeps its number."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camtraps.errors import InputError, raise_all
from camtraps.files import climbs
from camtraps.formats.megadetector import tidy
from camtraps.formats.rows import inside, is_number
from camtraps.photo_sources import OUTSIDE, UNRECORDED, Box, Item
from camtraps.storage import photo_uri
from camtraps.streams import members

UNKNOWN = "unknown"  # the detector in the names of crops where a file names none, as CameraTraps writes it
UNUSABLE = Box("", 0.0, 0.0, 0.0, 0.0, 0.0)  # stands in the place of a box that cannot be used


@dataclass(frozen=True)
class Detected:
    """The photos of a result file, in its order, as often as they are asked for; ``num`` counts them."""

    path: Path
    photos: str
    detector: str
    categories: dict[str, str]
    num: int

    def items(self) -> Iterator[Item]:
        """Give each photo with its boxes, or with the reason why it has none."""
        for key, at, image in members(self.path, "images"):
            if key == "images" and at is not None:
                yield self._item(image)

    def _item(self, image: dict[str, Any]) -> Item:
        file, boxes = tidy(image["file"]), image.get("detections")
        if climbs(file):
            return Item(file, file, None, OUTSIDE)
        uri, failure = photo_uri(self.photos, file), image.get("failure")
        if failure or boxes is None:
            return Item(file, uri, None, str(failure or UNRECORDED))
        return Item(file, uri, tuple(self._box(box) for box in boxes))

    def _box(self, box: Any) -> Box:
        confidence = box.get("conf") if isinstance(box, dict) else None
        if not is_number(confidence):
            return UNUSABLE
        try:
            place, _ = inside(box.get("bbox"))
        except ValueError:
            return UNUSABLE
        category = self.categories.get(str(box.get("category")), "")
        return Box(category, float(confidence), place["x"], place["y"], place["w"], place["h"])


def read(path: Path, photos: str) -> Detected:
    """Look through a result file.

    Args:
        path: the file.
        photos: the folder, or prefix of a store, that its names are relative to.

    Raises:
        MissingError: no such file.
        InputError: it is no result file.
    """
    head: dict[str, Any] = {}
    num, problems = 0, []
    for key, at, item in members(path, "images"):
        if key != "images" or at is None:
            head[str(key)] = item
        elif isinstance(item, dict) and isinstance(item.get("file"), str) and _is_list(item.get("detections")):
            num += 1
        else:
            problems.append(f"images[{at}]: expected an object with a text 'file' and a list 'detections'")
    raise_all(path, problems)
    info, names = head.get("info"), head.get("detection_categories")
    if not isinstance(info, dict) or not isinstance(names, dict):
        raise InputError(f"{path}: no info or detection_categories; it is no file of MegaDetector's results")
    categories = {number: str(name).strip().lower() for number, name in names.items()}
    detector = str(info.get("detector") or UNKNOWN).replace("/", "_")
    return Detected(path, photos, detector, categories, num)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | None)
