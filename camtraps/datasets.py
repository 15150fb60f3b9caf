"""Crops as batches: read from the shards, turned into views, the same for any number of worker processes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from camtraps.errors import InputError
from camtraps.images import decode_crop
from camtraps.shards import Reader
from camtraps.transforms import Augmentation, eval_view, train_view


class Batch(NamedTuple):
    """Crops for one step, as tensors. A named tuple, which DataLoader pins in memory part by part.

    A crop that cannot be decoded is not ``good``: the view of another one is in its place, and ``failed`` has its row
    and the reason. ``looks`` is for `transforms.vary`, and empty, (batch, 0), for fixed views.
    """

    views: Tensor  # (batch, 3, size, size) uint8, channels last
    labels: Tensor  # (batch,) int64, class indices
    rows: Tensor  # (batch,) int64, of the dataset's table
    looks: Tensor  # (batch, 4) float32
    good: Tensor  # (batch,) bool
    failed: list[tuple[int, str]]


@dataclass(frozen=True)
class Pick:
    """One item of an epoch: the row, and the seed of its random view (None: the fixed view)."""

    row: int
    seed: tuple[int, ...] | None


@dataclass(frozen=True)
class Item:
    """One crop: its view and look, or the reason why there is none (and black)."""

    row: int
    label: int
    view: Tensor
    look: Tensor
    failure: str = ""


class CropDataset(Dataset[Item]):
    """The crops of a table; an item is asked for by a `Pick`."""

    def __init__(
        self,
        crops: pd.DataFrame,
        labels: np.ndarray,
        folder: Path,
        size: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        """Take the crops, and how to make views of them.

        Args:
            crops: rows of the crops table.
            labels: their class indices.
            folder: where the shards are.
            size: side of the view, in pixels.
            augmentation: of random views; not needed where only fixed views are asked for.
        """
        # Arrays, not lists: worker processes share their memory, while counting references copies that of lists.
        self._shards, self._names = pd.factorize(crops["shard"])
        self._offsets, self._lengths = crops["offset"].to_numpy(), crops["length"].to_numpy()
        self._labels = labels
        self._reader = Reader(folder)
        self.size = size
        self.augmentation = augmentation

    def __len__(self) -> int:
        """Count the crops."""
        return len(self._offsets)

    def __getitem__(self, pick: Pick) -> Item:
        """Read one crop and draw its view.

        Raises:
            MissingError: its shard is not there.
        """
        row, label = pick.row, int(self._labels[pick.row])
        data = self._reader.read(self._names[self._shards[row]], int(self._offsets[row]), int(self._lengths[row]))
        try:
            crop = decode_crop(data, self.size)
        except InputError as error:
            black, no_look = torch.zeros(3, self.size, self.size, dtype=torch.uint8), torch.zeros(4 if pick.seed else 0)
            return Item(row, label, black, no_look, str(error))
        if pick.seed is None:
            return Item(row, label, eval_view(crop, self.size), torch.zeros(0))
        assert self.augmentation is not None, "a random view of a dataset without augmentation"
        view, look = train_view(crop, self.size, self.augmentation, np.random.default_rng(pick.seed))
        return Item(row, label, view, look)


class Loader:
    """Gives batches of a dataset, any number of times, by worker processes that stay."""

    def __init__(self, crops: CropDataset, num_workers: int) -> None:
        """Start no process yet.

        Args:
            crops: the dataset.
            num_workers: processes that read, decode and draw; 0: this one does.
        """
        self._steps: list[list[Pick]] = []  # those of the current epoch: it changes, and DataLoader keeps it
        self._loader = DataLoader(
            crops,
            batch_sampler=self._steps,
            collate_fn=_collated,
            num_workers=num_workers,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def batches(self, steps: Sequence[list[Pick]]) -> Iterator[Batch]:
        """Give the picks of each step as a batch, in order."""
        self._steps[:] = steps
        yield from self._loader


def chunks(picks: list[Pick], batch_size: int) -> list[list[Pick]]:
    """Cut picks into steps; the last one may be smaller."""
    return [picks[at : at + batch_size] for at in range(0, len(picks), batch_size)]


def in_order(num: int) -> list[Pick]:
    """Pick every crop once, in table order, in its fixed view."""
    return [Pick(row, None) for row in range(num)]


def _collated(items: Sequence[Item]) -> Batch:
    instead = next((item for item in items if not item.failure), items[0])
    shown = [instead if item.failure else item for item in items]
    return Batch(
        views=torch.stack([item.view.permute(1, 2, 0) for item in shown]).permute(0, 3, 1, 2),
        labels=torch.tensor([item.label for item in items]),
        rows=torch.tensor([item.row for item in items]),
        looks=torch.stack([item.look for item in shown]),
        good=torch.tensor([not item.failure for item in items]),
        failed=[(item.row, item.failure) for item in items if item.failure],
    )
