"""Measure `motion` against the human boxes of a collection: python -m benchmarks.motion data/NAME.

Every photo that people have boxed is given to the detector as if they had not; each human box counts once.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from camtraps import catalog, collections
from camtraps.detecting import detect_motion

THRESHOLDS = (0.1, 0.2, 0.3, 0.5)
RIGHT = 0.5  # intersection over union


def main() -> None:
    """Print precision and recall at several confidences."""
    collection = Path(sys.argv[1])
    database = catalog.connect(collection / "catalog")
    sql = "select image, boxes from photos where len(boxes) > 0 and not corrupt"
    truth = {image: boxes for image, boxes in database.execute(sql).fetchall()}
    photos = catalog.photos_at(database, set(truth))
    found = detect_motion(photos, set(truth), collections.read_image_roots(collection))
    rows = []
    for threshold in THRESHOLDS:
        hits = boxes = wanted = 0
        for image, known in truth.items():
            kept = [box for box in found[image].boxes if box.confidence >= threshold]
            hits += _matches([(b.x, b.y, b.w, b.h) for b in kept], [(b["x"], b["y"], b["w"], b["h"]) for b in known])
            boxes, wanted = boxes + len(kept), wanted + len(known)
        rows.append((threshold, len(truth), wanted, boxes, hits / max(boxes, 1), hits / wanted))
    columns = ["confidence", "photos", "human boxes", "boxes", "precision", "recall"]
    sys.stdout.write(pd.DataFrame(rows, columns=columns).round(3).to_string(index=False) + "\n")


def _matches(found: list[tuple[float, ...]], known: list[tuple[float, ...]]) -> int:
    """Count found boxes, best first, that match a human box which no better one has matched."""
    free = list(known)
    for box in found:
        overlaps = [_iou(box, other) for other in free]
        if overlaps and max(overlaps) >= RIGHT:
            free.pop(int(np.argmax(overlaps)))
    return len(known) - len(free)


def _iou(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    shared = max(0.0, wide) * max(0.0, high)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


if __name__ == "__main__":
    main()
