"""Crops to merge, from elsewhere: a CSV of their probabilities, of their labels, or of both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from camtraps import outputs
from camtraps.errors import InputError, raise_all
from camtraps.merge import MergeParams, Truth, sampled


@dataclass(frozen=True)
class Crops:
    """What a CSV says of crops.

    ``names`` has image, box, detector (empty for a human box) and label (empty where there is none);
    ``probabilities``, (crops, classes), follows the order of the classes and has no column where the file has labels
    alone.
    """

    names: pd.DataFrame
    probabilities: NDArray[np.float32]
    truth: Truth

    def where(self, chosen: NDArray[np.bool_]) -> "Crops":
        """Keep some crops."""
        rows = np.cumsum(chosen) - 1
        kept = chosen[self.truth.rows]
        truth = Truth(rows[self.truth.rows[kept]], self.truth.classes[kept])
        return Crops(self.names[chosen].reset_index(drop=True), self.probabilities[chosen], truth)


def read(path: Path, classes: Sequence[str]) -> Crops:
    """Read the outputs of a classifier, or CameraTraps' ``classification_ds.csv``, which has labels alone.

    Columns of classes may be called by their names or by their numbers, in any order. A label may be several, with a
    comma between them.

    Raises:
        MissingError: no such file.
        InputError: other columns or classes, names that are of no crops, crops that stand twice, unknown labels.
    """
    parts, probabilities = [], []
    for rows in outputs.batches(path, (outputs.LABELS_ONLY, *outputs.KEYS)):
        labels = rows.keys["label"] if "label" in rows.keys.column_names else pa.nulls(len(rows.keys), pa.string())
        names = outputs.parse_names(rows.keys["path"], rows.lines, path)
        parts.append(names.assign(label=labels.fill_null("").to_pandas().astype("str")))
        order = _order(path, rows.classes, classes)
        probabilities.append(rows.probabilities[:, order].astype(np.float32))
    if not parts:
        raise InputError(f"{path}: there is no crop in it")
    found = pd.concat(parts, ignore_index=True)
    twice = found[found.duplicated(["image", "box"])]
    if len(twice):
        raise InputError(f"{path}: box {twice['box'].iloc[0]} of {twice['image'].iloc[0]} stands twice; keep one row")
    return Crops(found, np.concatenate(probabilities), _truth(path, found["label"], classes))


def chosen(crops: Crops, params: MergeParams) -> Crops:
    """Keep the crops of the datasets asked for, and of those the samples.

    Raises:
        InputError: no crop is left, or the parameters need labels or probabilities that are not there.
    """
    if params.datasets is not None:
        crops = crops.where(crops.names["image"].str.partition("/")[0].isin(params.datasets).to_numpy())
        if not len(crops.names):
            raise InputError(f"--datasets: no crop is of {', '.join(params.datasets)}")
    unlabelled = ~np.isin(np.arange(len(crops.names)), crops.truth.rows)
    needs = [("--label", params.label != "none"), ("--relative-conf", params.relative_conf)]
    needs.append(("--samples-per-label", params.samples_per_label is not None))
    for option, is_given in needs:
        if is_given and unlabelled.any():
            first = crops.names["image"][unlabelled].iloc[0]
            raise InputError(f"{option}: needs the label of each crop, and a crop of {first} has none")
    if params.relative_conf and not crops.probabilities.shape[1]:
        raise InputError("--relative-conf: needs probabilities, and the file has labels alone")
    if params.samples_per_label is not None:
        crops = crops.where(sampled(crops.names, params.samples_per_label, params.seed))
    return crops


def about(path: Path, name: str) -> dict[str, str]:
    """Say of the classifications who made them and when, for ``info``: when their file was written, in UTC."""
    written = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    return {"classifier": name, "classification_completion_time": written.strftime("%Y-%m-%d %H:%M:%S")}


def _order(path: Path, columns: list[str], classes: Sequence[str]) -> list[int]:
    """Give the column of each class; none at all where there are labels alone."""
    if not columns:
        return []
    numbers = [str(at) for at in range(len(classes))]
    wanted = numbers if sorted(columns) == sorted(numbers) and set(numbers) != set(classes) else classes
    problems = [f"class {name!r} of the label index has no column" for name in wanted if name not in columns]
    problems += [f"column {name!r} is no class of the label index" for name in columns if name not in wanted]
    raise_all(path, problems)
    at = {name: number for number, name in enumerate(columns)}
    return [at[name] for name in wanted]


def _truth(path: Path, labels: pd.Series, classes: Sequence[str]) -> Truth:
    """Look labels up; a text that is no class is several, with a comma between them."""
    index = {name: number for number, name in enumerate(classes)}
    known = {
        text: [text] if text in index else [each.strip() for each in text.split(",")]
        for text in labels.unique()
        if text
    }
    if stray := sorted({each for names in known.values() for each in names if each not in index}):
        raise InputError(f"{path}: labels {', '.join(stray[:8])} are not in the label index")
    rows, numbers = [], []
    for row, text in enumerate(labels):
        for each in known.get(text, ()):
            rows.append(row)
            numbers.append(index[each])
    return Truth(np.array(rows, np.int64), np.array(numbers, np.int64))
