"""split: crops -> whole locations in train, val and test."""

from camtraps import layout, tables
from camtraps.failures import Counts, close
from camtraps.files import write_text
from camtraps.params import load
from camtraps.schema import ASSIGNED, CROPS, SPLITS
from camtraps.splits import SplitParams, place, warnings_of
from stages._run import run, warn


def main() -> Counts:
    """Run the stage."""
    params, out = load(SplitParams, "split"), layout.SPLITS
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    placed = place(crops, params)
    tables.write(placed.splits, out / "splits.parquet", SPLITS)
    tables.write(placed.assigned, out / "assigned.parquet", ASSIGNED)
    write_text(out / "balance.csv", placed.balance.to_csv(index=False, lineterminator="\n"))
    warn(*warnings_of(placed))
    return close(out, Counts.of("crops", len(crops), len(placed.assigned), placed.skipped), placed.skipped, 1.0)


if __name__ == "__main__":
    run("split", main)
