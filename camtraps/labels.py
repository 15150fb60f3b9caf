"""The selection: which dataset labels make up each label of the classifier, and why."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from camtraps.errors import raise_all
from camtraps.label_rules import LabelRule as LabelRule
from camtraps.label_rules import Rules
from camtraps.label_rules import TaxonRule as TaxonRule
from camtraps.label_specs import read as read
from camtraps.taxa import Taxon, shared
from camtraps.taxonomy import Pair, Taxonomy

NUM_NAMED = 20


class Hit(NamedTuple):
    """A label that takes a dataset label, and the rule that chose it: ``family cervidae`` or ``dataset label``."""

    label: str
    why: str


@dataclass(frozen=True)
class Selection:
    """A resolved specification: every dataset label that is asked for, with the labels that take it, in their order.

    ``warnings`` name rules without effect.
    """

    rules: Rules
    pairs: Mapping[Pair, tuple[Hit, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def by_label(self) -> dict[str, dict[str, list[Any]]]:
        """Give the taxa and the dataset labels of each label."""
        table: dict[str, dict[str, list[Any]]] = {
            rule.label: {"taxa": [str(taxon) for taxon in rule.taxa], "dataset_labels": []} for rule in self.rules
        }
        for pair, hits in sorted(self.pairs.items()):
            for hit in hits:
                table[hit.label]["dataset_labels"].append(list(pair))
        return table

    def described(self, taxonomy: Taxonomy) -> dict[str, dict[str, list[Any]]]:
        """Give the same with the ``lineage`` of each label, for a model to carry along.

        That is level and name of each taxon in which all stands that makes up the label, most specific first.
        """
        lineages = {rule.label: [list(taxon) for taxon in _lineage(rule, taxonomy)] for rule in self.rules}
        return {label: row | {"lineage": lineages[label]} for label, row in self.by_label().items()}

    def overlaps(self) -> list[str]:
        """Say which dataset labels several labels take."""
        return [
            f"{' and '.join(hit.label for hit in reversed(hits))} both take {label!r} of dataset {dataset}"
            if len(hits) == 2
            else f"{', '.join(hit.label for hit in hits)} all take {label!r} of dataset {dataset}"
            for (dataset, label), hits in sorted(self.pairs.items())
            if len(hits) > 1
        ]


def _lineage(rule: LabelRule, taxonomy: Taxonomy) -> list[Taxon]:
    lineages = [[each.taxon, *taxonomy.tree.ancestors(each.taxon)] for each in rule.taxa]
    return shared(lineages + [list(taxonomy.lineages.get(pair, ())) for pair in rule.dataset_labels])


def resolve(
    rules: Rules, taxonomy: Taxonomy, known: Iterable[Pair], path: Path, allow_multilabel: bool = False
) -> Selection:
    """Find the dataset labels of each label.

    Args:
        rules: from `label_specs.read`.
        taxonomy: lineages of the dataset labels.
        known: the dataset labels of the catalog, folded; explicit ones must be there or in the taxonomy.
        path: the specification's file, for messages.
        allow_multilabel: several labels may take the same dataset label.

    Raises:
        InputError: unknown taxa, datasets or dataset labels, labels that end up empty, and dataset labels that two
            labels share unless they may; all in one message.
    """
    selection, problems = attempt(rules, taxonomy, known)
    raise_all(path, problems if allow_multilabel else [*problems, *selection.overlaps()])
    return selection


def attempt(rules: Rules, taxonomy: Taxonomy, known: Iterable[Pair]) -> tuple[Selection, list[str]]:
    """Resolve what can be resolved, as `resolve` does, and say what cannot; overlaps are left to the selection."""
    resolver = _Resolver(taxonomy, set(known))
    pairs: dict[Pair, tuple[Hit, ...]] = {}
    for rule in rules:
        for pair, why in resolver.left(rule).items():
            pairs[pair] = (*pairs.get(pair, ()), Hit(rule.label, why))
    return Selection(rules, pairs, tuple(resolver.warnings)), resolver.problems


class _Resolver:
    """A taxonomy and a catalog, and what has been found wrong with the rules so far."""

    def __init__(self, taxonomy: Taxonomy, known: set[Pair]) -> None:
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._taxonomy, self._known = taxonomy, known
        self._everything = known | set(taxonomy.rows)
        self._datasets = sorted({dataset for dataset, _ in self._everything})

    def left(self, rule: LabelRule) -> dict[Pair, str]:
        """Give the dataset labels that a rule takes, less those that it excludes, each with the reason."""
        num_before = len(self.problems)
        self._check_datasets([name for group in rule.prioritize for name in group], f"{rule.label}.prioritize")
        hits: dict[Pair, str] = {}
        for why, pairs in self._chosen(rule, rule.label):
            hits |= {pair: why for pair in sorted(pairs - hits.keys())}
            if not pairs:
                self.warnings.append(f"{rule.label}: {why} takes no dataset label of these datasets")
        left = dict(hits)
        for why, pairs in self._chosen(rule.exclude, f"{rule.label}.exclude") if rule.exclude else ():
            if not pairs & hits.keys():
                self.warnings.append(f"{rule.label}.exclude: {_named(why, pairs)} excludes nothing")
            left = {pair: reason for pair, reason in left.items() if pair not in pairs}
        if not left and len(self.problems) == num_before:
            empty = "nothing is left after its exclude" if hits else "takes no dataset label of these datasets"
            self.problems.append(f"{rule.label}: {empty}")
        self._warn_of_absent(rule)
        return left

    def _chosen(self, rule: LabelRule, place: str) -> list[tuple[str, set[Pair]]]:
        """Give the dataset labels of each part of a rule, with the reason: explicit ones first."""
        chosen = []
        for pair in rule.dataset_labels:
            if pair not in self._everything:
                self._refuse(pair, place)
            chosen.append(("dataset label", {pair}))
        for taxon in rule.taxa:
            self._check_datasets(taxon.datasets or (), f"{place}.taxa")
            members = self._taxonomy.members(taxon.taxon)
            if members:
                within = {pair for pair in members if taxon.datasets is None or pair[0] in taxon.datasets}
                chosen.append((str(taxon), within))
            else:
                self.problems.append(f"{place}: {self._taxonomy.unknown(taxon.taxon)}")
        return chosen

    def _check_datasets(self, names: Iterable[str], place: str) -> None:
        for name in sorted(set(names) - set(self._datasets)):
            near = difflib.get_close_matches(name, self._datasets, n=3)
            self.problems.append(f"{place}: there is no dataset {name!r}; {self._there(near)}")

    def _refuse(self, pair: Pair, place: str) -> None:
        dataset, label = pair
        names = sorted(name for other, name in self._everything if other == dataset)
        if not names:
            self._check_datasets([dataset], f"{place}.dataset_labels")
            return
        near = difflib.get_close_matches(label, names, n=3)
        hint = f"near: {', '.join(near)}" if near else f"it has: {_some(names)}"
        self.problems.append(f"{place}: dataset {dataset} has no label {label!r}; {hint}")

    def _there(self, near: list[str]) -> str:
        return f"near: {', '.join(near)}" if near else f"there are: {_some(self._datasets)}"

    def _warn_of_absent(self, rule: LabelRule) -> None:
        """Say which explicit dataset labels the catalog lacks: the taxonomy may speak of far more datasets."""
        absent = [pair for pair in rule.dataset_labels if pair in self._everything and pair not in self._known]
        if absent:
            names = _some([f"{dataset} {label!r}" for dataset, label in absent])
            self.warnings.append(f"{rule.label}.dataset_labels: not in the catalog: {names}")


def _named(why: str, pairs: set[Pair]) -> str:
    return why if why != "dataset label" else " ".join(f"{dataset} {label!r}" for dataset, label in pairs)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    return ", ".join(names[:NUM_NAMED]) + more
