"""The ledger of corrections: decisions of people about labels, oldest first; the last one for a photo wins."""

from pathlib import Path

import pandas as pd

from camtraps.errors import raise_all
from camtraps.files import climbs, read_csv, write_text

COLUMNS = ("dataset", "file", "correct_class", "reviewer", "date", "reason", "source")


def create(path: Path) -> None:
    """Write an empty ledger, unless there is one."""
    if not path.exists():
        write_text(path, ",".join(COLUMNS) + "\n")


def read_latest(path: Path) -> pd.DataFrame:
    """Read the decision that counts for each photo.

    Returns:
        dataset, file, correct_class (empty: the label is wrong, the right one unknown), one row a photo.

    Raises:
        MissingError: no such file.
        InputError: columns are missing or rows malformed; all problems are in the message, with their lines.
    """
    latest: dict[tuple[str, str], str] = {}
    problems = []
    for line, row in read_csv(path, COLUMNS[:3], f"make one with the line {','.join(COLUMNS)}"):
        # Timelapse on Windows writes the folders of a file name with backslashes.
        dataset, file = row["dataset"].strip(), row["file"].replace("\\", "/")
        if not dataset or climbs(file):
            problems.append(f"line {line}: expected dataset, file, correct_class, got {dataset!r}, {row['file']!r}")
            continue
        latest[dataset, file] = row["correct_class"].strip()
    raise_all(path, problems)
    rows = [(dataset, file, right) for (dataset, file), right in latest.items()]
    return pd.DataFrame(rows, columns=["dataset", "file", "correct_class"])
