"""Measure the carriers of units side by side, 12,000 crops cut and classified through each: python -m benchmarks.scale.

Also what the setting of the allocator gains. Results of the full size are written to benchmarks/results/scale.json.
What is generated lies in a temporary folder.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.query import REPOSITORY, Values, machine, say

# Nothing heavy is imported here, so that `--help` is quick.
RESULTS = Path(__file__).parent / "results" / "scale.json"
NUM_CLASSES = 20
NETWORK, SIDE = "mobilenet_v3_small", 64  # of the classifier that the carriers run
# What the environment of each carrier says; one process for each.
RANKS = {"CAMTRAPS_ENGINE": "ranks", "WORLD_SIZE": "2", "CAMTRAPS_WORKERS": "1"}
CARRIERS = {
    "pool1": [{"CAMTRAPS_ENGINE": "local", "CAMTRAPS_WORKERS": "1"}],
    "pool2": [{"CAMTRAPS_ENGINE": "local", "CAMTRAPS_WORKERS": "2"}],
    "ray": [{"CAMTRAPS_ENGINE": "ray", "CAMTRAPS_WORKERS": "2"}],
    "ranks": [RANKS | {"RANK": "0"}, RANKS | {"RANK": "1"}],
}
STEPS = ("cut", "classify")

NOTES = """pool1, pool2: a pool of one and of two processes; ray: a Ray of this machine alone with two CPUs; ranks: two
  processes that share a disk. *_cut_seconds, *_classify_seconds: from the start of the processes, as those of a stage,
  to their end, into an empty work folder; the best of the turns. All carriers gave the same bytes.
workers2_speedup: seconds of pool1 by those of pool2. ray_overhead_*: of ray beside pool2, as a share, and in seconds.
allocator_gain: seconds without `processes.keep_buffers` by those with it, of one process each: the smaller one of
  cutting photos of 3 megapixels and of EfficientNet B0 on one thread.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: crops, files of photos and their size in pixels; crops a batch of the network; turns."""

    crops: int
    photos: int
    size: tuple[int, int]
    large: int
    batches: int
    turns: int


FULL = Sizes(crops=12_000, photos=60, size=(640, 480), large=60, batches=4, turns=1)
SMALL = Sizes(crops=80, photos=4, size=(320, 240), large=2, batches=1, turns=1)


def main(arguments: list[str] | None = None) -> None:
    """Measure one part or all of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--small", action="store_true", help="try it out in a minute; no results are written")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    parser.add_argument("--step", choices=[*STEPS, "allocator"], help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        {"cut": cut, "classify": classify, "allocator": allocate}[options.step](options.folder)
        return
    values = machine()
    for part in [options.part] if options.part else PARTS:
        sys.stderr.write(f"measuring: {part}\n")
        with TemporaryDirectory(prefix="camtraps-bench-", dir=options.folder) as folder:
            values |= PARTS[part](Path(folder), SMALL if options.small else FULL)
    say(values)
    sys.stdout.write("\n" + NOTES)
    if not options.small and not options.part:
        from camtraps.files import write_json

        write_json(RESULTS, values)


def measure_carriers(folder: Path, sizes: Sizes) -> Values:
    """Cut and classify the same crops through each carrier, in turns."""
    _draw(folder, sizes)
    seconds: dict[str, dict[str, list[float]]] = {name: {step: [] for step in STEPS} for name in CARRIERS}
    said = set()
    for turn in range(sizes.turns):
        for name, processes in CARRIERS.items():
            own = folder / f"{name}-{turn}"
            own.mkdir()
            for step in STEPS:
                start = time.monotonic()
                said.add((step, _together(step, own, processes)))
                seconds[name][step].append(time.monotonic() - start)
            sys.stderr.write(f"  {name}: {sum(times[-1] for times in seconds[name].values()):.1f} s\n")
    assert len(said) == len(STEPS), said
    return _compared({name: {step: min(times) for step, times in of.items()} for name, of in seconds.items()}, sizes)


def _compared(best: dict[str, dict[str, float]], sizes: Sizes) -> Values:
    values: Values = {}
    for name, of_step in best.items():
        values |= {f"{name}_{step}_seconds": round(seconds, 1) for step, seconds in of_step.items()}
        values[f"{name}_crops_per_second"] = round(sizes.crops / sum(of_step.values()), 1)
    total = {name: sum(of_step.values()) for name, of_step in best.items()}
    values["workers2_speedup"] = round(total["pool1"] / total["pool2"], 2)
    values[f"ray_overhead_{sizes.crops}"] = round(total["ray"] / total["pool2"] - 1, 3)
    values[f"ray_overhead_{sizes.crops}_seconds"] = round(total["ray"] - total["pool2"], 1)
    return values | {"ranks2_speedup": round(total["pool1"] / total["ranks"], 2)}


def _together(step: str, folder: Path, processes: list[dict[str, str]]) -> str:
    """Run the processes of a carrier; give the digest that the first one prints."""
    running = [_process(step, folder, own) for own in processes]
    said = [process.communicate()[0].strip() for process in running]
    if any(process.returncode for process in running):
        sys.exit(f"{step} in {folder.name}: ended with {[process.returncode for process in running]}")
    return said[0].splitlines()[-1]


