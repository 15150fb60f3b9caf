"""Balancing: judged by the score of the specification, and by trying every assignment of small tables."""

import itertools

import numpy as np
import pytest

from camtraps.balancing import FREE, ORDERS, Problem, _Search, assign

TARGETS = np.array([0.6, 0.2, 0.2])
# The example of the specification (A.5): locations A, B, C; fox 60, 20, 20 and deer 0, 30, 10 crops.
EXAMPLE = np.array([[60.0, 0.0], [20.0, 30.0], [20.0, 10.0]])
# Five locations, four labels: the assignments that bring every label into every split are few.
TANGLED = np.array(
    [
        [23.0, 28.0, 0.0, 10.0],
        [29.0, 5.0, 38.0, 23.0],
        [21.0, 19.0, 13.0, 0.0],
        [13.0, 32.0, 0.0, 0.0],
        [0.0, 0.0, 3.0, 32.0],
    ]
)


def problem(table, fixed=None, location_weight=0.5):
    """Make a problem of crops by location and label."""
    fixed = np.full(len(table), FREE) if fixed is None else np.array(fixed)
    return Problem(table, (table > 0).astype(float), TARGETS, fixed, location_weight)


def orders(table):
    generator = np.random.default_rng(1)
    return [generator.permutation(len(table)) for _ in range(ORDERS)]


def chosen_of(table, **changes):
    return assign(problem(table, **changes), orders(table)).tolist()


def score(table, chosen):
    """Score an assignment as the specification does (5.4), slowly."""
    total = 0.0
    for at, target in enumerate(TARGETS):
        here = table[np.array(chosen) == at]
        for label in range(table.shape[1]):
            crop_share = here[:, label].sum() / table[:, label].sum()
            location_share = (here[:, label] > 0).sum() / (table[:, label] > 0).sum()
            total += 2 * (crop_share - target) ** 2 + (location_share - target) ** 2
    return total


def num_absent(table, chosen):
    """Count the (label, split) pairs that are empty although the label has three locations; none: a large number."""
    chosen = np.array(chosen)
    if len(set(chosen.tolist())) < 3:
        return 99
    places = [chosen[table[:, label] > 0] for label in range(table.shape[1])]
    return sum(3 - len(set(here.tolist())) for here in places if len(here) >= 3)


def best_by_trying(table):
    every = itertools.product(range(3), repeat=len(table))
    return min(every, key=lambda chosen: (num_absent(table, chosen), round(score(table, chosen), 9)))


def random_tables():
    generator = np.random.default_rng(0)
    for _ in range(12):
        table = generator.integers(1, 40, (6, 3)) * (generator.random((6, 3)) < 0.8)
        table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
        yield table.astype(float)


def test_the_score_of_the_examples_is_that_of_the_specification():
    assert score(EXAMPLE, (0, 1, 2)) == pytest.approx(1.9767, abs=1e-4)
    assert score(EXAMPLE, (1, 0, 2)) == pytest.approx(1.0167, abs=1e-4)


def test_the_cost_that_is_minimised_is_the_score_of_the_specification():
    search = _Search.of(problem(EXAMPLE))
    for chosen in ([0, 1, 2], [1, 0, 2]):
        assert search.cost(np.array(chosen)) == pytest.approx(score(EXAMPLE, chosen))


@pytest.mark.parametrize("table", list(random_tables())[:3], ids=range(3))
def test_a_gain_is_the_difference_of_the_costs(table):
    search, generator = _Search.of(problem(table)), np.random.default_rng(3)
    for _ in range(20):
        chosen = generator.integers(0, 3, len(table))
        better = search.improve(chosen)
        assert search.cost(better) <= search.cost(chosen)
        for at, split in itertools.product(range(len(table)), range(3)):
            moved = better.copy()
            moved[at] = split
            assert search.cost(moved) >= search.cost(better) - 1e-5
        for one, other in itertools.combinations(range(len(table)), 2):
            swapped = better.copy()
            swapped[[one, other]] = better[[other, one]]
            assert search.cost(swapped) >= search.cost(better) - 1e-5


def test_the_example_gets_the_best_of_all_assignments():
    chosen = chosen_of(EXAMPLE)
    assert score(EXAMPLE, chosen) == pytest.approx(score(EXAMPLE, best_by_trying(EXAMPLE)))


@pytest.mark.parametrize("table", list(random_tables()), ids=range(12))
def test_a_label_is_in_every_split_where_any_assignment_can_bring_that_about(table):
    chosen = chosen_of(table)
    assert num_absent(table, chosen) == num_absent(table, best_by_trying(table))


def test_labels_that_hold_each_other_up_are_still_in_every_split():
    assert num_absent(TANGLED, best_by_trying(TANGLED)) == 0
    assert num_absent(TANGLED, chosen_of(TANGLED)) == 0


def test_what_is_fixed_stays_and_counts():
    table = np.full((10, 1), 10.0)
    fixed = [2, 2, *[FREE] * 8]
    assert chosen_of(table, fixed=fixed)[:2] == [2, 2]
    assert sorted(chosen_of(table, fixed=fixed)) == [0] * 6 + [1] * 2 + [2] * 2


def test_locations_count_as_much_as_their_weight_says():
    # Crops alone are shared out exactly by one large location in train; by locations six of ten belong there.
    table = np.array([[60.0], [10.0], [10.0], [10.0], [10.0]])
    assert chosen_of(table, location_weight=0.0).count(0) == 1
    assert chosen_of(table, location_weight=1.0).count(0) > 1


def test_many_units_are_placed_without_swaps():
    table = np.ones((500, 1))
    assert np.bincount(chosen_of(table)).tolist() == [300, 100, 100]
