"""Put detections and classifications together: one MegaDetector document for Timelapse and its relatives."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from camtraps.formats import megadetector
from camtraps.params import check_range
from camtraps.predictions import Predictions

# Category ids of the true labels stand so far above those of the classifier (the convention of CameraTraps).
LABEL_OFFSET = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeParams:
    """Section ``merge`` of params.yaml."""

    threshold: float
    """Classes less probable than this, 0 to 1, are left out of a detection."""
    label: Literal["none", "first", "last"]
    """Add the known label to each crop's classes, as ``label: NAME`` with confidence 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, threshold=(0.0, 1.0))


def merge(
    queried: pd.DataFrame,
    detections: pd.DataFrame,
    failed: dict[str, str],
    predictions: Predictions,
    classes: list[str],
    params: MergeParams,
) -> dict[str, Any]:
    """Build the document: every queried photo once, sorted by file, all its boxes, the classes of those that have any.

    Args:
        queried: rows of the queried table.
        detections: rows of the detections table.
        failed: reason for each photo that no detector could read; such a photo has no detections.
        predictions: the predictions table.
        classes: names, in the order of the probabilities.
        params: section ``merge``.
    """
    names = dict(megadetector.CATEGORIES)
    for name in sorted(set(detections["category"]) - set(names.values())):
        names[str(len(names) + 1)] = name
    ids = {name: key for key, name in names.items()}
    classified = {
        (row.image, row.box): _classifications(probabilities, classes.index(row.label), params)
        for row, probabilities in zip(predictions.crops.itertuples(), predictions.probabilities, strict=True)
    }
    boxes: dict[str, list[dict[str, Any]]] = {}
    for row in detections.sort_values(["image", "box"]).itertuples():
        entry = _detection(row, ids[row.category])
        if (row.image, row.box) in classified:
            entry["classifications"] = classified[row.image, row.box]
        boxes.setdefault(row.image, []).append(entry)
    images = [
        {"file": image, "failure": failed[image], "detections": None}
        if image in failed
        else {"file": image, "detections": boxes.get(image, [])}
        for image in sorted(queried["image"])
    ]
    info = {"detector": ", ".join(sorted(detections["detector"].unique())), "classifier": "camtraps"}
    document = megadetector.document(images, info, _categories(classes, params))
    return document | {"detection_categories": names}


def of_dataset(document: dict[str, Any], dataset: str) -> dict[str, Any]:
    """Give one dataset's part of a document, with ``file`` relative to the dataset's image folder."""
    prefix = f"{dataset}/"
    images = [image for image in document["images"] if image["file"].startswith(prefix)]
    return document | {"images": [image | {"file": image["file"].removeprefix(prefix)} for image in images]}


def _detection(row: Any, category: str) -> dict[str, Any]:
    confidence = 1.0 if pd.isna(row.confidence) else round(row.confidence, 4)
    return {
        "category": category,
        "conf": confidence,
        "bbox": [round(value, 5) for value in (row.x, row.y, row.w, row.h)],
    }


def _classifications(probabilities: Any, label: int, params: MergeParams) -> list[list[Any]]:
    order = (-probabilities).argsort(kind="stable")
    found: list[list[Any]] = [
        [str(at), round(float(probabilities[at]), 4)] for at in order if probabilities[at] >= params.threshold
    ]
    truth: list[list[Any]] = [[str(LABEL_OFFSET + label), 1.0]]
    return truth + found if params.label == "first" else found + truth if params.label == "last" else found


def _categories(classes: list[str], params: MergeParams) -> dict[str, str]:
    names = {str(at): name for at, name in enumerate(classes)}
    if params.label == "none":
        return names
    return names | {str(LABEL_OFFSET + at): f"label: {name}" for at, name in enumerate(classes)}
