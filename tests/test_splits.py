"""Splits: whole locations, balanced, the same for the same seed; judged by trying every assignment of small tables."""

import itertools
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from imports import ROOT
from make_tables import rows

from camtraps import splits
from camtraps.errors import InputError
from camtraps.schema import CROPS
from camtraps.splits import SplitParams, assign, balance, place, stand_in, warnings_of

PARAMS = SplitParams(seed=1, val_fraction=0.15, test_fraction=0.2, min_locations=3)
LENIENT = SplitParams(seed=1, val_fraction=0.2, test_fraction=0.2, min_locations=1)
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


def crops_of(*places):
    """Make crops from (location, label, number)."""
    given = [
        {"image": f"d/{place}-{label}-{n}.jpg", "dataset": "d", "location": place, "label": label}
        for place, label, number in places
        for n in range(number)
    ]
    return rows(CROPS, *given)


def many_crops():
    generator = np.random.default_rng(5)
    labels = ["NA", "deer", "fox", "null"]
    return crops_of(*((f"{at:03}", label, int(generator.integers(0, 9))) for at in range(12) for label in labels))


def orders(table):
    index = pd.MultiIndex.from_product([["d"], range(len(table))])
    return splits._orders(index, 1)


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


def splits_of(placed):
    return dict(zip(placed.splits["location"], placed.splits["split"], strict=True))


def test_the_score_of_the_examples_is_that_of_the_specification():
    assert score(EXAMPLE, (0, 1, 2)) == pytest.approx(1.9767, abs=1e-4)
    assert score(EXAMPLE, (1, 0, 2)) == pytest.approx(1.0167, abs=1e-4)


def test_the_cost_that_is_minimised_is_the_score_of_the_specification():
    present = EXAMPLE > 0
    shares = np.stack([EXAMPLE / EXAMPLE.sum(axis=0), present / present.sum(axis=0)], axis=1)
    task = splits._Task(shares, TARGETS, np.array([True, False]))
    for chosen in ([0, 1, 2], [1, 0, 2]):
        cost = task.cost(task.sums(np.array(chosen)), TARGETS).sum()
        assert cost == pytest.approx(score(EXAMPLE, chosen))


def test_the_example_gets_the_best_of_all_assignments():
    chosen = assign(EXAMPLE, TARGETS, orders(EXAMPLE)).tolist()
    assert score(EXAMPLE, chosen) == pytest.approx(score(EXAMPLE, best_by_trying(EXAMPLE)))


@pytest.mark.parametrize("table", list(random_tables()), ids=range(12))
def test_a_label_is_in_every_split_where_any_assignment_can_bring_that_about(table):
    chosen = assign(table, TARGETS, orders(table))
    assert num_absent(table, chosen) == num_absent(table, best_by_trying(table))


def test_labels_that_hold_each_other_up_are_still_in_every_split():
    assert num_absent(TANGLED, best_by_trying(TANGLED)) == 0
    assert num_absent(TANGLED, assign(TANGLED, TARGETS, orders(TANGLED))) == 0


def test_a_location_is_in_one_split():
    placed = place(many_crops(), PARAMS)
    assert not placed.splits.duplicated(["dataset", "location"]).any()
    assert (placed.assigned.groupby(["dataset", "location"])["split"].nunique() == 1).all()


def test_every_label_with_three_locations_is_in_every_split():
    placed = place(many_crops(), PARAMS)
    assert (placed.assigned.groupby("label")["split"].nunique() == 3).all()
    assert placed.assigned["label"].nunique() == 4


def test_equal_places_are_shared_out_by_the_wanted_fractions():
    places = [(f"{at:02}", label, 10) for at in range(20) for label in ("deer", "fox")]
    placed = place(crops_of(*places), SplitParams(seed=1, val_fraction=0.2, test_fraction=0.3, min_locations=3))
    assert placed.splits["split"].value_counts().to_dict() == {"train": 10, "test": 6, "val": 4}


def test_every_crop_is_assigned_or_skipped():
    crops = pd.concat([many_crops(), crops_of(("000", "owl", 3), ("001", "owl", 1))], ignore_index=True)
    placed = place(crops, PARAMS)
    both = pd.concat([placed.assigned[["image", "box"]], placed.skipped[["image", "box"]]])
    assert sorted(both["image"]) == sorted(crops["image"])
    assert set(placed.skipped["reason"]) == {"label owl has 2 locations, fewer than split.min_locations 3"}


