"""What the query is asked for beside the label specification: its section of params.yaml, and what that leaves out."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa

from camtraps.errors import InputError
from camtraps.params import check_range
from camtraps.taxonomy import fold_dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryParams:
    """Section ``query`` of params.yaml."""

    seed: int
    """Orders the photos of a label, so it decides which stay under a cap (max_count)."""
    allow_multilabel: bool
    """A photo may have several labels; else one with several asked classes is left out, and labels may not overlap."""
    min_locations: int
    """A label needs photos from that many different known locations, else all its photos are left out; 0: any."""
    datasets: tuple[str, ...] | None
    """Only these datasets; null: all."""
    locations: tuple[str, ...] | None
    """Only these locations, as the catalog names them; null: all, and photos without one."""
    since: str | None
    """Only photos from this day on, ``YYYY-MM-DD``; null: all, and photos without time."""
    until: str | None
    """Only photos up to this day, which counts; null: as above."""
    check_photos: bool
    """Look for each photo of an asked class before sampling; one that is certainly absent is left out as failed."""
    max_failed: float
    """Share of photos that may fail, 0 to 1."""

    def __post_init__(self) -> None:
        """Check ranges and days."""
        check_range(self, max_failed=(0.0, 1.0), min_locations=(0, None))
        for name in ("since", "until"):
            value = getattr(self, name)
            if value is not None:
                _check_day(name, value)
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError(f"since: must not be after until, got {self.since} and {self.until}")
        for name in ("datasets", "locations"):
            if getattr(self, name) == ():
                raise ValueError(f"{name}: the list is empty; null means all")


def within(database: duckdb.DuckDBPyConnection, params: QueryParams) -> str:
    """Give the SQL condition of the photos that the params ask for, and count the others in the table ``outside``."""
    conditions = []
    if params.datasets is not None:
        database.register("only_datasets", pa.table({"name": _asked_datasets(params.datasets, datasets(database))}))
        conditions.append("placed.dataset in (select name from only_datasets)")
    if params.locations is not None:
        _check_locations(database, params.locations)
        conditions.append("coalesce(location in (select name from only_locations), false)")
    if params.since is not None:
        conditions.append(f"coalesce(datetime >= date '{params.since}', false)")
    if params.until is not None:
        conditions.append(f"coalesce(datetime < date '{params.until}' + interval 1 day, false)")
    within = " and ".join(conditions) or "true"
    outside = f"select count(*) as num from placed where not ({within})" if conditions else "select 0 as num"
    database.execute(f"create or replace temp table outside as {outside}")
    return within


def _asked_datasets(wanted: Sequence[str], datasets: Sequence[str]) -> list[str]:
    by_fold = {fold_dataset(name): name for name in datasets}
    if unknown := [name for name in wanted if fold_dataset(name) not in by_fold]:
        raise InputError(
            f"params.yaml: query.datasets: the catalog has no dataset {unknown[0]!r}; "
            f"it has {', '.join(sorted(datasets)[:20])}"
        )
    return [by_fold[fold_dataset(name)] for name in wanted]


def _check_locations(database: duckdb.DuckDBPyConnection, wanted: Sequence[str]) -> None:
    database.register("only_locations", pa.table({"name": pa.array(wanted, pa.string())}))
    known = "select distinct location from photos where location is not null"
    unknown = database.execute(f"select name from only_locations where name not in ({known})").fetchall()
    if unknown:
        there = [name for (name,) in database.execute(known).fetchall()]
        near = difflib.get_close_matches(unknown[0][0], there, n=3) or sorted(there)[:5]
        raise InputError(f"params.yaml: query.locations: no photo is from {unknown[0][0]!r}; near: {', '.join(near)}")


def datasets(database: duckdb.DuckDBPyConnection) -> list[str]:
    """Name the datasets of a catalog in the order of their photos."""
    return [name for (name,) in database.execute("select dataset from dataset_at order by number").fetchall()]


def _check_day(name: str, value: str) -> None:
    try:
        if date.fromisoformat(value).isoformat() == value:
            return
    except ValueError:
        pass
    raise ValueError(f"{name}: expected a day as YYYY-MM-DD, got {value!r}")
