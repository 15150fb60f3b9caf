"""How far apart labels are in the taxonomy."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camtraps.taxonomy import Lineage, Pair

RANKS = ("species", "genus", "family", "order", "class", "phylum", "kingdom")


def distances(
    labels: Sequence[str], rules: Mapping[str, Mapping[str, Any]], lineages: Mapping[Pair, Lineage]
) -> NDArray[np.float64]:
    """Count the ranks from the species up to where labels meet: 1 for a genus that both have, 2 for a family ... 7.

    Of labels with several members the nearest ones count. Labels without a lineage are at no distance (NaN).

    Args:
        labels: names.
        rules: for each, its ``dataset_labels`` (data/queried/labels.json).
        lineages: of a taxonomy.

    Returns:
        (labels, labels), symmetric, the diagonal 0.
    """
    members = [
        {lineage for pair in rules.get(name, {}).get("dataset_labels", ()) if (lineage := lineages.get(tuple(pair)))}
        for name in labels
    ]
    found = np.zeros((len(labels), len(labels)))
    for one, own in enumerate(members):
        for other in range(one):
            steps = [_steps(ours, theirs) for ours in own for theirs in members[other]]
            found[one, other] = found[other, one] = min(steps, default=np.nan)
    return found


def closeness(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say how readily people may take one label for another: 1 / (1 + steps), no taxon counting as far away."""
    return np.asarray(1 / (1 + np.nan_to_num(steps, nan=len(RANKS))))


def _steps(one: Lineage, other: Lineage) -> int:
    ours, theirs = dict(one), dict(other)
    shared = (at for at, rank in enumerate(RANKS) if rank in ours and ours[rank] == theirs.get(rank))
    return next(shared, len(RANKS))
