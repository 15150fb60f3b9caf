"""The eyes of the service: a detector and a classifier that answer for photos, as files of results have it."""

from collections.abc import Sequence
from typing import Any

from camtraps import classified_photos, classifier, images, loose_photos
from camtraps.classified_photos import Asker
from camtraps.detectors import megadetector
from camtraps.detectors.answers import Answer, Box
from camtraps.formats.megadetector import CATEGORIES
from camtraps.formats.megadetector_json import head
from camtraps.service import reading
from camtraps.service.protocol import FAILED, UNREADABLE
from camtraps.service.setup import Item, Setup
from camtraps.storage import PhotoError

IDS = {name: number for number, name in CATEGORIES.items()}


class Eyes:
    """A detector and a classifier, loaded."""

    def __init__(self, setup: Setup) -> None:
        """Load both.

        Raises:
            CamtrapsError: one of them cannot be used.
        """
        self.setup, self.version = setup, "whole"
        self.asker = Asker.of(classifier.load(setup.model), setup.threshold)
        self.detector = None
        if setup.detector == "megadetector":
            params = loose_photos.params("megadetector", setup.detector_model)
            self.detector, self.version = megadetector.load(params), megadetector.version(params)

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
        info = {"detector": self.version, "classifier": f"camtraps {self.asker.classifier.info.architecture}"}
        names = {str(at): name for at, name in enumerate(self.asker.classes)}
        categories = {number: name for name, number in self._ids().items()}
        return {**head(info, categories, names), "images": []}
