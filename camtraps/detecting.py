"""Run a detector on the photos that need one, and put the boxes of all sources together."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from camtraps import failures
from camtraps.detections import WITHOUT, DetectParams, Sources
from camtraps.detectors import motion
from camtraps.files import code_digest, digest, read_json, work_dir, write_json
from camtraps.storage import is_local, photo_uri, stamp
from camtraps.units import Unit, run

CODE = tuple(
    f"camtraps.{name}" for name in ("detectors.motion", "detectors.background", "detecting", "images", "storage")
)


def detect_motion(photos: pd.DataFrame, wanted: set[str], roots: dict[str, str]) -> dict[str, motion.Found]:
    """Find boxes in some photos by comparing them with the others of their place.

    Args:
        photos: all photos of the places of the wanted ones, from `catalog.photos_at`.
        wanted: the images that need boxes.
        roots: image root of each dataset.

    Returns:
        One answer for each wanted image.
    """
    code = code_digest(CODE)
    units = [_unit(rows, wanted, roots, code) for _, rows in photos.groupby(["dataset", "place"], sort=True)]
    found: dict[str, motion.Found] = {}
    for folder in run(units, _detect_place, work_dir("motion"), "detect"):
        for image, answer in read_json(folder / "found.json").items():
            boxes = [motion.Box(**box) for box in answer.pop("boxes")]
            found[image] = motion.Found(boxes=boxes, **answer)
    return found


def _unit(rows: pd.DataFrame, wanted: set[str], roots: dict[str, str], code: str) -> Unit:
    seconds = [None if pd.isna(time) else time.timestamp() for time in rows["datetime"]]
    sequences = [None if pd.isna(name) else name for name in rows["sequence"]]
    uris = [photo_uri(roots[dataset], file) for dataset, file in zip(rows["dataset"], rows["file"], strict=True)]
    asked = sorted(wanted & set(rows["image"]))
    photos = [list(photo) for photo in zip(rows["image"], uris, sequences, seconds, strict=True)]
    payload = {"photos": photos, "wanted": asked}
    stamps = [stamp(uri) for uri in uris]
    remote = not all(is_local(uri) for uri in uris)
    return Unit(digest(code, json.dumps(payload), *stamps), payload, len(asked), remote)


def _detect_place(payload: dict[str, Any], folder: Path) -> bool:
    photos = [motion.Photo(*photo) for photo in payload["photos"]]
    found = motion.detect(photos, set(payload["wanted"]))
    write_json(folder / "found.json", {image: asdict(found[image]) for image in sorted(found)})
    return not any(answer.failed for answer in found.values())


DETECTORS: dict[str, Callable[[pd.DataFrame, set[str], dict[str, str]], dict[str, motion.Found]]] = {
    motion.NAME: detect_motion
}


@dataclass(frozen=True)
class Gathered:
    """The stage's result: rows of the detections table, photos without one, and the counts."""

    detections: pd.DataFrame
    failures: pd.DataFrame
    counts: failures.Counts
    photos_by_source: dict[str, int]


def gather(queried: pd.DataFrame, sources: Sources, found: dict[str, motion.Found], params: DetectParams) -> Gathered:
    """Put boxes of all sources together and account for every photo.

    Args:
        queried: rows of the queried table.
        sources: from `sort_out`.
        found: the detector's answer for each of ``sources.missing``; without a detector none.
        params: the detector's name and threshold.
    """
    columns = list(sources.human.columns)
    rows = [
        {"image": image, "box": at, "category": "animal", "detector": params.detector, "class": None}
        | {"confidence": box.confidence, "x": box.x, "y": box.y, "w": box.w, "h": box.h}
        for image, answer in found.items()
        for at, box in enumerate(answer.boxes)
        if box.confidence >= params.threshold
    ]
    fresh = pd.DataFrame(rows, columns=columns)
    parts = [part for part in (sources.human, sources.recorded, fresh) if len(part)]
    detections = pd.concat(parts, ignore_index=True) if parts else fresh
    failed, without = _unboxed(sources, found, set(fresh["image"]))
    left_out = failures.concat(failures.rows("detect", "failed", failed), failures.rows("detect", "skipped", without))
    by_source = detections.drop_duplicates("image")["detector"].value_counts().sort_index()
    return Gathered(
        detections,
        left_out,
        failures.Counts.of("photos", len(queried), detections["image"].nunique(), left_out),
        {str(source): int(number) for source, number in by_source.items()},
    )


Item = tuple[str, int | None, str]


def _unboxed(sources: Sources, found: dict[str, motion.Found], boxed: set[str]) -> tuple[list[Item], list[Item]]:
    """Give the reasons of photos that end without a box: broken ones and those in which nothing was found."""
    without: list[Item] = [(image, None, WITHOUT) for image in sources.without]
    failed: list[Item] = []
    for image, recorded in sorted(sources.missing.items()):
        answer = found.get(image)
        if answer is None:
            item = (image, None, f"no detector was run; recorded: {recorded or 'nothing'}")
            (failed if recorded else without).append(item)
        elif answer.failed:
            failed.append((image, None, answer.reason or "detector failed"))
        elif image not in boxed:
            without.append((image, None, f"{WITHOUT}: {answer.reason or 'all below detect.threshold'}"))
    return failed, without
