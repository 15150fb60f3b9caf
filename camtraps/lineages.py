"""Lineages: the taxa that the classes of a model stand in, as `camtraps.labels` writes them into a model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from camtraps.taxa import Taxon, shared

# The levels of a description, as the Wildlife Insights taxonomy orders them: MegaDetector's tools read no others.
DESCRIBED = ("class", "order", "family", "genus", "species")

Lineages = dict[str, tuple[Taxon, ...]]  # by class, most specific first; empty where nothing is known


def of_model(classes: Iterable[str], taxa: Mapping[str, Any]) -> Lineages:
    """Give the lineages of a model's classes.

    Args:
        classes: of ``model.json``.
        taxa: of ``model.json``; those of models from elsewhere, or made before lineages were kept, have none.
    """
    return {name: tuple((level, taxon) for level, taxon in taxa.get(name, {}).get("lineage", ())) for name in classes}


def pooled(lineages: Lineages, pools: Mapping[str, Sequence[str]]) -> Lineages:
    """Give the lineages of targets that classes are pooled into: the taxa that all classes of a target stand in."""
    return {target: tuple(shared([lineages[name] for name in names])) for target, names in pools.items()}


def above(lineages: Lineages) -> list[Taxon]:
    """Give every taxon of some lineages, in alphabetical order."""
    return sorted({taxon for lineage in lineages.values() for taxon in lineage})


def of_taxon(taxon: Taxon, lineages: Lineages) -> tuple[Taxon, ...]:
    """Give the lineage of a taxon that stands in one of some lineages."""
    lineage = next(each for each in lineages.values() if taxon in each)
    return lineage[lineage.index(taxon) :]


def description(lineage: Sequence[Taxon]) -> str:
    """Describe a lineage by five names, ``mammalia;carnivora;canidae;vulpes;vulpes``; unknown ones stay empty."""
    names = dict(lineage)
    names["species"] = names.get("species", "").rpartition(" ")[2]
    return ";".join(names.get(level, "") for level in DESCRIBED)
