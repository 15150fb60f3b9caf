"""Crops as batches: read from the shards, turned into views, the same for any number of worker processes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from camtraps.images import decode_crop
from camtraps.shards import Reader
from camtraps.transforms import eval_view, train_view


@dataclass(frozen=True)
class Batch:
    """Views (batch, 3, size, size) uint8 and class indices (batch,) int64."""

    views: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Pick:
    """One item of an epoch: the row, and the seed of its random view (None: the fixed view)."""

    row: int
    seed: tuple[int, ...] | None


class CropDataset(Dataset[tuple[Tensor, int]]):
    """The crops of a table; an item is asked for by a `Pick`."""

    def __init__(self, crops: pd.DataFrame, labels: np.ndarray, folder: Path, size: int) -> None:
        """Take rows of the crops table, their class indices, the folder of the shards and the view's side in px."""
        self._places = list(zip(crops["shard"], crops["offset"], crops["length"], strict=True))
        self._labels = labels
        self._reader = Reader(folder)
        self._size = size

    def __len__(self) -> int:
        """Count the crops."""
        return len(self._places)

    def __getitem__(self, pick: Pick) -> tuple[Tensor, int]:
        """Read one crop and draw its view."""
        crop = decode_crop(self._reader.read(*self._places[pick.row]), self._size)
        if pick.seed is None:
            view = eval_view(crop, self._size)
        else:
            view = train_view(crop, self._size, np.random.default_rng(pick.seed))
        return view, int(self._labels[pick.row])


def batches(crops: CropDataset, picks: Sequence[Pick], batch_size: int, num_workers: int) -> Iterator[Batch]:
    """Give the picked crops in order, in batches; the last one may be smaller."""
    loader = DataLoader(
        crops,
        batch_size=batch_size,
        sampler=picks,
        num_workers=min(num_workers, len(picks) // batch_size),
        pin_memory=torch.cuda.is_available(),
    )
    for views, labels in loader:
        yield Batch(views, labels)


def in_order(num: int) -> list[Pick]:
    """Pick every crop once, in table order, in its fixed view."""
    return [Pick(row, None) for row in range(num)]
