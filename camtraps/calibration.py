"""Calibration of a detector's confidence: from what it says to how often that is right."""

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from camtraps.errors import InputError, MissingError
from camtraps.files import replacing

FILE = "calibration.npz"  # beside the recorded detections of its version
BINS = 10
# What NumPy raises where a file is no archive, or a broken one.
BROKEN = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Curve:
    """A calibration: at confidences ``x`` (in order, 0 to 1) the chance ``y`` (0 to 1) that a box is right.

    ``detector`` and ``made`` (a day) say what it was fitted on; CameraTraps' own files have neither.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    detector: str = ""
    made: str = ""

    def __call__(self, confidence: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the chances, by linear interpolation; beyond the range the value at its end, NaN for NaN."""
        return np.asarray(np.interp(confidence, self.x, self.y))


def fit(confidence: NDArray[np.float64], is_right: NDArray[np.bool_], detector: str = "", made: str = "") -> Curve:
    """Fit a calibration by isotonic regression (pool adjacent violators), clipped to 0 to 1.

    Args:
        confidence: (n,) of boxes, 0 to 1, n > 0.
        is_right: (n,) flags, from `boxes.match`.
        detector: name and version.
        made: a day, as 2024-04-01.
    """
    from sklearn.isotonic import IsotonicRegression

    regression = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    regression.fit(confidence, is_right.astype(np.float64))
    return Curve(regression.X_thresholds_, regression.y_thresholds_, detector, made)


def held_out(
    confidence: NDArray[np.float64], is_right: NDArray[np.bool_], groups: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Calibrate each box by a curve that was fitted without its group (a location), in at most five rounds.

    Returns:
        (n,) chances; NaN where there is only one group.
    """
    from sklearn.model_selection import GroupKFold

    chances = np.full(len(confidence), np.nan)
    num_groups = len(np.unique(groups))
    if num_groups < 2:
        return chances
    for rest, part in GroupKFold(min(5, num_groups)).split(confidence, groups=groups):
        chances[part] = fit(confidence[rest], is_right[rest])(confidence[part])
    return chances


def error(chance: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """Give the expected calibration error, 0 to 1: the mean gap between chance and share of right boxes, over bins."""
    table = reliability(chance, is_right)
    return float((table["boxes"] * (table["confidence"] - table["right"]).abs()).sum() / max(1, table["boxes"].sum()))


def reliability(chance: NDArray[np.float64], is_right: NDArray[np.bool_]) -> pd.DataFrame:
    """Compare chances with what was right, in `BINS` bins of equal width.

    Returns:
        from, boxes, confidence (mean), right (share); one row a bin that has boxes.
    """
    bins = np.minimum((chance * BINS).astype(int), BINS - 1)
    table = pd.DataFrame({"from": bins / BINS, "confidence": chance, "right": is_right})
    means = table.groupby("from").agg(
        boxes=("right", "size"), confidence=("confidence", "mean"), right=("right", "mean")
    )
    return means.reset_index()


def apply(detections: pd.DataFrame, curves: dict[str, Curve]) -> "pd.Series[float]":
    """Give the chance of each box to be right; NaN for boxes that people drew and detectors without a calibration."""
    chances = pd.Series(np.nan, index=detections.index)
    for version, curve in curves.items():
        is_of = (detections["detector"] == version).to_numpy(bool)
        chances[is_of] = curve(detections["confidence"][is_of].to_numpy(np.float64))
    return chances


def write(path: Path, curve: Curve) -> None:
    """Write a calibration as CameraTraps does, as a compressed NumPy archive of x and y; two more keys are ours."""
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, x=curve.x, y=curve.y, detector=np.array(curve.detector), made=np.array(curve.made))


def read(path: Path) -> Curve:
    """Read a calibration of ours or of CameraTraps.

    Raises:
        MissingError: no such file.
        InputError: cannot be read, or is not a NumPy archive with ``x`` and ``y`` as it should be.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MissingError(f"{path}: not found; make one with `camtraps calibrate-detector`") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read as a file: {(error.strerror or str(error)).lower()}") from None
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            values = {name: archive[name] for name in ("x", "y")}
            about = {name: str(archive[name]) for name in ("detector", "made") if name in archive.files}
    except BROKEN:
        raise InputError(f"{path}: not a NumPy archive with the arrays x and y, or damaged") from None
    for name, array in values.items():
        if array.ndim != 1 or not len(array) or array.dtype.kind not in "fiu":
            raise InputError(f"{path}: {name}: expected a list of numbers, got {array.dtype} of shape {array.shape}")
        wrong = ~((array >= 0) & (array <= 1))
        if wrong.any():
            raise InputError(f"{path}: {name}[{wrong.argmax()}]: expected a number from 0 to 1, got {array[wrong][0]}")
    x, y = (array.astype(np.float64) for array in values.values())
    if len(x) != len(y):
        raise InputError(f"{path}: x has {len(x)} values, y has {len(y)}; expected the same number")
    if (np.diff(x) < 0).any():
        at = int((np.diff(x) < 0).argmax()) + 1
        raise InputError(f"{path}: x[{at}]: expected at least the {x[at - 1]} before it, got {x[at]}")
    return Curve(x, y, **about)


def read_all(collection: Path) -> dict[str, Curve]:
    """Read the calibrations of a collection, by the version of the detector; errors as in `read`."""
    return {path.parent.name: read(path) for path in sorted((collection / "detections").glob(f"*/{FILE}"))}
