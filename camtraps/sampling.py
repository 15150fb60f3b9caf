"""The sampling of photos under the caps of their labels: no luck, only a stable order."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Cap:
    """How many photos a label may have (None: all), and the rank of each dataset: lower ranks are drawn from first."""

    max_count: int | None
    ranks: Whole = field(default_factory=lambda: np.zeros(0, np.int64))


def draw(ids: Whole, label_at: Whole, draws: npt.NDArray[np.uint64], caps: Sequence[Cap]) -> Whole:
    """Choose photos, label by label in the order of the specification.

    A photo of several labels that an earlier label has chosen counts for the later ones too. Raising a cap keeps every
    earlier pick of a label, as long as no earlier label's picks change.

    Args:
        ids: one element for each photo and label it has; the upper 32 bits number the photo's dataset.
        label_at: the label's position in ``caps``.
        draws: decides within a rank, smallest first.
        caps: one a label.

    Returns:
        The ids of the chosen photos, sorted.
    """
    photos, photo_at = _photos(ids)
    is_chosen = np.zeros(len(photos), bool)
    # Small numbers sort by counting.
    order = np.argsort(label_at.astype(np.min_scalar_type(len(caps))), kind="stable")
    bounds = np.searchsorted(label_at[order], np.arange(len(caps) + 1))
    for at, cap in enumerate(caps):
        own = order[bounds[at] : bounds[at + 1]]
        if cap.max_count is not None:
            left = own[~is_chosen[photo_at[own]]]
            quota = max(0, cap.max_count - (len(own) - len(left)))
            ranks = cap.ranks[ids[left] >> 32] if len(cap.ranks) else np.zeros(len(left), np.int64)
            own = left[np.lexsort((ids[left], draws[left], ranks))[:quota]]
        is_chosen[photo_at[own]] = True
    return np.sort(photos[is_chosen])


def _photos(ids: Whole) -> tuple[Whole, Whole]:
    """Give the different ids, and the position of each element's among them."""
    rising = np.sort(ids)
    if (rising[1:] > rising[:-1]).all():  # far faster than np.unique, and all there is where photos have one label
        return ids, np.arange(len(ids))
    photos, photo_at = np.unique(ids, return_inverse=True)
    return photos, photo_at
