"""Duplicates: found across locations, judged by comparing all pairs."""

import itertools

import numpy as np
import pandas as pd

from camtraps.duplicates import MAX_DISTANCE, find


def crops_of(*places, sequences=None):
    """Make crops at locations of dataset d; None is left out."""
    number = len(places)
    columns = {"dataset": "d", "location": places, "sequence": sequences or [None] * number}
    return pd.DataFrame(columns | {"image": [f"d/{at}" for at in range(number)], "box": 0})


def signatures(*rows):
    return np.array(rows, np.uint64)


def pairs(links):
    return sorted(zip(links["kind"], links["a"], links["b"], links["distance"], strict=True))


def test_the_same_bytes_at_different_locations_are_linked():
    crops = crops_of("x", "x", "y", "z")
    given = signatures((5, 9, 9), (5, 9, 9), (5, 9, 9), (6, 1 << 40, 1))
    assert pairs(find(crops, given)) == [("identical", 0, 2, 0)]


def test_nearly_the_same_look_is_linked_with_its_distance():
    crops = crops_of("x", "y", "z")
    given = signatures((1, 0b1111, 7), (2, 0b1000, 7), (3, 0b0000, 7))  # 3 bits apart, 1 and 4
    assert pairs(find(crops, given)) == [("similar", 0, 1, 3), ("similar", 1, 2, 1)]


def test_crops_without_structure_match_nothing():
    assert find(crops_of("x", "y"), signatures((1, 0, 0), (1, 0, 0))).empty


def test_a_sequence_at_two_locations_is_linked_once():
    crops = crops_of("x", "x", "y", "y", sequences=["s", "s", "s", None])
    assert pairs(find(crops, np.zeros((4, 3), np.uint64))) == [("sequence", 0, 2, 0)]


def test_a_sequence_of_another_dataset_is_another_one():
    crops = crops_of("x", "y", sequences=["s", "s"]).assign(dataset=["d", "e"])
    assert find(crops, np.zeros((2, 3), np.uint64)).empty


def test_what_is_left_out_for_its_location_is_not_linked():
    assert find(crops_of("x", None, sequences=["s", "s"]), signatures((1, 3, 3), (1, 3, 3))).empty


def test_many_crops_that_are_the_same_give_few_links_that_hold_all_together():
    crops = crops_of(*(f"{at % 50:02}" for at in range(200)))
    links = find(crops, np.tile(signatures((5, 9, 9)), (200, 1)))
    assert len(links) == 49
    assert set(links["a"]) | set(links["b"]) == set(range(50))


def test_all_pairs_of_similar_looks_are_found():
    generator = np.random.default_rng(6)
    seeds = generator.integers(0, 1 << 63, (20, 2), np.uint64)
    looks = seeds[generator.integers(0, 20, 150)]
    for row in looks:
        for bit in generator.integers(0, 128, generator.integers(0, 4)):
            row[bit // 64] ^= np.uint64(1) << np.uint64(bit % 64)
    place = generator.integers(0, 9, 150)
    crops = crops_of(*(f"{at}" for at in place))
    links = find(crops, np.column_stack([np.arange(150, dtype=np.uint64), looks]))

    def apart(a, b):
        return sum(
            int(one ^ other).bit_count() for one, other in zip(looks[a].tolist(), looks[b].tolist(), strict=True)
        )

    # One crop of each look and place stands for all.
    first = {(place[at], *looks[at].tolist()): at for at in reversed(range(150))}.values()
    near = {(a, b) for a, b in itertools.combinations(sorted(first), 2) if place[a] != place[b]}
    expected = {(a, b) for a, b in near if apart(a, b) <= MAX_DISTANCE}
    assert expected
    assert set(zip(links["a"], links["b"], strict=True)) == expected
    assert all(row.distance == apart(row.a, row.b) for row in links.itertuples())
