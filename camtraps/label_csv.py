"""The CSV form of a label specification: rows of ``output_label,type,content``; lines that start with # are comments.

``type`` is ``row`` (content ``dataset|label``), ``datasettaxon`` (``dataset|level|name``), ``max_count``,
``prioritize`` (a list of lists of datasets) or the level of a taxon whose name is the content. Rows of ``!label`` say
what is excluded from the label.
"""

import ast
import csv
import difflib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camtraps.errors import InputError, raise_all
from camtraps.files import read_text
from camtraps.label_rules import (
    LARGEST_COUNT,
    LabelRule,
    Rules,
    TaxonRule,
    by_dataset,
    grouped,
    is_groups,
    merged,
    name_problems,
    sampling_problems,
)
from camtraps.taxa import LEVELS
from camtraps.taxonomy import Pair, fold, fold_dataset

HEADER = ["output_label", "type", "content"]
TYPES = ("row", "datasettaxon", "max_count", "prioritize")


@dataclass
class _Label:
    """What the rows of a label have said so far, with the line of the first."""

    line: int
    taxa: list[TaxonRule] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    excluded: "_Label | None" = None
    max_count: int | None = None
    prioritize: tuple[tuple[str, ...], ...] = ()
    stood: dict[str, int] = field(default_factory=dict)  # type that may stand once -> its line
    has_selected: bool = False

    def rule(self, label: str) -> LabelRule:
        """Make the rule."""
        exclude = self.excluded.rule(label) if self.excluded else None
        return LabelRule(label, merged(self.taxa), grouped(self.pairs), exclude, self.max_count, self.prioritize)


def read(path: Path, remedy: str) -> Rules:
    """Read a CSV file; ``remedy`` says what to do where it is not there. Errors as of `label_specs.read`."""
    labels: dict[str, _Label] = {}
    problems: list[str] = []
    for line, cells in _rows(path, read_text(path, remedy)):
        if len(cells) != len(HEADER):
            hint = "; quote a cell that has a comma" if len(cells) > len(HEADER) else ""
            problems.append(f"line {line}: expected {','.join(HEADER)}, got {','.join(cells)[:120]!r}{hint}")
            continue
        name, kind, content = cells
        label = labels.setdefault(name.removeprefix("!").strip(), _Label(line))
        if name.startswith("!"):
            label.excluded = label.excluded or _Label(line)
            label = label.excluded
        problem = _take(label, fold(kind), content, line, is_excluded=name.startswith("!"))
        problems += [f"line {line}: {problem}"] if problem else []
    if not labels and not problems:
        raise InputError(f"{path}: expected rows with at least one label, below {','.join(HEADER)}")
    problems += name_problems((f"line {label.line}: ", name) for name, label in labels.items())
    rules = tuple(label.rule(name) for name, label in labels.items())
    for rule in rules:
        place = f"line {labels[rule.label].line}: {rule.label}"
        if not labels[rule.label].has_selected:
            problems.append(f"{place}: needs taxa or dataset labels (type row)")
        if not labels[rule.label].stood.get("max_count"):
            problems += sampling_problems(rule, place)
    raise_all(path, problems)
    return rules


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Give the rows that are no comments, with the lines where they end."""
    lines = _Lines(text)
    delimiter = max(",;\t", key=lines.header().count)
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    header: list[str] | None = None
    while True:
        lines.at_start = True
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{path}:{lines.number}: not valid CSV: {error}; is a quote not closed?") from None
        if row is None:
            break
        cells = [cell.strip() for cell in row]
        while len(cells) > len(HEADER) and not cells[-1]:  # as spreadsheets fill them up
            cells.pop()
        if not any(cells) or (cells[0].startswith("#") and not any(cells[1:])):
            continue
        if header is None:
            header = cells
            if header != HEADER:
                break
        else:
            yield lines.number, cells
    if header != HEADER:
        got = repr(",".join(header)[:120]) if header else "nothing"
        raise InputError(f"{path}: expected the columns {','.join(HEADER)}, got {got}")


class _Lines:
    """The lines of a text without comments, which start where a row may start."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = io.StringIO(text, newline="")
        self.number = 0
        self.at_start = True

    def header(self) -> str:
        """Give the first line that is no comment."""
        lines = self._text.splitlines()
        return next((line for line in lines if line.strip() and not line.startswith("#")), "")

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            if self.at_start and line.startswith("#"):
                continue
            self.at_start = False
            yield line


