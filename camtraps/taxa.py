"""The tree of taxa: every taxon below one parent, though the rows of a table may name several."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Taxon = tuple[str, str]  # level and scientific name, lower case
Named = dict[Taxon, list[tuple[str, str]]]  # parent -> dataset labels whose rows name it

# The columns of the LILA mapping release, most general first.
LILA_LEVELS = (
    *("kingdom", "phylum", "subphylum", "superclass", "class", "subclass", "infraclass", "superorder", "order"),
    *("suborder", "infraorder", "superfamily", "family", "subfamily", "tribe", "genus", "subgenus", "species"),
    *("subspecies", "variety"),
)
# Levels that stand in lineages only, as iNaturalist and GBIF name them.
LEVELS = (
    *LILA_LEVELS,
    *("stateofmatter", "domain", "subkingdom", "infraphylum", "subterclass", "infraclade", "clade", "cohort"),
    *("grandorder", "mirorder", "parvorder", "zoosection", "zoosubsection", "epifamily", "infrafamily", "supertribe"),
    *("subtribe", "section", "subsection", "complex", "hybrid", "genushybrid", "form", "infrahybrid"),
)

Kind = Literal["skipped levels", "several parents", "cycle"]


@dataclass(frozen=True)
class Conflict:
    """A taxon that rows put below different parents.

    ``kind`` is ``skipped levels`` where all other parents are ancestors of the one that was kept, ``cycle`` where a
    parent could not be kept since it stands below the taxon itself.
    """

    taxon: Taxon
    named: Named
    kept: Taxon | None
    kind: Kind


@dataclass(frozen=True)
class Tree:
    """Parents and children of all taxa; a taxon without a parent is a root."""

    parents: Mapping[Taxon, Taxon]
    children: Mapping[Taxon, tuple[Taxon, ...]]
    conflicts: tuple[Conflict, ...]

    def roots(self) -> list[Taxon]:
        """Give the taxa without a parent, in alphabetical order."""
        return sorted(taxon for taxon in self.children if taxon not in self.parents)

    def ancestors(self, taxon: Taxon) -> list[Taxon]:
        """Give all taxa above one, the nearest first."""
        above = []
        while taxon in self.parents:
            taxon = self.parents[taxon]
            above.append(taxon)
        return above

    def subtree(self, taxon: Taxon) -> Iterator[Taxon]:
        """Give a taxon and all below it, parents before their children."""
        waiting = [taxon]
        while waiting:
            taxon = waiting.pop()
            yield taxon
            waiting.extend(self.children.get(taxon, ()))

    def filled(self, lineage: tuple[Taxon, ...]) -> list[Taxon]:
        """Give a lineage with the taxa that it skips and those above its last one, where the tree goes the same way."""
        taxa = list(lineage)
        for below, above in pairwise(lineage):
            path = self.ancestors(below)
            if above in path:
                taxa += path[: path.index(above)]
        return taxa + (self.ancestors(lineage[-1]) if lineage else [])


def shared(lineages: Sequence[Sequence[Taxon]]) -> list[Taxon]:
    """Give the taxa that all of some lineages have, in the order of the first; none if there is no lineage."""
    return [taxon for taxon in lineages[0] if all(taxon in other for other in lineages)] if lineages else []


def grow(lineages: Mapping[tuple[str, str], tuple[Taxon, ...]]) -> Tree:
    """Make the tree of the lineages of dataset labels, each most specific first.

    Where rows name several parents of a taxon, one that is an ancestor of another is passed over, since it only skips
    levels; of those left, the one that most rows name wins, the first in alphabetical order if as many do. A parent
    that stands below the taxon itself by better supported rows is passed over too. Every such taxon is in
    ``conflicts``.
    """
    named = _named(lineages)
    skipping = {child: _skipping(child, named) for child, parents in named.items() if len(parents) > 1}
    edges = sorted(
        (parent in skipping.get(child, ()), -len(pairs), child, parent)
        for child, parents in named.items()
        for parent, pairs in parents.items()
    )
    parents: dict[Taxon, Taxon] = {}
    cyclic: set[Taxon] = set()
    for _, _, child, parent in edges:
        if child in parents:
            continue
        if _leads_to(parent, child, parents):
            cyclic.add(child)
        else:
            parents[child] = parent
    conflicts = [
        Conflict(child, above, parents.get(child), _kind(child in cyclic, len(above) - len(skipping.get(child, ()))))
        for child, above in sorted(named.items())
        if len(above) > 1 or child in cyclic
    ]
    return Tree(parents, _children(parents, lineages.values()), tuple(conflicts))


def _named(lineages: Mapping[tuple[str, str], tuple[Taxon, ...]]) -> dict[Taxon, Named]:
    named: dict[Taxon, Named] = {}
    for pair, lineage in lineages.items():
        for child, parent in sorted(set(pairwise(lineage))):
            if child != parent:
                named.setdefault(child, {}).setdefault(parent, []).append(pair)
    return named


def _skipping(child: Taxon, named: dict[Taxon, Named]) -> set[Taxon]:
    """Give the parents that are ancestors of another parent, on a way that does not lead through the child."""
    above = {parent: _reach(parent, child, named) for parent in named[child]}
    return {
        parent
        for parent in above
        if any(parent in above[other] and other not in above[parent] for other in above if other != parent)
    }


def _reach(start: Taxon, without: Taxon, named: dict[Taxon, Named]) -> set[Taxon]:
    reached: set[Taxon] = set()
    waiting = [start]
    while waiting:
        new = set(named.get(waiting.pop(), ())) - reached - {without, start}
        reached |= new
        waiting.extend(new)
    return reached


def _leads_to(taxon: Taxon, goal: Taxon, parents: Mapping[Taxon, Taxon]) -> bool:
    while taxon != goal and taxon in parents:
        taxon = parents[taxon]
    return taxon == goal


def _kind(is_cyclic: bool, num_unrelated: int) -> Kind:
    return "cycle" if is_cyclic else "several parents" if num_unrelated > 1 else "skipped levels"


def _children(parents: Mapping[Taxon, Taxon], lineages: Iterable[tuple[Taxon, ...]]) -> dict[Taxon, tuple[Taxon, ...]]:
    below: dict[Taxon, list[Taxon]] = {taxon: [] for lineage in lineages for taxon in lineage}
    for child, parent in sorted(parents.items()):
        below[parent].append(child)
    return {taxon: tuple(children) for taxon, children in below.items()}
