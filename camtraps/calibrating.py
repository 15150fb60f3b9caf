"""Calibrate a recorded detector on the boxes that people drew in the same photos."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from camtraps import calibration, catalog, tables
from camtraps.boxes import match
from camtraps.calibration import Curve
from camtraps.errors import InputError, MissingError
from camtraps.schema import RECORDED

LEAST = 50  # boxes; fewer say little about ten bins
BOX = ("x", "y", "w", "h")


@dataclass(frozen=True)
class Judged:
    """Boxes of a detector, each judged right or wrong: the tables' columns as arrays of the same length.

    ``num_true`` counts the boxes that people drew in these photos, ``num_photos`` the photos.
    """

    confidence: NDArray[np.float64]
    is_right: NDArray[np.bool_]
    locations: NDArray[np.str_]
    num_true: int
    num_photos: int

    def precision_recall(self, threshold: float) -> tuple[float, float]:
        """Give the share of right boxes from a confidence up, and the share of true boxes that they find."""
        kept = self.confidence >= threshold
        right = int(self.is_right[kept].sum())
        return right / max(1, int(kept.sum())), right / max(1, self.num_true)


def recorded(collection: Path, version: str) -> list[Path]:
    """Give the tables of a recorded detector.

    Raises:
        MissingError: there are none.
    """
    folder = collection / "detections"
    paths = sorted((folder / version).glob("*.parquet"))
    if not paths:
        there = ", ".join(sorted(path.name for path in folder.glob("*") if any(path.glob("*.parquet")))) or "none"
        raise MissingError(f"{folder / version}: no recorded detections; there are: {there}")
    return paths


def judge(collection: Path, version: str) -> Judged:
    """Compare the recorded boxes of a detector with the human ones, in all photos that have both.

    A photo that a person looked at and found nothing to box in counts: every box in it is wrong. A box is right if it
    overlaps a human box of its category enough (`boxes.match`).

    Raises:
        MissingError: nothing is recorded for that version.
        TableError: what is recorded is no such table.
        InputError: too few boxes, or all are right, or none.
    """
    paths = recorded(collection, version)
    for path in paths:
        tables.check_schema(path, RECORDED)
    database = catalog.connect(collection / "catalog")
    sql = """select coalesce(p.location, p.image) as location, p.dataset, r.boxes as found, p.boxes as true
             from read_parquet(?) r join photos p using (image)
             where r.boxes is not null and p.boxes is not null and not p.corrupt
             order by p.dataset, p.file"""
    result = database.execute(sql, [[str(path) for path in paths]])
    confidence, is_right, locations, num_true, num_photos = [], [], [], 0, 0
    while photos := result.fetchmany(10_000):
        for location, dataset, found, true in photos:
            found.sort(key=lambda box: -box["confidence"])
            confidence += [box["confidence"] for box in found]
            is_right += _right(found, true)
            locations += [f"{dataset}/{location}"] * len(found)
            num_true, num_photos = num_true + len(true), num_photos + 1
    judged = Judged(np.array(confidence), np.array(is_right, bool), np.array(locations, str), num_true, num_photos)
    num, right = len(confidence), int(judged.is_right.sum())
    if num < LEAST or right in (0, num):
        raise InputError(
            f"{paths[0].parent}: {num:,} boxes in {num_photos:,} photos that people have boxed, {right:,} of them "
            f"right; a calibration needs {LEAST} boxes, right ones and wrong ones"
        )
    return judged


def _right(found: list[dict[str, float]], true: list[dict[str, float]]) -> list[bool]:
    flags = np.zeros(len(found), bool)
    for category in {box["category"] for box in found}:
        own = [at for at, box in enumerate(found) if box["category"] == category]
        others = [box for box in true if box["category"] == category]
        flags[own] = match(_array([found[at] for at in own]), _array(others))
    return [bool(flag) for flag in flags]


def _array(boxes: list[dict[str, float]]) -> NDArray[np.float64]:
    return np.array([[box[name] for name in BOX] for box in boxes], np.float64).reshape(-1, 4)


def fit(judged: Judged, version: str, made: str) -> tuple[Curve, pd.DataFrame, dict[str, float]]:
    """Fit a calibration.

    Returns:
        The curve; the reliability of the raw confidence (`calibration.reliability`, with the curve's answer at the mean
        of each bin as ``calibrated``); and the errors ``raw`` and ``held_out``, the latter at locations that the curve
        was fitted without (NaN with one location).
    """
    curve = calibration.fit(judged.confidence, judged.is_right, version, made)
    table = calibration.reliability(judged.confidence, judged.is_right)
    table["calibrated"] = curve(table["confidence"].to_numpy())
    chances = calibration.held_out(judged.confidence, judged.is_right, judged.locations)
    errors = {
        "raw": calibration.error(judged.confidence, judged.is_right),
        "held_out": float("nan") if np.isnan(chances).any() else calibration.error(chances, judged.is_right),
    }
    return curve, table, errors
