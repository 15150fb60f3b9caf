"""The demo collection's files: photos, COCO Camera Traps records, recorded detections, and the truth beside them."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from camtraps.demo import drawing, plan
from camtraps.demo.drawing import Box
from camtraps.demo.plan import DemoParams, Photo
from camtraps.demo.scenes import HEIGHT, WIDTH
from camtraps.demo.species import SHARES, label
from camtraps.files import remove, write_json, write_text
from camtraps.processes import die_with_parent, num_workers
from camtraps.progress import bar

CATEGORIES = ("empty", *SHARES, "person", "vehicle")
DETECTOR = "md_v5a.0.0.pt"
Boxes = Mapping[int, Sequence[Box]]
_Work = tuple[list[Photo], int, Path]


def make(params: DemoParams, folder: Path) -> None:
    """Draw the collection and write its records.

    The same parameters give the same bytes with any number of worker processes (``CAMTRAPS_WORKERS``).

    Args:
        params: the section ``demo`` of params.yaml.
        folder: gets ``images/<dataset>/<file>``, ``source/<dataset>.cct.json``, ``source/<dataset>.detections.json``
            and, for checks alone, ``truth.csv`` and ``truth_boxes.csv``; photos of an earlier call are removed.
    """
    photos = plan.photos(params)
    remove(folder / "images")
    boxes = draw_all(photos, params.seed, folder / "images")
    for dataset in plan.LOCATIONS:
        own = [photo for photo in photos if photo.dataset == dataset]
        write_json(folder / "source" / f"{dataset}.cct.json", records(dataset, own, boxes))
        write_json(folder / "source" / f"{dataset}.detections.json", detections(own, boxes, params.seed))
    write_text(folder / "truth.csv", _csv(("dataset", "file", "true_class", "recorded_class", "wrong"), _truth(photos)))
    header = ("dataset", "file", "box", "class", "x", "y", "w", "h")
    write_text(folder / "truth_boxes.csv", _csv(header, _truth_boxes(photos, boxes)))


def draw_all(photos: Sequence[Photo], seed: int, folder: Path) -> dict[int, tuple[Box, ...]]:
    """Draw photos to ``folder/<dataset>/<file>`` in worker processes and give the true boxes by the photo's index."""
    # A process draws all photos of a place, so that it draws the place once.
    works = [(list(group), seed, folder) for _, group in groupby(photos, lambda photo: (photo.dataset, photo.scene))]
    boxes: dict[int, tuple[Box, ...]] = {}
    with bar("demo", len(photos), "photos") as progress:
        for drawn in _mapped(works):
            boxes.update(drawn)
            progress.update(len(drawn))
    return boxes


def records(dataset: str, photos: Sequence[Photo], boxes: Boxes) -> dict[str, Any]:
    """Give a dataset's records in the COCO Camera Traps layout; boxes are pixels of the upright photo."""
    numbers = {kind: number for number, kind in enumerate(CATEGORIES)}
    annotations = []
    for photo in photos:
        for at, (kind, box) in enumerate(_marks(photo, boxes[photo.index])):
            mark = {"id": f"{_image_id(photo)}-{at}", "image_id": _image_id(photo), "category_id": numbers[kind]}
            annotations.append(mark if box is None else {**mark, "bbox": [box.x, box.y, box.w, box.h]})
    return {
        "info": {"version": "1.0", "year": 2024, "description": f"camtraps demo, dataset {dataset}: drawn by code"},
        "images": [_image(photo) for photo in photos],
        "annotations": annotations,
        "categories": [{"id": number, "name": label(dataset, kind)} for kind, number in numbers.items()],
    }


def detections(photos: Sequence[Photo], boxes: Boxes, seed: int) -> dict[str, Any]:
    """Give a detector's result for the photos that have a recorded one, in the MegaDetector layout 1.6."""
    looked_at = sorted((photo for photo in photos if photo.boxed == "recorded"), key=lambda photo: photo.file)
    return {
        "info": {
            "format_version": "1.6",
            "detector": DETECTOR,
            "detection_completion_time": "2024-11-02 08:15:00",
            "detector_metadata": {
                "megadetector_version": "v5a.0.0",
                "typical_detection_threshold": 0.2,
                "conservative_detection_threshold": 0.05,
            },
        },
        "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
        "images": [_detected(photo, boxes[photo.index], seed) for photo in looked_at],
    }


