"""Crops as pictures of numbered categories in train, val and test, for tools that train from files of pictures."""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from camtraps.errors import InputError
from camtraps.shards import member_name

COLUMNS = ["image", "box", "detector", "shard", "offset", "length", "width", "height"]


@dataclass(frozen=True)
class LabelledCrops:
    """Crops of the splits, sorted by split and name, and the categories that ``category`` numbers from 0.

    ``crops`` has the columns image, box, split, dataset, location (``<dataset>/<location>`` if there are several
    datasets, which may have locations of the same name), label, category, ``file`` (the name of the picture:
    ``<label>/<dataset>/<file>___cropNN.jpg``), and the place of the JPEG in the shards.
    """

    crops: pd.DataFrame
    categories: list[str]


def choose(crops: pd.DataFrame, assigned: pd.DataFrame, excluded: Collection[str] = ()) -> LabelledCrops:
    """Choose the crops that are in a split and not of an excluded label.

    Args:
        crops: rows of the crops table.
        assigned: rows of the assigned table.
        excluded: labels to leave out; the others are numbered without gaps.

    Raises:
        InputError: there is no such label, no crop is left, or the tables do not belong together.
    """
    labels = sorted(set(assigned["label"]))
    if unknown := sorted(set(excluded) - set(labels)):
        raise InputError(f"--exclude-categories: no label {', '.join(unknown)}; there are: {', '.join(labels)}")
    categories = [label for label in labels if label not in excluded]
    chosen = assigned[assigned["label"].isin(categories)].merge(crops[COLUMNS], on=["image", "box"], how="left")
    if chosen.empty:
        raise InputError("data/splits: no crop is left to write")
    if chosen["length"].isna().any():
        raise InputError("data/splits: some of its crops are not in data/crops; run `dvc repro`")
    if chosen["dataset"].nunique() > 1:
        chosen["location"] = chosen["dataset"] + "/" + chosen["location"]
    names = map(member_name, chosen["image"], chosen["box"], chosen["detector"])
    chosen["file"] = [f"{label}/{name}" for label, name in zip(chosen["label"], names, strict=True)]
    chosen["category"] = chosen["label"].map({name: at for at, name in enumerate(categories)})
    return LabelledCrops(chosen.sort_values(["split", "file"], ignore_index=True), categories)
