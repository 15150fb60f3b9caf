"""The label specification: which dataset labels make up each label of the classifier, with caps and priorities.

The JSON form is ``{label: {taxa, dataset_labels, exclude, max_count, prioritize}}``, as in CameraTraps.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from camtraps.errors import InputError, raise_all
from camtraps.files import once_each, read_json
from camtraps.taxonomy import Pair, Taxonomy, fold

EXCLUDE_KEYS = ("taxa", "dataset_labels")
KEYS = (*EXCLUDE_KEYS, "exclude", "max_count", "prioritize")


@dataclass(frozen=True)
class TaxonRule:
    """All labels at or below a taxon, of the named datasets or of all (None)."""

    level: str
    name: str
    datasets: tuple[str, ...] | None


@dataclass(frozen=True)
class LabelRule:
    """One label of the specification.

    ``max_count`` caps its photos; ``prioritize`` lists groups of datasets that are drawn from first, in order.
    """

    label: str
    taxa: tuple[TaxonRule, ...] = ()
    dataset_labels: tuple[Pair, ...] = ()
    exclude: "LabelRule | None" = None
    max_count: int | None = None
    prioritize: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Selection:
    """A resolved specification: every dataset label that is asked for, with its label and the rule that chose it."""

    rules: tuple[LabelRule, ...]
    pairs: dict[Pair, tuple[str, str]] = field(default_factory=dict)  # -> (label, why)

    def by_label(self) -> dict[str, dict[str, list[Any]]]:
        """Give the taxa and the dataset labels of each label."""
        table: dict[str, dict[str, list[Any]]] = {}
        for rule in self.rules:
            taxa = [f"{taxon.level} {taxon.name}" for taxon in rule.taxa]
            mine = [
                [dataset, name] for (dataset, name), (label, _) in sorted(self.pairs.items()) if label == rule.label
            ]
            table[rule.label] = {"taxa": taxa, "dataset_labels": mine}
        return table


def read(path: Path) -> tuple[LabelRule, ...]:
    """Read a label specification.

    Raises:
        MissingError: no such file.
        InputError: not JSON, or not a specification; all its problems are in the message, with their keys.
    """
    remedy = "write one, or bring it in with `camtraps import cct --label-spec`"
    document = read_json(path, remedy, make_object=once_each)
    if not isinstance(document, dict) or not document:
        raise InputError(f"{path}: expected {{label: specification}} with at least one label, got {document!r}"[:300])
    problems: list[str] = []
    rules = tuple(_rule(label, spec, label, KEYS, problems) for label, spec in document.items())
    raise_all(path, problems)
    return rules


def resolve(rules: tuple[LabelRule, ...], taxonomy: Taxonomy, known: Iterable[Pair], path: Path) -> Selection:
    """Find the dataset labels of each label.

    Args:
        rules: from `read`.
        taxonomy: lineages of the dataset labels.
        known: the dataset labels of the catalog, folded; explicit ones must be there or in the taxonomy.
        path: the specification's file, for messages.

    Raises:
        InputError: unknown taxa, datasets or dataset labels, labels that end up empty, and dataset labels that two
            labels share; all in one message.
    """
    everything = set(known) | set(taxonomy.lineages)
    problems: list[str] = []
    pairs: dict[Pair, tuple[str, str]] = {}
    for rule in rules:
        num_before = len(problems)
        problems += _unknown_datasets(rule, {dataset for dataset, _ in everything})
        hits = _hits(rule, taxonomy, everything, problems)
        excluded = _hits(rule.exclude, taxonomy, everything, problems) if rule.exclude else {}
        left = {pair: why for pair, why in hits.items() if pair not in excluded}
        if not left and len(problems) == num_before:
            empty = "nothing is left after its exclude" if hits else "takes no dataset label of these datasets"
            problems.append(f"{rule.label}: {empty}")
        for pair, why in left.items():
            if pair in pairs:
                problems.append(f"{rule.label} and {pairs[pair][0]} both take {pair[1]!r} of dataset {pair[0]}")
            pairs.setdefault(pair, (rule.label, why))
    raise_all(path, problems)
    return Selection(rules, pairs)


def _unknown_datasets(rule: LabelRule, known: set[str]) -> list[str]:
    restricted = [name for each in (rule, rule.exclude) if each for taxon in each.taxa for name in taxon.datasets or ()]
    named = {"taxa": restricted, "prioritize": [name for group in rule.prioritize for name in group]}
    return [
        f"{rule.label}.{key}: there is no dataset {name!r}; there are: {', '.join(sorted(known))}"
        for key, names in named.items()
        for name in sorted(set(names) - known)
    ]


def _hits(rule: LabelRule, taxonomy: Taxonomy, everything: set[Pair], problems: list[str]) -> dict[Pair, str]:
    hits: dict[Pair, str] = {}
    for pair in rule.dataset_labels:
        hits[pair] = "dataset label"
        if pair not in everything:
            names = [label for dataset, label in everything if dataset == pair[0]]
            near = difflib.get_close_matches(pair[1], names, n=1) or sorted({dataset for dataset, _ in everything})
            problems.append(f"{rule.label}: dataset {pair[0]} has no label {pair[1]!r}; near: {', '.join(near)}")
    for taxon in rule.taxa:
        members = taxonomy.members((taxon.level, taxon.name))
        if not members:
            near = taxonomy.nearest((taxon.level, taxon.name))
            hint = f"; near: {', '.join(near)}" if near else ""
            problems.append(f"{rule.label}: {taxonomy.path} has no {taxon.level} {taxon.name!r}{hint}")
        for pair in sorted(members):
            if taxon.datasets is None or pair[0] in taxon.datasets:
                hits.setdefault(pair, f"{taxon.level} {taxon.name}")
    return hits


def _rule(label: str, spec: Any, place: str, keys: tuple[str, ...], problems: list[str]) -> LabelRule:
    if not isinstance(spec, dict):
        problems.append(f"{place}: expected keys {', '.join(keys)}, got {spec!r}"[:200])
        return LabelRule(label)
    for key in spec:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(keys)}"
            problems.append(f"{place}.{key}: unknown key; {hint}")
    if not label.strip():
        problems.append("a label is empty")
    if not spec.get("taxa") and not spec.get("dataset_labels"):
        problems.append(f"{place}: needs taxa or dataset_labels")
    exclude = spec.get("exclude")
    max_count, prioritize = _sampling(spec, place, problems)
    return LabelRule(
        label,
        taxa=_taxa(spec.get("taxa", []), f"{place}.taxa", problems),
        dataset_labels=_dataset_labels(spec.get("dataset_labels", {}), f"{place}.dataset_labels", problems),
        exclude=None if exclude is None else _rule(label, exclude, f"{place}.exclude", EXCLUDE_KEYS, problems),
        max_count=max_count,
        prioritize=prioritize,
    )


def _taxa(given: Any, place: str, problems: list[str]) -> tuple[TaxonRule, ...]:
    rules = []
    for at, taxon in enumerate(given if isinstance(given, list) else [given]):
        datasets = taxon.get("datasets") if isinstance(taxon, dict) else None
        if not _is_taxon(taxon) or not (datasets is None or _is_texts(datasets)):
            problems.append(f"{place}[{at}]: expected {{level, name, datasets?}}, got {taxon!r}"[:200])
            continue
        chosen = None if datasets is None else tuple(fold(name) for name in datasets)
        rules.append(TaxonRule(fold(taxon["level"]), fold(taxon["name"]), chosen))
    return tuple(rules)


def _is_taxon(taxon: Any) -> bool:
    return (
        isinstance(taxon, dict)
        and set(taxon) <= {"level", "name", "datasets"}
        and isinstance(taxon.get("level"), str)
        and isinstance(taxon.get("name"), str)
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _dataset_labels(given: Any, place: str, problems: list[str]) -> tuple[Pair, ...]:
    if not isinstance(given, Mapping) or not all(_is_texts(labels) for labels in given.values()):
        problems.append(f"{place}: expected {{dataset: [label, ...]}}, got {given!r}"[:200])
        return ()
    return tuple((fold(dataset), fold(label)) for dataset, labels in given.items() for label in labels)


def _sampling(spec: dict[str, Any], place: str, problems: list[str]) -> tuple[int | None, tuple[tuple[str, ...], ...]]:
    max_count, prioritize = spec.get("max_count"), spec.get("prioritize", [])
    if max_count is not None and (type(max_count) is not int or max_count < 1):
        problems.append(f"{place}.max_count: expected a whole number above 0, got {max_count!r}")
    if not isinstance(prioritize, list) or not all(_is_texts(group) for group in prioritize):
        problems.append(f"{place}.prioritize: expected [[dataset, ...], ...], got {prioritize!r}"[:200])
        prioritize = []
    if prioritize and max_count is None:
        problems.append(f"{place}.prioritize: has no effect without max_count; add one or remove it")
    return max_count, tuple(tuple(fold(name) for name in group) for group in prioritize)
