"""Where the boxes of a photo come from: people first, then recorded results, then a detector. Never a mixture."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from camtraps.params import check_range

HUMAN = "human"
WITHOUT = "without detection"


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectParams:
    """Section ``detect`` of params.yaml."""

    recorded: str
    """Recorded results to use: a folder below detections/ of the collection, ``all`` or ``none``."""
    detector: Literal["motion", "none"]
    """Runs on photos with neither human boxes nor a recorded result."""
    threshold: float
    """Boxes of a detector below this confidence, 0 to 1, are not kept."""
    max_failed: float
    """Share of photos that may fail, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, threshold=(0.0, 1.0), max_failed=(0.0, 1.0))


@dataclass(frozen=True)
class Sources:
    """Photos by the source of their boxes.

    ``human`` and ``recorded`` are rows of the detections table; ``without`` lists photos in which a person or a
    detector found nothing; ``missing`` those that still need a detector, with the recorded failure if there was one.
    """

    human: pd.DataFrame
    recorded: pd.DataFrame
    without: list[str]
    missing: dict[str, str]


def sort_out(queried: pd.DataFrame, boxes: pd.DataFrame, recorded: pd.DataFrame, threshold: float) -> Sources:
    """Decide for each photo where its boxes come from.

    Args:
        queried: rows of the queried table.
        boxes: human boxes of those photos; a photo with ``has_truth_boxes`` is never given to a detector.
        recorded: from `collections.read_recorded`.
        threshold: recorded boxes below this confidence are left out.
    """
    human = boxes.assign(confidence=float("nan"), detector=HUMAN)
    drawn = set(queried.loc[queried["has_truth_boxes"], "image"])
    asked = queried.loc[~queried["has_truth_boxes"], ["image"]]
    seen = asked.merge(recorded[["image", "version", "failure", "boxes"]], on="image", how="left")
    good = seen[seen["boxes"].notna()]
    rows = [
        {"image": image, "box": at, "detector": version, "class": None, **box}
        for image, version, found in zip(good["image"], good["version"], good["boxes"], strict=True)
        for at, box in enumerate(found)
        if box["confidence"] >= threshold
    ]
    columns = ["image", "box", "category", "confidence", "x", "y", "w", "h", "detector", "class"]
    kept = pd.DataFrame(rows, columns=columns)
    lacking = seen[seen["boxes"].isna()]
    return Sources(
        human=human[columns],
        recorded=kept,
        without=sorted((drawn - set(human["image"])) | (set(good["image"]) - set(kept["image"]))),
        missing=dict(zip(lacking["image"], lacking["failure"].fillna("").astype(str), strict=True)),
    )
