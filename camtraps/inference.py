"""Run a network over crops."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camtraps.datasets import CropDataset, Loader, Pick, chunks, in_order
from camtraps.models import ModelInfo
from camtraps.progress import bar
from camtraps.ranks import device
from camtraps.transforms import normalise
from camtraps.units import num_workers

BATCH_SIZE = 64
# Mean difference of the strongest and the weakest colour of a pixel, 0 to 255, below which a crop counts as grey.
# Infrared photos of Missouri Camera Traps have up to 0.3, the palest of its colour photos 31.
GREY_BELOW = 4.0


@dataclass(frozen=True)
class Classified:
    """What a network says of crops, in the order in which they were picked.

    ``logits``: (crops, classes), NaN where the crop could not be read; ``is_grey``: (crops,), as infrared photos are;
    ``reasons``: why a crop could not be read, None for all others.
    """

    logits: NDArray[np.float64]
    is_grey: NDArray[np.bool_]
    reasons: list[str | None]


def run(network: nn.Module, loader: Loader, picks: list[Pick], batch_size: int, label: str | None = None) -> Classified:
    """Run a network over crops.

    Args:
        network: in any mode; it is put into evaluation mode.
        loader: of the dataset.
        picks: which crops.
        batch_size: crops a step.
        label: what a progress bar says; None for no bar.
    """
    network.eval()
    where = next(network.parameters()).device
    outputs, greys = [], []
    failed: dict[int, str] = {}
    with torch.inference_mode(), bar(label, len(picks), "crops") as progress:
        for batch in loader.batches(chunks(picks, batch_size)):
            seen = batch.views.to(where, non_blocking=True)
            outputs.append(forward(network, seen))
            greys.append(_is_grey(seen).cpu().numpy())
            failed.update(batch.failed)
            progress.update(len(batch.labels))
    found = np.concatenate(outputs).astype(np.float64)
    reasons = [failed.get(pick.row) for pick in picks]
    found[[reason is not None for reason in reasons]] = np.nan
    return Classified(found, np.concatenate(greys), reasons)


def forward(network: nn.Module, seen: Tensor) -> NDArray[np.float32]:
    """Give the logits of uint8 views (batch, 3, height, width), wherever they are: (batch, classes).

    To be called under `torch.inference_mode`, with the network in evaluation mode.
    """
    where = next(network.parameters()).device
    views = normalise(seen.to(where, non_blocking=True)).contiguous(memory_format=torch.channels_last)
    with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
        outputs: NDArray[np.float32] = network(views).float().cpu().numpy()
    return outputs


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
    return run(where, Loader(dataset, num_workers() - 1), in_order(len(rows)), BATCH_SIZE, "classify")


def _is_grey(views: Tensor) -> Tensor:
    """Say of uint8 views (batch, 3, height, width) which are grey, (batch,)."""
    spread = views.amax(dim=1) - views.amin(dim=1)
    return spread.float().mean(dim=(1, 2)) < GREY_BELOW
