"""Measure merging crops with their probabilities into one MegaDetector JSON: python -m benchmarks.merging.

It runs in a process of its own, so that the most memory it held can be told; what is generated lies in a temporary
folder.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.query import REPOSITORY, Values, machine, say, short

NOTES = """merge_*_seconds: `merge.merge` and writing, of tables in memory; a photo has one crop, of deviation 4 are its
  normal logits, and classes from a probability of 0.05 on are written. *_load_seconds: reading the predictions.
merge_*_peak_gb: the most memory that the process held, in 10^9 bytes, with the tables; *_gb: the written file.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: crops and classes."""

    crops: int
    classes: int


FULL = Sizes(1_000_000, 169)
SMALL = Sizes(2_000, 30)


def main(arguments: list[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merging")
    parser.add_argument("--small", action="store_true", help="try it out in a few seconds")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="camtraps-bench-", dir=options.folder) as folder:
        values = measure_merge(Path(folder), SMALL if options.small else FULL)
    say(machine() | values)
    sys.stdout.write("\n" + NOTES)


def measure_merge(folder: Path, sizes: Sizes = FULL) -> Values:
    """Measure merging in a process of its own; ends with an error where a crop is missing in the file."""
    from benchmarks import predictions

    path = folder / "predictions.parquet"
    given = predictions.Sizes(sizes.crops, sizes.classes)
    predictions.write_predictions(given, path)
    code = f"from benchmarks import merging; merging.merge_once({str(path)!r}, {sizes.classes})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    load, seconds, peak = map(float, done.stdout.split())
    written = folder / "merged.json"
    with written.open(encoding="utf-8") as file:
        num_classified = sum('"classifications": [[' in line for line in file)
    assert num_classified == sizes.crops, num_classified
    values = {"load_seconds": load, "seconds": seconds, "peak_gb": peak, "gb": round(written.stat().st_size / 1e9, 3)}
    return {f"merge_{short(sizes.crops)}_{key}": value for key, value in values.items()}


def merge_once(path: str, num_classes: int) -> None:
    """Merge the predictions in a file; print the seconds of reading and of merging, and the most memory held in GB."""
    from camtraps import predictions
    from camtraps.formats.megadetector_json import write
    from camtraps.merge import MergeParams, merge

    start = time.monotonic()
    given = predictions.read(Path(path))
    queried, detections = given.crops[["image", "dataset"]], _boxes(given.crops)
    loaded = time.monotonic()
    classes = [f"species {at:03}" for at in range(num_classes)]
    document = merge(queried, detections, {}, given, classes, MergeParams(threshold=0.05))
    write(document, Path(path).parent / "merged.json")
    seconds = time.monotonic() - loaded
    # Not of `resource`, which counts what the parent held when it started this process.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_gb = int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9
    sys.stdout.write(f"{loaded - start:.2f} {seconds:.2f} {peak_gb:.2f}\n")


def _boxes(crops: Any) -> Any:
    import numpy as np

    places = np.random.default_rng(2).random((len(crops), 5)).round(4)
    boxes = dict(zip(["confidence", "x", "y", "w", "h"], places.T, strict=True))
    return crops[["image", "box"]].assign(category="animal", detector="md_v5a.0.0.pt", **boxes)


if __name__ == "__main__":
    main()
