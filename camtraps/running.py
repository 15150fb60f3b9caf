"""Running a classifier over crops: in files, in shards, or cut from photos; probabilities as CSV, failures beside it.

What is done is kept in the work folder as it comes, so that a killed run continues. Memory holds the names of all
crops, and the pixels of a few.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import PIL
import pyarrow as pa
import torch
from numpy.typing import NDArray
from pyarrow import feather
from torch.utils.data import Dataset

from camtraps import any_classifier, classifying, inference, metrics, outputs, rated
from camtraps.classifier import Classifier
from camtraps.collection_files import write_rows
from camtraps.crop_files import CropFiles
from camtraps.datasets import CropDataset, Item, Loader, Pick
from camtraps.detected_photos import Detected
from camtraps.files import code_digest, digest, remove, replacing, work_dir
from camtraps.progress import bar
from camtraps.rated import Choice, Rated
from camtraps.results import prune
from camtraps.shards import member_name
from camtraps.storage import stamp

CODE = tuple(
    f"camtraps.{name}"
    for name in ("running", "any_classifier", "crop_files", "classifier", "inference", "transforms", "images")
)
BLOCK = 2048  # crops of which the result is kept together
WRITTEN = 10_000  # rows that are written together
Failure = tuple[str, str]  # the crop, or the photo, and the reason


@dataclass(frozen=True)
class Task:
    """What runs, and how: crops a step, and worker processes that read (0: none)."""

    classifier: Classifier
    model: Path
    batch_size: int
    num_workers: int

    def fingerprint(self) -> str:
        """Hash what makes a result besides the crops."""
        device = next(self.classifier.network.parameters()).device.type
        size = str(self.classifier.info.image_size)
        versions = (PIL.__version__, torch.__version__, device)
        return digest(code_digest(CODE), *versions, size, any_classifier.fingerprint(self.model), str(self.batch_size))


class Part(NamedTuple):
    """Crops with probabilities, (crops, classes), and those without, or photos, with the reason."""

    names: list[str]
    probabilities: NDArray[np.float64]
    failures: list[Failure]


def run_files(task: Task, folder: Path, names: Sequence[str]) -> Iterator[Part]:
    """Run over crops in files, from `crop_files.listed`."""
    stamps = [stamp(str(folder / name)) for name in names]
    return _run(task, CropFiles(folder, names, task.classifier.info.image_size), names, stamps)


def run_shards(task: Task, folder: Path, crops: pd.DataFrame) -> Iterator[Part]:
    """Run over crops of shards.

    Args:
        task: what runs.
        folder: where the shards are.
        crops: rows of the crops table.
    """
    shards = {name: stamp(str(folder / name)) for name in crops["shard"].unique()}
    places = zip(crops["shard"], crops["offset"].tolist(), strict=True)
    names = list(map(member_name, crops["image"], crops["box"].tolist(), crops["detector"]))
    dataset = CropDataset(crops, np.zeros(len(crops), np.int64), folder, task.classifier.info.image_size)
    return _run(task, dataset, names, [f"{name}:{shards[name]}:{offset}" for name, offset in places])


def run_photos(task: Task, photos: Detected, threshold: float) -> Iterator[Part]:
    """Run over boxes cut from their photos, each of which is decoded once.

    Args:
        task: what runs; its crop rule is that of the model.
        photos: with their boxes.
        threshold: boxes below this confidence are passed over, 0 to 1.
    """
    choice = Choice(task.classifier.info.crop["categories"], threshold)
    made_with = f"{task.fingerprint()} {task.classifier.info.crop}"
    job = classifying.Task(classifier=task.classifier, model=task.model, choice=choice, watch=_refuse, eye=made_with)
    for path in classifying.classify(photos.items(), photos.num, job):
        yield _of_photos(list(rated.read(path)), choice, photos.detector, task.classifier)


def write(parts: Iterator[Part], classes: Sequence[str], path: Path) -> tuple[int, list[Failure]]:
    """Write ``path`` (the crop's name) and a column for each class; failures beside it, if there are any.

    Args:
        parts: from one of the functions above.
        classes: names of the columns.
        path: the CSV file; failures are in its name with ``.failed.csv``.

    Returns:
        The number of crops, and the failures.
    """
    num, failures = 0, []
    with outputs.writing(path, ["path"], any_classifier.numbered(classes)) as writer:
        for part in parts:
            for start in range(0, len(part.names), WRITTEN):
                here = slice(start, start + WRITTEN)
                writer.write([pa.array(part.names[here], pa.string())], part.probabilities[here].astype(np.float32))
            num += len(part.names)
            failures += part.failures
    listing = failed_path(path)
    remove(listing)
    if failures:
        write_rows(listing, ("path", "reason"), failures)
    return num, failures


def failed_path(path: Path) -> Path:
    """Give where the failures of a file of outputs are listed."""
    return path.with_name(f"{path.name.removesuffix('.gz').removesuffix('.csv')}.failed.csv")


def _run(task: Task, dataset: Dataset[Item], names: Sequence[str], stamps: Sequence[str]) -> Iterator[Part]:
    """Run over a dataset, block by block; a block that an earlier run has finished is read."""
    folder, made_with = work_dir("run_classifier"), task.fingerprint()
    loader = Loader(dataset, task.num_workers)  # type: ignore[arg-type]
    used = set()
    with bar("classify", len(names), "crops") as progress:
        for start in range(0, len(names), BLOCK):
            own = slice(start, start + BLOCK)
            result = folder / f"{digest(made_with, *names[own], *stamps[own])}.arrow"
            used.add(result.name)
            picks = [Pick(row, None) for row in range(start, min(start + BLOCK, len(names)))]
            if not result.exists():
                found = inference.run(task.classifier.network, loader, picks, task.batch_size)
                _keep(result, found)
            yield _part(result, names[own], task.classifier)
            progress.update(len(picks))
    prune(folder, used)


def _keep(path: Path, found: inference.Classified) -> None:
    logits = pa.array(list(found.logits.astype(np.float32)), pa.list_(pa.float32()))
    table = pa.table({"logits": logits, "reason": pa.array(found.reasons, pa.string())})
    with replacing(path) as part:
        feather.write_feather(table, part, "uncompressed")


def _part(path: Path, names: Sequence[str], classifier: Classifier) -> Part:
    table = feather.read_table(path, memory_map=False)
    logits = table["logits"].combine_chunks().flatten().to_numpy().reshape(len(names), -1)
    reasons = table["reason"].to_pylist()
    good = np.array([reason is None for reason in reasons])
    failures = [(name, reason) for name, reason in zip(names, reasons, strict=True) if reason is not None]
    kept = [name for name, is_good in zip(names, good, strict=True) if is_good]
    return Part(kept, _probabilities(logits[good], classifier), failures)


def _of_photos(photos: list[Rated], choice: Choice, detector: str, classifier: Classifier) -> Part:
    names, failures = [], []
    for photo in photos:
        if photo.failure is not None:
            failures.append((photo.name, photo.failure))
        names += [member_name(photo.name, place, detector) for place in photo.rated]
        lost = sorted(set(choice.places(photo.boxes)) - set(photo.rated))
        failures += [(member_name(photo.name, place, detector), "no pixel, or too many of them") for place in lost]
    num_classes = len(classifier.info.classes)
    logits = np.concatenate([np.empty((0, num_classes)), *(photo.logits for photo in photos if len(photo.rated))])
    return Part(names, _probabilities(logits, classifier), failures)


def _probabilities(logits: NDArray[Any], classifier: Classifier) -> NDArray[np.float64]:
    return metrics.calibrated(logits.astype(np.float64), classifier.info.temperature)


def _refuse(item: Any) -> Rated:
    return Rated(item.name, "a video, not a photo")
