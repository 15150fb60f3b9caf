"""Mapping: which classes of a classifier make up each target, by their taxa; and their probabilities added up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camtraps.foreign import OTHER, Pools
from camtraps.label_rules import LabelRule, Rules
from camtraps.taxa import Taxon
from camtraps.taxonomy import Pair, Taxonomy

# A taxon within a dataset, or within all that no rule names. A dataset label without a lineage, such as ``empty``, is a
# taxon of its own, of the level "".
Atom = tuple[Taxon, str]
NUM_NAMED = 5


@dataclass(frozen=True)
class Mapped:
    """Classes by target, in the order of the targets, each sorted; what is none of them is `OTHER`, at the end.

    ``warnings`` name rules without effect, ``problems`` what makes the mapping wrong.
    """

    pools: Pools
    warnings: list[str]
    problems: list[str]


def map_categories(targets: Rules, classes: Rules, taxonomy: Taxonomy, trained: Sequence[str] | None = None) -> Mapped:
    """Find the target that each class of a classifier wholly belongs to.

    A taxon stands for itself and all below it; a dataset label for the lowest taxon of its row and all below that. A
    target may be empty. Classes of no target go to `OTHER`, beside those of a target that is called so.

    Args:
        targets: the specification of what is wanted.
        classes: the specification of the classifier.
        taxonomy: the taxonomy table.
        trained: names of the classifier's outputs, where that is not all classes of its specification.
    """
    resolver = _Resolver(taxonomy, [*targets, *classes])
    there = {rule.label: rule for rule in classes if trained is None or rule.label in trained}
    wanted = {rule.label: resolver.atoms(rule, "target ") for rule in targets}
    known = {name: resolver.atoms(rule, "class ") for name, rule in there.items()}
    stray = sorted(set(trained or ()) - set(there))
    problems = [f"class {name!r} of the label index is not in the classifier's specification" for name in stray]
    problems += [*resolver.problems, *_shared(wanted, "targets"), *_shared(known, "classes")]
    pools: Pools = {name: [] for name in wanted}
    rest: list[str] = []
    for name, atoms in sorted(known.items()):
        hit = [target for target, others in wanted.items() if atoms & others]
        problems += [
            f"class {name!r} is only partly in target {target!r}: {_named(atoms - wanted[target])} is not"
            for target in hit
            if not atoms <= wanted[target]
        ]
        (pools[hit[0]] if hit else rest).append(name)
    warnings = resolver.warnings + [f"target {name!r} has no class" for name, names in pools.items() if not names]
    if rest:
        if pools.get(OTHER):
            warnings.append(f"target {OTHER!r} gets the classes of no target as well: {', '.join(rest)}")
        own = pools.pop(OTHER, [])
        pools[OTHER] = sorted([*own, *rest])
    return Mapped(pools, warnings, problems)


def aggregate(
    probabilities: NDArray[np.float64], classes: Sequence[str], pools: Mapping[str, Sequence[str]]
) -> NDArray[np.float32]:
    """Add up the probabilities of each target's classes; a target without any has probability 0.

    Args:
        probabilities: (crops, classes).
        classes: names of the columns.
        pools: classes by target; names that are no column count nothing.

    Returns:
        (crops, targets), in the order of ``pools``.
    """
    at = {name: number for number, name in enumerate(classes)}
    member = np.zeros((len(classes), len(pools)))
    for number, names in enumerate(pools.values()):
        member[[at[name] for name in names if name in at], number] = 1
    return np.asarray(probabilities @ member, np.float32)


class _Resolver:
    """A taxonomy, the datasets that rules tell apart, and what has been found wrong with the rules so far."""

    def __init__(self, taxonomy: Taxonomy, rules: Sequence[LabelRule]) -> None:
        self.warnings: list[str] = []
        self.problems: list[str] = []
        self._taxonomy = taxonomy
        named: set[str] = set()
        for rule in rules:
            for part in (rule, rule.exclude):
                named |= {name for taxon in (part.taxa if part else ()) for name in taxon.datasets or ()}
        self._datasets = [*sorted(named), "other datasets"] if named else [""]

    def atoms(self, rule: LabelRule, kind: str) -> frozenset[Atom]:
        """Give what a rule stands for, less what it excludes."""
        found = self._chosen(rule, f"{kind}{rule.label!r}")
        if rule.exclude:
            found -= self._chosen(rule.exclude, f"{kind}{rule.label!r}, exclude")
        if not found:
            self.problems.append(f"{kind}{rule.label!r} stands for no taxon of {self._taxonomy.path}")
        return frozenset(found)

    def _chosen(self, rule: LabelRule, place: str) -> set[Atom]:
        found: set[Atom] = set()
        for taxon in rule.taxa:
            if taxon.taxon not in self._taxonomy.tree.children:
                self.warnings.append(f"{place}: {self._taxonomy.unknown(taxon.taxon)}")
                continue
            datasets = self._datasets if taxon.datasets is None else taxon.datasets
            found |= {(each, dataset) for each in self._taxonomy.tree.subtree(taxon.taxon) for dataset in datasets}
        for pair in rule.dataset_labels:
            found |= {(each, dataset) for each in self._of_label(pair, place) for dataset in self._datasets}
        return found

    def _of_label(self, pair: Pair, place: str) -> list[Taxon]:
        lineage = self._taxonomy.lineages.get(pair)
        if lineage is None:
            self.warnings.append(f"{place}: {self._taxonomy.path} has no label {pair[1]!r} of dataset {pair[0]}")
            return []
        return list(self._taxonomy.tree.subtree(lineage[0])) if lineage else [("", f"{pair[0]}|{pair[1]}")]


def _shared(atoms: Mapping[str, frozenset[Atom]], kind: str) -> list[str]:
    """Say which labels of one specification stand for the same taxa."""
    owners: dict[Atom, list[str]] = {}
    for name, own in atoms.items():
        for atom in own:
            owners.setdefault(atom, []).append(name)
    pairs: dict[tuple[str, str], set[Atom]] = {}
    for atom, names in owners.items():
        for other in names[1:]:
            pairs.setdefault((names[0], other), set()).add(atom)
    return [f"{kind} {a!r} and {b!r} both have {_named(shared)}" for (a, b), shared in sorted(pairs.items())]


def _named(atoms: set[Atom] | frozenset[Atom]) -> str:
    """Name the first of some taxa, with their dataset where there is one."""
    texts = sorted(f"{' '.join(taxon).strip()}{f' of {dataset}' if dataset else ''}" for taxon, dataset in atoms)
    more = f" and {len(texts) - NUM_NAMED} more" if len(texts) > NUM_NAMED else ""
    return ", ".join(texts[:NUM_NAMED]) + more
