"""A foreign classifier's probabilities for our crops, pooled into our labels: a baseline on the same test."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from camtraps import outputs
from camtraps.errors import InputError, raise_all
from camtraps.files import once_each, read_json, replacing
from camtraps.shards import member_name
from camtraps.words import num

OTHER = "other"  # what is none of our labels
KEYS = (*outputs.KEYS, ["image", "box"])  # what stands before the classes: names of crops, or our keys
TOLERANCE = 0.01  # of the sum of a row

Pools = dict[str, list[str]]


@dataclass(frozen=True)
class Foreign:
    """Probabilities (crops, labels) of a foreign classifier; ``keys`` holds ``path``, or ``image`` and ``box``."""

    keys: pd.DataFrame
    labels: list[str]
    probabilities: NDArray[np.float32]


def place(folder: Path, source: Path, mapping: Path | None) -> list[str]:
    """Check probabilities of a foreign classifier, and its mapping, and copy them into a folder.

    Args:
        folder: ``data/<name>/foreign``.
        source: the CSV file.
        mapping: the JSON file; None if its labels are called as ours.

    Returns:
        Lines for people.
    """
    given = read(source)
    keys, files = [f"`foreign: {source.name}`"], [source]
    if mapping is not None:
        check_labels(given.labels, read_mapping(mapping), mapping)
        keys, files = [*keys, f"`foreign_mapping: {mapping.name}`"], [source, mapping]
    for file in files:
        if file.resolve() != (folder / file.name).resolve():
            with replacing(folder / file.name) as part:
                shutil.copyfile(file, part)
    return [
        f"{folder / source.name}: {num(len(given.keys), 'crop')}, {num(len(given.labels), 'label')}",
        f"next: put {' and '.join(keys)} under `evaluate:` in params.yaml, then `dvc repro`",
    ]


def read(path: Path) -> Foreign:
    """Read a CSV file of probabilities: the columns of ``KEYS`` first, then one for each class.

    Raises:
        MissingError: no such file.
        InputError: no such columns, a crop stands twice, or a row is not of probabilities that sum to 1.
    """
    parts, keys, labels = [], [], []
    for rows in outputs.batches(path, KEYS):
        _check_sums(path, rows)
        keys.append(rows.keys)
        parts.append(rows.probabilities.astype(np.float32))
        labels = rows.classes
    if not parts:
        raise InputError(f"{path}: there is no crop in it")
    table = pa.concat_tables(keys).to_pandas().drop(columns=["label", "weight"], errors="ignore").astype("str")
    twice = table[table.duplicated()]
    if len(twice):
        raise InputError(f"{path}: crop {' box '.join(twice.iloc[0])} stands twice; keep one row of each")
    return Foreign(table, labels, np.concatenate(parts))


def read_mapping(path: Path) -> Pools:
    """Read ``{target: [label of the foreign classifier, ...]}``.

    A target that is missing or has an empty list gets no probability; ``other`` takes what is none of our labels.

    Raises:
        MissingError: no such file.
        InputError: not such a document, or a label stands under two targets.
    """
    given = read_json(path, make_object=once_each)
    if not isinstance(given, dict) or not all(_is_names(names) for names in given.values()):
        shown = json.dumps(given, ensure_ascii=False)[:100]
        raise InputError(f"{path}: expected {{label: [labels of the foreign classifier]}}, got {shown}")
    problems = []
    owner: dict[str, str] = {}
    for target, names in given.items():
        for name in names:
            if owner.setdefault(name, target) != target or names.count(name) > 1:
                problems.append(f"{name!r} stands under {owner[name]!r} and {target!r}")
    raise_all(path, sorted(set(problems)))
    return given


def targets(classes: Sequence[str]) -> list[str]:
    """Give what a foreign classifier may answer: our labels, and `OTHER` last unless it is one of them."""
    return [*classes] if OTHER in classes else [*classes, OTHER]


def same_names(labels: Sequence[str]) -> Pools:
    """Give the mapping of a classifier that calls its labels as we do."""
    return {name: [name] for name in labels}


def check_labels(labels: Sequence[str], pools: Mapping[str, Sequence[str]], path: Path) -> None:
    """Refuse a mapping that does not name exactly the labels of the foreign classifier; ``path`` is its file."""
    named = {name for names in pools.values() for name in names}
    problems = [f"the foreign classifier has no label {name!r}" for name in sorted(named - set(labels))]
    problems += [
        f"its label {name!r} is under no target; put it under {OTHER!r} if it is none of ours"
        for name in sorted(set(labels) - named)
    ]
    raise_all(path, problems)


def of_crops(
    foreign: Foreign, pools: Mapping[str, Sequence[str]], crops: pd.DataFrame, classes: Sequence[str]
) -> NDArray[np.float64]:
    """Give the pooled probabilities of our crops.

    Args:
        foreign: from `read`.
        pools: from `read_mapping`, checked by `check_labels`, or `same_names`.
        crops: image, box, detector, split.
        classes: our labels.

    Returns:
        (crops, `targets` of the classes); NaN for a crop of a split that the foreign classifier has not seen at all.

    Raises:
        InputError: it has seen a part of a split only, or nothing of test; or as `pooled`.
    """
    rows = find(foreign, crops)
    for split, unseen in pd.Series(rows < 0).groupby(crops["split"].to_numpy()):
        if unseen.any() and (split == "test" or not unseen.all()):
            first = crops.iloc[int(unseen.idxmax())]
            raise InputError(
                f"evaluate.foreign: {unseen.sum()} of {len(unseen)} crops of {split} are not in it, first "
                f"{first['image']} box {first['box']}; run that classifier on all of them"
            )
    found = pooled(foreign, pools, targets(classes))[rows]
    found[rows < 0] = np.nan
    return found


def pooled(foreign: Foreign, pools: Mapping[str, Sequence[str]], targets: Sequence[str]) -> NDArray[np.float64]:
    """Add up the probabilities of each target's labels, which is what log-sum-exp does to logits.

    Args:
        foreign: from `read`.
        pools: from `read_mapping`, checked by `check_labels`, or `same_names`.
        targets: the classes of the result, in order; one without labels has probability 0.

    Returns:
        (crops, targets).

    Raises:
        InputError: labels are pooled into what is none of the targets.
    """
    if stray := sorted(set(pools) - set(targets)):
        raise InputError(
            f"evaluate.foreign: {', '.join(stray[:8])} is no label of our classifier, which has "
            f"{', '.join(targets[:8])}; evaluate.foreign_mapping says which labels make up ours"
        )
    at = {name: number for number, name in enumerate(foreign.labels)}
    result = np.zeros((len(foreign.keys), len(targets)))
    for number, target in enumerate(targets):
        result[:, number] = foreign.probabilities[:, [at[name] for name in pools.get(target, [])]].sum(axis=1)
    return result


def find(foreign: Foreign, crops: pd.DataFrame) -> NDArray[np.int64]:
    """Give the row of each crop in the foreign classifier's, -1 where it has none.

    Args:
        foreign: from `read`.
        crops: image, box, detector.
    """
    keys = crops[["image", "box"]].astype("str")
    if "path" in foreign.keys:
        names = map(member_name, crops["image"], crops["box"], crops["detector"])
        keys = pd.DataFrame({"path": pd.array(list(names), "str")})
    return np.asarray(pd.MultiIndex.from_frame(foreign.keys).get_indexer(pd.MultiIndex.from_frame(keys)), np.int64)


def _check_sums(path: Path, rows: outputs.Rows) -> None:
    sums = rows.probabilities.sum(axis=1)
    good = np.abs(sums - 1) <= TOLERANCE
    if not good.all():
        at = int(np.argmin(good))
        raise InputError(f"{path}:{rows.lines[at]}: expected probabilities that sum to 1, got the sum {sums[at]:.4g}")


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
