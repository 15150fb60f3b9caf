"""Placing: a split for each location, where some have theirs already and some must go together."""

import numpy as np
import pandas as pd

from camtraps.ancestor_splits import random, smallest_first
from camtraps.balancing import FREE, ORDERS, Choice, Problem, assign
from camtraps.files import digest
from camtraps.schema import SPLIT_NAMES as SPLITS
from camtraps.split_params import SplitParams


def split_locations(
    table: pd.DataFrame, params: SplitParams, known: pd.Series | None, pairs: pd.DataFrame
) -> pd.Series:
    """Give each location its split.

    Args:
        table: crops by location (rows: dataset, location) and label.
        params: fractions, method and seed; under ``match_test`` what is not known goes to train or val.
        known: splits by dataset and location, which they keep.
        pairs: dataset and location of both of two crops (``_a``, ``_b``) whose locations must go together.

    Returns:
        Names of splits, named ``split``, by dataset and location.
    """
    number = {name: at for at, name in enumerate(SPLITS)}
    split = pd.Series(FREE, table.index) if known is None else known.map(number).reindex(table.index, fill_value=FREE)
    groups = _groups(table.index, pairs)
    chosen = _follow(split.to_numpy(np.int64), groups, table.sum(axis=1).to_numpy())
    names = SPLITS if params.match_test is None else SPLITS[:-1]
    there = chosen < len(names)  # under match_test without those in test
    chosen[there] = _place(table[there], params, chosen[there], groups[there])
    return pd.Series(np.array(SPLITS)[chosen], table.index, "str", name="split")


def _place(table: pd.DataFrame, params: SplitParams, fixed: Choice, groups: Choice) -> Choice:
    """Choose splits for the free locations."""
    crops = table.to_numpy(np.float64)
    crops = crops[:, crops.any(axis=0)]
    if not (fixed == FREE).any():
        return fixed
    # A unit is a group of free locations, or one that is fixed; numbered in the order of their first locations.
    keys = np.where(fixed == FREE, groups, len(groups) + np.arange(len(groups)))
    unit, _ = pd.factorize(keys)
    first = np.unique(unit, return_index=True)[1]
    if params.match_test is None:
        targets = np.array(params.fractions)
    else:
        targets = np.array([1 - params.val_fraction, params.val_fraction])
    sums = [np.zeros((len(first), crops.shape[1])) for _ in range(2)]
    np.add.at(sums[0], unit, crops)
    np.add.at(sums[1], unit, crops > 0)
    problem = Problem(sums[0], sums[1], targets, fixed[first], params.location_weight)
    orders = _orders(table.index[first], params.seed)
    if params.method == "balanced":
        chosen = assign(problem, orders)
    elif params.method == "random":
        chosen = random(problem, params.seed)
    else:
        chosen = smallest_first(problem, orders[0])
    return np.asarray(chosen[unit])


def _orders(index: pd.MultiIndex, seed: int) -> list[Choice]:
    keys = [[digest(str(seed), str(start), *map(str, key)) for key in index] for start in range(ORDERS)]
    return [np.array(sorted(range(len(index)), key=draws.__getitem__), np.int64) for draws in keys]


def _groups(index: pd.MultiIndex, pairs: pd.DataFrame) -> Choice:
    """Number the locations so that those which pairs hold together have the same number."""
    if pairs.empty:
        return np.arange(len(index))
    from scipy.sparse import coo_array  # takes its time to load
    from scipy.sparse.csgraph import connected_components

    ends = [
        index.get_indexer(pd.MultiIndex.from_frame(pairs[[f"dataset_{side}", f"location_{side}"]])) for side in "ab"
    ]
    graph = coo_array((np.ones(len(pairs)), (ends[0], ends[1])), (len(index), len(index)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _follow(chosen: Choice, groups: Choice, sizes: Choice) -> Choice:
    """Put free locations where the largest of their group is that has its split already."""
    fixed = pd.DataFrame({"group": groups, "split": chosen, "size": sizes})[chosen != FREE]
    leading = fixed.sort_values("size", ascending=False, kind="stable").drop_duplicates("group")
    led = pd.Series(groups).map(leading.set_index("group")["split"]).fillna(FREE).to_numpy(np.int64)
    return np.where(chosen == FREE, led, chosen)