def _process(step: str, folder: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    own = {"PYTHONPATH": str(REPOSITORY), "CAMTRAPS_WORK": str(folder / "work"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.scale", "--step", step, "--folder", str(folder)]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=os.environ | own | environment, stdout=subprocess.PIPE, text=True
    )


def _draw(folder: Path, sizes: Sizes) -> None:
    """Write photos under many names, at forty locations, and a classifier."""
    import torch

    from benchmarks.generated_photos import write_photos

    made = write_photos(folder / "made", sizes.photos, sizes.size)
    for at in range(sizes.crops):
        path = folder / "photos" / f"{at % 40:02}" / f"{at:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(made[at % sizes.photos])
    torch.manual_seed(0)
    _save_model(folder / "model")


def _save_model(folder: Path) -> None:
    from camtraps import models
    from camtraps.transforms import MEAN, STD

    classes = [f"class {at:02}" for at in range(NUM_CLASSES)]
    info = models.ModelInfo(
        format=models.FORMAT,
        architecture=NETWORK,
        classes=classes,
        taxa={name: [] for name in classes},
        image_size=SIDE,
        mean=list(MEAN),
        std=list(STD),
        crop={},
        temperature=1.0,
        padding="same",
        start="none",
        params={},
        data={},
        best_epoch=0,
    )
    models.save(folder, models.build(NETWORK, NUM_CLASSES, SIDE), info)


def cut(folder: Path) -> None:
    """Cut the crops into a folder, and print a digest of all bytes; a rank that is not the first ends before."""
    from benchmarks.generated_photos import boxes_table
    from camtraps.crops import CropParams
    from camtraps.cutting import cut_all
    from camtraps.errors import ShareDone
    from camtraps.files import digest
    from camtraps.params import load
    from camtraps.storage import Images

    photos = folder.parent / "photos"
    files = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    params = load(CropParams, "crop", REPOSITORY / "params.yaml")
    try:
        made = cut_all(boxes_table(files, [file[:2] for file in files]), Images({"bench": str(photos)}), params, folder)
    except ShareDone:
        return
    made.crops.to_parquet(folder / "crops.parquet")
    shards = sorted((folder / "shards").rglob("*.zip"))
    sys.stdout.write(digest(*(path.read_bytes() for path in shards)) + "\n")


def classify(folder: Path) -> None:
    """Classify the crops of a folder, and print a digest of the logits."""
    import pandas as pd

    from camtraps import inference
    from camtraps.errors import ShareDone
    from camtraps.files import digest

    crops = pd.read_parquet(folder / "crops.parquet")
    try:
        found = inference.classify(folder.parent / "model", crops, crops, folder)
    except ShareDone:
        return
    sys.stdout.write(digest(found.logits.tobytes()) + "\n")


def measure_allocator(folder: Path, sizes: Sizes) -> Values:
    """Decode and compute in processes with the allocator's setting and without it, in turns."""
    (folder / "sizes.json").write_text(json.dumps([sizes.large, sizes.batches]), encoding="utf-8")
    seconds: dict[str, list[list[float]]] = {"1": [], "": []}
    for _ in range(sizes.turns + 1):
        for keeps, of in seconds.items():
            of.append(json.loads(_together("allocator", folder, [{"KEEP_BUFFERS": keeps}])))
    values: Values = {}
    for at, what in enumerate(("cut", "inference")):
        kept, given_back = (min(each[at] for each in seconds[keeps]) for keeps in ("1", ""))
        values[f"allocator_gain_{what}"] = round(given_back / kept, 2)
    return values | {"allocator_gain": min(values.values())}


def allocate(folder: Path) -> None:
    """Print the seconds of cutting large photos, and of a network on one thread; the first go is not counted."""
    import torch

    from camtraps.models import build
    from camtraps.processes import keep_buffers

    if os.environ["KEEP_BUFFERS"]:
        keep_buffers()
    num, batches = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    network, views = build("efficientnet-b0", NUM_CLASSES, 128).eval(), torch.randn(32, 3, 128, 128)
    photos = _large(folder, num)

    def compute() -> None:
        with torch.inference_mode():
            for _ in range(batches):
                network(views)

    seconds = []
    for work in (lambda: _cut(photos), compute):
        work()
        start = time.monotonic()
        work()
        seconds.append(time.monotonic() - start)
    sys.stdout.write(json.dumps(seconds) + "\n")


def _large(folder: Path, num: int) -> list[bytes]:
    """Give photos of 3 megapixels, drawn by the first process."""
    from benchmarks.generated_photos import write_photos

    made = folder / "large"
    if not made.exists():
        write_photos(made, min(num, 8), (2048, 1536))
    given = [path.read_bytes() for path in sorted(made.iterdir())]
    return [given[at % len(given)] for at in range(num)]


def _cut(photos: list[bytes]) -> None:
    from camtraps import images

    for data in photos:
        photo = images.opened(data)
        rectangle = (500, 300, 1300, 1100)
        photo.expect([rectangle])
        images.encode(photo.cut(rectangle, 512, None), 92, 420)


PARTS: dict[str, Callable[[Path, Sizes], Any]] = {"carriers": measure_carriers, "allocator": measure_allocator}

if __name__ == "__main__":
    main()
