"""The classification of our ancestor as it worked: crop files first, then a classifier over the files.

Written anew from a description of its behaviour, to have something to compare with: every box of every photo becomes a
JPEG file by threads, then 8 worker processes read these for batches of 64, and efficientnet-pytorch computes in NCHW.
"""

from pathlib import Path
from typing import Any

import torch

from benchmarks.ancestor_crop import Photo, cut_all
from benchmarks.ancestor_train import Crops, of_use

THREADS, BATCH_SIZE, WORKERS = 50, 64, 8  # as its documents say


@torch.no_grad()
def classify(photos: list[Photo], folder: Path, crops: Path, network: Any, size: int) -> list[Any]:
    """Cut crops and classify them; give the probabilities of each.

    Args:
        photos: below ``folder``.
        folder: where they lie.
        crops: an empty folder.
        network: of efficientnet-pytorch.
        size: side of the views, in pixels.
    """
    cut_all(photos, folder, crops, THREADS)
    paths = sorted(crops.rglob("*.jpg"))
    loader = torch.utils.data.DataLoader(Crops(paths, [0] * len(paths), of_use(size)), BATCH_SIZE, num_workers=WORKERS)
    found: list[Any] = []
    for views, _ in loader:
        found.extend(torch.softmax(network(views), dim=1).numpy())
    return found
