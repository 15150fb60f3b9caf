"""Sampling under caps: numbers met exactly, earlier labels first, and nothing but the draws decides."""

import itertools
import random

import numpy as np
import pytest

from camtraps.sampling import Cap, draw


def drawn(rows: list[tuple[int, int, int]], *caps: Cap) -> list[int]:
    """Draw from (id, label_at, draw)."""
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return draw(columns[0], columns[1], columns[2].astype(np.uint64), caps).tolist()


def slow(rows: list[tuple[int, int, int]], caps: list[Cap]) -> list[int]:
    chosen: set[int] = set()
    for at, cap in enumerate(caps):
        ids = {number: luck for number, label_at, luck in rows if label_at == at}
        order = sorted(ids, key=lambda number: (cap.ranks[number >> 32] if len(cap.ranks) else 0, ids[number], number))
        left = [number for number in order if number not in chosen]
        quota = len(left) if cap.max_count is None else max(0, cap.max_count - (len(ids) - len(left)))
        chosen |= set(left[:quota])
    return sorted(chosen)


def test_the_smallest_draws_are_chosen_and_come_sorted_by_id():
    assert drawn([(5, 0, 30), (6, 0, 10), (7, 0, 20)], Cap(2)) == [6, 7]


def test_equal_draws_go_to_the_lower_id():
    assert drawn([(7, 0, 1), (5, 0, 1), (6, 0, 1)], Cap(1)) == [5]


def test_a_dataset_of_a_lower_rank_comes_first():
    first, second = 1 << 32, 2 << 32
    rows = [(first, 0, 1), (first + 1, 0, 2), (second, 0, 9)]
    assert drawn(rows, Cap(2, np.array([0, 1, 0]))) == [first, second]


def test_without_a_cap_all_are_chosen():
    assert drawn([(2, 0, 0), (1, 0, 0)], Cap(None)) == [1, 2]


def test_the_picks_of_an_earlier_label_count_for_a_later_one():
    rows = [(1, 0, 1), (1, 1, 1), (2, 0, 2), (2, 1, 2), (3, 1, 3)]
    assert drawn(rows, Cap(1), Cap(1)) == [1]
    assert drawn(rows, Cap(1), Cap(2)) == [1, 2]
    assert drawn(rows, Cap(None), Cap(1)) == [1, 2]


def test_no_photos_are_no_picks():
    assert drawn([], Cap(3), Cap(None)) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_slow_version_chooses_the_same(seed):
    luck = random.Random(seed)
    ids = luck.sample([dataset << 32 | row for dataset in range(3) for row in range(20)], 30)
    rows = [(number, at, luck.randrange(9)) for number in ids for at in luck.sample(range(4), luck.randint(1, 4))]
    caps = [Cap(luck.choice([None, 0, 1, 5, 12]), np.array([luck.randrange(2) for _ in range(3)])) for _ in range(4)]
    assert drawn(rows, *caps) == slow(rows, caps)


@pytest.mark.parametrize("seed", range(5))
def test_a_higher_cap_of_the_last_label_keeps_every_pick(seed):
    luck = random.Random(seed)
    rows = [
        (number, at, luck.randrange(99)) for number in range(40) for at in luck.sample(range(2), luck.randint(1, 2))
    ]
    picks = [set(drawn(rows, Cap(7), Cap(cap))) for cap in range(0, 40, 3)]
    assert all(few <= more for few, more in itertools.pairwise(picks))
