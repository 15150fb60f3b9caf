"""Run a network over crops."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from camtraps.datasets import CropDataset, batches, in_order
from camtraps.models import ModelInfo, device
from camtraps.progress import bar
from camtraps.transforms import normalise
from camtraps.units import num_workers

BATCH_SIZE = 64


def logits(
    network: nn.Module, crops: CropDataset, batch_size: int, num_workers: int, label: str | None = None
) -> NDArray[np.float64]:
    """Compute the logits of every crop, in table order.

    Args:
        network: in any mode; it is put into evaluation mode.
        crops: the dataset.
        batch_size: crops a step.
        num_workers: processes that decode.
        label: what a progress bar says; None for no bar.

    Returns:
        (crops, classes).
    """
    network.eval()
    where = next(network.parameters()).device
    parts = []
    with torch.inference_mode(), bar(label, len(crops), "crops") as progress:
        for batch in batches(crops, in_order(len(crops)), batch_size, num_workers):
            views = normalise(batch.views.to(where, non_blocking=True)).contiguous(memory_format=torch.channels_last)
            with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
                parts.append(network(views).float().cpu().numpy())  # (batch, classes)
            progress.update(len(batch.labels))
    return np.concatenate(parts).astype(np.float64)


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
    return logits(where, dataset, BATCH_SIZE, num_workers() - 1, "classify")
