"""Measure the split of many locations and labels: python -m benchmarks.split.

Ours is measured beside CameraTraps' 10,000 random tries, in turns.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.query import REPOSITORY, Values, machine, say

NOTES = """split_*: `splits.place` with the parameters of params.yaml, duplicates not looked for.
split_random_*: the same with split.method random.
seconds: the best of the turns. mean_deviation: of each label's share of crops in each split from the wanted one.
"""


@dataclass(frozen=True)
class Sizes:
    """How much is split, and how often."""

    locations: int
    labels: int
    crops: int
    turns: int


FULL = Sizes(locations=300, labels=40, crops=100_000, turns=7)
SMALL = Sizes(locations=30, labels=4, crops=1000, turns=1)


def main(arguments: list[str] | None = None) -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.split")
    parser.add_argument("--small", action="store_true", help="try it out in a second")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="camtraps-bench-") as folder:
        values = machine() | measure_split(Path(folder), SMALL if options.small else FULL)
    say(values)
    sys.stdout.write("\n" + NOTES)


def measure_split(folder: Path, sizes: Sizes) -> Values:
    """Measure both ways of placing on the same crops; nothing is written to the folder."""
    from camtraps.params import load
    from camtraps.splits import SplitParams, place

    crops = crops_table(sizes)
    params = replace(load(SplitParams, "split", REPOSITORY / "params.yaml"), min_locations=1)
    values: Values = {}
    for name, method in (("split", "balanced"), ("split_random", "random")):
        seconds = []
        for _ in range(sizes.turns):
            start = time.perf_counter()
            placed = place(crops, replace(params, method=method))
            seconds.append(time.perf_counter() - start)
        values[f"{name}_seconds"] = round(min(seconds), 3)
        values[f"{name}_mean_deviation"] = round(float(placed.balance["deviation"].abs().mean()), 4)
    return values


def crops_table(sizes: Sizes) -> Any:
    """Draw rows of the crops table: each label at some of the locations, most of its crops at a few of them."""
    import numpy as np
    import pandas as pd

    generator = np.random.default_rng(0)
    weights = np.zeros((sizes.labels, sizes.locations))
    for row in weights:
        num = max(sizes.locations // 20, int(sizes.locations * generator.beta(1, 4)), 3)
        places = generator.choice(sizes.locations, num, replace=False)
        row[places] = generator.lognormal(0, 1.3, num)
        row *= generator.lognormal(0, 1.2) / row.sum()
    drawn = generator.choice(weights.size, sizes.crops, p=weights.ravel() / weights.sum())
    label, place = np.divmod(np.sort(drawn), sizes.locations)
    image = pd.Series(np.arange(sizes.crops)).map("bench/{:07}.jpg".format).astype("str")
    columns = {"image": image, "box": 0, "dataset": "bench", "location": _names("place {:03}", place)}
    return pd.DataFrame(columns | {"sequence": image, "label": _names("label {:02}", label)})


def _names(form: str, numbers: Any) -> Any:
    import pandas as pd

    return pd.Series(numbers).map({number: form.format(number) for number in set(numbers.tolist())}).astype("str")


if __name__ == "__main__":
    main()
