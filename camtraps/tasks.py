"""What is to be learned: the classes, and the crops of train and val."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from camtraps import failures
from camtraps.datasets import CropDataset
from camtraps.errors import InputError
from camtraps.failures import Counts
from camtraps.files import digest
from camtraps.transforms import Augmentation
from camtraps.weights import by_confidence


@dataclass(frozen=True)
class Part:
    """The crops of one split: class indices, how sure their boxes are (`weights.by_confidence`), and locations.

    ``keys`` has image and box of each crop.
    """

    crops: CropDataset
    keys: pd.DataFrame
    labels: NDArray[np.int64]
    sureness: NDArray[np.float64]
    locations: NDArray[np.str_]


@dataclass(frozen=True)
class Task:
    """What is to be learned: the classes, in the order of the network's output, and the crops of train and val."""

    classes: list[str]
    train: Part
    val: Part
    num_crops: int
    data: dict[str, str]

    def failures(self, failed: dict[str, dict[int, str]]) -> pd.DataFrame:
        """Make rows of the failures table of the crops that could not be decoded, by split and row."""
        parts = []
        for part, reasons in ((self.train, failed["train"]), (self.val, failed["val"])):
            keys = part.keys.iloc[sorted(reasons)]
            given = zip(keys["image"], keys["box"], (reasons[row] for row in sorted(reasons)), strict=True)
            parts.append(failures.rows("train", "failed", given))
        return failures.concat(*parts)

    def counts(self, failed: pd.DataFrame) -> Counts:
        """Count the crops: those of test are left out."""
        used = len(self.train.labels) + len(self.val.labels)
        out = used - len(failed)
        return Counts(
            unit="crops", rows_in=self.num_crops, rows_out=out, skipped=self.num_crops - used, failed=len(failed)
        )


def prepare(crops: pd.DataFrame, assigned: pd.DataFrame, folder: Path, size: int, augmentation: Augmentation) -> Task:
    """Put together what is to be learned.

    Args:
        crops: rows of the crops table.
        assigned: rows of the assigned table; crops that it does not name are not used.
        folder: where the shards are.
        size: side of the square views, in pixels.
        augmentation: how the views of training vary.

    Raises:
        InputError: a label has no crop in train, or val has no crop.
    """
    places = assigned[["image", "box", "split"]].assign(place=assigned["dataset"] + "/" + assigned["location"])
    rows = crops.merge(places, on=["image", "box"], validate="1:1")
    classes = sorted(rows["label"].unique())
    lacking = sorted(set(classes) - set(rows.loc[rows["split"] == "train", "label"]))
    if lacking or not (rows["split"] == "val").any():
        what = f"label {', '.join(lacking)} has no crop in train" if lacking else "val has no crop"
        raise InputError(f"data/splits: {what}; raise split.min_locations or change split.seed")
    index = {name: at for at, name in enumerate(classes)}
    parts = {}
    for name in ("train", "val"):
        some = rows[rows["split"] == name]
        labels = some["label"].map(index).to_numpy(np.int64)
        sureness = by_confidence(*(some[column].to_numpy(np.float64) for column in ("confidence", "calibrated")))
        dataset = CropDataset(some, labels, folder, size, augmentation)
        parts[name] = Part(dataset, some[["image", "box"]], labels, sureness, some["place"].to_numpy(dtype=str))
    columns = ["image", "box", "label", "confidence", "calibrated", "shard", "offset", "length", "split"]
    data = {"crops": digest(rows.sort_values(["image", "box"])[columns].to_csv(index=False))}
    return Task(classes, parts["train"], parts["val"], len(rows), data)
