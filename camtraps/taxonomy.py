"""The taxonomy table: which dataset labels stand at or below which taxon.

The layout is that of the LILA taxonomy mapping release, or of the older table it was made from: one row a dataset
label, ``taxonomy_string`` holding the lineage as a Python literal, most specific taxon first, each item ``(taxon id,
level, scientific name, [common names])``. Where that cell is empty, the columns ``kingdom`` to ``variety`` count.
"""

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from camtraps.errors import InputError, raise_all
from camtraps.files import read_csv
from camtraps.taxa import LILA_LEVELS, Taxon, Tree, grow

Pair = tuple[str, str]  # a dataset and its label, folded by `fold_dataset` and `fold`
Lineage = tuple[Taxon, ...]  # most specific first

COLUMNS = ("dataset_name", "query")
REMEDY = "bring one in with `camtraps import ... --taxonomy`"


class Row(NamedTuple):
    """A row of the table: where it stands, its names as spelled, the taxon of its own columns, its lineage."""

    line: int
    dataset: str
    label: str
    level: str
    name: str
    lineage: Lineage


@dataclass(frozen=True)
class Taxonomy:
    """The rows by dataset label; a label without a lineage (``empty``, ``unknown``) stands in no taxon."""

    path: Path
    rows: Mapping[Pair, Row]
    common_names: Mapping[Taxon, str] = field(default_factory=dict)

    @cached_property
    def lineages(self) -> dict[Pair, Lineage]:
        """The lineage of each dataset label."""
        return {pair: row.lineage for pair, row in self.rows.items()}

    @cached_property
    def tree(self) -> Tree:
        """The tree of all taxa."""
        return grow(self.lineages)

    def own(self, taxon: Taxon) -> frozenset[Pair]:
        """Give the dataset labels that mean just this taxon: those whose lineage starts with it."""
        return self._own.get(taxon, frozenset())

    def members(self, taxon: Taxon) -> frozenset[Pair]:
        """Give all dataset labels at or below a taxon.

        These are the labels whose own row names the taxon, and those whose lineage stops early or skips levels where
        the tree puts the taxon.
        """
        return self._members.get(taxon, frozenset())

    def standing(self, taxon: Taxon) -> frozenset[Pair]:
        """Give the dataset labels at a taxon or below it in the tree, wherever their own rows put them.

        Of two taxa neither of which is above the other, no label stands below both; `members` may share some where
        rows disagree.
        """
        return frozenset().union(*(self.own(each) for each in self.tree.subtree(taxon)))

    def nearest(self, taxon: Taxon) -> list[str]:
        """Name up to three known taxa that are spelled like one that is not known; its name at other levels first."""
        level, name = taxon
        same = sorted(f"{other} {name}" for other, known in self.tree.children if known == name and other != level)
        known = sorted(" ".join(each) for each in self.tree.children)
        near = difflib.get_close_matches(" ".join(taxon), known, n=3)
        return list(dict.fromkeys([*same, *near]))[:3]

    def unknown(self, taxon: Taxon) -> str:
        """Say that no row names a taxon, with the nearest ones."""
        near = ", ".join(self.nearest(taxon))
        return f"{self.path} has no {taxon[0]} {taxon[1]!r}" + (f"; near: {near}" if near else "")

    @cached_property
    def _own(self) -> dict[Taxon, frozenset[Pair]]:
        return _index((row.lineage[:1], pair) for pair, row in self.rows.items())

    @cached_property
    def _members(self) -> dict[Taxon, frozenset[Pair]]:
        return _index((self.tree.filled(row.lineage), pair) for pair, row in self.rows.items())


def fold(name: str) -> str:
    """Fold a label or taxon for comparison: names that differ only by case or outer blanks are the same."""
    return name.strip().lower()