def _mapped(works: list[_Work]) -> Iterable[dict[int, tuple[Box, ...]]]:
    if num_workers() == 1 or len(works) == 1:
        yield from map(_draw_place, works)
        return
    context = get_context("spawn")  # a forked Arrow or torch thread pool of the caller may hang
    own = (os.getpid(),)
    with ProcessPoolExecutor(num_workers(), mp_context=context, initializer=die_with_parent, initargs=own) as pool:
        yield from pool.map(_draw_place, works)


def _draw_place(work: _Work) -> dict[int, tuple[Box, ...]]:
    photos, seed, folder = work
    boxes = {}
    for photo in photos:
        drawn = drawing.draw(photo, seed)
        path = folder / photo.dataset / photo.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn.data)
        boxes[photo.index] = drawn.boxes
    return boxes


def _image_id(photo: Photo) -> str:
    return f"{photo.sequence}-{photo.frame}"


def _image(photo: Photo) -> dict[str, Any]:
    place = {} if photo.location is None else {"location": photo.location}
    return {
        "id": _image_id(photo),
        "file_name": photo.file,
        "width": WIDTH,
        "height": HEIGHT,
        **place,
        "seq_id": photo.sequence,
        "seq_num_frames": photo.frames,
        "frame_num": photo.frame,
        "datetime": f"{photo.taken:%Y-%m-%d %H:%M:%S}",
    }


def _marks(photo: Photo, boxes: Sequence[Box]) -> list[tuple[str, Box | None]]:
    # What a person wrote down: each thing with its box, or only what is in the photo.
    if photo.boxed != "human" or not boxes:
        return [(kind, None) for kind in photo.recorded]
    called = dict(zip(photo.kinds, photo.recorded, strict=True))
    return [(called[box.kind], box) for box in boxes]


def _detected(photo: Photo, boxes: Sequence[Box], seed: int) -> dict[str, Any]:
    if photo.failure:
        return {"file": photo.file, "failure": "Failure image access", "detections": None}
    rng = np.random.default_rng((seed, 2, photo.index))
    found = [_found(box, rng) for box in boxes if rng.random() > 0.05]
    if rng.random() < 0.15:
        found.append(_false_box(rng, rng.uniform(0.05, 0.2)))
    if rng.random() < 0.02:
        found.append(_false_box(rng, rng.uniform(0.4, 0.85)))
    return {"file": photo.file, "detections": sorted(found, key=lambda box: -float(box["conf"]))}


def _found(box: Box, rng: np.random.Generator) -> dict[str, Any]:
    # Each edge is off by a few percent of the box; one box in ten is a doubtful one.
    left, top, right, bottom = rng.normal(0, 0.025, 4)
    x0, x1 = box.x + left * box.w, box.x + box.w * (1 + right)
    y0, y1 = box.y + top * box.h, box.y + box.h * (1 + bottom)
    confidence = rng.uniform(0.2, 0.5) if rng.random() < 0.1 else 0.6 + 0.37 * rng.beta(4, 1.5)
    category = {"person": "2", "vehicle": "3"}.get(box.kind, "1")
    return _box(category, confidence, np.array([x0 / WIDTH, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT]))


def _false_box(rng: np.random.Generator, confidence: float) -> dict[str, Any]:
    x, y, w, h = rng.uniform((0, 0.2, 0.04, 0.05), (0.85, 0.75, 0.15, 0.2))
    return _box("1", confidence, np.array([x, y, x + w, y + h]))


def _box(category: str, confidence: float, corners: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    x0, y0, x1, y1 = np.clip(corners, 0, 1)
    bbox = [round(float(value), 4) for value in (x0, y0, x1 - x0, y1 - y0)]
    return {"category": category, "conf": round(float(confidence), 3), "bbox": bbox}


def _truth(photos: Sequence[Photo]) -> list[tuple[object, ...]]:
    return [
        (photo.dataset, photo.file, label(photo.dataset, kind), label(photo.dataset, said), int(kind != said))
        for photo in photos
        for kind, said in zip(photo.kinds, photo.recorded, strict=True)
    ]


def _truth_boxes(photos: Sequence[Photo], boxes: Boxes) -> list[tuple[object, ...]]:
    return [
        (photo.dataset, photo.file, at, label(photo.dataset, box.kind), *_relative(box))
        for photo in photos
        for at, box in enumerate(boxes[photo.index])
    ]


def _relative(box: Box) -> list[str]:
    return [f"{value:.6f}" for value in (box.x / WIDTH, box.y / HEIGHT, box.w / WIDTH, box.h / HEIGHT)]


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()
