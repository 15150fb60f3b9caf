"""Measure training and inference beside the ancestor's way and pure compute, and splits and predictions at scale.

python -m benchmarks.train; results of the full size are written to benchmarks/results/train.json. Where there is a GPU,
training and inference are measured on it. What is generated lies in a temporary folder.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from benchmarks.query import REPOSITORY, Values, machine, say

# Nothing heavy is imported here, so that `--help` is quick.
RESULTS = Path(__file__).parent / "results" / "train.json"
CLASSES = [f"class {at:02}" for at in range(20)]
SIDE = 448  # of a crop, in pixels
_ancestor: dict[str, Any] = {}  # what the ancestor's process keeps

NOTES = """*_crops_per_second: the best of the turns, which alternate; the first epoch of each way, with its start, is
  not counted. ours: `training.train` (decoding, augmentation, steps, checkpoint and a small val), and
  `inference.run`. ancestor: its loader and loop in a process of its own, a JPEG file a crop, EfficientNet of
  efficientnet-pytorch in NCHW. compute: the same steps as ours on views that lie in memory, ready for the network.
*_ratio_vs_ancestor: ours by the ancestor's. *_share_of_compute: ours by compute.
split_*, predictions_*, confusion_*: as `python -m benchmarks.split` and `python -m benchmarks.predictions` say.
"""


@dataclass(frozen=True)
class Sizes:
    """What is measured: networks as (name, side of a view in px, crops a step), crops an epoch, turns, workers."""

    networks: dict[str, tuple[str, int, int]]
    crops: int
    turns: int
    workers: int


CPU = Sizes({"b0_224": ("efficientnet-b0", 224, 16)}, 320, 3, 1)
SMALL = Sizes({"b0_32": ("efficientnet-b0", 32, 8)}, 44, 1, 0)
GPU = Sizes({"b0_224": ("efficientnet-b0", 224, 256), "b3_300": ("efficientnet-b3", 300, 160)}, 20_000, 2, 14)


def main(arguments: list[str] | None = None) -> None:
    """Measure one part or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train")
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--small", action="store_true", help="try it out in a minute; no results are written")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    options = parser.parse_args(arguments)
    values = machine() | device()
    for part in [options.part] if options.part else PARTS:
        sys.stderr.write(f"measuring: {part}\n")
        with TemporaryDirectory(prefix="camtraps-bench-", dir=options.folder) as folder:
            values |= PARTS[part](Path(folder), options.small)
    say(values)
    sys.stdout.write("\n" + NOTES)
    if not options.small and not options.part:
        from camtraps.files import write_json

        write_json(RESULTS, values)


def device() -> Values:
    """Say what computes, and with which version of torch."""
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    return {"torch": torch.__version__, "device": name}


def measure_learning(folder: Path, small: bool) -> Values:
    """Measure training and inference of each network."""
    import torch

    sizes = SMALL if small else GPU if torch.cuda.is_available() else CPU
    values: Values = {}
    with patch.dict(os.environ, CAMTRAPS_WORK=str(folder / "work")):
        crops = _Crops.made(folder / "crops", sizes.crops)
        for short, network in sizes.networks.items():
            values |= _measured(_Bench(crops, *network, sizes.workers), sizes.turns, short)
    for what in ("train_ratio_vs_ancestor", "inference_ratio_vs_ancestor"):
        values[what] = min(values[f"{what}_{short}"] for short in sizes.networks)
    for what in ("train_share_of_compute", "inference_share_of_compute"):
        values[what] = min(values[f"{what}_{short}"] for short in sizes.networks)
    return values


def _measured(bench: "_Bench", turns: int, short: str) -> Values:
    values: Values = {}
    for what, seconds in (("train", bench.train(turns)), ("inference", bench.classify(turns))):
        best = {way: min(times) for way, times in seconds.items()}
        values |= {f"{what}_{way}_{short}_crops_per_second": round(bench.num / best[way], 1) for way in best}
        values[f"{what}_ratio_vs_ancestor_{short}"] = round(best["ancestor"] / best["ours"], 2)
        values[f"{what}_share_of_compute_{short}"] = round(best["compute"] / best["ours"], 3)
    return values


@dataclass(frozen=True)
class _Crops:
    """Crops as the ancestor keeps them and as we do, with a label each."""

    folder: Path
    paths: list[Path]
    table: Any
    assigned: Any

    @classmethod
    def made(cls, folder: Path, num: int) -> "_Crops":
        import pandas as pd

        from benchmarks.generated_photos import write_photos
        from camtraps import shards

        made = [path.read_bytes() for path in write_photos(folder / "made", min(num, 64), (SIDE, SIDE))]
        paths = [folder / f"{at:05}.jpg" for at in range(num)]
        for at, path in enumerate(paths):
            path.write_bytes(made[at % len(made)])
        (folder / "shards").mkdir()
        places = shards.write(folder / "shards/s.zip", [(path.name, path.read_bytes()) for path in paths])
        labels = [CLASSES[at % len(CLASSES)] for at in range(num)]
        table = pd.DataFrame({"image": [f"bench/{path.name}" for path in paths], "box": 0, "label": labels})
        offset, length = zip(*places, strict=True)
        table = table.assign(
            shard="shards/s.zip", offset=offset, length=length, confidence=0.9, calibrated=float("nan")
        )
        # A small val, so that an epoch is nearly all training.
        split = ["val" if at < len(CLASSES) else "train" for at in range(num)]
        assigned = table[["image", "box"]].assign(dataset="bench", location=split, split=split)
        return cls(folder, paths, table, assigned)