def fold_dataset(name: str) -> str:
    """Fold a dataset name for comparison, so that ``Caltech Camera Traps`` is ``caltech-camera-traps``."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def photos_by_pair(label_counts: pd.DataFrame) -> dict[Pair, int]:
    """Count the photos of each dataset label, folded.

    Args:
        label_counts: dataset, class, photos, as `catalog.label_counts` gives it.
    """
    counts: dict[Pair, int] = Counter()
    columns = (label_counts[name] for name in ("dataset", "class", "photos"))
    for dataset, label, photos in zip(*columns, strict=True):
        counts[fold_dataset(dataset), fold(label)] += int(photos)
    return dict(counts)


def read(path: Path) -> Taxonomy:
    """Read a taxonomy table.

    Raises:
        MissingError: no such file.
        InputError: columns are missing or rows malformed; all of them are in the message, with their lines.
    """
    given = read_csv(path, COLUMNS, REMEDY)
    columns = [] if not given else [name for name in ("taxonomy_string", *LILA_LEVELS) if name in given[0][1]]
    if given and not columns:
        levels = ", ".join(LILA_LEVELS)
        raise InputError(f"{path}:1: no lineages: it needs the column taxonomy_string, or one a level ({levels})")
    reader = _Reader(columns)
    for line, cells in given:
        reader.add(line, cells)
    raise_all(path, reader.problems)
    return Taxonomy(path, reader.rows, reader.common_names)


class _Reader:
    """What has been read of a table so far."""

    def __init__(self, columns: list[str]) -> None:
        self.rows: dict[Pair, Row] = {}
        self.common_names: dict[Taxon, str] = {}
        self.problems: list[str] = []
        self._columns = columns
        # Many datasets share a species, and parsing the literals takes nearly all of the time.
        self._parsed: dict[str, list[tuple[Taxon, str]]] = {}

    def add(self, line: int, cells: Mapping[str, str | None]) -> None:
        """Take a row."""
        if any(cells[name] is None for name in self._columns):
            self.problems.append(f"line {line}: fewer cells than the header")
            return
        try:
            taxa = self._taxa({name: cell or "" for name, cell in cells.items()})
        except ValueError as error:
            self.problems.append(f"line {line}: taxonomy_string {error}")
            return
        row = Row(line, *_texts(cells), tuple(taxon for taxon, _ in taxa))
        pair = (fold_dataset(row.dataset), fold(row.label))
        if not all(pair):
            self.problems.append(
                f"line {line}: dataset_name or query is empty"
                if not row.dataset or not row.label
                else f"line {line}: dataset_name {row.dataset!r} has no letter from a to z and no digit"
            )
            return
        first = self.rows.setdefault(pair, row)
        if first.lineage != row.lineage:
            self.problems.append(
                f"line {line}: {pair[0]} label {pair[1]!r} stands twice with different lineages, first in line "
                f"{first.line}"
            )
        for taxon, common in taxa:
            if common:
                self.common_names.setdefault(taxon, common)

    def _taxa(self, cells: Mapping[str, str]) -> list[tuple[Taxon, str]]:
        """Give the lineage of a row with common names, where there are any."""
        text = cells.get("taxonomy_string", "").strip()
        if text:
            if text not in self._parsed:
                self._parsed[text] = _literal(text)
            return self._parsed[text]
        named = [(level, fold(cells[level])) for level in reversed(LILA_LEVELS) if level in self._columns]
        taxa = [(taxon, "") for taxon in named if taxon[1]]
        return taxa and [(taxa[0][0], cells.get("common_name", "").strip()), *taxa[1:]]


def _texts(cells: Mapping[str, str | None]) -> tuple[str, str, str, str]:
    dataset, label, level, name = (
        (cells.get(column) or "").strip() for column in (*COLUMNS, "taxonomy_level", "scientific_name")
    )
    return dataset, label, fold(level), fold(name)


def _literal(text: str) -> list[tuple[Taxon, str]]:
    try:
        return [((_name(level), _name(name)), _common(names)) for _, level, name, names in ast.literal_eval(text)]
    except (ValueError, SyntaxError, TypeError, AttributeError, MemoryError, RecursionError):
        raise ValueError(f"is not a list of (id, level, name, [common names]): {text[:60]!r}") from None


def _name(value: str) -> str:
    if not fold(value):
        raise ValueError
    return fold(value)


def _common(names: str | list[str]) -> str:
    first = names if isinstance(names, str) else next(iter(names), "")
    return first.strip()


def _index(given: Iterable[tuple[Iterable[Taxon], Pair]]) -> dict[Taxon, frozenset[Pair]]:
    found: dict[Taxon, set[Pair]] = {}
    for taxa, pair in given:
        for taxon in taxa:
            found.setdefault(taxon, set()).add(pair)
    return {taxon: frozenset(pairs) for taxon, pairs in found.items()}