def test_the_same_name_in_two_datasets_is_two_locations():
    crops = pd.concat([many_crops(), many_crops().assign(dataset="e", image=lambda t: "e" + t["image"])])
    assert len(place(crops.reset_index(drop=True), PARAMS).splits) == 24


def test_shuffled_rows_give_the_same_split():
    crops = many_crops()
    shuffled = crops.sample(frac=1, random_state=3)
    assert splits_of(place(shuffled, PARAMS)) == splits_of(place(crops, PARAMS))


def test_another_process_gives_the_same_split():
    code = "from test_splits import *; print(sorted(splits_of(place(many_crops(), PARAMS)).items()))"
    env = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(sorted(splits_of(place(many_crops(), PARAMS)).items()))


def test_photos_without_location_follow_their_sequence():
    crops = rows(
        CROPS,
        {"image": "d/1", "location": "007", "sequence": "s1"},
        {"image": "d/2", "sequence": "s2"},
        {"image": "d/3", "sequence": "s2"},
        {"image": "d/4"},
    )
    assert stand_in(crops).tolist() == ["007", "sequence s2", "sequence s2", "photo d/4"]


def test_a_photo_without_location_is_where_its_sequence_is():
    photos = [{"image": f"d/{n}", "dataset": "d", "sequence": "s"} for n in range(3)]
    photos[1]["location"] = "007"
    photos.append({"image": "e/1", "dataset": "e", "sequence": "s"})
    assert stand_in(rows(CROPS, *photos)).tolist() == ["007", "007", "007", "sequence s"]


def test_photos_without_any_location_are_no_single_place():
    crops = rows(
        CROPS,
        *({"image": f"d/{n}", "dataset": "d", "label": "fox" if n % 2 else "deer"} for n in range(12)),
    )
    assert len(place(crops, PARAMS).splits) == 12


def test_no_split_is_empty_even_where_no_label_has_three_locations():
    crops = crops_of(("a", "fox", 9), ("b", "deer", 9), ("c", "owl", 9))
    assert set(place(crops, LENIENT).splits["split"]) == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("crops", "found"),
    [
        (crops_of(("a", "fox", 2), ("b", "fox", 2), ("c", "fox", 2)), "1 labels at 3 locations"),
        (crops_of(("a", "fox", 2), ("b", "deer", 2)), "2 labels at 2 locations"),
        (crops_of(), "0 labels at 0 locations"),
    ],
)
def test_too_few_labels_or_locations_are_an_error(crops, found):
    with pytest.raises(InputError) as error:
        place(crops, LENIENT)
    assert str(error.value) == (
        f"data/crops: {found} are left to split; needs at least 2 labels at 3 locations: "
        "choose more photos in the label specification or lower split.min_locations"
    )


def test_the_balance_counts_absent_combinations_too():
    assigned = pd.DataFrame(
        [("fox", "train", "a"), ("fox", "train", "b"), ("fox", "train", "b"), ("fox", "val", "c"), ("NA", "test", "d")],
        columns=["label", "split", "location"],
    ).assign(dataset="d")
    assert balance(assigned).to_numpy(object).tolist() == [
        ["NA", "train", 0, 0, 0.0],
        ["NA", "val", 0, 0, 0.0],
        ["NA", "test", 1, 1, 1.0],
        ["fox", "train", 3, 2, 0.75],
        ["fox", "val", 1, 1, 0.25],
        ["fox", "test", 0, 0, 0.0],
    ]


def test_a_label_that_is_absent_from_a_split_is_warned_of():
    placed = place(crops_of(("a", "fox", 9), ("b", "fox", 9), ("c", "fox", 9), ("a", "owl", 5)), LENIENT)
    (home,) = placed.assigned.loc[placed.assigned["label"] == "owl", "split"].unique()
    assert warnings_of(placed) == [
        f"label owl has no crop in {name}: more locations of it would help"
        for name in ("train", "val", "test")
        if name != home
    ]


def test_fractions_that_leave_no_train_are_refused():
    message = "test_fraction: 0.5 and val_fraction 0.5 leave no train"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        SplitParams(seed=1, val_fraction=0.5, test_fraction=0.5, min_locations=3)
