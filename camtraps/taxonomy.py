"""The taxonomy table: which dataset labels stand at or below which taxon.

The layout is that of the LILA taxonomy mapping release: one row a dataset label, `taxonomy_string` holding the lineage
as a Python literal, most specific taxon first, each item ``(taxon id, level, scientific name, [common names])``.
"""

import ast
import difflib
from dataclasses import dataclass
from pathlib import Path

from camtraps.errors import raise_all
from camtraps.files import read_csv

Taxon = tuple[str, str]  # level and scientific name, lower case
Pair = tuple[str, str]  # dataset and its label, folded by `fold`

COLUMNS = ("dataset_name", "query", "taxonomy_string")


@dataclass(frozen=True)
class Taxonomy:
    """Lineages by dataset label; a label without one (``empty``, ``unknown``) has an empty lineage."""

    path: Path
    lineages: dict[Pair, tuple[Taxon, ...]]

    def members(self, taxon: Taxon) -> set[Pair]:
        """Give all dataset labels at or below a taxon."""
        return {pair for pair, lineage in self.lineages.items() if taxon in lineage}

    def nearest(self, taxon: Taxon) -> list[str]:
        """Name up to three known taxa that are spelled like one that is not known."""
        known = sorted({f"{level} {name}" for lineage in self.lineages.values() for level, name in lineage})
        return difflib.get_close_matches(" ".join(taxon), known, n=3)


def fold(name: str) -> str:
    """Fold a dataset or label name for comparison: names that differ only by case or outer blanks are the same."""
    return name.strip().lower()


def read(path: Path) -> Taxonomy:
    """Read a taxonomy table.

    Raises:
        MissingError: no such file.
        InputError: columns are missing or rows malformed; all of them are in the message, with their lines.
    """
    lineages: dict[Pair, tuple[Taxon, ...]] = {}
    problems = []
    for line, row in read_csv(path, COLUMNS, "bring one in with `camtraps import cct --taxonomy`"):
        pair = (fold(row["dataset_name"]), fold(row["query"]))
        try:
            lineage = _lineage(row["taxonomy_string"])
        except ValueError as error:
            problems.append(f"line {line}: taxonomy_string {error}")
            continue
        if not all(pair):
            problems.append(f"line {line}: dataset_name or query is empty")
        elif lineages.setdefault(pair, lineage) != lineage:
            problems.append(f"line {line}: {pair[0]} label {pair[1]!r} stands twice with different lineages")
    raise_all(path, problems)
    return Taxonomy(path, lineages)


def _lineage(text: str) -> tuple[Taxon, ...]:
    if not text.strip():
        return ()
    try:
        items = ast.literal_eval(text)
        return tuple((fold(level), fold(name)) for _, level, name, _ in items)
    except (ValueError, SyntaxError, TypeError, AttributeError, MemoryError, RecursionError):
        raise ValueError(f"is not a list of (id, level, name, [common names]): {text[:60]!r}") from None
