"""Verdicts: what is written of a crop, from the probabilities of all classes to a few answers, or a larger taxon."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from camtraps import lineages, pools
from camtraps.errors import InputError
from camtraps.lineages import Lineages
from camtraps.taxa import Taxon

UNKNOWN = "unknown"  # what could be any of the classes
Answer = tuple[int, float]  # number of a category, and its probability
Probabilities = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """How probabilities become answers: classes are restricted, pooled, held back where unsure, and cut.

    ``lineages`` are those of the ``classes``. ``allowed`` (classes,) says which may be answered, and ``outside`` what
    becomes of the probability of the others: the allowed ones share it, or the nearest taxon that stands above an
    allowed class too takes it. ``pools`` are targets of classes. Where the best answer is less probable than its own of
    ``sure_from``, ``unsure`` puts a taxon that is as probable before it, or `UNKNOWN`. Answers below ``threshold`` are
    left out, and of the rest those after the first ``top``.
    """

    classes: Sequence[str]
    lineages: Lineages
    allowed: NDArray[np.bool_] | None = None
    outside: Literal["renormalise", "taxon"] = "renormalise"
    pools: Mapping[str, Sequence[str]] | None = None
    unsure: Literal["answer", "taxon", "unknown"] = "answer"
    sure_from: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.0
    top: int | None = None

    def __post_init__(self) -> None:
        """Refuse a restriction that leaves nothing."""
        if self.allowed is not None and not self.allowed.any():
            raise InputError(f"none of the listed labels and taxa is of this model: {', '.join(self.classes)}"[:300])

    @cached_property
    def labels(self) -> list[str]:
        """What may be answered by the classifier itself: the targets if there are any, else the classes."""
        return sorted(self.pools) if self.pools is not None else list(self.classes)

    @cached_property
    def label_lineages(self) -> Lineages:
        """The lineages of the labels."""
        return self.lineages if self.pools is None else lineages.pooled(self.lineages, self.pools)

    @cached_property
    def taxa(self) -> list[Taxon]:
        """The taxa that may be answered."""
        found: set[Taxon] = set()
        if self.unsure == "taxon":
            found |= set(lineages.above(self.label_lineages))
        if self._rolls_up:
            found |= set(lineages.above(self.lineages))
        return sorted(found)

    @cached_property
    def categories(self) -> list[str]:
        """The names of all answers that there may be: labels, then taxa (their scientific names), then `UNKNOWN`."""
        with_unknown = self.unsure != "answer" or self._rolls_up
        return [*self.labels, *(name for _, name in self.taxa), *([UNKNOWN] if with_unknown else [])]

    def descriptions(self) -> list[str]:
        """Describe the categories by `lineages.description`; empty if nothing is known of any."""
        known = [self.label_lineages[label] for label in self.labels]
        known += [lineages.of_taxon(taxon, self.lineages) for taxon in self.taxa]
        texts = [lineages.description(each) for each in known]
        texts += [lineages.description(())] * (len(self.categories) - len(texts))
        return texts if any(known) else []

    def num_outside(self, probabilities: Probabilities) -> int:
        """Count the crops, of (crops, classes), whose most probable class is not allowed."""
        return 0 if self.allowed is None else int((~self.allowed[probabilities.argmax(axis=1)]).sum())

    def of(self, probabilities: Probabilities) -> list[list[Answer]]:
        """Give the answers for crops, the most probable first.

        Args:
            probabilities: (crops, classes), calibrated.
        """
        shares = probabilities @ self._shares  # (crops, categories)
        if self.allowed is not None and self.outside == "renormalise":
            # A crop of which nothing is left is as likely any of the allowed.
            total = shares.sum(axis=1, keepdims=True)
            equal = self._shares.sum(axis=0) / self._shares.sum()
            shares = np.where(total > 0, shares / np.where(total > 0, total, 1), equal)
        return [self._answers(row) for row in shares]

    @cached_property
    def _rolls_up(self) -> bool:
        return self.allowed is not None and not self.allowed.all() and self.outside == "taxon"

    @cached_property
    def _shares(self) -> Probabilities:
        """Say for which category each class counts: (classes, categories)."""
        own = pools.matrix(self.classes, self.pools or {name: [name] for name in self.classes}, self.labels)
        result = np.zeros((len(self.classes), len(self.categories)))
        result[:, : len(self.labels)] = own
        if self.allowed is not None:
            result[~self.allowed] = 0
        if self._rolls_up:
            assert self.allowed is not None
            for at in np.flatnonzero(~self.allowed).tolist():
                result[at, self._shelter(self.classes[at])] = 1.0
        return result

    def _shelter(self, name: str) -> int:
        """Give the category of the nearest taxon above a class that stands above an allowed class, too."""
        assert self.allowed is not None
        there = [set(self.lineages[other]) for other, is_in in zip(self.classes, self.allowed, strict=True) if is_in]
        near = next((taxon for taxon in self.lineages[name] if any(taxon in other for other in there)), None)
        return len(self.categories) - 1 if near is None else len(self.labels) + self.taxa.index(near)

    @cached_property
    def _below(self) -> NDArray[np.bool_]:
        """Say which category stands at or below which taxon, (taxa, categories)."""
        above = [set(self.label_lineages[label]) for label in self.labels]
        above += [set(lineages.of_taxon(taxon, self.lineages)) for taxon in self.taxa]
        above += [set()] * (len(self.categories) - len(above))
        return np.array([[taxon in each for each in above] for taxon in self.taxa], bool).reshape(len(self.taxa), -1)

    def _answers(self, shares: Probabilities) -> list[Answer]:
        order = np.argsort(-shares, kind="stable")
        larger = self._larger(shares, int(order[0]))
        found = [larger] if larger else []
        found += [(int(at), float(shares[at])) for at in order if shares[at] >= self.threshold and shares[at] > 0]
        first = found[0][0] if found else None
        return [each for at, each in enumerate(found) if not at or each[0] != first][: self.top]

    def _larger(self, shares: Probabilities, best: int) -> Answer | None:
        """Give what to answer first where the best label is unsure: a taxon above it that is surer, or unknown."""
        if self.unsure == "answer" or best >= len(self.labels):
            return None
        label = self.labels[best]
        needed = self.sure_from.get(label, 0.0)
        if shares[best] >= needed:
            return None
        for taxon in self.label_lineages[label] if self.unsure == "taxon" else ():
            at = self.taxa.index(taxon)
            mass = float(shares[self._below[at]].sum())
            if mass >= needed:
                return len(self.labels) + at, mass
        return len(self.categories) - 1, float(shares.sum())


def allowed(classes: Sequence[str], known: Lineages, listed: Sequence[str]) -> NDArray[np.bool_]:
    """Say which classes are listed, by name or by a taxon that they stand in.

    Args:
        classes: of the model.
        known: their lineages.
        listed: names of classes, or of taxa with or without their level; case does not matter.
    """
    wanted = {name.strip().lower() for name in listed}
    return np.array([bool(_names(name, known) & wanted) for name in classes], bool)


def strangers(classes: Sequence[str], known: Lineages, listed: Sequence[str]) -> list[str]:
    """Give the listed names that are no class of the model and no taxon of any; arguments as of `allowed`."""
    names = set().union(*(_names(name, known) for name in classes))
    return [name for name in listed if name.strip().lower() not in names]


def _names(name: str, known: Lineages) -> set[str]:
    return {name.lower(), *(taxon for _, taxon in known[name]), *(" ".join(taxon) for taxon in known[name])}


def tally(answers: Sequence[Sequence[Answer]]) -> Counter[int]:
    """Count crops by the category of their first answer."""
    return Counter(each[0][0] for each in answers if each)
