"""Measure `camtraps classify` beside the ancestor's chain, its memory, and merging: python -m benchmarks.classify.

Results of the full size are written to benchmarks/results/classify.json. What is generated lies in a temporary folder.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from benchmarks.query import Values, machine, measure, say

# Nothing heavy is imported here: the memory of a new process counts from that of the one that starts it.
RESULTS = Path(__file__).parent / "results" / "classify.json"
CLASSES = [f"class {at:02}" for at in range(20)]

NOTES = """classify_*_crops_per_second: crops of photos with one box each, from the photos to the result, the best of
  the turns, which alternate. ours: `camtraps classify`, less the start of Python. ancestor: threads that write a JPEG
  file for each crop, then 8 workers, batches of 64, EfficientNet of efficientnet-pytorch in NCHW of the same weights.
model_crops_per_second: our network alone, on views that lie in memory.
memory_*: the most resident memory of a process of `camtraps classify`, in 10^9 bytes, by number of photos;
memory_growth: that of many photos by that of few.
merge_*: as `python -m benchmarks.merging` says.
"""


@dataclass(frozen=True)
class Sizes:
    """What is measured: the network and the side of its views, photos in pixels, how many, turns; small photos."""

    network: tuple[str, int]
    photo: tuple[int, int]
    photos: int
    turns: int
    small_photos: tuple[int, int]


FULL = Sizes(("efficientnet-b0", 224), (2048, 1536), 256, 2, (2_000, 20_000))
GPU = Sizes(("efficientnet-b3", 300), (2048, 1536), 2_048, 2, (2_000, 20_000))
SMALL = Sizes(("efficientnet-b0", 32), (320, 240), 12, 1, (20, 60))


def main(arguments: list[str] | None = None) -> None:
    """Measure one part or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.classify")
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--small", action="store_true", help="try it out in a minute; no results are written")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    options = parser.parse_args(arguments)
    values = machine()
    for part in [options.part] if options.part else PARTS:
        sys.stderr.write(f"measuring: {part}\n")
        with TemporaryDirectory(prefix="camtraps-bench-", dir=options.folder) as folder:
            values |= PARTS[part](Path(folder), options.small)
    say(values)
    sys.stdout.write("\n" + NOTES)
    if not options.small and not options.part:
        from camtraps.files import write_json

        write_json(RESULTS, values)


def measure_chain(folder: Path, small: bool) -> Values:
    """Measure classifying photos in both ways, in turns."""
    import torch

    from benchmarks.train import device

    chain = _Chain.made(folder, SMALL if small else GPU if torch.cuda.is_available() else FULL)
    ways = {"ours": chain.ours, "ancestor": chain.ancestor}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(chain.sizes.turns + 1):  # the first one is not counted
        for way, run in ways.items():
            start = time.monotonic()
            run(folder / f"{way}-{turn}")
            seconds[way].append(time.monotonic() - start)
    best = {way: min(times[1:]) for way, times in seconds.items()}
    values = {f"classify_{way}_crops_per_second": round(chain.sizes.photos / best[way], 1) for way in best}
    alone = {"model_crops_per_second": chain.model_alone()}
    return device() | values | alone | {"ratio_vs_ancestor": round(best["ancestor"] / best["ours"], 2)}


