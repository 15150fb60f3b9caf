"""Classifying: photos in units of some dozens, decoded once, their boxes seen by the classifier, kept as they come.

A unit's result lies in the work folder under the fingerprint of all it was made from, so that a killed run continues,
and other options of the output classify nothing again. Worker processes read, decode and cut; this one computes.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from camtraps import classifier, images, rated, reading
from camtraps.classifier import Classifier
from camtraps.crops import CropParams
from camtraps.errors import CamtrapsError
from camtraps.files import code_digest, digest, file_digest, work_dir
from camtraps.formats import photo_headers
from camtraps.photo_sources import Item
from camtraps.processes import num_workers, start_worker
from camtraps.progress import bar
from camtraps.rated import Choice, Rated
from camtraps.results import Kind, Unit, may_pass, prune
from camtraps.storage import PhotoError, address, is_local, stamp
from camtraps.units import engine, run

# What makes a result of the bytes of a photo and its boxes.
CODE = tuple(
    f"camtraps.{name}"
    for name in ("classifying", "rated", "watching", "videos", "classifier", "transforms", "images", "crops", "regions")
)
PHOTOS, BOXES = 64, 256  # of a unit: what is lost when a run is killed, and what is in memory
RESULT = "photos.arrow"
PASSING = ".again.arrow"  # the end of the name of a result with a failure that may pass

Watch = Callable[[Item], Rated]


@dataclass(frozen=True)
class Task:
    """What classifies: the model and its folder, which boxes, and what looks at videos (``eye`` names it)."""

    classifier: Classifier
    model: Path
    choice: Choice
    watch: Watch
    eye: str

    def fingerprint(self) -> str:
        """Hash what makes a result besides the photos."""
        files = sorted(self.model.iterdir()) if self.model.is_dir() else [self.model]
        weights = [file_digest(path) for path in files if path.is_file()]
        device = next(self.classifier.network.parameters()).device.type
        made_with = [PIL.__version__, torch.__version__, device, repr(self.choice), self.eye]
        return digest(code_digest(CODE), *made_with, *weights)


def classify(items: Iterable[Item], num: int, task: Task) -> list[Path]:
    """Classify the boxes of photos and videos.

    Args:
        items: photos with boxes or a failure, and videos.
        num: how many, for the progress bar.
        task: how.

    Returns:
        Files of `rated.read`, one behind the other the items in their order.

    Raises:
        CamtrapsError: a worker process was killed, or a store is out of reach; finished units are kept.
    """
    is_here = engine() == "local"
    with bar("classify" if is_here else None, num, "photos") as progress:
        ours = _Run(task, work_dir("classify"), progress.update)
        made = _made_here if is_here else _made_elsewhere
        for photos in made(task, ours.missing(items)):
            ours.keep(photos)
        for path, item in ours.videos:
            ours.write(path, [item], [task.watch(item)])
    prune(ours.folder, {path.name for path in ours.results})
    return [path if path.exists() else path.with_suffix(PASSING) for path in ours.results]


def _made_here(task: Task, units: Iterator[list[Item]]) -> Iterator[list[Rated]]:
    return (_classified(prepared, task.classifier) for prepared in _prepared(task, units))


def _made_elsewhere(task: Task, units: Iterator[list[Item]]) -> Iterator[list[Rated]]:
    """Let a cluster or ranks make the units, all of which are held in memory."""
    key = task.fingerprint()
    work = [
        Unit(digest(key, *map(_made_from, unit)), _Unit(task.model, key, task.choice, unit), len(unit))
        for unit in units
    ]
    for folder in run(work, _classify_unit, work_dir("classify-units"), "classify", Kind(gpu=True)):
        yield list(rated.read(folder / RESULT))


@dataclass(frozen=True)
class _Unit:
    """What a worker gets: the model and the hash of all that counts in it, which boxes, and photos."""

    model: Path
    key: str
    choice: Choice
    items: list[Item]


def _classify_unit(unit: _Unit, folder: Path) -> bool:
    ours = _loaded(unit.model, unit.key)
    prepared = _Units(ours.info.image_size, classifier.crop_params(ours.info), unit.choice)[unit.items]
    photos = _classified(prepared, ours)
    rated.write(photos, folder / RESULT)
    return not any(_passes(photo, item) for photo, item in zip(photos, unit.items, strict=True))


@lru_cache(maxsize=1)
def _loaded(model: Path, _: str) -> Classifier:
    return classifier.load(model)


class _Run:
    """The units of a run as they come: ``results`` of all of them, and ``videos`` that are still to be watched."""

    def __init__(self, task: Task, folder: Path, update: Callable[[int], Any]) -> None:
        self.folder, self.results, self.videos = folder, list[Path](), list[tuple[Path, Item]]()
        self._handed_out = deque[tuple[Path, list[Item]]]()
        self._made_with, self._choice, self._update = task.fingerprint(), task.choice, update

    def missing(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        """Give the photos of each unit that has no result yet."""
        for unit in _units(items, self._choice):
            path = self.folder / f"{digest(self._made_with, *map(_made_from, unit))}.arrow"
            self.results.append(path)
            if path.exists():
                os.utime(path)  # it is in use: `units.prune` keeps it
                self._update(len(unit))
            elif unit[0].is_video:
                self.videos.append((path, unit[0]))
            else:
                self._handed_out.append((path, unit))
                yield unit

    def keep(self, photos: list[Rated]) -> None:
        """Keep the result of the unit that was given longest ago."""
        self.write(*self._handed_out.popleft(), photos)

    def write(self, path: Path, unit: list[Item], photos: list[Rated]) -> None:
        """Keep a result; one with a failure that may pass is made again by the next run."""
        passing = [_passes(photo, item) for photo, item in zip(photos, unit, strict=True)]
        rated.write(photos, path.with_suffix(PASSING) if any(passing) else path)
        self._update(len(unit))


def _passes(photo: Rated, item: Item) -> bool:
    return photo.failure is not None and may_pass(photo.failure, not is_local(item.uri))


def _units(items: Iterable[Item], choice: Choice) -> Iterator[list[Item]]:
    """Put photos together that follow each other; a video is by itself."""
    unit: list[Item] = []
    num_boxes = 0
    for item in items:
        more = len(choice.places(item.boxes or ()))
        if unit and (item.is_video or unit[0].is_video or len(unit) == PHOTOS or num_boxes + more > BOXES):
            yield unit
            unit, num_boxes = [], 0
        unit.append(item)
        num_boxes += more
    if unit:
        yield unit


def _made_from(item: Item) -> str:
    return json.dumps([item.name, address(item.uri), item.failure or stamp(item.uri), item.boxes])


class Seen(NamedTuple):
    """A photo without logits yet, and the views of the boxes to classify, (boxes, size, size, 3)."""

    photo: Rated
    views: NDArray[np.uint8]


class Prepared(NamedTuple):
    """What a worker process makes of a unit, or the error that ends the run."""

    photos: list[Seen]
    error: CamtrapsError | None


def _classified(prepared: Prepared, ours: Classifier) -> list[Rated]:
    if prepared.error:
        raise prepared.error
    views = torch.from_numpy(np.concatenate([seen.views for seen in prepared.photos]))
    logits = ours.of_views(views.permute(0, 3, 1, 2)).astype(np.float32)
    ends = np.cumsum([len(seen.views) for seen in prepared.photos])
    parts = zip(prepared.photos, np.split(logits, ends[:-1]), strict=True)
    return [replace(seen.photo, logits=own) for seen, own in parts]


class _Units(Dataset[Prepared]):
    """Prepares the unit that it is asked for."""

    def __init__(self, size: int, params: CropParams, choice: Choice) -> None:
        self._size, self._params, self._choice = size, params, choice

    def __getitem__(self, unit: list[Item]) -> Prepared:
        given = reading.ahead(item.uri for item in unit if item.failure is None)
        try:
            seen = [self._failed(each) if each.failure is not None else self._seen(each, next(given)) for each in unit]
        except CamtrapsError as error:  # would come out of DataLoader with a traceback in its message
            return Prepared([], error)
        return Prepared(seen, None)

    def _seen(self, item: Item, data: bytes | PhotoError) -> Seen:
        boxes = item.boxes or ()
        try:
            if isinstance(data, PhotoError):
                raise data
            photo, places = images.opened(data), self._choice.places(boxes)
            crops = classifier.cut(photo, [boxes[place][2:6] for place in places], self._params) if places else []
        except PhotoError as error:
            return self._failed(replace(item, failure=str(error)))
        good = [(place, crop) for place, crop in zip(places, crops, strict=True) if crop]
        taken = photo_headers.taken(data)
        return Seen(
            Rated(item.name, None, boxes, [at for at, _ in good], taken=taken), self._views([c for _, c in good])
        )

    def _failed(self, item: Item) -> Seen:
        return Seen(Rated(item.name, item.failure), self._views([]))

    def _views(self, crops: Sequence[classifier.Picture]) -> NDArray[np.uint8]:
        views = [classifier.view(crop, self._size).permute(1, 2, 0).numpy() for crop in crops]
        return np.stack(views) if views else np.empty((0, self._size, self._size, 3), np.uint8)


def _prepared(task: Task, units: Iterator[list[Item]]) -> Iterator[Prepared]:
    """Prepare units in worker processes, some ahead, in order."""
    info, num = task.classifier.info, num_workers() - 1
    loader = DataLoader(
        _Units(info.image_size, classifier.crop_params(info), task.choice),
        batch_size=None,
        sampler=units,
        collate_fn=_as_it_is,  # type: ignore[arg-type]  # whatever the dataset gives, says torch's text
        num_workers=num,
        worker_init_fn=partial(_begin, os.getpid()) if num else None,
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise CamtrapsError(
            "a worker process was killed (out of memory?); what is finished is kept: run again, "
            "with CAMTRAPS_WORKERS=1 if memory is short"
        ) from None


def _begin(parent: int, _: int) -> None:
    start_worker(parent)


def _as_it_is(prepared: Prepared) -> Prepared:
    return prepared  # arrays, not tensors: those travel through /dev/shm, which is small in containers
