"""Lookalikes: the crops at other locations that a classifier's last layer finds nearest to a crop."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

NEAREST = 10  # that are counted
SHOWN = 3  # of the label and of the class predicted
ROWS = 512  # crops compared in one go
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Lookalikes:
    """What is nearest to each crop asked for.

    ``votes``: (crops, classes), labels of the nearest crops; ``like_label`` and ``like_predicted``: (crops, 3), rows
    of the nearest crops with the label and with the class predicted, nearest first; -1 for none.
    """

    votes: Numbers
    like_label: Numbers
    like_predicted: Numbers


@dataclass(frozen=True)
class Known:
    """The crops to compare with: features (crops, features), labels, locations and rows by number, (crops,)."""

    features: NDArray[np.float32]
    labels: Numbers
    places: Numbers
    rows: Numbers


def find(asked: Known, rivals: Numbers, known: Known, num_classes: int) -> Lookalikes:
    """Find the nearest crops at other locations, by the cosine of their features.

    Args:
        asked: the crops to find lookalikes for; features may be NaN where a crop has none.
        rivals: the class predicted for each of them.
        known: the crops to look among, all with features.
        num_classes: of the labels.
    """
    where = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bank = normalize(torch.from_numpy(known.features).to(where), dim=1)  # (known, features)
    labels, places = (torch.from_numpy(each).to(where) for each in (known.labels, known.places))
    parts = []
    for at in range(0, len(asked.labels), ROWS):
        part = slice(at, at + ROWS)
        ours = normalize(torch.from_numpy(asked.features[part]).to(where), dim=1)
        near = ours @ bank.T  # (asked, known)
        near[torch.from_numpy(asked.places[part]).to(where)[:, None] == places] = -torch.inf
        near = near.nan_to_num(-torch.inf, neginf=-torch.inf)
        votes = torch.zeros(len(near), num_classes, dtype=torch.int64, device=where)
        best = near.topk(min(NEAREST, near.shape[1]))
        votes.scatter_add_(1, labels[best.indices], torch.isfinite(best.values).long())
        mine, theirs = (torch.from_numpy(each[part]).to(where) for each in (asked.labels, rivals))
        of_class = (_nearest(near.masked_fill(labels != each[:, None], -torch.inf)) for each in (mine, theirs))
        parts.append([votes, *of_class])
    counted, *shown = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
    rows = np.append(known.rows, -1)  # where there is none, the index is -1
    return Lookalikes(counted, *(rows[each] for each in shown))


def _nearest(near: Tensor) -> Tensor:
    """Give the columns of the highest values, (rows, SHOWN); -1 where there are no more."""
    best = near.topk(min(SHOWN, near.shape[1]))
    found = torch.where(torch.isfinite(best.values), best.indices, -1)
    return torch.nn.functional.pad(found, (0, SHOWN - found.shape[1]), value=-1)
