"""The outline of a taxonomy: the tree from a taxon down, with the photos that stand at each."""

from collections.abc import Iterable, Mapping

from camtraps.errors import InputError
from camtraps.taxa import Taxon
from camtraps.taxonomy import Pair, Taxonomy
from camtraps.words import num


def show(taxonomy: Taxonomy, taxon: Taxon, counts: Mapping[Pair, int], depth: int | None = None) -> list[str]:
    """Draw the tree from a taxon down, with its dataset labels; siblings by their number of photos.

    Taxa and labels of datasets without any photo in ``counts`` are only counted.

    Args:
        taxonomy: the table.
        taxon: where to start.
        counts: photos of each dataset label of the catalog, from `photos_by_pair`.
        depth: how many taxa below it to draw at most; None is all.

    Raises:
        InputError: no row names the taxon.
    """
    if taxon not in taxonomy.tree.children:
        raise InputError(taxonomy.unknown(taxon))
    datasets = {dataset for dataset, _ in counts}
    lines, num_hidden = [], 0
    waiting = [(taxon, 0)]
    while waiting:
        taxon, level = waiting.pop()
        lines += _drawn(taxonomy, taxon, counts, "  " * level)
        if level == depth:
            continue
        below = sorted(taxonomy.tree.children[taxon], key=lambda each: (-_total(taxonomy.members(each), counts), each))
        shown = [each for each in below if {dataset for dataset, _ in taxonomy.standing(each)} & datasets]
        num_hidden += len(below) - len(shown)
        waiting += [(each, level + 1) for each in reversed(shown)]
    if num_hidden:
        lines.append(f"and {num(num_hidden, 'taxon', 'taxa')} without a label of the catalog's datasets")
    return lines


def _drawn(taxonomy: Taxonomy, taxon: Taxon, counts: Mapping[Pair, int], indent: str) -> list[str]:
    common = taxonomy.common_names.get(taxon)
    own, members = taxonomy.own(taxon), taxonomy.members(taxon)
    doubt = "" if members == taxonomy.standing(taxon) else "; rows disagree, see `camtraps taxonomy check`"
    named = " ".join(taxon) + (f" ({common})" if common else "")
    lines = [f"{indent}{named}: {_total(own, counts):,} own, {num(_total(members, counts), 'photo')}{doubt}"]
    datasets = {dataset for dataset, _ in counts}
    for pair in sorted(own, key=lambda each: (-counts.get(each, 0), each)):
        if pair[0] in datasets:
            row = taxonomy.rows[pair]
            lines.append(f"{indent}  - {row.dataset}: {row.label}, {num(counts.get(pair, 0), 'photo')}")
    return lines


def _total(pairs: Iterable[Pair], counts: Mapping[Pair, int]) -> int:
    return sum(counts.get(pair, 0) for pair in pairs)
