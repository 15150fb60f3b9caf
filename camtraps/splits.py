"""Whole locations to train, val and test, balanced over labels, the same for the same seed on every platform."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from camtraps import failures
from camtraps.errors import InputError
from camtraps.files import digest
from camtraps.params import check_range

SPLITS = ("train", "val", "test")
STARTS = 8  # greedy orders that are tried; the best after local search wins
# A label that could be in a split but is not costs more than any imbalance can; so does a split without any location.
ABSENT_COST = 10.0
CROP_WEIGHT, LOCATION_WEIGHT = 2.0, 1.0  # as in the score of CameraTraps' random split

Counts = NDArray[np.float64]
Choice = NDArray[np.int64]  # a split for each location, (locations,)


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitParams:
    """Section ``split`` of params.yaml."""

    seed: int
    """Orders the locations before they are placed."""
    val_fraction: float
    """Share of each label's crops that should be in val."""
    test_fraction: float
    """Share of each label's crops that should be in test."""
    min_locations: int
    """Labels with crops at fewer locations than this are left out."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, val_fraction=(0.01, 0.8), test_fraction=(0.01, 0.8), min_locations=(1, None))
        if self.val_fraction + self.test_fraction > 0.9:
            raise ValueError(f"test_fraction: {self.test_fraction} and val_fraction {self.val_fraction} leave no train")


@dataclass(frozen=True)
class Placed:
    """Rows of the splits and assigned tables, the crops left out, and the balance by label and split."""

    splits: pd.DataFrame
    assigned: pd.DataFrame
    skipped: pd.DataFrame
    balance: pd.DataFrame


def place(crops: pd.DataFrame, params: SplitParams) -> Placed:
    """Place every location in one split.

    A photo without location is where its sequence is, or else counts as a location of its sequence, or of itself if it
    has none, so there is never one giant pseudo-location.

    Args:
        crops: rows of the crops table.
        params: fractions and seed.

    Raises:
        InputError: fewer than two labels, or fewer than three locations, are left.
    """
    named = crops[["image", "box", "dataset", "label"]].assign(location=stand_in(crops))
    locations = named.drop_duplicates(["dataset", "location", "label"]).groupby("label").size()
    rare = named["label"].map(locations) < params.min_locations
    skipped = _skipped(named[rare], locations, params.min_locations)
    kept = named[~rare]
    table = pd.crosstab([kept["dataset"], kept["location"]], kept["label"])
    if table.shape[0] < len(SPLITS) or table.shape[1] < 2:
        raise InputError(
            f"data/crops: {table.shape[1]} labels at {table.shape[0]} locations are left to split; needs at least 2 "
            "labels at 3 locations: choose more photos in the label specification or lower split.min_locations"
        )
    chosen = assign(table.to_numpy(np.float64), _targets(params), _orders(table.index, params.seed))
    splits = table.index.to_frame(index=False).assign(
        split=[SPLITS[at] for at in chosen], crops=table.sum(axis=1).to_numpy()
    )
    assigned = kept.merge(splits[["dataset", "location", "split"]], on=["dataset", "location"])
    return Placed(splits, assigned, skipped, balance(assigned))


def stand_in(crops: pd.DataFrame) -> pd.Series:
    """Give each crop's location, or what stands for it where the location is unknown.

    That is the location of another photo of its sequence, else the sequence, else the photo itself.
    """
    known = crops["location"].fillna(crops.groupby(["dataset", "sequence"])["location"].transform("min"))
    sequence = ("sequence " + crops["sequence"]).where(crops["sequence"].notna(), "photo " + crops["image"])
    return known.where(known.notna(), sequence).astype("str")


def assign(table: Counts, targets: Counts, orders: list[Choice]) -> Choice:
    """Choose a split for each location: greedy in several orders, then moves and swaps while they help.

    The cost is the sum over splits and labels of ``2 (crop share - target)^2 + (location share - target)^2``, plus a
    large constant for each label that is absent from a split though it has a location to spare.

    Args:
        table: crops, (locations, labels).
        targets: wanted share of each split, summing to 1.
        orders: location orders to try.

    Returns:
        The index of the split, (locations,).
    """
    present = table > 0
    shares = np.stack([table / table.sum(axis=0), present / present.sum(axis=0)], axis=1)
    task = _Task(shares, targets, present.sum(axis=0) >= len(targets))
    # Locations with the largest share of some label are the hardest to place: the first try begins with them.
    hardest = orders[0][np.argsort(-shares[orders[0], 0].max(axis=1).round(6), kind="stable")]
    tries = [_improve(_greedy(task, order), task) for order in [hardest, *orders[1:]]]
    costs = [task.cost(task.sums(chosen), targets).sum() for chosen in tries]
    return tries[int(np.argmin(np.round(costs, 12)))]


def balance(assigned: pd.DataFrame) -> pd.DataFrame:
    """Count crops and locations by label and split, absent combinations included.

    Returns:
        label, split, crops, locations, crop_fraction (of the label's crops).
    """
    index = pd.MultiIndex.from_product([sorted(assigned["label"].unique()), SPLITS], names=["label", "split"])
    crops = assigned.groupby(["label", "split"]).size().reindex(index, fill_value=0)
    places = assigned.drop_duplicates(["label", "split", "dataset", "location"]).groupby(["label", "split"]).size()
    fraction = (crops / crops.groupby("label").transform("sum")).round(4)
    table = {"crops": crops, "locations": places.reindex(index, fill_value=0), "crop_fraction": fraction}
    return pd.DataFrame(table).reset_index()


def warnings_of(placed: Placed) -> list[str]:
    """Say which labels are left out, absent from a split, or far from the wanted share."""
    lines = sorted(set(placed.skipped["reason"]))
    for row in placed.balance.itertuples():
        if row.crops == 0:
            lines.append(f"label {row.label} has no crop in {row.split}: more locations of it would help")
    return lines


def _targets(params: SplitParams) -> Counts:
    return np.array([1 - params.val_fraction - params.test_fraction, params.val_fraction, params.test_fraction])


def _orders(index: pd.MultiIndex, seed: int) -> list[Choice]:
    keys = [[digest(str(seed), str(start), *map(str, key)) for key in index] for start in range(STARTS)]
    return [np.array(sorted(range(len(index)), key=draws.__getitem__), np.int64) for draws in keys]


def _skipped(rare: pd.DataFrame, locations: pd.Series, least: int) -> pd.DataFrame:
    reasons = [
        f"label {label} has {locations[label]} locations, fewer than split.min_locations {least}"
        for label in rare["label"]
    ]
    return failures.rows("split", "skipped", zip(rare["image"], rare["box"], reasons, strict=True))


@dataclass(frozen=True)
class _Task:
    """What is to be balanced: shares (locations, 2, labels) of each label's crops and of its locations."""

    shares: Counts
    targets: Counts
    possible: NDArray[np.bool_]  # (labels,): has a location for each split

    def sums(self, chosen: Choice) -> Counts:
        """Add up the shares of each split: (splits, 2, labels)."""
        sums = np.zeros((len(self.targets), *self.shares.shape[1:]))
        np.add.at(sums, chosen, self.shares)
        return sums

    def cost(self, sums: Counts, targets: Counts | np.float64) -> Counts:
        """Cost of splits with the given sums (rows, 2, labels) and targets, (rows,) or one for all."""
        weights = np.array([CROP_WEIGHT, LOCATION_WEIGHT])[:, None]
        deviation = ((sums - np.asarray(targets)[..., None, None]) ** 2 * weights).sum(axis=(-1, -2))
        absent = ((sums[..., 1, :] < 1e-9) & self.possible).sum(axis=-1)
        empty = sums[..., 1, :].sum(axis=-1) < 1e-9
        return np.asarray(deviation + (absent + empty) * ABSENT_COST)


def _greedy(task: _Task, order: Choice) -> Choice:
    chosen = np.zeros(len(task.shares), np.int64)
    sums = task.sums(chosen) * 0
    for at in order:
        wanted = task.targets[:, None, None]
        change = ((sums + task.shares[at] - wanted) ** 2 - (sums - wanted) ** 2).sum(axis=(1, 2))
        chosen[at] = int(np.argmin(change.round(12)))
        sums[chosen[at]] += task.shares[at]
    return chosen


def _improve(chosen: Choice, task: _Task) -> Choice:
    """Make the best single move, else an improving swap, until neither helps."""
    while True:
        better = _move(chosen, task)
        if better is None:
            better = _swap(chosen, task)
        if better is None:
            return chosen
        chosen = better


def _move(chosen: Choice, task: _Task) -> Choice | None:
    sums = task.sums(chosen)
    cost = task.cost(sums, task.targets)
    without = task.cost(sums[chosen] - task.shares, task.targets[chosen])  # (locations,)
    within = np.stack([task.cost(sums[at] + task.shares, target) for at, target in enumerate(task.targets)])
    gain = (cost[chosen] - without) + (cost[:, None] - within)  # (splits, locations)
    gain[chosen, np.arange(len(chosen))] = 0.0
    split, at = np.unravel_index(int(np.argmax(gain.round(12))), gain.shape)
    return _changed(chosen, {int(at): int(split)}) if gain[split, at] > 1e-9 else None


def _swap(chosen: Choice, task: _Task) -> Choice | None:
    sums = task.sums(chosen)
    cost = task.cost(sums, task.targets)
    for at, here in enumerate(chosen):
        others = np.flatnonzero(chosen > here)
        if not len(others):
            continue
        there = chosen[others]
        change = task.shares[others] - task.shares[at]
        gain = cost[here] - task.cost(sums[here] + change, task.targets[here])
        gain = gain + cost[there] - task.cost(sums[there] - change, task.targets[there])
        best = int(np.argmax(gain.round(12)))
        if gain[best] > 1e-9:
            return _changed(chosen, {at: int(there[best]), int(others[best]): int(here)})
    return None


def _changed(chosen: Choice, changes: dict[int, int]) -> Choice:
    changed = chosen.copy()
    for at, split in changes.items():
        changed[at] = split
    return changed