@dataclass(frozen=True)
class _Chain:
    """Photos with a box each, and the same weights in our network and the ancestor's."""

    sizes: Sizes
    photos: Path
    results: Path
    model: Path
    network: Any
    wanted: list[Any]

    @classmethod
    def made(cls, folder: Path, sizes: Sizes) -> "_Chain":
        from benchmarks.ancestor_crop import Photo
        from benchmarks.generated_photos import draw_boxes, write_photos

        made = write_photos(folder / "made", min(sizes.photos, 32), sizes.photo)
        photos = folder / "photos"
        photos.mkdir()
        names = [f"{at:05}.jpg" for at in range(sizes.photos)]
        for at, name in enumerate(names):
            os.link(made[at % len(made)], photos / name)
        boxes = [[float(value) for value in box] for box in draw_boxes(sizes.photos)]
        wanted = [Photo(name, (tuple(box),)) for name, box in zip(names, boxes, strict=True)]  # type: ignore[arg-type]
        network = _write_model(folder / "model", *sizes.network)
        _write_results(folder / "md.json", dict(zip(names, boxes, strict=True)))
        return cls(sizes, photos, folder / "md.json", folder / "model", network, wanted)

    def ours(self, folder: Path) -> None:
        with patch.dict(os.environ, CAMTRAPS_WORK=str(folder)):
            _classify(self.results, self.photos, self.model, folder.with_suffix(".json"))

    def ancestor(self, folder: Path) -> None:
        from benchmarks.ancestor_classify import classify
        from camtraps.ranks import device

        found = classify(self.wanted, self.photos, folder, self.network.to(device()), self.sizes.network[1])
        assert len(found) == self.sizes.photos
        shutil.rmtree(folder)

    def model_alone(self) -> float:
        import torch

        from camtraps import classifier

        ours, side = classifier.load(self.model), self.sizes.network[1]
        views = torch.randint(0, 255, (64, side, side, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
        ours.of_views(views)
        start = time.monotonic()
        for _ in range(self.sizes.turns):
            ours.of_views(views)
        return round(64 * self.sizes.turns / (time.monotonic() - start), 1)


def _classify(results: Path, photos: Path, model: Path, out: Path) -> None:
    from camtraps.cli import main as command

    try:
        command(["classify", str(results), "--images", str(photos), "--model", str(model), "--out", str(out)])
    except SystemExit as ended:
        if ended.code:
            raise


def _write_model(folder: Path, architecture: str, size: int) -> Any:
    """Write a model of random weights; give the ancestor's network of the same ones."""
    import torch
    from efficientnet_pytorch import EfficientNet

    from camtraps import models
    from camtraps.foreign_models import crop_rule
    from camtraps.networks import build
    from camtraps.transforms import MEAN, STD

    torch.manual_seed(0)
    theirs = EfficientNet.from_name(architecture, num_classes=len(CLASSES), image_size=size).eval()
    ours = build(architecture, len(CLASSES), size)
    # The same layers in the same order, under other names.
    ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True)))
    info = models.ModelInfo(
        **{"format": models.FORMAT, "architecture": architecture, "classes": CLASSES, "taxa": {}, "image_size": size},
        **{"mean": list(MEAN), "std": list(STD), "crop": crop_rule("camtraps", "square"), "temperature": 1.0},
        **{"params": {}, "data": {}, "best_epoch": 0},
    )
    models.save(folder, ours, info)
    return theirs


def _write_results(path: Path, boxes: dict[str, list[float]]) -> None:
    images = [
        {"file": name, "detections": [{"category": "1", "conf": 0.9, "bbox": box}]} for name, box in boxes.items()
    ]
    document = {"info": {"format_version": "1.6"}, "detection_categories": {"1": "animal"}, "images": images}
    path.write_text(json.dumps(document))


def measure_memory(folder: Path, small: bool) -> Values:
    """Measure the memory of runs over few and over many small photos."""
    from benchmarks.generated_photos import draw_boxes, write_photos

    fewer, more = (SMALL if small else FULL).small_photos
    made = write_photos(folder / "made", 16, (160, 120))
    boxes = [[float(value) for value in box] for box in draw_boxes(more)]
    _write_model(folder / "model", "efficientnet-b0", 32)
    peaks = {}
    for num in (fewer, more):
        names = [f"{num}/{at % 20:02}/{at:06}.jpg" for at in range(num)]
        for at, name in enumerate(names):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(made[at % len(made)], folder / name)
        _write_results(folder / f"{num}.json", dict(zip(names, boxes, strict=False)))
        command = [sys.executable, "-c", "from camtraps.cli import main; main()", "classify", f"{num}.json"]
        with patch.dict(os.environ, CAMTRAPS_WORK=str(folder / "work")):
            run = measure([*command, "--images", ".", "--model", "model", "--out", f"out{num}.json"], folder)
        peaks[num] = run.peak_gb
    values = {f"memory_{num}_gb": round(peak, 3) for num, peak in peaks.items()}
    return values | {"memory_growth": round(peaks[more] / peaks[fewer], 3)}


def measure_merge(folder: Path, small: bool) -> Values:
    """Measure merging."""
    from benchmarks import merging

    return merging.measure_merge(folder, merging.SMALL if small else merging.FULL)


PARTS: dict[str, Callable[[Path, bool], Values]] = {
    "chain": measure_chain,
    "memory": measure_memory,
    "merge": measure_merge,
}

if __name__ == "__main__":
    main()
