"""The part of a catalog that a question is about: a dataset, a class, a location, named as people name them."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import duckdb

from camtraps import catalog
from camtraps.errors import InputError
from camtraps.taxonomy import fold, fold_dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The part of a catalog that a question is about; None does not narrow it."""

    dataset: str | None = None
    label: str | None = None
    location: str | None = None

    def __str__(self) -> str:
        """Name it for messages."""
        named = {"class": self.label, "location": self.location, "dataset": self.dataset}
        return ", ".join(f"{what} {name!r}" for what, name in named.items() if name is not None) or "the catalog"


_DATASETS = "select distinct dataset from photos"
_LOCATIONS = """select distinct location from photos
                where location is not null and ($dataset::text is null or dataset = $dataset)"""
_NEAREST = """select name from (select unnest($known::text[]) as name)
              order by jaro_winkler_similarity(lower(name), lower($name)) desc, name limit 3"""


def resolve(database: duckdb.DuckDBPyConnection, part: Part) -> Part:
    """Spell a part as the other questions need it: the dataset as the catalog has it, the class folded.

    Raises:
        InputError: the catalog has no such dataset; or it, or the dataset, has no such class or location. The message
            names the nearest ones.
    """
    dataset = None if part.dataset is None else _dataset(database, part.dataset)
    place = "the catalog" if dataset is None else f"dataset {dataset!r}"
    label = None if part.label is None else fold(part.label)
    if label is not None:
        known = {fold(name) for own, name in catalog.spelled(database) if dataset in (None, own)}
        _check(database, f"{place} has no class", label, known)
    if part.location is not None:
        found = database.execute(_LOCATIONS, {"dataset": dataset}).fetchall()
        _check(database, f"{place} has no location", part.location, {name for (name,) in found})
    return replace(part, dataset=dataset, label=label)


def _dataset(database: duckdb.DuckDBPyConnection, wanted: str) -> str:
    names = {str(name) for (name,) in database.execute(_DATASETS).fetchall()}
    same = [name for name in names if fold_dataset(name) == fold_dataset(wanted)]
    if wanted not in names and len(same) == 1:
        return same[0]
    _check(database, "the catalog has no dataset", wanted, names)
    return wanted


def _check(database: duckdb.DuckDBPyConnection, problem: str, name: str, known: Collection[str]) -> None:
    if name in known:
        return
    found = database.execute(_NEAREST, {"known": list(known), "name": name}).fetchall()
    nearest = ", ".join(repr(each) for (each,) in found)
    more = f"the nearest: {nearest}" if found else f"it has no {problem.split()[-1]}"
    raise InputError(f"{problem} {name!r}; {more}")
