"""Balancing: locations to splits, so that each label's crops and locations are shared out as wanted."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
Choice = NDArray[np.int64]  # a split for each unit, or an order of units: (units,)

FREE = -1  # a unit that may go to any split
# A label that could be in a split but is not costs more than any imbalance can; so does a split without any location.
ABSENT_COST = 10.0
CROP_WEIGHT = 2.0  # as in the score of CameraTraps' random split
ORDERS = 12  # that `assign` should get
STARTS = 3
LOOSENED = 10  # every tenth unit
MAX_SWAPPED = 400  # units; of more, moves alone are fine enough, and pairs too many
ROWS = 128  # of pairs that are looked at in one go
LEAST_GAIN = 1e-6  # of cost: the square of a thousandth of a label


@dataclass(frozen=True)
class Problem:
    """What is to be placed: units, each a location or several that move as one.

    ``crops`` and ``places`` count each label's crops and locations in each unit, (units, labels); every label has some.
    ``targets`` are the wanted shares of the splits, summing to 1. ``fixed`` has the split of a unit, or `FREE`.
    ``location_weight`` is what a share of locations counts beside one of crops, 0 to 1.
    """

    crops: Counts
    places: Counts
    targets: Counts
    fixed: Choice
    location_weight: float

    def shares(self) -> Counts:
        """Give each unit's shares of each label's crops and of its locations: (units, 2, labels)."""
        return np.stack([self.crops / self.crops.sum(axis=0), self.places / self.places.sum(axis=0)], axis=1)

    def weights(self) -> Counts:
        """Give the weights of the squared deviations of crops and locations, (2, 1)."""
        return np.array([[1.0], [self.location_weight]]) * CROP_WEIGHT

    def deviations(self, sums: Counts) -> Counts:
        """Score the shares that splits have, (..., splits, 2, labels), by their weighted squared deviations, (...)."""
        squares = (sums - self.targets[:, None, None]) ** 2 * self.weights()
        return np.asarray(squares.sum(axis=(-1, -2, -3)))


def assign(problem: Problem, orders: list[Choice]) -> Choice:
    """Choose a split for each unit: greedy in several orders, then moves and swaps while they help.

    The best of these is then loosened again and again: some units are placed anew, and what is worse is forgotten.

    The cost is the sum over splits and labels of ``2 (crop share - target)^2 + 2 w (location share - target)^2``, with
    the location weight w, plus a large constant for each label that is absent from a split though it has a unit to
    spare.

    Args:
        problem: the units and what is wanted.
        orders: orders of the units; the first `STARTS` are tried, of each other one the first units are placed anew.
    """
    shares, search = problem.shares(), _Search.of(problem)
    # Units with the largest share of some label are the hardest to place: the first try begins with them.
    hardest = orders[0][np.argsort(-shares[orders[0], 0].max(axis=1).round(6), kind="stable")]
    tries = [search.improve(_greedy(problem, shares, order)) for order in [hardest, *orders[1:STARTS]]]
    costs = [search.cost(chosen) for chosen in tries]
    best = int(np.argmin(costs))
    chosen, cost = tries[best], costs[best]
    for order in orders[STARTS:]:
        loose = order[: max(2, len(order) // LOOSENED)]
        fixed = chosen.copy()
        fixed[loose] = problem.fixed[loose]
        other = search.improve(_greedy(replace(problem, fixed=fixed), shares, loose))
        if search.cost(other) < cost:
            chosen, cost = other, search.cost(other)
    return chosen


def _greedy(problem: Problem, shares: Counts, order: Choice) -> Choice:
    chosen, wanted = problem.fixed.copy(), problem.targets[:, None, None]
    sums = np.stack([shares[chosen == split].sum(axis=0) for split in range(len(wanted))])
    for at in order:
        if chosen[at] == FREE:
            change = ((sums + shares[at] - wanted) ** 2 - (sums - wanted) ** 2).sum(axis=(1, 2))
            chosen[at] = int(np.argmin(change.round(12)))
            sums[chosen[at]] += shares[at]
    return chosen


@dataclass(frozen=True)
class _Search:
    """A problem in the form in which the gains of all moves and swaps are a few products of matrices.

    A cost is the squared distance of ``sums of features`` from ``targets``, and a penalty for what is absent.
    """

    features: Counts  # (units, features): weighted shares
    norms: Counts  # (units,): their squared lengths
    targets: Counts  # (splits, features)
    places: Counts  # (units, labels + 1): locations with the label, and locations
    without: Counts  # (units, labels + 1): 1 where there are none
    possible: Counts  # (labels + 1,): 1 where there is a unit for each split
    fixed: Choice

    @classmethod
    def of(cls, problem: Problem) -> "_Search":
        """Prepare a problem."""
        roots = np.sqrt(problem.weights())
        features = (problem.shares() * roots).reshape(len(problem.fixed), -1)
        targets = np.tile(roots, problem.crops.shape[1]).ravel() * problem.targets[:, None]
        places = np.column_stack([problem.places, np.ones(len(problem.fixed))])
        possible = ((places > 0).sum(axis=0) >= len(targets)).astype(np.float64)
        without = (places == 0).astype(np.float64)
        return cls(features, (features**2).sum(axis=1), targets, places, without, possible, problem.fixed)

    def cost(self, chosen: Choice) -> float:
        """Give the cost of a choice, rounded so that it is the same on every machine."""
        state = _State.of(self, chosen)
        return round(float((state.excess**2).sum() + state.absent.sum() * ABSENT_COST), 12)

    def improve(self, chosen: Choice) -> Choice:
        """Make the best single move, else an improving swap, until neither helps."""
        while True:
            state = _State.of(self, chosen)
            better = self._move(chosen, state)
            if better is None and len(chosen) <= MAX_SWAPPED:
                better = self._swap(chosen, state)
            if better is None:
                return chosen
            chosen = better

    def _move(self, chosen: Choice, state: "_State") -> Choice | None:
        units, inner = np.arange(len(chosen)), state.inner
        # |a - x|^2 - |a|^2 + |b + x|^2 - |b|^2, where x leaves the excess a for the excess b
        change = 2 * (inner - inner[chosen, units] + self.norms)  # (splits, units)
        lost = (state.last * (1 - self.without)) @ self.possible
        found = ((state.places == 0) * self.possible) @ (1 - self.without).T
        gain = -change - (lost - found) * ABSENT_COST
        gain[:, self.fixed != FREE] = 0.0
        gain[chosen, units] = 0.0
        split, at = np.unravel_index(int(np.argmax(gain.round(12))), gain.shape)
        return _changed(chosen, {int(at): int(split)}) if gain[split, at] > LEAST_GAIN else None

    def _swap(self, chosen: Choice, state: "_State") -> Choice | None:
        """Make the best swap of the first unit that has one that helps."""
        free = self.fixed == FREE
        early, late = np.flatnonzero(free & (chosen < len(self.targets) - 1)), np.flatnonzero(free & (chosen > 0))
        for start in range(0, len(early), ROWS):
            rows = early[start : start + ROWS]
            gain = self._swap_gains(rows, late, chosen, state)
            helps = (gain > LEAST_GAIN).any(axis=1)
            if helps.any():
                first = int(np.argmax(helps))
                here, there = rows[first], late[int(np.argmax(gain[first].round(12)))]
                return _changed(chosen, {int(here): int(chosen[there]), int(there): int(chosen[here])})
        return None

    def _swap_gains(self, rows: Choice, columns: Choice, chosen: Choice, state: "_State") -> Counts:
        """Give what each swap of one of ``rows`` with one of ``columns`` of a later split gains, (rows, columns)."""
        here, there = chosen[rows][:, None], chosen[columns][None, :]
        inner, norms = state.inner, self.norms
        along = inner[here, columns] - inner[here, rows[:, None]] - inner[there, columns] + inner[there, rows[:, None]]
        apart = norms[rows][:, None] + norms[columns] - 2 * self.features[rows] @ self.features[columns].T
        last = state.last * self.possible
        absent = last[rows] @ self.without[columns].T + self.without[rows] @ last[columns].T
        gain = -2 * (along + apart) - (absent - state.absent[here] - state.absent[there]) * ABSENT_COST
        return np.where(there > here, gain, 0.0)


@dataclass(frozen=True)
class _State:
    """What the gains from a choice are computed of."""

    excess: Counts  # (splits, features): the sums of a choice less the targets
    inner: Counts  # (splits, units): their inner products with the features
    places: Counts  # (splits, labels + 1)
    absent: Counts  # (splits,): labels that could be there and are not
    last: NDArray[np.bool_]  # (units, labels + 1): whether the unit's split lacks the label without it

    @classmethod
    def of(cls, search: _Search, chosen: Choice) -> "_State":
        """Sum a choice up."""
        member = (chosen == np.arange(len(search.targets))[:, None]).astype(np.float64)
        excess, places = member @ search.features - search.targets, member @ search.places
        absent = (places == 0) @ search.possible
        return cls(excess, excess @ search.features.T, places, absent, places[chosen] == search.places)


def _changed(chosen: Choice, changes: dict[int, int]) -> Choice:
    changed = chosen.copy()
    for at, split in changes.items():
        changed[at] = split
    return changed
