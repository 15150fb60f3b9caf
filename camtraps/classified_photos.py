"""One photo with its boxes at a time: which of them are animals, and what the classifier says of each."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camtraps import classifier, images, tops
from camtraps.classifier import Classifier
from camtraps.crops import CropParams
from camtraps.detectors.answers import Answer, Box
from camtraps.errors import InputError
from camtraps.storage import PhotoError
from camtraps.words import num

LEAST_SHARE = 0.005  # of a class that is worth naming in a file


@dataclass(frozen=True)
class ClassifiedPhoto:
    """A photo, its boxes from the most confident on, and the probabilities of each; None for those not classified."""

    photo: images.Photo
    boxes: list[Box]
    probabilities: list[NDArray[np.float64] | None]


@dataclass(frozen=True)
class Asker:
    """A classifier with the rule by which its crops are cut, and the least confidence, 0 to 1, of a box that counts."""

    classifier: Classifier
    params: CropParams
    threshold: float

    @classmethod
    def of(cls, model: Classifier, threshold: float | None = None, margin: float | None = None) -> "Asker":
        """Take a classifier, with another threshold or margin of crops than it was trained with, if given.

        Raises:
            InputError: the model's crop rule is of another version, or cannot have that margin.
        """
        params = classifier.crop_params(model.info)
        try:
            params = params if margin is None else replace(params, margin=margin)
        except ValueError as error:
            raise InputError(f"--padding-factor: {error}") from None
        return cls(model, params, params.threshold if threshold is None else threshold)

    @property
    def classes(self) -> list[str]:
        """Give the names of the classes."""
        return self.classifier.info.classes

    def ask(self, photo: images.Photo, answer: Answer) -> ClassifiedPhoto:
        """Classify the animals in a photo, all together.

        Args:
            photo: from `images.opened`.
            answer: what a detector says of it.

        Raises:
            PhotoError: the detector has failed on it, or it is cut off or damaged.
        """
        if answer.failure:
            raise PhotoError(answer.failure)
        boxes = [box for box in answer.boxes if box.confidence >= self.threshold]
        animals = [at for at, box in enumerate(boxes) if box.category in self.params.categories]
        crops = classifier.cut(photo, [_place(boxes[at]) for at in animals], self.params)
        good = {at: crop for at, crop in zip(animals, crops, strict=True) if crop}
        said = self.classifier.probabilities(self.classifier.logits(good.values()))
        known = dict(zip(good, said, strict=True))
        return ClassifiedPhoto(photo, boxes, [known.get(at) for at in range(len(boxes))])


def sentence(found: ClassifiedPhoto, classes: list[str]) -> str:
    """Say in one line what is in a photo."""
    said = []
    for box, probabilities in zip(found.boxes, found.probabilities, strict=True):
        if probabilities is None:
            said.append(f"{box.category} ({box.confidence:.2f})")
        else:
            ((at, share),) = tops.top(probabilities, 1)
            said.append(f'"{classes[at]}" with confidence {share:.2%} ({box.category} {box.confidence:.2f})')
    return f"{num(len(said), 'box', 'boxes')}" + "".join(f"; {each}" for each in said)


def detections(found: ClassifiedPhoto, ids: dict[str, str], num_classes: int) -> list[dict[str, Any]]:
    """Give the boxes of a photo as MegaDetector's detections, with classifications.

    Args:
        found: from `Asker.ask`.
        ids: of the categories, by name.
        num_classes: to name at a box, at most.
    """
    entries = []
    for box, probabilities in zip(found.boxes, found.probabilities, strict=True):
        bbox = [round(value, 5) for value in _place(box)]
        entry: dict[str, Any] = {"category": ids[box.category], "conf": round(float(box.confidence), 4), "bbox": bbox}
        if probabilities is not None:
            shares = tops.top(probabilities, num_classes)
            entry["classifications"] = [[str(at), round(share, 4)] for at, share in shares if share >= LEAST_SHARE]
        entries.append(entry)
    return entries


def _place(box: Box) -> classifier.Place:
    return box.x, box.y, box.w, box.h
