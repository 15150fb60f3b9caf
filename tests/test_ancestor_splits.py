"""CameraTraps' two ways to place locations."""

import numpy as np
import pytest
from test_balancing import EXAMPLE, best_by_trying, orders, problem, score

from camtraps import ancestor_splits
from camtraps.ancestor_splits import random, smallest_first
from camtraps.balancing import FREE


def test_random_tries_find_the_best_of_the_few_assignments_of_the_example():
    chosen = random(problem(EXAMPLE), 1).tolist()
    assert score(EXAMPLE, chosen) == pytest.approx(score(EXAMPLE, best_by_trying(EXAMPLE)))


def test_random_tries_are_the_same_for_the_same_seed():
    """S2: CameraTraps drew from the unseeded generator of numpy."""
    table = np.random.default_rng(0).integers(0, 9, (40, 5)).astype(float) + 1
    assert (random(problem(table), 1) == random(problem(table), 1)).all()
    assert (random(problem(table), 1) != random(problem(table), 2)).any()


def test_the_share_of_locations_is_drawn_around_the_target():
    table = np.ones((100, 1))
    tries = ancestor_splits._draw(problem(table), np.arange(100), np.random.default_rng(1))
    train, val = ((tries == split).sum(axis=1) for split in (0, 1))
    assert (train.min(), train.max()) == (57, 62)  # int(100 * (.6 + u)), u within .03
    assert (val.min(), val.max()) == (17, 22)


def test_random_tries_leave_what_is_fixed_and_no_split_empty():
    table = np.ones((4, 1))
    chosen = random(problem(table, fixed=[1, FREE, FREE, FREE]), 1)
    assert chosen[0] == 1
    assert set(chosen.tolist()) == {0, 1, 2}


def test_the_smallest_locations_of_the_smallest_label_come_first():
    """S1: smallest_first went over the sizes of the labels in place of their locations, and never worked.

    Deer (40 crops; wanted are 8 in test, 8 in val) at C 10, B 30; then fox (100; 20, 20): A 60 is left.
    """
    assert smallest_first(problem(EXAMPLE), np.arange(3)).tolist() == [0, 1, 2]


def test_counts_of_all_labels_at_a_location_are_kept():
    # The owl fills test and val with locations 0 and 1, whose 5 and 50 foxes count for the fox too: of 100 foxes, test
    # then lacks 15, which location 2 brings, and val none.
    table = np.array([[1.0, 5], [1, 50], [0, 15], [0, 30], [3, 0]])
    assert smallest_first(problem(table), np.arange(5)).tolist() == [2, 1, 2, 0, 0]


def test_the_order_decides_between_equal_locations():
    table = np.ones((5, 1))
    assert smallest_first(problem(table), np.array([4, 3, 2, 1, 0])).tolist() == [0, 0, 0, 1, 2]
    assert smallest_first(problem(table), orders(table)[0]).tolist().count(0) == 3


def test_smallest_first_leaves_what_is_fixed():
    table = np.ones((5, 1))
    assert smallest_first(problem(table, fixed=[0, 2, FREE, FREE, FREE]), np.arange(5)).tolist() == [0, 2, 1, 0, 0]
