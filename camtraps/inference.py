"""Run a network over crops."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camtraps.datasets import Batch, CropDataset, batches, in_order
from camtraps.models import ModelInfo, device
from camtraps.progress import bar
from camtraps.transforms import normalise
from camtraps.units import num_workers

BATCH_SIZE = 64
# Mean difference of the strongest and the weakest colour of a pixel, 0 to 255, below which a crop counts as grey.
# Infrared photos of Missouri Camera Traps have up to 0.3, the palest of its colour photos 31.
GREY_BELOW = 4.0


@dataclass(frozen=True)
class Classified:
    """What a network says of crops, in table order.

    ``logits``: (crops, classes), NaN where the crop could not be read; ``is_grey``: (crops,), as infrared photos are;
    ``reasons``: why a crop could not be read, None for all others.
    """

    logits: NDArray[np.float64]
    is_grey: NDArray[np.bool_]
    reasons: list[str | None]


def logits(
    network: nn.Module, crops: CropDataset, batch_size: int, num_workers: int, label: str | None = None
) -> NDArray[np.float64]:
    """Compute the logits of every crop, (crops, classes), in table order; arguments as in `run`."""
    return run(network, crops, batch_size, num_workers, label).logits


def run(
    network: nn.Module, crops: CropDataset, batch_size: int, num_workers: int, label: str | None = None
) -> Classified:
    """Run a network over every crop, in table order.

    Args:
        network: in any mode; it is put into evaluation mode.
        crops: the dataset.
        batch_size: crops a step.
        num_workers: processes that decode.
        label: what a progress bar says; None for no bar.
    """
    network.eval()
    where = next(network.parameters()).device
    outputs, greys = [], []
    reasons: list[str | None] = []
    with torch.inference_mode(), bar(label, len(crops), "crops") as progress:
        for batch in batches(crops, in_order(len(crops)), batch_size, num_workers):
            seen = batch.views.to(where, non_blocking=True)
            views = normalise(seen).contiguous(memory_format=torch.channels_last)
            with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
                outputs.append(network(views).float().cpu().numpy())  # (batch, classes)
            greys.append(_is_grey(seen).cpu().numpy())
            reasons += _reasons(batch)
            progress.update(len(batch.labels))
    found = np.concatenate(outputs).astype(np.float64)
    found[[reason is not None for reason in reasons]] = np.nan
    return Classified(found, np.concatenate(greys), reasons)


def classify(
    network: nn.Module, info: ModelInfo, crops: pd.DataFrame, assigned: pd.DataFrame, folder: Path
) -> Classified:
    """Run the classifier over the assigned crops, in the order of ``assigned``, on the GPU if there is one.

    Args:
        network: from `models.load`.
        info: from `models.load`.
        crops: rows of the crops table.
        assigned: rows of the assigned table.
        folder: where the shards are.
    """
    rows = assigned[["image", "box"]].merge(crops, on=["image", "box"], how="left", validate="1:1")
    where = network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    dataset = CropDataset(rows, np.zeros(len(rows), np.int64), folder, info.image_size)
    return run(where, dataset, BATCH_SIZE, num_workers() - 1, "classify")


def _is_grey(views: Tensor) -> Tensor:
    """Say of uint8 views (batch, 3, height, width) which are grey, (batch,)."""
    spread = views.amax(dim=1) - views.amin(dim=1)
    return spread.float().mean(dim=(1, 2)) < GREY_BELOW


def _reasons(batch: Batch) -> list[str | None]:
    """Give the reason of each crop of a batch that could not be read: of none, since such a crop raises as yet."""
    return [None] * len(batch.labels)
