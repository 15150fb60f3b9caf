"""The outputs of a classifier as CSV: a row for each crop with its name, a column for each class; label_index.json."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from camtraps import streams
from camtraps.errors import InputError
from camtraps.files import once_each, read_json, replacing, write_json

# What stands before the classes: CameraTraps' evaluation, CameraTraps' run_classifier.
KEYS = (["path", "label", "weight"], ["path"])
# The columns of CameraTraps' classification_ds.csv, which has labels and no probabilities.
LABELS_ONLY = ["path", "dataset", "location", "dataset_class", "confidence", "label"]
# ``<photo>___cropNN[_<detector>].jpg``: a name with that in it twice is of a crop of a photo whose own name has it.
CROP_NAME = r"^(?P<image>.+)___crop(?P<box>\d{1,9})(?:_(?P<detector>.+))?\.[A-Za-z]{3,4}$"


@dataclass(frozen=True)
class Rows:
    """Some rows of a file.

    ``keys`` has the columns before the classes as text, ``lines`` the line of each row, ``probabilities`` is
    (crops, classes).
    """

    keys: pa.Table
    lines: pa.ChunkedArray
    classes: list[str]
    probabilities: NDArray[np.float64]


def read_classes(path: Path) -> list[str]:
    """Read ``label_index.json``, or ``index_to_name.json``: ``{"0": name, "1": name, ...}``.

    Raises:
        MissingError: no such file.
        InputError: not such numbers, or not names that differ.
    """
    content = read_json(path, make_object=once_each)
    if not isinstance(content, dict) or not content or set(content) != {str(at) for at in range(len(content))}:
        raise InputError(f'{path}: expected {{"0": name, "1": name, ...}} without a gap, got {str(content)[:80]}')
    names = [content[str(at)] for at in range(len(content))]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        wrong = next(name for name in names if not isinstance(name, str) or not name or names.count(name) > 1)
        raise InputError(f"{path}: names must be texts that differ, got {wrong!r}")
    return names


def write_classes(classes: Sequence[str], path: Path) -> None:
    """Write ``label_index.json``."""
    write_json(path, {str(at): name for at, name in enumerate(classes)})


def batches(path: Path, keys: Sequence[list[str]] = KEYS) -> Iterator[Rows]:
    """Read a file, plain or gzipped, some rows at a time.

    Args:
        path: the file.
        keys: what may stand before the classes, the longest first. Columns are told by their place: a class may be
            called `path`, `label` or `weight` too, if the file has the other columns. Behind `LABELS_ONLY` there are
            no classes.

    Raises:
        MissingError: no such file.
        InputError: no such columns, or a value is no number from 0 to 1.
    """
    for rows in streams.batches(path, []):
        names, classes = _columns(path, rows.column_names[:-1], keys)
        lines = rows["line_number"]
        yield Rows(rows.select(names), lines, classes, _numbers(path, rows.select(classes), lines))


def parse_names(paths: pa.ChunkedArray, lines: pa.ChunkedArray, place: Path) -> pd.DataFrame:
    r"""Take names of crops apart: image, box, and the detector, empty where the name has none.

    Names may be given with ``\\`` or a leading ``./``.

    Args:
        paths: the names.
        lines: where each stands, for messages.
        place: the file, for messages.

    Raises:
        InputError: a name is not that of a crop.
    """
    tidy = pc.replace_substring_regex(pc.replace_substring(paths, "\\", "/"), r"^(\./+)+", "")
    found = pc.extract_regex(tidy, CROP_NAME).combine_chunks()
    if found.null_count:
        at = int(np.argmax(found.is_null().to_numpy(zero_copy_only=False)))
        raise InputError(f"{place}:{lines[at]}: expected the name of a crop, IMAGE___cropNN.jpg, got {paths[at]}")
    image, box, detector = found.flatten()
    texts = pa.table({"image": image, "detector": detector}).to_pandas().astype("str")
    return texts.assign(box=pc.cast(box, pa.int64()).to_numpy())


@contextmanager
def writing(path: Path, keys: Sequence[str], classes: Sequence[str]) -> Iterator["Writer"]:
    """Give a writer of a file, gzipped if its name ends in ``.gz``, written whole or not at all."""
    header = io.StringIO(newline="")
    csv.writer(header, lineterminator="\n").writerow([*keys, *classes])
    with replacing(path) as part, _opened(part, zipped=path.suffix == ".gz") as file:
        file.write(header.getvalue().encode())
        yield Writer(file)


class Writer:
    """Writes rows of probabilities."""

    def __init__(self, file: BinaryIO) -> None:
        """Take a file whose header is written."""
        self._file = file

    def write(self, keys: Iterable[pa.Array], probabilities: NDArray[np.float32]) -> None:
        """Write rows.

        Args:
            keys: the columns before the classes.
            probabilities: (crops, classes).
        """
        columns = [*keys, *(pa.array(column) for column in np.ascontiguousarray(probabilities.T))]
        # Arrow wants names that are not there twice; they are not written.
        rows = pa.table(columns, names=[str(at) for at in range(len(columns))])
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
        pyarrow.csv.write_csv(rows, self._file, options)


def _columns(path: Path, names: list[str], keys: Sequence[list[str]]) -> tuple[list[str], list[str]]:
    for each in keys:
        if names[: len(each)] == each and each == LABELS_ONLY:
            return names, []
        if names[: len(each)] == each and len(names) > len(each):
            return each, names[len(each) :]
    wanted = ", or ".join(" and ".join(each) for each in keys if len(each) < len(KEYS[0]))
    got = ", ".join(names[:8])
    raise InputError(f"{path}:1: expected the columns {wanted}, and then one for each class; got {got}")


def _numbers(path: Path, rows: pa.Table, lines: pa.ChunkedArray) -> NDArray[np.float64]:
    values = np.empty((rows.num_rows, rows.num_columns))
    for at, name in enumerate(rows.column_names):
        try:
            values[:, at] = pc.cast(rows[name], pa.float64()).to_numpy()
        except pa.ArrowInvalid:
            raise InputError(f"{path}: column {name}: expected numbers: {_first_wrong(rows[name], lines)}") from None
    good = ((values >= 0) & (values <= 1)).all(axis=1)  # a comparison with NaN is false
    if not good.all():
        at = int(np.argmin(good))
        low, high = values[at].min(), values[at].max()
        raise InputError(f"{path}:{lines[at]}: expected probabilities from 0 to 1, got {low:.4g} to {high:.4g}")
    return values


def _first_wrong(column: pa.ChunkedArray, lines: pa.ChunkedArray) -> str:
    for text, line in zip(column.to_pylist(), lines.to_pylist(), strict=True):
        try:
            float(text)
        except ValueError:
            return f"line {line} has {text!r}"
    return "one has blanks around it"


@contextmanager
def _opened(path: Path, zipped: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not zipped:
            yield file
            return
        # Without a name and a time in its header the same rows are the same bytes.
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed:
            yield packed  # type: ignore[misc]
