"""Split files: the split of each location in another run, ours (splits.parquet) or CameraTraps' (splits.json)."""

from pathlib import Path
from typing import Any

import pandas as pd

from camtraps import tables
from camtraps.errors import InputError, MissingError, raise_all
from camtraps.files import once_each, read_json
from camtraps.schema import SPLIT_NAMES, SPLITS
from camtraps.split_params import SplitParams


def known(folder: Path, params: SplitParams) -> pd.Series | None:
    """Read the splits that locations have already: ``match_test`` has the last word, then ``previous``.

    Args:
        folder: that of the collection's split files.
        params: the names of the files; None for none.

    Returns:
        Names of splits by dataset and location; None if no file is asked for. Errors as in `read`.
    """
    previous = read(folder / params.previous) if params.previous else None
    if params.match_test is None:
        return previous
    matched = read(folder / params.match_test)
    test = matched[matched == "test"]
    if test.empty:
        raise InputError(f"{folder / params.match_test}: has no test location to match; name another file")
    return test if previous is None else pd.concat([previous[~previous.index.isin(test.index)], test])


def read(path: Path) -> pd.Series:
    """Read a split file.

    Raises:
        MissingError: it is not there.
        InputError: it is not such a file, or a location stands twice.
        TableError: it ends in .parquet and is no splits table of ours.
    """
    if not path.is_file():
        raise MissingError(f"{path}: not found; copy a splits.parquet or splits.json of another run there")
    rows = tables.read(path, SPLITS) if path.suffix == ".parquet" else _read_json(path)
    other = sorted(set(rows["split"]) - set(SPLIT_NAMES))
    twice = rows[rows.duplicated(["dataset", "location"])]
    problems = [f"split {name!r}: expected one of {', '.join(SPLIT_NAMES)}" for name in other]
    problems += [f"location {row.location!r} of dataset {row.dataset!r} stands twice" for row in twice.itertuples()]
    raise_all(path, problems)
    return rows.set_index(["dataset", "location"])["split"]


def _read_json(path: Path) -> pd.DataFrame:
    """Read ``{split: [[dataset, location], ...]}``; numbers are taken as text, since pandas wrote some locations so."""
    document = read_json(path, make_object=once_each)
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected lists of [dataset, location] under train, val and test")
    rows, problems = [], []
    for split, pairs in document.items():
        if not isinstance(pairs, list):
            problems.append(f"{split}: expected a list of [dataset, location], got {pairs!r}"[:200])
            continue
        for at, pair in enumerate(pairs):
            if isinstance(pair, list) and len(pair) == 2 and all(map(_is_name, pair)):
                rows.append((*map(str, pair), split))
            else:
                problems.append(f"{split}[{at}]: expected [dataset, location], got {pair!r}"[:200])
    raise_all(path, problems)
    return pd.DataFrame(rows, columns=["dataset", "location", "split"]).astype("str")


def _is_name(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
