"""Measure `motion` against the human boxes of a collection: python -m benchmarks.motion data/NAME.

Every photo that people have boxed is given to the detector as if they had not; each human box counts once. Answers are
made anew, so that photos a second are the detector's.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from camtraps import catalog, collections
from camtraps.boxes import match
from camtraps.detecting import detect_motion

THRESHOLDS = (0.1, 0.2, 0.3, 0.5)


def main() -> None:
    """Print precision and recall at several confidences, and the speed."""
    collection = Path(sys.argv[1])
    database = catalog.connect(collection / "catalog")
    sql = "select image, boxes from photos where len(boxes) > 0 and not corrupt"
    truth = {image: boxes for image, boxes in database.execute(sql).fetchall()}
    photos = catalog.photos_at(database, set(truth))
    with tempfile.TemporaryDirectory() as work:
        os.environ["CAMTRAPS_WORK"] = work
        start = time.monotonic()
        found = detect_motion(photos, set(truth), collections.read_images(collection))
        seconds = time.monotonic() - start
    given = dict(zip(found["image"].to_pylist(), found["boxes"].to_pylist(), strict=True))
    rows = []
    for threshold in THRESHOLDS:
        hits = boxes = wanted = 0
        for image, known in truth.items():
            kept = [box for box in given[image] or [] if box["confidence"] >= threshold]
            hits += int(match(_array(kept), _array(known)).sum())
            boxes, wanted = boxes + len(kept), wanted + len(known)
        rows.append((threshold, len(truth), wanted, boxes, hits / max(boxes, 1), hits / wanted))
    columns = ["confidence", "photos", "human boxes", "boxes", "precision", "recall"]
    sys.stdout.write(pd.DataFrame(rows, columns=columns).round(3).to_string(index=False) + "\n")
    sys.stdout.write(f"{len(truth)} photos in {seconds:.1f} s, {len(truth) / seconds:.0f} a second\n")


def _array(boxes: list[dict[str, float]]) -> "np.typing.NDArray[np.float64]":
    return np.array([[box[side] for side in "xywh"] for box in boxes], np.float64).reshape(-1, 4)


if __name__ == "__main__":
    main()
