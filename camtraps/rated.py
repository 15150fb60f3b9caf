"""Rated photos: what a detector and a classifier say of a photo or video, kept in files of some dozens."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import feather

from camtraps.files import replacing
from camtraps.photo_sources import Box

MOST_BOXES = 500  # of one photo or video that are classified, the surest ones
SCHEMA = pa.schema([("photo", pa.string()), ("logits", pa.list_(pa.float32()))])
NONE: NDArray[np.float32] = np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Rated:
    """A photo or video with its boxes; ``failure`` says why it could not be used.

    ``rated`` are the places of the boxes that were classified, ``logits`` (boxes, classes) their rows. ``taken`` is the
    time in its EXIF, as it stands there; ``frame_rate`` and ``frames``, those that were looked at, are of videos.
    """

    name: str
    failure: str | None = None
    boxes: Sequence[Box] = ()
    rated: Sequence[int] = ()
    logits: NDArray[np.float32] = field(default_factory=lambda: NONE, compare=False)
    taken: str | None = None
    frame_rate: float | None = None
    frames: Sequence[int] | None = None

    @property
    def folder(self) -> str:
        """The folder that it lies in."""
        return self.name.rpartition("/")[0]


@dataclass(frozen=True)
class Choice:
    """Which boxes are classified: those of some categories, from a confidence on."""

    categories: Sequence[str]
    threshold: float

    def places(self, boxes: Sequence[Box]) -> list[int]:
        """Give the places of the chosen boxes of a photo or video."""
        good = [
            at for at, box in enumerate(boxes) if box.category in self.categories and box.confidence >= self.threshold
        ]
        return sorted(sorted(good, key=lambda at: -boxes[at].confidence)[:MOST_BOXES])


def write(photos: Sequence[Rated], path: Path) -> None:
    """Write photos, whole or not at all."""
    rows = [json.dumps({name: value for name, value in asdict(each).items() if name != "logits"}) for each in photos]
    logits = pa.array([each.logits.ravel() for each in photos], pa.list_(pa.float32()))
    with replacing(path) as part:
        feather.write_feather(pa.table([pa.array(rows, pa.string()), logits], schema=SCHEMA), part, "uncompressed")


def read(path: Path) -> Iterator[Rated]:
    """Read photos in the order in which they were written."""
    table = feather.read_table(path, memory_map=False)
    for text, logits in zip(table["photo"].to_pylist(), table["logits"], strict=True):
        row = json.loads(text)
        row["boxes"] = [Box(*box) for box in row["boxes"]]
        num = len(row["rated"])
        yield Rated(**row, logits=logits.values.to_numpy().reshape(num, -1) if num else NONE)
