"""Descriptions of classes by their taxa, as MegaDetector's files have them: ``class;order;family;genus;species``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from camtraps.taxa import Taxon
from camtraps.taxonomy import Taxonomy, fold, fold_dataset

LEVELS = ("class", "order", "family", "genus", "species")


def describe(taxa: Mapping[str, Any], taxonomy: Taxonomy) -> dict[str, str]:
    """Describe each class by what all its taxa have in common, or its dataset labels where it has no taxa.

    The five levels are those that programs around MegaDetector read; a level that is not known or not common to all
    stays empty, and of a species only the epithet is written.

    Args:
        taxa: of each class, ``taxa`` ("family cervidae") and ``dataset_labels``, as in ``model.json``.
        taxonomy: the taxonomy table.
    """
    return {name: _described(_lineages(parts, taxonomy)) for name, parts in taxa.items()}


def _lineages(parts: Mapping[str, Any], taxonomy: Taxonomy) -> list[list[Taxon]]:
    if parts["taxa"]:
        named: Iterable[Taxon] = (_taxon(text) for text in parts["taxa"])
        return [[taxon, *taxonomy.tree.ancestors(taxon)] for taxon in named]
    pairs = ((fold_dataset(dataset), fold(label)) for dataset, label in parts["dataset_labels"])
    return [taxonomy.tree.filled(taxonomy.lineages.get(pair, ())) for pair in pairs]


def _taxon(text: str) -> Taxon:
    level, _, name = text.partition(" ")
    return level, name


def _described(lineages: Sequence[Sequence[Taxon]]) -> str:
    common = set(lineages[0]).intersection(*lineages[1:]) if lineages else set()
    # The tree has one parent for each taxon, so a lineage has at most one name a level, but for a conflict of rows.
    names = {level: name for level, name in sorted(common, reverse=True)}
    genus = names.get("genus", "")
    species = names.get("species", "").removeprefix(f"{genus} ")
    return ";".join([*(names.get(level, "") for level in LEVELS[:-1]), species])
