"""What people have decided about labels: the review page's CSV, that of Timelapse, and the old lists of CameraTraps."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from camtraps.errors import InputError, raise_all
from camtraps.files import climbs, read_csv, read_text

OURS = ("dataset", "file", "correct_class")
TIMELAPSE = ("File", "RelativePath", "mislabeled")
LIST = ("file", "correct_class")
REMEDY = "check the path"
KINDS = ("right", "wrong", "unknown")


@dataclass(frozen=True)
class Decision:
    """What one person says of one photo; ``correct_class`` is empty where the label is wrong and the right one unknown.

    ``date`` is empty where the file has none.
    """

    dataset: str
    file: str
    correct_class: str
    reviewer: str = ""
    date: str = ""
    reason: str = ""

    @property
    def image(self) -> str:
        """The photo."""
        return f"{self.dataset}/{self.file}"


def read(path: Path, dataset: str | None = None) -> list[Decision]:
    r"""Read decisions, in the order of the file; which form it has is told by its columns.

    The review page's CSV, and a ledger, have dataset, file and correct_class; ``decision``, where it is there, says
    right, wrong or unknown. Timelapse's has File, RelativePath and the flag mislabeled; rows without the flag are no
    decision. A list of CameraTraps (``megadb_mislabeled/DATASET.csv``) has file and correct_class.

    Args:
        path: the file.
        dataset: whose photos the file names without their dataset. Of Timelapse's CSV the default is the first folder
            of RelativePath (``alpha\cam3``), of a list the name of the file.

    Raises:
        MissingError: no such file.
        InputError: columns are missing or rows malformed; all problems are in the message, with their lines.
    """
    header = next(csv.reader(read_text(path, REMEDY).splitlines()), [])
    problems: list[str] = []
    if set(OURS) <= set(header):
        found = list(_ours(path, problems))
    elif {"File", "RelativePath"} <= set(header):
        found = list(_timelapse(path, dataset, problems))
    elif set(LIST) <= set(header):
        found = [
            Decision(dataset or path.stem, _plain(row["file"]), row["correct_class"].strip())
            for _, row in read_csv(path, LIST, REMEDY)
        ]
    else:
        raise InputError(
            f"{path}:1: expected dataset, file, correct_class (the review page), File, RelativePath, mislabeled "
            f"(Timelapse) or file, correct_class (CameraTraps), got {', '.join(header) or 'nothing'}"
        )
    problems += [f"no photo of a dataset: {each.dataset!r}, {each.file!r}" for each in found if not _names_photo(each)]
    raise_all(path, problems)
    return found


def _ours(path: Path, problems: list[str]) -> Iterator[Decision]:
    for line, row in read_csv(path, OURS, REMEDY):
        name, kind = row["correct_class"].strip(), (row.get("decision") or "").strip()
        if kind and kind not in KINDS:
            problems.append(f"line {line}: decision: expected {', '.join(KINDS)}, got {kind!r}")
        elif kind and (kind == "unknown") == bool(name):
            problems.append(f"line {line}: decision {kind} with correct_class {name!r}")
        own = (row["dataset"].strip(), _plain(row["file"]), name)
        yield Decision(*own, *((row.get(column) or "").strip() for column in ("reviewer", "date", "reason")))


def _timelapse(path: Path, dataset: str | None, problems: list[str]) -> Iterator[Decision]:
    for line, row in read_csv(path, TIMELAPSE, REMEDY):
        flag, name = row["mislabeled"].strip().lower(), (row.get("correct_class") or "").strip()
        if flag not in ("true", "false"):
            problems.append(f"line {line}: mislabeled: expected true or false, got {row['mislabeled']!r}")
        elif flag == "false" and name:
            problems.append(f"line {line}: correct_class {name!r} without the flag mislabeled")
        elif flag == "true":
            file = _plain(f"{row['RelativePath']}/{row['File']}")
            first, _, rest = file.partition("/")
            yield Decision(dataset, file, name) if dataset else Decision(first, rest, name)


def _plain(file: str) -> str:
    """Write a file name as the catalog does; Timelapse on Windows has backslashes."""
    parts = file.strip().replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _names_photo(decision: Decision) -> bool:
    return bool(decision.dataset) and not climbs(decision.file)
