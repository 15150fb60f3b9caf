"""Experiments: runs that differ only in their seed summed up, and settings compared crop by crop on the same test."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.stats import t as student

from camtraps import layout, metrics
from camtraps.errors import MissingError

SEED = "train.seed"  # the parameter by which runs of one setting differ
SCORES = "metrics/evaluate.json"
SPLIT = "data/splits/assigned.parquet"
PREDICTIONS = layout.PREDICTIONS.as_posix()
COLUMNS = ["image", "box", "dataset", "location", "split", "label", "prediction"]
ALL = "all"  # the setting's name where there is no other

Right = NDArray[np.float64]  # (crops,): the share of a setting's runs that were right


@dataclass(frozen=True)
class Run:
    """An experiment or a commit.

    ``params`` are its parameters but for the seed, ``scores`` those by split; ``frozen`` is the hash of the split, and
    ``predictions`` the name of their folder in DVC's cache.
    """

    name: str
    params: Mapping[str, str]
    seed: str
    scores: Mapping[str, Mapping[str, float]]
    frozen: str | None
    predictions: str | None
    group: str = ALL


def runs(repository: Any, revisions: list[str] | None, everywhere: bool) -> list[Run]:
    """Read the experiments and commits that `dvc exp show` shows, as far as they have scores; sorted by name.

    Args:
        repository: a `dvc.repo.Repo`.
        revisions: commits whose experiments are meant; None for the last one.
        everywhere: take those of all commits.
    """
    found = {}
    shown = repository.experiments.show(
        revs=revisions, all_commits=everywhere, hide_workspace=True, hide_queued=True, hide_failed=True
    )
    for commit in shown:
        states = [commit, *(state for given in commit.experiments or () for state in given.revs)]
        for state in states:
            if state.data is not None and (run := _run(state)):
                found[run.name] = run
    return [found[name] for name in sorted(found)]


def grouped(given: list[Run]) -> list[Run]:
    """Name the setting of each run by the parameters in which settings differ; of equal runs one is kept."""
    values: dict[str, set[str | None]] = {}
    for key in {key for run in given for key in run.params}:
        values[key] = {run.params.get(key) for run in given}
    keys = sorted(key for key, found in values.items() if len(found) > 1)
    unique: dict[tuple[str, str], Run] = {}
    for run in given:
        group = " ".join(f"{key}={run.params.get(key)}" for key in keys) or ALL
        unique.setdefault((group, run.seed), replace(run, group=group))
    return sorted(unique.values(), key=lambda run: (run.group, run.seed))


def same_split(given: list[Run]) -> tuple[list[Run], list[Run]]:
    """Part runs into those on the split that most of them have, and others: these cannot be compared."""
    splits = [run.frozen for run in given]
    common = max(sorted(set(splits), key=str), key=splits.count, default=None)
    return [run for run in given if run.frozen == common], [run for run in given if run.frozen != common]


def summary(given: list[Run], split: str, names: Iterable[str]) -> pd.DataFrame:
    """Sum the scores of each setting up over its seeds.

    Returns:
        setting, seeds, and for each score its mean, and the bounds of the mean's 95% interval (Student's t) as
        ``NAME_low`` and ``NAME_high``, empty for a single seed.
    """
    rows = []
    for group in dict.fromkeys(run.group for run in given):
        own = [run for run in given if run.group == group]
        row: dict[str, Any] = {"setting": group, "seeds": len(own)}
        for name in names:
            values = np.array([run.scores.get(split, {}).get(name, np.nan) for run in own], float)
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), _mean(values), strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def paired(answers: Mapping[str, list[pd.DataFrame]]) -> pd.DataFrame:
    """Compare settings on the crops that all of their runs have judged.

    Whether a crop is right is averaged over the seeds of a setting, the difference of two settings taken crop by crop,
    and its interval is a bootstrap over locations: what is easy or hard for both does not blur it.

    Args:
        answers: the predictions of each setting's runs, from `answers`.

    Returns:
        setting, minus, crops, locations, and for ``top1`` and ``macro_recall`` the difference with its 95% interval
        (``_low``, ``_high``).
    """
    common = _common([table for tables in answers.values() for table in tables])
    right = {name: _right(tables, common) for name, tables in answers.items()}
    first = next(iter(answers.values()))[0].loc[common]
    labels, _ = pd.factorize(first["label"], sort=True)
    places = (first["dataset"] + "/" + first["location"]).to_numpy(dtype=object).astype(str)
    rows = []
    for one, other in combinations(answers, 2):
        difference = right[other] - right[one]
        row: dict[str, Any] = {"setting": other, "minus": one, "crops": len(common), "locations": len(set(places))}
        scores = (("top1", np.zeros_like(labels)), ("macro_recall", labels))
        for name, classes in scores:
            found = metrics.macro_mean(difference, classes, places)
            row |= dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def answers(repository: Any, run: Run, split: str) -> pd.DataFrame:
    """Read the predictions of a run for one split from DVC's cache, by image and box.

    Raises:
        MissingError: they are not there.
    """
    cache = repository.cache.local
    try:
        listed = json.loads(Path(cache.oid_to_path(run.predictions)).read_bytes())
        oid = next(each["md5"] for each in listed if each["relpath"] == "predictions.parquet")
        table = pq.read_table(cache.oid_to_path(oid), columns=COLUMNS, filters=[("split", "==", split)])
    except (FileNotFoundError, TypeError, StopIteration):
        raise MissingError(f"{run.name}: its predictions are not in DVC's cache") from None
    rows: pd.DataFrame = table.to_pandas().set_index(["image", "box"])
    return rows


def _run(state: Any) -> Run | None:
    data = state.data
    params = _flat((data.params.get("params.yaml") or {}).get("data") or {})
    scores = (data.metrics.get(SCORES) or {}).get("data")
    if not scores or SEED not in params:
        return None
    frozen, predictions = data.deps.get(SPLIT), data.outs.get(PREDICTIONS)
    return Run(
        name=state.name or state.rev[:7],
        params={key: value for key, value in params.items() if key != SEED},
        seed=params[SEED],
        scores=scores,
        frozen=frozen and frozen.hash,
        predictions=predictions and predictions.hash,
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": str(value)}
    return found


def _mean(values: NDArray[np.float64]) -> tuple[float, float, float]:
    mean, num = float(values.mean()), len(values)
    if num < 2:
        return mean, np.nan, np.nan
    reach = float(student.ppf(0.975, num - 1) * values.std(ddof=1) / num**0.5)
    return mean, mean - reach, mean + reach


def _common(tables: list[pd.DataFrame]) -> pd.MultiIndex:
    index = tables[0].index
    for table in tables[1:]:
        index = index.intersection(table.index)
    return index.sort_values()


def _right(tables: list[pd.DataFrame], crops: pd.MultiIndex) -> Right:
    rows = [(table["label"] == table["prediction"]).loc[crops].to_numpy(float) for table in tables]
    return np.asarray(np.mean(rows, axis=0))
