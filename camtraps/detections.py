"""Where the boxes of a photo come from: people first, then recorded results, then a detector. Never a mixture."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from camtraps.params import check_range
from camtraps.schema import HUMAN, RECORDED

WITHOUT = "without detection"
COLUMNS = ["image", "box", "category", "confidence", "x", "y", "w", "h", "detector", "class"]  # of boxes, any source


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectParams:
    """Section ``detect`` of params.yaml."""

    recorded: str
    """Recorded results to use: a folder below detections/ of the collection, ``all`` or ``none``."""
    detector: Literal["motion", "megadetector", "batch_api", "none"]
    """Runs on photos with neither human boxes nor a recorded result."""
    model: str | None
    """The model of ``megadetector``, by name or file, or the model version of ``batch_api``; null for its default."""
    image_size: int | None
    """Longer side in pixels that ``megadetector`` looks at; null for the model's own."""
    batch_size: int
    """Photos that ``megadetector`` looks at together on a GPU."""
    threshold: float
    """Boxes of a detector below this confidence, 0 to 1, are not kept."""
    repeat_iou: float
    """Overlap, intersection over union, from which two boxes are at the same place; 0.5 to 1."""
    repeat_sequences: int | None
    """Boxes of a detector that recur at a place in so many sequences of a location are flagged; null flags none."""
    max_failed: float
    """Share of photos that may fail, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, threshold=(0.0, 1.0), max_failed=(0.0, 1.0), image_size=(32, 8192), batch_size=(1, 4096))
        check_range(self, repeat_iou=(0.5, 1.0), repeat_sequences=(2, None))


@dataclass(frozen=True)
class Sources:
    """Photos by the source of their boxes.

    ``human`` are rows of the detections table (`COLUMNS`); ``recorded`` are rows of `recorded.read` that are no
    failures; ``missing`` are the photos that still need a detector, with the recorded failure or an empty text.
    """

    human: pd.DataFrame
    recorded: pd.DataFrame
    missing: dict[str, str]


def sort_out(queried: pd.DataFrame, boxes: pd.DataFrame, recorded: pd.DataFrame) -> Sources:
    """Decide for each photo where its boxes come from.

    Args:
        queried: rows of the queried table.
        boxes: human boxes of those photos; a photo with ``has_truth_boxes`` is never given to a detector.
        recorded: from `recorded.read`.
    """
    seen = queried.loc[~queried["has_truth_boxes"], ["image"]].merge(recorded, on="image", how="left")
    is_answered = seen["boxes"].notna()
    lacking = seen[~is_answered]
    return Sources(
        human=boxes.assign(confidence=float("nan"), detector=HUMAN)[COLUMNS],
        recorded=seen[is_answered],
        missing=dict(zip(lacking["image"], lacking["failure"].fillna(""), strict=True)),
    )


def boxes_of(answers: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Lay out the boxes of detectors' answers, a row each (`COLUMNS`); those below a confidence are left out.

    ``box`` is the place in the detector's own list, so that it does not change with the threshold.

    Args:
        answers: image, version and boxes, as `recorded.read` gives them.
        threshold: smallest confidence, 0 to 1.
    """
    lists = pa.array(answers["boxes"], RECORDED.schema.field("boxes").type)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    photo = np.repeat(np.arange(len(answers)), lengths)
    number = np.arange(len(photo)) - np.repeat(lengths.cumsum() - lengths, lengths)
    boxes = pa.Table.from_struct_array(pc.list_flatten(lists)).to_pandas()
    is_kept = (boxes["confidence"] >= threshold).to_numpy()
    photos = answers[["image", "version"]].take(photo[is_kept]).set_axis(["image", "detector"], axis=1)
    boxes = pd.concat([photos.reset_index(drop=True), boxes[is_kept].reset_index(drop=True)], axis=1)
    return boxes.assign(box=number[is_kept], **{"class": None})[COLUMNS]
