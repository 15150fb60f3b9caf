"""Run a network over crops."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camtraps import units
from camtraps.datasets import CropDataset, Loader, Pick, chunks, in_order
from camtraps.files import code_digest, digest, file_digest, read_json, work_dir, write_json
from camtraps.models import ModelInfo, load
from camtraps.processes import keep_buffers, num_workers
from camtraps.progress import bar
from camtraps.ranks import device
from camtraps.results import Kind, Unit
from camtraps.storage import stamp
from camtraps.transforms import normalise

BATCH_SIZE = 64
# Mean difference of the strongest and the weakest colour of a pixel, 0 to 255, below which a crop counts as grey.
# Infrared photos of Missouri Camera Traps have up to 0.3, the palest of its colour photos 31.
GREY_BELOW = 4.0
MODULES = "inference datasets transforms models networks images regions shards"
CODE = tuple(f"camtraps.{name}" for name in MODULES.split())
CROPS = Kind(noun="crops", gpu=True, apiece=2000)


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


def classify(model: Path, crops: pd.DataFrame, assigned: pd.DataFrame, folder: Path) -> Classified:
    """Run the classifier over the assigned crops, in the order of ``assigned``.

    One local GPU takes all crops in one go. Otherwise each shard's crops are a unit of work (`units.run`), computed by
    one thread, so that the numbers are the same whoever computes them.

    Args:
        model: its folder.
        crops: rows of the crops table.
        assigned: rows of the assigned table.
        folder: where the shards are.
    """
    rows = assigned[["image", "box"]].merge(crops, on=["image", "box"], how="left", validate="1:1")
    if device().type == "cuda" and units.engine() == "local":
        return in_one_go(*_on_device(model, ""), rows, folder)
    key = digest(*(file_digest(path) for path in sorted(model.iterdir())), code_digest(CODE), torch.__version__)
    work, places = [], []
    for name, at in sorted(rows.groupby("shard").indices.items()):
        own = rows[["shard", "offset", "length"]].iloc[at]
        mark = digest(key, stamp(str(folder / name)), own[["offset", "length"]].to_numpy(np.int64).tobytes())
        work.append(Unit(mark, _Shard(model, key, own, folder), len(at), name, str(folder / name)))
        places.append(at)
    results = units.run(work, _classify_shard, work_dir("classified"), "classify", CROPS)
    return _together(places, results, len(rows))


def in_one_go(network: nn.Module, info: ModelInfo, crops: pd.DataFrame, folder: Path) -> Classified:
    """Run a network over crops, in their order, where the network is.

    Args:
        network: in any mode; it is put into evaluation mode.
        info: of the network.
        crops: rows of the crops table.
        folder: where the shards are.
    """
    dataset = CropDataset(crops, np.zeros(len(crops), np.int64), folder, info.image_size)
    return run(network, Loader(dataset, num_workers() - 1), in_order(len(crops)), BATCH_SIZE, "classify")


@dataclass(frozen=True)
class _Shard:
    """What a worker process gets: the model and the hash of all that counts in it, the crops and where they lie."""

    model: Path
    key: str
    crops: pd.DataFrame
    folder: Path


def _classify_shard(shard: _Shard, folder: Path) -> bool:
    """Write ``logits.npy``, ``grey.npy`` and ``reasons.json``; they are final."""
    network, info = _on_device(shard.model, shard.key)
    dataset = CropDataset(shard.crops, np.zeros(len(shard.crops), np.int64), shard.folder, info.image_size)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = run(network, Loader(dataset, 0), in_order(len(shard.crops)), BATCH_SIZE)
    finally:
        torch.set_num_threads(threads)
    np.save(folder / "logits.npy", found.logits.astype(np.float32), allow_pickle=False)
    np.save(folder / "grey.npy", found.is_grey, allow_pickle=False)
    write_json(folder / "reasons.json", found.reasons)
    return True


@lru_cache(maxsize=1)
def _on_device(model: Path, _: str) -> tuple[nn.Module, ModelInfo]:
    keep_buffers()
    network, info = load(model)
    return network.to(device(), memory_format=torch.channels_last), info  # type: ignore[call-overload]


def _together(places: list[NDArray[np.int64]], results: list[Path], num: int) -> Classified:
    """Put the results of shards in the order of the crops: ``places`` are their row numbers."""
    order = np.argsort(np.concatenate(places))
    logits, grey = (
        np.concatenate([np.load(result / name, allow_pickle=False) for result in results])[order]
        for name in ("logits.npy", "grey.npy")
    )
    reasons = [reason for result in results for reason in read_json(result / "reasons.json")]
    return Classified(logits.astype(np.float64), grey, [reasons[at] for at in order])


def _is_grey(views: Tensor) -> Tensor:
    """Say of uint8 views (batch, 3, height, width) which are grey, (batch,)."""
    spread = views.amax(dim=1) - views.amin(dim=1)
    return spread.float().mean(dim=(1, 2)) < GREY_BELOW
