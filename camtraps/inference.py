"""Run a network over crops."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from camtraps.datasets import CropDataset, Loader, Pick, chunks, in_order
from camtraps.models import ModelInfo, device
from camtraps.progress import bar
from camtraps.transforms import normalise
from camtraps.units import num_workers

BATCH_SIZE = 64


@dataclass(frozen=True)
class Outputs:
    """What a network says of picked crops, in their order.

    ``logits`` is (crops, classes), NaN for a crop that cannot be decoded: ``failed`` has its row and the reason.
    """

    logits: NDArray[np.float64]
    failed: dict[int, str]


def logits_of(
    network: nn.Module, loader: Loader, picks: list[Pick], batch_size: int, label: str | None = None
) -> Outputs:
    """Compute the logits of picked crops.

    Args:
        network: in any mode; it is put into evaluation mode.
        loader: of the dataset.
        picks: which crops.
        batch_size: crops a step.
        label: what a progress bar says; None for no bar.
    """
    network.eval()
    where = next(network.parameters()).device
    parts, failed = [], []
    with torch.inference_mode(), bar(label, len(picks), "crops") as progress:
        for batch in loader.batches(chunks(picks, batch_size)):
            views = normalise(batch.views.to(where, non_blocking=True)).contiguous(memory_format=torch.channels_last)
            with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
                found = network(views).double()  # (batch, classes)
            parts.append(torch.where(batch.good.to(where)[:, None], found, math.nan).cpu().numpy())
            failed += batch.failed
            progress.update(len(batch.labels))
    return Outputs(np.concatenate(parts), dict(failed))


def classify(
    network: nn.Module, info: ModelInfo, crops: pd.DataFrame, assigned: pd.DataFrame, folder: Path
) -> NDArray[np.float64]:
    """Compute the logits of the assigned crops, in the order of ``assigned``, on the GPU if there is one.

    Args:
        network: from `models.load`.
        info: from `models.load`.
        crops: rows of the crops table.
        assigned: rows of the assigned table.
        folder: where the shards are.

    Returns:
        (crops, classes).
    """
    rows = assigned[["image", "box"]].merge(crops, on=["image", "box"], how="left", validate="1:1")
    where = network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    dataset = CropDataset(rows, np.zeros(len(rows), np.int64), folder, info.image_size)
    return logits_of(where, Loader(dataset, num_workers() - 1), in_order(len(rows)), BATCH_SIZE, "classify").logits
