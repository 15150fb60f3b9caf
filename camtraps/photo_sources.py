"""Photo sources: what a command is to classify, one item after the other: a folder, a store, a list, results."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from camtraps import listings
from camtraps.errors import InputError, MissingError, raise_all
from camtraps.files import climbs
from camtraps.formats import megadetector
from camtraps.formats.folders import SUFFIXES
from camtraps.formats.megadetector import CATEGORIES, Header, Result, tidy
from camtraps.formats.rows import Fault, Problem, escaped
from camtraps.storage import is_local, photo_uri
from camtraps.streams import members

VIDEOS = (".mp4", ".avi", ".mpeg", ".mpg", ".mov", ".mkv", ".m4v", ".wmv", ".flv", ".3gp")
LISTED = (".txt", ".csv", ".lst")  # files that are lists of photos, besides JSON
OUTSIDE = "its name leads out of the image folder"
UNRECORDED = "no detections recorded"


class Box(NamedTuple):
    """A box of a photo, or of a frame of a video; x, y of its top left, relative to the upright photo."""

    category: str
    confidence: float
    x: float
    y: float
    w: float
    h: float
    frame: int | None = None


@dataclass(frozen=True)
class Item:
    """A photo or video: its name in the result, where to read it, and what is known of it.

    ``boxes`` is None as long as nobody has looked; ``failure`` says why nobody can.
    """

    name: str
    uri: str
    boxes: tuple[Box, ...] | None = None
    failure: str | None = None

    @property
    def folder(self) -> str:
        """The folder that it lies in: its place."""
        return self.name.rpartition("/")[0]

    @property
    def is_video(self) -> bool:
        """Whether its name is that of a video."""
        return self.name.lower().endswith(VIDEOS)


@dataclass(frozen=True)
class Source:
    """Items in a fixed order, as often as they are asked for.

    ``detector`` names what made their boxes, None where a detector is still to run; ``categories`` are names of boxes
    by their ids.
    """

    num: int
    items: Callable[[], Iterator[Item]]
    detector: str | None = None
    categories: dict[str, str] = field(default_factory=lambda: CATEGORIES)


def find(given: str, images: str | None, detections: Path | None) -> Source:
    """Make of what a user names a source.

    Args:
        given: a folder, a photo or video, a prefix of a store, a list, or results of MegaDetector.
        images: the folder or prefix of a store that names of a list or of results are relative to.
        detections: results of MegaDetector for what lies in a folder.

    Raises:
        CamtrapsError: there is no such thing, it cannot be read, or holds no photo.
    """
    if detections is not None:
        if not is_local(given) or Path(given).is_dir():
            return of_results(detections, given, is_whole=is_local(given))
        raise InputError(f"--detections: {given} is no folder; give {detections} as SOURCE, and its folder as --images")
    path = Path(given)
    if is_local(given) and path.is_file() and not given.lower().endswith((*SUFFIXES, *VIDEOS)):
        if path.suffix == ".json" and not _is_list(path):
            if images is None:
                raise InputError(f"{given}: results of MegaDetector; say with --images where the photos are")
            return of_results(path, images)
        return of_list(path, images)
    if images is not None:
        raise InputError("--images: is for a list or a result file; SOURCE says where the photos are")
    if given.lower().endswith((*SUFFIXES, *VIDEOS)):
        if is_local(given) and not path.is_file():
            raise MissingError(f"{given}: not found; check the path")
        return _fixed([Item(given.rpartition("/")[2], given)])
    return below(given)


def below(root: str) -> Source:
    """Take all photos and videos below a folder or a prefix of a store."""

    def items() -> Iterator[Item]:
        for name in listings.walk(root):
            if name.lower().endswith((*SUFFIXES, *VIDEOS)):
                yield Item(escaped(name), f"{root.rstrip('/')}/{name}")

    num = sum(1 for _ in items())
    if not num:
        raise InputError(f"{root}: no photo in it; looked for {' '.join((*SUFFIXES, *VIDEOS))}")
    return Source(num, items)


def of_list(path: Path, images: str | None) -> Source:
    """Take the photos of a list: a name or address a line, or a JSON list of them.

    Args:
        path: the list.
        images: what names are relative to; None: the folder of the list.
    """
    root = images if images is not None else str(path.parent)

    def items() -> Iterator[Item]:
        return (_named(tidy(name), root) for name in _names(path))

    num = sum(1 for _ in items())
    if not num:
        raise InputError(f"{path}: no photo is listed in it")
    return Source(num, items)


def of_results(path: Path, images: str, is_whole: bool = False) -> Source:
    """Take the photos and boxes of a result file of MegaDetector.

    Args:
        path: the file.
        images: the folder, or prefix of a store, that its names are relative to.
        is_whole: also take what lies there and is not in the file, as failures.

    Raises:
        InputError: the file cannot be read as such.
    """
    num, faults, header = 0, [], None
    for each in megadetector.read(path):
        if isinstance(each, Fault):
            faults.append(each.text)
        elif isinstance(each, Header):
            header = each
        num += isinstance(each, Result) or _is_video(each)
    raise_all(path, faults)
    assert header is not None, path
    names = header.categories

    def items() -> Iterator[Item]:
        for each in megadetector.read(path):
            if isinstance(each, Result):
                # An id that the file does not name is no detection, says the format.
                boxes = None if each.boxes is None else tuple(_box(box, names) for box in each.boxes if box[0] in names)
                item = _named(each.file, images)
                yield Item(item.name, item.uri, boxes, item.failure or each.failure)
            elif isinstance(each, Problem) and _is_video(each):
                item = _named(each.item.partition(" ")[2], images)
                yield Item(item.name, item.uri, None, "boxes of a video are not read from a file; use a detector")
        yield from unlisted()

    def unlisted() -> Iterator[Item]:
        if is_whole:
            there = {each.file for each in megadetector.read(path) if isinstance(each, Result)}
            for item in below(images).items():
                if item.name not in there:
                    yield Item(item.name, item.uri, None, UNRECORDED)

    return Source(num + sum(1 for _ in unlisted()), items, header.detector, CATEGORIES | names)


def _box(box: megadetector.Box, names: dict[str, str]) -> Box:
    category, confidence, x, y, w, h = box
    return Box(names[category], confidence, x, y, w, h)


def _is_video(found: Any) -> bool:
    return isinstance(found, Problem) and found.kind == "skipped"


def _named(name: str, root: str) -> Item:
    if "://" in name or name.startswith("/"):
        return Item(escaped(name), name)
    if climbs(name):
        return Item(escaped(name), name, None, OUTSIDE)
    return Item(escaped(name), photo_uri(root, name))


def _fixed(items: list[Item]) -> Source:
    return Source(len(items), lambda: iter(items))


def _is_list(path: Path) -> bool:
    """Say whether a JSON file is one list; only its beginning is read."""
    return next((key for key, _, _ in members(path, "")), "") == ""


def _names(path: Path) -> Iterator[str]:
    if path.suffix == ".json":
        for _, at, name in members(path, ""):
            if not isinstance(name, str):
                raise InputError(f"{path}: item {at}: expected the name of a photo, got {str(name)[:80]!r}")
            yield name
        return
    if path.suffix not in LISTED:
        raise InputError(f"{path}: no photo, and no list of photos ({' '.join((*LISTED, '.json'))})")
    try:
        with path.open(encoding="utf-8-sig") as lines:
            yield from filter(None, (line.strip() for line in lines))
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8; save the file as UTF-8") from None
