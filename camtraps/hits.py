"""The hits of a label specification: numbered ways in which classes of the catalog lead to labels."""

from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from camtraps.labels import Hit, Selection
from camtraps.taxonomy import Pair, fold, fold_dataset


class Hits:
    """The numbered ways in which classes lead to labels, and the numbered classes themselves, both alphabetical.

    Two classes of one label are two hits, for the rule that only one class of a photo may be asked for.
    """

    def __init__(self, selection: Selection, names: Sequence[tuple[str, str]]) -> None:
        self._rules, self._names, self._pairs = selection.rules, names, dict(selection.pairs)
        self._at = {rule.label: at for at, rule in enumerate(selection.rules)}
        by_label = {("", fold(rule.label)): (Hit(rule.label, "label in a correction"),) for rule in selection.rules}
        self._known = {(fold_dataset(dataset), fold(name)) for dataset, name in names} | set(selection.pairs)
        every = sorted((self._pairs | by_label).items())
        self._numbers: dict[Pair, int] = {pair: number for number, (pair, _) in enumerate(every)}
        self._ordered = [hits for _, hits in every]
        self._classes = [name for _, name in names]

    def of_correction(self, dataset: str, name: str) -> tuple[int, int | None]:
        """Number a person's class, and the hit it leads to: a class of the dataset, else a label of the rules."""
        pair = (fold_dataset(dataset), fold(name))
        self._classes.append(name)
        hit = self._numbers.get(pair if pair in self._known else ("", pair[1])) if name else None
        return len(self._classes) - 1, hit

    def register(self, database: duckdb.DuckDBPyConnection) -> None:
        """Make the tables ``hits``, ``hit_labels``, ``names``, ``classes`` and ``asked``."""
        text, whole = pa.string(), pa.int32()
        first = [(number, self._at[hits[0].label]) for number, hits in enumerate(self._ordered)]
        database.register("hits", columns(first, hit=whole, label_at=whole))
        every = [(number, self._at[hit.label], hit.why) for number, hits in enumerate(self._ordered) for hit in hits]
        database.register("hit_labels", columns(every, hit=whole, label_at=whole, why=text))
        labels = [(at, rule.label) for at, rule in enumerate(self._rules)]
        database.register("names", columns(labels, label_at=whole, label=text))
        database.register("classes", columns(enumerate(self._classes), said=whole, **{"class": text}))
        capped = {self._at[rule.label] for rule in self._rules if rule.max_count is not None}
        is_capped = {number for number, at, _ in every if at in capped}
        asked: list[tuple[str, str, int | None, int | None, bool]] = [
            (dataset, name, said, number := self._numbers[pair], number in is_capped)
            for said, (dataset, name) in enumerate(self._names)
            if (pair := (fold_dataset(dataset), fold(name))) in self._pairs
        ]
        asked += [(dataset, "\0", None, None, True) for dataset in {dataset for dataset, _ in self._names}]
        kinds = {"dataset": text, "class": text, "said": whole, "hit": whole, "is_capped": pa.bool_()}
        database.register("asked", columns(asked, **kinds))


def columns(rows: Iterable[Sequence[Any]], **kinds: pa.DataType) -> pa.Table:
    """Make an Arrow table of rows; each keyword names a column and its type."""
    given = list(rows)
    arrays = [pa.array([row[at] for row in given], kind) for at, kind in enumerate(kinds.values())]
    return pa.Table.from_arrays(arrays, names=list(kinds))
