"""What is wrong with a taxonomy, and where it and a catalog do not go together."""

import difflib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from camtraps.taxa import LEVELS, Conflict, Named, Taxon
from camtraps.taxonomy import Pair, Taxonomy, photos_by_pair
from camtraps.words import num

NUM_ROWS_NAMED = 3


class Finding(NamedTuple):
    """Something to look at; a problem should be mended, all else is a note."""

    kind: str
    text: str
    is_problem: bool


def check(taxonomy: Taxonomy) -> list[Finding]:
    """Find what is odd in a table itself: problems first, each kind in the order of the table."""
    findings = [
        *(_conflict(conflict) for conflict in taxonomy.tree.conflicts),
        *_unknown_levels(taxonomy),
        *_contradictions(taxonomy),
        *_shared_names(taxonomy),
        *_without_lineage(taxonomy),
    ]
    return sorted(findings, key=lambda finding: not finding.is_problem)


def check_catalog(taxonomy: Taxonomy, label_counts: pd.DataFrame) -> list[Finding]:
    """Find where a table and a catalog do not go together; ``label_counts`` as for `photos_by_pair`."""
    counts = photos_by_pair(label_counts)
    lacking = sorted((-photos, pair) for pair, photos in counts.items() if pair not in taxonomy.rows)
    findings = [
        Finding("no row", f"dataset {pair[0]} label {pair[1]!r}: no row for its {num(-photos, 'photo')}", True)
        for photos, pair in lacking
    ]
    there = {dataset for dataset, _ in counts}
    num_rows = Counter(dataset for dataset, _ in taxonomy.rows)
    findings += [
        Finding("not in the catalog", f"dataset {dataset}: {num(number, 'row')}, but it is not in the catalog", False)
        for dataset, number in sorted(num_rows.items())
        if dataset not in there
    ]
    return findings


def _conflict(conflict: Conflict) -> Finding:
    sides = "; ".join(
        f"{_of(parent)} ({num(len(pairs), 'row')}: {_some(pairs)})" for parent, pairs in _most_first(conflict.named)
    )
    kept = f"{_of(conflict.kept)} is kept" if conflict.kept else "none is kept"
    text = f"{_of(conflict.taxon)} stands below {sides}; {kept}"
    return Finding(conflict.kind, text, is_problem=conflict.kind != "skipped levels")


def _most_first(named: Named) -> list[tuple[Taxon, list[Pair]]]:
    return sorted(named.items(), key=lambda each: (-len(each[1]), each[0]))


def _some(pairs: Iterable[Pair]) -> str:
    names = [f"{dataset} {label!r}" for dataset, label in pairs]
    more = f", {len(names) - NUM_ROWS_NAMED:,} more" if len(names) > NUM_ROWS_NAMED else ""
    return ", ".join(names[:NUM_ROWS_NAMED]) + more


def _unknown_levels(taxonomy: Taxonomy) -> list[Finding]:
    found: dict[str, list[Pair]] = {}
    for pair, row in taxonomy.rows.items():
        for level in sorted({level for level, _ in row.lineage} - set(LEVELS)):
            found.setdefault(level, []).append(pair)
    findings = []
    for level, pairs in found.items():
        near = difflib.get_close_matches(level, LEVELS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        findings.append(Finding("unknown level", f"level {level!r} of {_some(pairs)} is not known{hint}", True))
    return findings


def _contradictions(taxonomy: Taxonomy) -> list[Finding]:
    findings = []
    for row in taxonomy.rows.values():
        first = row.lineage[0] if row.lineage else ("", "")
        # Tables without these columns, or rows that leave a cell empty, say nothing against the lineage.
        if all(said in ("", meant) for said, meant in zip((row.level, row.name), first, strict=True)):
            continue
        lineage = f"its lineage starts with {_of(first)}" if row.lineage else "it has no lineage"
        said = _of((row.level or "(no level)", row.name or "(no name)"))
        text = f"line {row.line}: {row.dataset} label {row.label!r} is {said} by its columns, but {lineage}"
        findings.append(Finding("contradiction", text, True))
    return findings


def _shared_names(taxonomy: Taxonomy) -> list[Finding]:
    levels: dict[str, list[str]] = {}
    for level, name in sorted(taxonomy.tree.children, key=_rank):
        levels.setdefault(name, []).append(level)
    return [
        Finding("same name", f"{name!r} is the name of a {' and of a '.join(several)}", False)
        for name, several in sorted(levels.items())
        if len(several) > 1
    ]


def _rank(taxon: Taxon) -> tuple[int, Taxon]:
    return (LEVELS.index(taxon[0]) if taxon[0] in LEVELS else len(LEVELS), taxon)


def _without_lineage(taxonomy: Taxonomy) -> list[Finding]:
    by_dataset: dict[str, list[str]] = {}
    for row in taxonomy.rows.values():
        if not row.lineage:
            by_dataset.setdefault(row.dataset, []).append(row.label)
    return [
        Finding("no lineage", f"dataset {dataset}: labels in no taxon: {', '.join(labels)}", False)
        for dataset, labels in by_dataset.items()
    ]


def _of(taxon: Taxon) -> str:
    return " ".join(taxon)
