"""A label specification made from a taxonomy and counts: taxa with enough photos, as low in the tree as they go."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from camtraps.label_rules import LabelRule, Rules, TaxonRule, grouped
from camtraps.taxa import Taxon, Tree
from camtraps.taxonomy import Pair, Taxonomy

HUMAN = "homo sapiens"
PHOTOS_PER_CROP = 3  # one photo in three gives a crop that can be used


@dataclass(frozen=True)
class Suggestion:
    """Labels, their photos, and what is in none of them: a reason and its photos, most photos first."""

    rules: Rules
    photos: dict[str, int]
    left_out: list[tuple[str, int]]


@dataclass(frozen=True)
class _Leaf:
    """A label to be: a taxon with all below it, or some children of one (``is_rest``)."""

    taxon: Taxon
    taxa: tuple[Taxon, ...]
    is_rest: bool

    def label(self) -> str:
        """Name it as ``level: name``."""
        return f"{self.taxon[0]}: {self.taxon[1]}" + (" (other)" if self.is_rest else "")


def suggest(taxonomy: Taxonomy, counts: Mapping[Pair, int], min_photos: int, total: int | None = None) -> Suggestion:
    """Find the labels that a catalog has enough photos for, from the roots of the tree down.

    A taxon with enough photos none of whose children has enough becomes a label. Where some have, they are looked at
    in turn, and the other children that have photos make up one label ``(other)`` if together they have enough.
    Humans are left out. Where rows disagree about a taxon, the tree decides, so that no labels overlap.

    Args:
        taxonomy: the table.
        counts: photos of each dataset label, from `taxonomy.photos_by_pair`.
        min_photos: enough.
        total: crops wanted of all labels together, for caps that allow for photos without a good crop; None: no caps.

    Returns:
        Labels from the root down, siblings alphabetically.
    """
    humans = {taxon for taxon in taxonomy.tree.children if taxon[1] == HUMAN}
    without = frozenset(below for taxon in humans for below in taxonomy.tree.subtree(taxon))
    own = {
        taxon: sum(counts.get(pair, 0) for pair in taxonomy.own(taxon))
        for taxon in taxonomy.tree.children
        if taxon not in without
    }
    leaves, left_out = _search(taxonomy.tree, own, min_photos)
    cap = None if total is None or not leaves else max(1, int(total / len(leaves) * PHOTOS_PER_CROP))
    wanted = {leaf: _pairs(taxonomy, leaf.taxa, without) for leaf in leaves}
    rules = tuple(replace(_rule(taxonomy, leaf, wanted[leaf], humans), max_count=cap) for leaf in leaves)
    photos = {leaf.label(): sum(counts.get(pair, 0) for pair in wanted[leaf]) for leaf in leaves}
    left_out[HUMAN] = sum(counts.get(pair, 0) for taxon in without for pair in taxonomy.own(taxon))
    in_no_taxon = sum(number for pair, number in counts.items() if not taxonomy.lineages.get(pair))
    left_out["labels in no taxon"] = in_no_taxon
    return Suggestion(rules, photos, [(what, number) for what, number in left_out.most_common() if number])


def _search(tree: Tree, own: Mapping[Taxon, int], min_photos: int) -> tuple[list[_Leaf], Counter[str]]:
    """Find the leaves, and count the photos that are in none."""
    totals = _totals(tree, own)
    leaves: list[_Leaf] = []
    left_out: Counter[str] = Counter()
    roots = [taxon for taxon in tree.roots() if taxon in own]
    for root in roots:
        if totals[root] < min_photos:
            left_out[f"{_of(root)}, too few"] = totals[root]
    waiting = [taxon for taxon in reversed(roots) if totals[taxon] >= min_photos]
    while waiting:
        taxon = waiting.pop()
        children = [child for child in tree.children[taxon] if child in own]
        enough = [child for child in children if totals[child] >= min_photos]
        if not enough:
            leaves.append(_Leaf(taxon, (taxon,), is_rest=False))
            continue
        left_out[f"labels that say just {_of(taxon)}"] = own[taxon]
        rest = [child for child in children if 0 < totals[child] < min_photos]
        num_rest = sum(totals[child] for child in rest)
        if num_rest >= min_photos:
            leaves.append(_Leaf(taxon, tuple(rest), is_rest=True))
        else:
            left_out[f"other children of {_of(taxon)}, too few"] = num_rest
        waiting += reversed(enough)
    return leaves, left_out


def _totals(tree: Tree, own: Mapping[Taxon, int]) -> dict[Taxon, int]:
    """Add up the photos of each taxon and all below it."""
    totals = dict(own)
    order = [taxon for root in tree.roots() for taxon in tree.subtree(root)]
    for taxon in reversed(order):  # children before their parents
        if taxon in own and taxon in tree.parents:
            totals[tree.parents[taxon]] += totals[taxon]
    return totals


def _pairs(taxonomy: Taxonomy, taxa: tuple[Taxon, ...], without: frozenset[Taxon]) -> set[Pair]:
    below: Iterator[Taxon] = (taxon for top in taxa for taxon in taxonomy.tree.subtree(top))
    return {pair for taxon in below if taxon not in without for pair in taxonomy.own(taxon)}


def _rule(taxonomy: Taxonomy, leaf: _Leaf, wanted: set[Pair], humans: set[Taxon]) -> LabelRule:
    """Write a rule that takes just the wanted labels: its taxa, and by name what rows put elsewhere."""
    taken = set().union(*(taxonomy.members(taxon) for taxon in leaf.taxa))
    out = [
        taxon for taxon in sorted(humans) if taxonomy.members(taxon) & taken and not taxonomy.members(taxon) & wanted
    ]
    extra = taken - wanted - set().union(*(taxonomy.members(taxon) for taxon in out))
    exclude = LabelRule(
        leaf.label(), taxa=tuple(TaxonRule(*taxon) for taxon in out), dataset_labels=grouped(sorted(extra))
    )
    return LabelRule(
        leaf.label(),
        taxa=tuple(TaxonRule(*taxon) for taxon in leaf.taxa),
        dataset_labels=grouped(sorted(wanted - taken)),
        exclude=exclude if out or extra else None,
    )


def _of(taxon: Taxon) -> str:
    return " ".join(taxon)
