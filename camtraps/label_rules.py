"""A rule of the label specification: what makes up one label of the classifier, with its cap and priorities."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from camtraps.taxa import Taxon
from camtraps.taxonomy import Pair, fold

LARGEST_COUNT = 10**12  # a cap must fit into the catalog's whole numbers; more photos there will not be


@dataclass(frozen=True)
class TaxonRule:
    """All dataset labels at or below a taxon, of the named datasets or of all (None)."""

    level: str
    name: str
    datasets: tuple[str, ...] | None = None

    @property
    def taxon(self) -> Taxon:
        """Level and name."""
        return (self.level, self.name)

    def __str__(self) -> str:
        return f"{self.level} {self.name}"


@dataclass(frozen=True)
class LabelRule:
    """One label of the specification.

    ``dataset_labels`` and all dataset names are folded. ``max_count`` caps its photos; ``prioritize`` lists groups of
    datasets that are drawn from first, in order.
    """

    label: str
    taxa: tuple[TaxonRule, ...] = ()
    dataset_labels: tuple[Pair, ...] = ()
    exclude: "LabelRule | None" = None
    max_count: int | None = None
    prioritize: tuple[tuple[str, ...], ...] = ()


Rules = tuple[LabelRule, ...]


def merged(taxa: Iterable[TaxonRule]) -> tuple[TaxonRule, ...]:
    """Make one rule of those about the same taxon, so that a specification reads back as it was written."""
    datasets: dict[Taxon, tuple[str, ...] | None] = {}
    for rule in taxa:
        before = datasets.get(rule.taxon, ())
        both = None if before is None or rule.datasets is None else (*before, *rule.datasets)
        datasets[rule.taxon] = both and tuple(dict.fromkeys(both))
    return tuple(TaxonRule(*taxon, names) for taxon, names in datasets.items())


def grouped(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """Put dataset labels of the same dataset together, each once; datasets as they first appear."""
    return tuple((dataset, label) for dataset, labels in by_dataset(pairs).items() for label in labels)


def by_dataset(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    """Give the labels of each dataset, each once."""
    groups: dict[str, dict[str, None]] = {}
    for dataset, label in pairs:
        groups.setdefault(dataset, {})[label] = None
    return {dataset: list(labels) for dataset, labels in groups.items()}


def name_problems(labels: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Say which labels cannot be told apart or be written.

    Args:
        labels: the place of each label, for the message, and the label.
    """
    first: dict[str, str] = {}
    for place, label in labels:
        other = first.get(fold(label))
        first.setdefault(fold(label), label)
        if not label:
            yield f"{place}a label is empty"
        elif any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in label):
            yield f"{place}label {label!r} has a line end or another sign that is no text"
        elif other == label:
            yield f"{place}label {label!r} stands twice"
        elif other:
            yield f"{place}labels {other!r} and {label!r} differ only by case; make them one, or rename one"


def sampling_problems(rule: LabelRule, place: str) -> Iterator[str]:
    """Say what in a rule about its photos cannot be followed."""
    if rule.prioritize and rule.max_count is None:
        yield f"{place}.prioritize: has no effect without max_count; add one or remove it"


def is_texts(value: Any) -> TypeGuard[list[str]]:
    """Say whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_groups(value: Any) -> TypeGuard[list[list[str]]]:
    """Say whether a value has the form of ``prioritize``: a list of lists of names."""
    return isinstance(value, list) and all(map(is_texts, value))
