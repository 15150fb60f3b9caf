"""Photos outside of any collection: found in a folder, and boxes for them from a detector or a file of results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from camtraps import finding
from camtraps.detections import DetectParams
from camtraps.detectors.answers import Answer, Box
from camtraps.errors import InputError, MissingError
from camtraps.formats import megadetector as results
from camtraps.formats.rows import Fault
from camtraps.image_folders import sizes
from camtraps.photo_sources import Item

DRAWN = "_detections"  # behind the name of a photo with its boxes drawn in

Detector = Literal["megadetector", "motion"]


def find(source: Path, is_recursive: bool) -> dict[str, Path]:
    """Find photos: their paths by their names relative to the folder, sorted; those with boxes drawn in do not count.

    Args:
        source: a photo, or a folder of photos.
        is_recursive: whether folders in the folder count too.

    Raises:
        MissingError: it is not there, or no photo is in the folder.
    """
    if source.is_file():
        return {source.name: source}
    if not source.is_dir():
        raise MissingError(f"{source}: no such photo or folder; check the path")
    found = [name for name in sizes(str(source)) if is_recursive or "/" not in name]
    photos = [name for name in found if name.lower().endswith(results.PHOTOS) and not Path(name).stem.endswith(DRAWN)]
    if not photos:
        raise MissingError(f"{source}: no photo is in the folder" + ("" if is_recursive else "; try --recursive"))
    return {name: source / name for name in sorted(photos)}


def recorded(names: Sequence[str], path: Path) -> dict[str, Answer]:
    """Take the boxes of photos from a file of MegaDetector's results.

    Args:
        names: of the photos, as in the file; of a photo alone, the file may have it in any folder.
        path: the file, of any format version.

    Returns:
        An answer for each; a photo that the file does not know has a failure.

    Raises:
        MissingError: no such file.
        InputError: it is no file of results.
    """
    known: dict[str, results.Result] = {}
    categories: dict[str, str] = {}
    for item in results.read(path):
        if isinstance(item, Fault):
            raise InputError(f"{path}: {item.text}")
        if isinstance(item, results.Header):
            categories = item.categories
        elif isinstance(item, results.Result):
            known[item.file] = item
    if len(names) == 1 and names[0] not in known:
        same = [each for file, each in known.items() if file.rpartition("/")[2] == names[0]]
        known |= {names[0]: same[0]} if len(same) == 1 else {}
    return {name: _recorded(known.get(name), categories, path) for name in names}


def detected(photos: dict[str, Path], detector: Detector, model: str | None) -> dict[str, Answer]:
    """Look for animals in photos.

    Args:
        photos: from `find`.
        detector: ``motion`` compares the photos of each folder with one another.
        model: of ``megadetector``, a name or a file; None for its default.

    Raises:
        CamtrapsError: the detector cannot be used; or for ``motion``, there is one photo only.
    """
    if detector == "motion" and len(photos) == 1:
        raise InputError("motion compares photos of one place, and this is one photo; use another --detector")
    items = [Item(name, str(path)) for name, path in photos.items()]
    found = finding.find(items, params(detector, model))
    return {item.name: _answer(item) for item in found}


def params(detector: Detector, model: str | None) -> DetectParams:
    """Give the parameters with which a detector is run on photos of no collection: all its boxes are kept."""
    return DetectParams(
        recorded="none",
        detector=detector,
        model=model,
        image_size=None,
        batch_size=8,
        threshold=0.0,
        repeat_iou=0.9,
        repeat_sequences=None,
        max_failed=1.0,
    )


def _answer(item: Item) -> Answer:
    boxes = [Box(box.x, box.y, box.w, box.h, box.confidence, box.category) for box in item.boxes or ()]
    return Answer(sorted(boxes, key=lambda box: -box.confidence), failure=item.failure)


def _recorded(result: results.Result | None, categories: dict[str, str], path: Path) -> Answer:
    if result is None:
        return Answer([], failure=f"not in {path}")
    boxes = [
        Box(x, y, w, h, confidence, categories.get(number, number))
        for number, confidence, x, y, w, h in result.boxes or ()
    ]
    return Answer(sorted(boxes, key=lambda box: -box.confidence), failure=result.failure)
