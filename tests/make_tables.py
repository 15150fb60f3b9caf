"""Rows of the tables that cross a stage, written down in a test: what it does not say is filled in. And tiny crops."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from camtraps import shards
from camtraps.crops import CropParams
from camtraps.detections import DetectParams
from camtraps.images import encode
from camtraps.predictions import Predictions
from camtraps.schema import CROPS, PREDICTIONS, Table
from camtraps.split_params import SplitParams

DETECT = {"recorded": "all", "detector": "motion", "model": None, "image_size": None, "batch_size": 8, "threshold": 0.3}
DETECT |= {"repeat_iou": 0.9, "repeat_sequences": None, "max_failed": 0.0}
CROP = {"categories": ("animal",), "threshold": 0.3, "drop_repeats": True, "rule": "camtraps", "shape": "square"}
CROP |= {"margin": 1.0, "min_side": 16, "max_side": 512, "quality": 92, "subsampling": 420}
CROP |= {"save_full_images": False, "max_failed": 0.0}

SPLIT = {"seed": 1, "method": "balanced", "val_fraction": 0.15, "test_fraction": 0.2, "location_weight": 0.5}
SPLIT |= {"min_locations": 3, "without_location": "sequence", "previous": None, "match_test": None}
SPLIT |= {"duplicates": "report"}

FILLED = {"string": "-", "double": 0.25, "int32": 0, "int64": 0, "bool": False}


def detect_params(**changes: Any) -> DetectParams:
    """Make the parameters of the stage detect."""
    return DetectParams(**DETECT | changes)


def crop_params(**changes: Any) -> CropParams:
    """Make the parameters of the stage crop."""
    return CropParams(**CROP | changes)


def split_params(**changes: Any) -> SplitParams:
    """Make the parameters of the stage split."""
    return SplitParams(**SPLIT | changes)


def rows(table: Table, *given: dict[str, Any]) -> pd.DataFrame:
    """Make rows of a table with the types that `tables.read` gives; ``image`` follows from dataset and file."""
    full = [_fill(table, row) for row in given]
    frame = pa.Table.from_pylist(full, schema=table.schema).to_pandas(integer_object_nulls=True)
    for field in table.schema:
        if field.nullable and pa.types.is_integer(field.type):
            frame[field.name] = pd.array(frame[field.name], dtype="Int32")
        elif pa.types.is_string(field.type):
            frame[field.name] = frame[field.name].astype("str")
    return frame


def predictions(*given: dict[str, Any]) -> Predictions:
    """Make the predictions table of rows with their ``probabilities``."""
    crops = rows(PREDICTIONS, *({name: row[name] for name in row if name != "probabilities"} for row in given))
    return Predictions(crops, np.array([row["probabilities"] for row in given] or np.empty((0, 1)), np.float32))


def _fill(table: Table, given: dict[str, Any]) -> dict[str, Any]:
    assert set(given) <= set(table.schema.names), set(given) - set(table.schema.names)
    row = {f.name: None if f.nullable else FILLED.get(str(f.type)) for f in table.schema} | given
    if "labels" in row and "labels" not in given:
        row["labels"] = [row["label"]]
    if "image" in row and "image" not in given:
        row["image"] = f"{row['dataset']}/{row['file']}"
    if "file" in row and "image" in given:
        row["dataset"], row["file"] = given["image"].split("/", 1)
    return row


COLOURS = {"blue": (30, 40, 220), "green": (30, 200, 40), "red": (220, 40, 30)}


def colour_crops(folder: Path, labels: Sequence[str], size: tuple[int, int] = (40, 40)) -> pd.DataFrame:
    """Draw one crop for each label, in about the colour of its name, packed in one shard; give rows of the crops table.

    Crops that follow each other in the table do not in the shard.
    """
    generator = np.random.default_rng(0)
    members, given = [], []
    for at, label in enumerate(labels):
        pixels = generator.integers(-20, 20, (size[1], size[0], 3)) + COLOURS.get(label, (120, 120, 120))
        members.append((f"{at % 3}/{at:03}.jpg", encode(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), 92)))
        given.append({"image": f"d/{at:03}.jpg", "dataset": "d", "label": label, "shard": "shards/s.zip"})
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(members)), key=lambda at: members[at][0])
    places = shards.write(folder / "shards/s.zip", [members[at] for at in order])
    for at, (offset, length) in zip(order, places, strict=True):
        given[at] |= {"offset": offset, "length": length, "width": size[0], "height": size[1]}
    return rows(CROPS, *given)


def damage(folder: Path, offset: int) -> None:
    """Overwrite the beginning of the crop at this offset in the shard of `colour_crops`."""
    with (folder / "shards/s.zip").open("r+b") as file:
        file.seek(offset)
        file.write(b"\0" * 20)
