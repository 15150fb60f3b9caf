"""A finished run: what its pages show, read from the outputs of the stages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from camtraps import collections, layout, predictions, tables
from camtraps.files import file_digest, read_json
from camtraps.predictions import Predictions
from camtraps.schema import ASSIGNED, CANDIDATES, CROPS, DETECTIONS, FAILURES, NEIGHBOURS

FOLDERS = {
    "query": layout.QUERIED,
    "detect": layout.DETECTIONS,
    "crop": layout.CROPS,
    "split": layout.SPLITS,
    "train": layout.TRAINING,
    "evaluate": layout.EVALUATION,
    "merge": layout.RESULTS,
    "mislabel": layout.REVIEW,
}
# What a model rests on, told apart by the hashes of these.
HASHED = {
    "chosen photos": layout.QUERIED / "queried.parquet",
    "boxes": layout.DETECTIONS / "detections.parquet",
    "crops": layout.CROPS / "crops.parquet",
    "split": layout.SPLITS / "assigned.parquet",
    "weights": layout.CLASSIFIER / "weights.safetensors",
}
TEXT = ["split", "label", "dataset", "location", "actual", "predicted", "image", "level", "light", "kind", "shard"]


@dataclass(frozen=True)
class Run:
    """One run.

    ``counts`` are the counts of each stage, ``scores`` those of each split, ``evaluation`` the tables of evaluate by
    the name of their file; ``model`` is ``model.json``; ``datasets`` are rows of ``datasets.csv``; ``hashes`` are the
    SHA-256 of `HASHED`.
    """

    name: str
    counts: dict[str, dict[str, Any]]
    scores: dict[str, dict[str, float]]
    classes: list[str]
    history: list[dict[str, float]]
    evaluation: dict[str, pd.DataFrame]
    crops: pd.DataFrame
    assigned: pd.DataFrame
    detections: pd.DataFrame
    predictions: Predictions
    candidates: pd.DataFrame
    neighbours: pd.DataFrame
    failures: pd.DataFrame
    model: dict[str, Any]
    datasets: list[dict[str, str]]
    hashes: dict[str, str]


def read(collection: Path) -> Run:
    """Read what the stages have written.

    Raises:
        MissingError: something is not there.
        TableError: a table is of another version.
    """
    return Run(
        name=collection.name,
        counts={stage: read_json(folder / "counts.json") for stage, folder in FOLDERS.items()},
        scores=read_json(layout.EVALUATION / "evaluate.json"),
        classes=read_json(layout.PREDICTIONS / "classes.json"),
        history=read_json(layout.TRAINING / "history.json"),
        evaluation={path.stem: _table(path) for path in sorted(layout.EVALUATION.glob("*.csv"))},
        crops=tables.read(layout.CROPS / "crops.parquet", CROPS),
        assigned=tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED),
        detections=tables.read(layout.DETECTIONS / "detections.parquet", DETECTIONS),
        predictions=predictions.read(layout.PREDICTIONS / "predictions.parquet"),
        candidates=tables.read(layout.REVIEW / "candidates.parquet", CANDIDATES),
        neighbours=tables.read(layout.REVIEW / "neighbours.parquet", NEIGHBOURS),
        failures=_failures(),
        model=read_json(layout.CLASSIFIER / "model.json"),
        datasets=collections.read_datasets(collection / "datasets.csv"),
        hashes={name: file_digest(path) for name, path in HASHED.items()},
    )


def _failures() -> pd.DataFrame:
    """Read the rows that failed at any stage, in the order of the stages; skipped ones may be millions."""
    parts = []
    for folder in FOLDERS.values():
        rows = tables.read(folder / "failures.parquet", FAILURES)
        parts.append(rows[rows["kind"] == "failed"])
    return pd.concat(parts, ignore_index=True)


def _table(path: Path) -> pd.DataFrame:
    # A location 007 or a label NA stays what it is.
    return pd.read_csv(path, converters=dict.fromkeys(TEXT, str))
