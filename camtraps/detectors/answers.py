"""Answers: what a detector says of a photo."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Box:
    """A box relative to the upright photo, x and y of its top left; ``confidence`` as the detector gives it, 0 to 1."""

    x: float
    y: float
    w: float
    h: float
    confidence: float
    category: str = "animal"


@dataclass(frozen=True)
class Answer:
    """The answer for a photo: ``boxes``, the best first; or a ``note`` why there is none, or a ``failure``.

    A failure says that the photo could not be looked at; then there are no boxes. ``passing`` says that the answer may
    be another once other photos can be read again.
    """

    boxes: list[Box]
    note: str | None = None
    failure: str | None = None
    passing: bool = False

    def row(self, image: str, dataset: str, file: str) -> dict[str, Any]:
        """Give the row of the recorded detections table."""
        boxes = None if self.failure else [vars(box) for box in self.boxes]
        place = {"image": image, "dataset": dataset, "file": file}
        return {**place, "failure": self.failure, "note": self.note, "boxes": boxes}
