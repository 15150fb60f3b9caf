"""split: crops -> whole locations in train, val and test."""

from pathlib import Path

import pandas as pd

from camtraps import duplicates, layout, signatures, split_files, tables
from camtraps.failures import Counts, close
from camtraps.files import write_text
from camtraps.params import load
from camtraps.schema import ASSIGNED, CROPS, SPLITS
from camtraps.splits import SplitParams, place, stand_in, warnings_of
from camtraps.words import num
from stages._run import run, warn


def main() -> Counts:
    """Run the stage."""
    params, out = load(SplitParams, "split"), layout.SPLITS
    known = split_files.known(layout.collection() / "splits", params)
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    placed = place(crops, params, known, _links(crops, params))
    tables.write(placed.splits, out / "splits.parquet", SPLITS)
    tables.write(placed.assigned, out / "assigned.parquet", ASSIGNED)
    _write_csv(placed.balance, out / "balance.csv")
    if params.duplicates != "ignore":
        _write_csv(placed.duplicates, out / "duplicates.csv")
    warn(*warnings_of(placed))
    return close(out, Counts.of("crops", len(crops), len(placed.assigned), placed.skipped), placed.skipped, 1.0)


def _links(crops: pd.DataFrame, params: SplitParams) -> pd.DataFrame | None:
    if params.duplicates == "ignore":
        return None
    located = crops.assign(location=stand_in(crops, params.without_location))
    given = signatures.read(crops, layout.CROPS)
    if damaged := int((~given.any(axis=1)).sum()):
        warn(f"data/crops: {num(damaged, 'crop')} cannot be decoded, not compared with others; training omits them")
    return duplicates.find(located, given)


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


if __name__ == "__main__":
    run("split", main)