def _take(label: _Label, kind: str, content: str, line: int, *, is_excluded: bool) -> str | None:
    """Add what a row says to its label; gives the problem, if there is one."""
    if kind not in ("max_count", "prioritize"):
        label.has_selected = True  # or is meant to: its own problem says enough
        return _take_choice(label, kind, content)
    if is_excluded:
        return f"{kind} has no place in an exclude (!label); write it to the label itself"
    first = label.stood.setdefault(kind, line)
    if first != line:
        return f"{kind} stands twice, first in line {first}"
    if kind == "prioritize":
        groups = _groups(content)
        if groups is None:
            return f"prioritize: expected [[dataset, ...], ...], got {content!r}"[:200]
        label.prioritize = groups
        return None
    if not (content.isascii() and content.isdigit() and 0 < int(content[:20]) <= LARGEST_COUNT):
        return f"max_count: expected a whole number above 0, got {content!r}"[:200]
    label.max_count = int(content)
    return None


def _take_choice(label: _Label, kind: str, content: str) -> str | None:
    if kind == "row":
        dataset, _, name = content.partition("|")
        label.pairs.append((fold_dataset(dataset), fold(name)))
        return None if all(label.pairs[-1]) else f"row: expected dataset|label, got {content!r}"
    datasets = None
    if kind == "datasettaxon":
        dataset, level, name = [*content.split("|", 2), "", ""][:3]
        datasets, kind = (fold_dataset(dataset),), fold(level)
        if not (datasets[0] and kind and name.strip()):
            return f"datasettaxon: expected dataset|level|name, got {content!r}"
        content = name
    if kind not in LEVELS:
        return _unknown(kind, "level" if datasets else "type")
    if not content.strip():
        return f"{kind}: the name of the taxon is missing"
    label.taxa.append(TaxonRule(kind, fold(content), datasets))
    return None


def _unknown(kind: str, what: str) -> str:
    known = (*TYPES, *LEVELS) if what == "type" else LEVELS
    near = difflib.get_close_matches(kind, known, n=1)
    several = ", ".join((*(TYPES if what == "type" else ()), "family", "genus", "species"))
    hint = f"did you mean {near[0]}?" if near else f"known are {several} and other levels of taxa"
    return f"unknown {what} {kind!r}; {hint}"


def _groups(content: str) -> tuple[tuple[str, ...], ...] | None:
    value: Any = None
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(content)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
    groups = tuple(tuple(map(fold_dataset, group)) for group in value) if is_groups(value) else ()
    return groups if groups and all(group and all(group) for group in groups) else None


def text(rules: Rules, path: Path) -> str:
    """Give rules as the text of a CSV file; ``path`` is where it goes, for messages.

    Raises:
        InputError: a label starts with ``!`` or a level is not known, which this form cannot say.
    """
    problems = [
        f"label {rule.label!r} starts with !, which means an exclude" for rule in rules if rule.label[:1] == "!"
    ]
    for rule in rules:
        taxa = (*rule.taxa, *(rule.exclude.taxa if rule.exclude else ()))
        problems += [f"{rule.label}: {_unknown(taxon.level, 'level')}" for taxon in taxa if taxon.level not in LEVELS]
    raise_all(path, [f"{problem}; write it as .json" for problem in problems])
    rows = [HEADER, *(row for rule in rules for row in _rows_of(rule))]
    return "".join(",".join(map(_quoted, row)) + "\n" for row in rows)


def _rows_of(rule: LabelRule) -> Iterator[list[str]]:
    yield from _choices(rule, rule.label)
    if rule.exclude:
        yield from _choices(rule.exclude, f"!{rule.label}")
    if rule.max_count is not None:
        yield [rule.label, "max_count", str(rule.max_count)]
    if rule.prioritize:
        yield [rule.label, "prioritize", str([list(group) for group in rule.prioritize])]


def _choices(rule: LabelRule, name: str) -> Iterator[list[str]]:
    for dataset, labels in by_dataset(rule.dataset_labels).items():
        yield from ([name, "row", f"{dataset}|{label}"] for label in labels)
    for taxon in rule.taxa:
        if taxon.datasets is None:
            yield [name, taxon.level, taxon.name]
        for dataset in taxon.datasets or ():
            yield [name, "datasettaxon", f"{dataset}|{taxon.level}|{taxon.name}"]


def _quoted(cell: str) -> str:
    # A label that starts with # is no comment only if it is quoted.
    plain = not any(sign in cell for sign in ',;\t"\r\n') and not cell.startswith("#")
    return cell if plain else '"' + cell.replace('"', '""') + '"'
