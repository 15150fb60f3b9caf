"""Measure writing and reading predictions, and drawing a large confusion matrix: python -m benchmarks.predictions.

What is generated lies in a temporary folder.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.query import Values, machine, say, short

NOTES = """predictions_*_seconds: rounding, checks and writing of the predictions table; *_gb: its file, in 10^9 bytes;
  *_read_seconds: reading it back, which must give what was written. Logits are normal of deviation 4.
confusion_*_seconds: counting the pairs of all crops and drawing the confusion matrix.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: crops and classes."""

    crops: int
    classes: int


FULL = Sizes(1_000_000, 169)
SMALL = Sizes(2_000, 30)
BLOCK = 50_000


def main(arguments: list[str] | None = None) -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predictions")
    parser.add_argument("--small", action="store_true", help="try it out in a few seconds")
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder (default: as usual)")
    options = parser.parse_args(arguments)
    sizes, values = SMALL if options.small else FULL, machine()
    with TemporaryDirectory(prefix="camtraps-bench-", dir=options.folder) as folder:
        values |= measure_predictions(Path(folder), sizes) | measure_confusion(Path(folder), sizes)
    say(values)
    sys.stdout.write("\n" + NOTES)


def measure_predictions(folder: Path, sizes: Sizes) -> Values:
    """Measure writing and reading the table; ends with an error where what is read is not what was written."""
    from camtraps import evaluation, predictions

    crops, probabilities, classes = _crops(sizes), _probabilities(sizes), _classes(sizes)
    path = folder / "predictions.parquet"
    start = time.monotonic()
    written = evaluation.predictions(crops, probabilities, classes)
    predictions.write(written, path)
    done = time.monotonic()
    found = predictions.read(path)
    read = time.monotonic()
    assert (found.probabilities == written.probabilities).all()
    assert found.crops.equals(written.crops[list(found.crops.columns)])
    name = f"predictions_{short(sizes.crops)}"
    values = {"seconds": round(done - start, 2), "gb": round(path.stat().st_size / 1e9, 4)}
    return {f"{name}_{key}": value for key, value in (values | {"read_seconds": round(read - done, 2)}).items()}


def write_predictions(sizes: Sizes, path: Path) -> None:
    """Write the table that is measured, for other benchmarks."""
    from camtraps import evaluation, predictions

    predictions.write(evaluation.predictions(_crops(sizes), _probabilities(sizes), _classes(sizes)), path)


def measure_confusion(folder: Path, sizes: Sizes) -> Values:
    """Measure drawing a matrix in which nearly all cells have crops."""
    import numpy as np
    import pandas as pd

    from camtraps import plots

    classes, rng = np.array(_classes(sizes)), np.random.default_rng(0)
    drawn = {name: classes[rng.integers(0, sizes.classes, sizes.crops)] for name in ("actual", "predicted")}
    pairs = pd.DataFrame(drawn, dtype="str")
    start = time.monotonic()
    picture = plots.confusion_matrix(plots.count_pairs(pairs, classes.tolist()), classes.tolist())
    seconds = round(time.monotonic() - start, 2)
    (folder / "confusion.svg").write_text(picture, encoding="utf-8")
    return {f"confusion_{sizes.classes}_seconds": seconds}


def _classes(sizes: Sizes) -> list[str]:
    return [f"species {at:03}" for at in range(sizes.classes)]


def _crops(sizes: Sizes) -> Any:
    """Make rows of the predictions table: photos of 500 cameras, as cameras name them."""
    import numpy as np
    import pandas as pd

    at, rng = np.arange(sizes.crops), np.random.default_rng(1)
    camera = at * 500 // sizes.crops
    locations = np.array([f"cam{each:04}" for each in range(500)])[camera]
    classes = np.array(_classes(sizes))
    images = [f"bench/{place}/2024/IMG_{number:07}.JPG" for place, number in zip(locations, at, strict=True)]
    columns = {"image": images, "dataset": "bench", "location": locations, "label": classes[at % sizes.classes]}
    columns |= {"split": np.array(["train", "val", "test"])[camera % 3], "sequence": [f"s{each // 3}" for each in at]}
    return pd.DataFrame(columns, dtype="str").assign(box=np.zeros(len(at), np.int32), night=rng.random(len(at)) < 0.4)


def _probabilities(sizes: Sizes) -> Any:
    import numpy as np
    from scipy.special import softmax

    found, rng = np.empty((sizes.crops, sizes.classes)), np.random.default_rng(0)
    for start in range(0, sizes.crops, BLOCK):
        part = found[start : start + BLOCK]
        part[:] = softmax(4 * rng.standard_normal(part.shape), axis=1)
    return found


if __name__ == "__main__":
    main()