class _Bench:
    """The ways to train and to classify."""

    def __init__(self, crops: _Crops, architecture: str, size: int, batch_size: int, workers: int) -> None:
        import torch

        from camtraps import ranks
        from camtraps.models import build

        self.crops, self.size, self.batch_size, self.workers = crops, size, batch_size, workers
        self.num = len(crops.paths) - len(CLASSES)
        self.device = ranks.device()
        labels = [at % len(CLASSES) for at in range(self.num)]
        self.ancestor = _Ancestor(architecture, size, self.crops.paths[len(CLASSES) :], labels)
        network = build(architecture, len(CLASSES), size)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.params = _params(model=architecture, image_size=size, batch_size=batch_size, num_workers=workers)

    def train(self, turns: int) -> dict[str, list[float]]:
        """Train with `training.train`, and between its epochs in the other ways; give seconds by way."""
        from camtraps.tasks import prepare
        from camtraps.training import train
        from camtraps.transforms import AUGMENTATIONS

        task = prepare(self.crops.table, self.crops.assigned, self.crops.folder, self.size, AUGMENTATIONS["camtraps"])
        seconds: dict[str, list[float]] = {"ours": [], "ancestor": [], "compute": []}
        start = time.monotonic()

        def between(_: object) -> None:
            nonlocal start
            seconds["ours"].append(time.monotonic() - start)
            seconds["ancestor"].append(_seconds(self._train_as_ancestor))
            seconds["compute"].append(_seconds(self._train_in_memory))
            start = time.monotonic()

        train(task, replace(self.params, epochs=turns + 1, patience=turns + 1), between)
        return {way: times[1:] for way, times in seconds.items()}

    def classify(self, turns: int) -> dict[str, list[float]]:
        """Classify the same crops in turns; give seconds by way."""
        ways = {"ours": self._classify, "ancestor": self._classify_as_ancestor, "compute": self._classify_in_memory}
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(turns + 1):
            for way, function in ways.items():
                seconds[way].append(_seconds(function))
        return {way: times[1:] for way, times in seconds.items()}

    def _train_as_ancestor(self) -> None:
        self.ancestor.run("train", self.batch_size, self.workers)

    def _classify_as_ancestor(self) -> None:
        self.ancestor.run("classify", 4 * self.batch_size, self.workers)

    def _views(self, num: int) -> Any:
        import torch

        return torch.randn(num, 3, self.size, self.size, device=self.device).to(memory_format=torch.channels_last)

    def _train_in_memory(self) -> None:
        import torch
        from torch.nn import functional

        from camtraps.optimizing import make_optimizer, set_phase

        set_phase(self.network, only_head=False)
        optimizer, views = make_optimizer(self.network, self.params), self._views(self.batch_size)
        targets = torch.arange(self.batch_size, device=self.device) % len(CLASSES)
        for at in range(0, self.num, self.batch_size):
            num = min(self.batch_size, self.num - at)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                predicted = self.network(views[:num])
            functional.cross_entropy(predicted.float(), targets[:num], label_smoothing=0.05).backward()
            optimizer.step()
        _wait(self.device)

    def _classify(self) -> None:
        from camtraps.datasets import CropDataset, Loader, in_order
        from camtraps.inference import run

        rows = self.crops.table.iloc[len(CLASSES) :]
        dataset = CropDataset(rows, [0] * len(rows), self.crops.folder, self.size)
        run(self.network, Loader(dataset, self.workers), in_order(len(rows)), 4 * self.batch_size)

    def _classify_in_memory(self) -> None:
        import torch

        self.network.eval()
        step = 4 * self.batch_size
        views = self._views(step)
        with torch.inference_mode():
            for at in range(0, self.num, step):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                    self.network(views[: min(step, self.num - at)])
        _wait(self.device)


class _Ancestor:
    """The ancestor in a process of its own, since what ours asks of the allocator counts for a whole process."""

    def __init__(self, architecture: str, size: int, paths: list[Path], labels: list[int]) -> None:
        self._process = ProcessPoolExecutor(1, get_context("spawn"))
        self._process.submit(_start_ancestor, architecture, size, paths, labels).result()

    def run(self, what: str, batch_size: int, workers: int) -> None:
        self._process.submit(_run_ancestor, what, batch_size, workers).result()


def _start_ancestor(architecture: str, size: int, paths: list[Path], labels: list[int]) -> None:
    from benchmarks.ancestor_train import Crops, Trainer, of_training, of_use
    from camtraps import ranks

    _ancestor["trainer"] = Trainer(architecture, len(CLASSES), size, ranks.device())
    _ancestor["train"] = Crops(paths, labels, of_training(size))
    _ancestor["classify"] = Crops(paths, labels, of_use(size))


def _run_ancestor(what: str, batch_size: int, workers: int) -> None:
    getattr(_ancestor["trainer"], what)(_ancestor[what], batch_size, workers)


def _params(**changes: Any) -> Any:
    from camtraps.params import load
    from camtraps.recipes import TrainParams

    return replace(load(TrainParams, "train", REPOSITORY / "params.yaml"), **changes)


def _seconds(function: Callable[[], None]) -> float:
    start = time.monotonic()
    function()
    return time.monotonic() - start


def _wait(where: Any) -> None:
    import torch

    if where.type == "cuda":
        torch.cuda.synchronize()


def measure_tables(folder: Path, small: bool) -> Values:
    """Measure splits and predictions at scale, and drawing a large confusion matrix."""
    from benchmarks import predictions, split

    values = split.measure_split(folder, split.SMALL if small else split.FULL)
    sizes = predictions.SMALL if small else predictions.FULL
    return values | predictions.measure_predictions(folder, sizes) | predictions.measure_confusion(folder, sizes)


PARTS: dict[str, Callable[[Path, bool], Values]] = {"learning": measure_learning, "tables": measure_tables}

if __name__ == "__main__":
    main()
