"""The service's one worker process: it holds the detector and the classifier, and answers for photos."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal, NamedTuple

from camtraps import classified_photos, classifier, images, loose_photos
from camtraps.classified_photos import Asker
from camtraps.detectors import megadetector
from camtraps.detectors.answers import Answer, Box
from camtraps.errors import CamtrapsError
from camtraps.formats.megadetector import CATEGORIES, document
from camtraps.processes import start_worker
from camtraps.service import reading
from camtraps.service.limits import Limits
from camtraps.storage import PhotoError

Detector = Literal["megadetector", "whole"]
UNREADABLE, FAILED = "Failure image access", "Failure TF inference"  # as the Batch Detection API says it
IDS = {name: number for number, name in CATEGORIES.items()}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the service looks at photos with.

    ``detector`` ``whole`` takes each photo as one box, for pictures of animals that are cut already. ``threshold`` is
    that of boxes, None for the classifier's own; ``num_classes`` are named at a box, at most.
    """

    model: Path
    detector: Detector = "megadetector"
    detector_model: str | None = None
    threshold: float | None = None
    num_classes: int = 5
    limits: Limits

    @property
    def version(self) -> str:
        """Name the detector's model, as in ``model_version`` of a request; errors as `megadetector.version`."""
        if self.detector == "whole":
            return "whole"
        params = loose_photos.params("megadetector", self.detector_model)
        return megadetector.version(params).removeprefix("megadetector_")


class Item(NamedTuple):
    """A photo to look at: its name in the answer, and its bytes or else its URI."""

    name: str
    data: bytes | None
    uri: str = ""


class Eyes:
    """A detector and a classifier, loaded."""

    def __init__(self, setup: Setup) -> None:
        """Load both.

        Raises:
            CamtrapsError: one of them cannot be used.
        """
        self.setup = setup
        self.asker = Asker.of(classifier.load(setup.model), setup.threshold)
        self.detector = None
        if setup.detector == "megadetector":
            self.detector = megadetector.load(loose_photos.params("megadetector", setup.detector_model))

    def look(self, items: Sequence[Item]) -> list[dict[str, Any]]:
        """Give the entry of each photo in a file of MegaDetector's results."""
        waiting = [item.uri for item in items if item.data is None]
        fetched = iter(reading.read_all(waiting, self.setup.limits) if waiting else ())
        return [self._entry(item.name, item.data if item.data is not None else next(fetched)) for item in items]

    def _entry(self, name: str, data: bytes | PhotoError) -> dict[str, Any]:
        try:
            if isinstance(data, PhotoError):
                raise data
            photo = images.opened(data)
            if photo.size[0] * photo.size[1] > self.setup.limits.max_pixels:
                raise PhotoError(f"photo has more than {self.setup.limits.max_pixels:,} pixels")
            whole = photo.whole()
        except PhotoError as error:
            return {"file": name, "failure": f"{UNREADABLE}: {error}", "detections": None}
        answer = self.detector.look([whole])[0] if self.detector else Answer([Box(0.0, 0.0, 1.0, 1.0, 1.0)])
        try:
            found = self.asker.ask(photo, answer)
        except PhotoError as error:
            return {"file": name, "failure": f"{FAILED}: {error}", "detections": None}
        return {"file": name, "detections": classified_photos.detections(found, self._ids(), self.setup.num_classes)}

    def _ids(self) -> dict[str, str]:
        own = self.detector.categories.values() if self.detector else ()
        return IDS | {name: str(len(IDS) + at) for at, name in enumerate(sorted(set(own) - set(IDS)), start=1)}

    def frame(self) -> dict[str, Any]:
        """Give a document without photos, for the entries of `look`."""
        info = {"detector": self.setup.version, "classifier": f"camtraps {self.asker.classifier.info.architecture}"}
        names = {str(at): name for at, name in enumerate(self.asker.classes)}
        categories = {number: name for name, number in self._ids().items()}
        given = document([], info, names) | {"detection_categories": categories}
        return given | {"images": given.pop("images")}  # the images last


class Worker:
    """Hands photos to the worker process, which is made anew when it dies."""

    def __init__(self, setup: Setup) -> None:
        """Start the process.

        Raises:
            CamtrapsError: the detector or the classifier cannot be used.
        """
        self._setup, self._lock = setup, threading.Lock()
        self._pool = self._made()
        self.frame: dict[str, Any] = self._pool.submit(_frame).result()
        """A document without photos."""

    def submit(self, items: Sequence[Item]) -> "Future[list[dict[str, Any]]]":
        """Have photos looked at, after those that were handed in before; a process that died is replaced."""
        with self._lock:
            try:
                return self._pool.submit(_look, items)
            except BrokenProcessPool:
                self._pool = self._made()
                return self._pool.submit(_look, items)

    def close(self) -> None:
        """End the process; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _made(self) -> ProcessPoolExecutor:
        given = (os.getpid(), self._setup)
        return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start, initargs=given)


_eyes: Callable[[], Eyes]  # of the worker process


def _start(parent: int, setup: Setup) -> None:
    global _eyes
    start_worker(parent)
    # An initializer that fails breaks the pool without saying why: so the error is kept for the first question.
    try:
        eyes = Eyes(setup)
        _eyes = lambda: eyes  # noqa: E731
    except CamtrapsError as error:
        _eyes = _raising(error)


def _raising(error: CamtrapsError) -> Callable[[], Eyes]:
    def fail() -> Eyes:
        raise error

    return fail


def _frame() -> dict[str, Any]:
    return _eyes().frame()


def _look(items: Sequence[Item]) -> list[dict[str, Any]]:
    return _eyes().look(items)
