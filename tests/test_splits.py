"""Splits: whole locations, balanced, the same for the same seed; nothing is lost, and shortages are said."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from imports import ROOT
from make_tables import rows, split_params

from camtraps import tables
from camtraps.errors import InputError
from camtraps.schema import ASSIGNED, CROPS
from camtraps.splits import balance, place, stand_in, warnings_of

PARAMS = split_params()
LENIENT = split_params(val_fraction=0.2, min_locations=1)


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


def splits_of(placed):
    return dict(zip(placed.splits["location"], placed.splits["split"], strict=True))


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
    placed = place(crops_of(*places), split_params(val_fraction=0.2, test_fraction=0.3))
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
    """S6: all photos without location were one giant location of their dataset."""
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


def assigned_of(*given):
    """Make rows of the assigned table from (label, split, location, number)."""
    places = [{"label": label, "split": split, "location": at} for label, split, at, num in given for _ in range(num)]
    return rows(ASSIGNED, *({"image": f"d/{number}", "dataset": "d"} | place for number, place in enumerate(places)))


def test_the_balance_counts_absent_combinations_too():
    table = balance(
        assigned_of(("fox", "train", "a", 1), ("fox", "train", "b", 2), ("fox", "val", "c", 1), ("NA", "test", "d", 1)),
        (0.6, 0.2, 0.2),
    )
    assert table.drop(columns="warning").to_numpy(object).tolist() == [
        ["NA", "train", 0, 0, 0.0, 0.0, -0.6],
        ["NA", "val", 0, 0, 0.0, 0.0, -0.2],
        ["NA", "test", 1, 1, 1.0, 1.0, 0.8],
        ["fox", "train", 3, 2, 0.75, 0.6667, 0.15],
        ["fox", "val", 1, 1, 0.25, 0.3333, 0.05],
        ["fox", "test", 0, 0, 0.0, 0.0, -0.2],
    ]


@pytest.mark.parametrize(
    ("split", "locations", "crops", "of_locations", "of_crops", "said"),
    [
        ("train", 10, 1000, 25, 9000, ""),  # 40% of the locations
        ("train", 9, 1000, 12, 1003, "few locations"),
        ("train", 10, 1000, 26, 1016, "few locations"),
        ("train", 10, 999, 12, 2500, "few crops"),  # less than 40%
        ("train", 10, 999, 12, 2400, ""),
        ("val", 5, 300, 50, 9000, ""),
        ("val", 4, 300, 20, 9000, "few locations"),
        ("test", 5, 299, 51, 4000, "few locations; few crops"),  # less than 10% and 9%
        ("test", 5, 299, 50, 3300, ""),
    ],
)
def test_little_is_warned_of_as_in_the_notebook_of_the_ancestor(split, locations, crops, of_locations, of_crops, said):
    other, rest = "test" if split == "val" else "val", of_locations - locations
    given = [("fox", split, f"a{at}", 1) for at in range(1, locations)] + [("fox", split, "a", crops - locations + 1)]
    given += [("fox", other, f"b{at}", 1) for at in range(1, rest)] + [("fox", other, "b", of_crops - crops - rest + 1)]
    table = balance(assigned_of(*given), (0.6, 0.2, 0.2)).set_index("split")
    assert table.loc[split, "warning"] == said


def test_a_label_that_is_absent_from_a_split_is_warned_of():
    """S8: CameraTraps asserted in training that each label is in each split, but did nothing about it."""
    placed = place(crops_of(("a", "fox", 9), ("b", "fox", 9), ("c", "fox", 9), ("a", "owl", 5)), LENIENT)
    (home,) = placed.assigned.loc[placed.assigned["label"] == "owl", "split"].unique()
    others = ", ".join(name for name in ("train", "val", "test") if name != home)
    assert warnings_of(placed) == [
        f"label owl has no crop in {others}: more locations of it would help",
        "6 of 6 rows of data/splits/balance.csv have a warning: few locations or crops",
    ]


def test_warnings_of_many_labels_are_few_lines():
    rare = [("a", f"rare {at}", 1) for at in range(50)]
    lines = warnings_of(place(crops_of(*rare, *((f"{at}", "fox", 9) for at in range(9)), ("1", "owl", 1)), LENIENT))
    assert len(lines) == 7
    assert lines[5] == "46 more labels without crops in a split"


def links(*given):
    return pd.DataFrame(list(given), columns=["a", "b", "kind", "distance"])


def test_crops_that_are_the_same_are_reported_where_they_are_in_different_splits():
    crops = many_crops()
    side = splits_of(place(crops, PARAMS))
    train, also_train = [name for name in side if side[name] == "train"][:2]
    test = next(name for name in side if side[name] == "test")
    here, same, there = (crops.index[crops["location"] == name][0] for name in (train, also_train, test))
    given = links((here, same, "similar", 2), (here, there, "identical", 0))
    found = place(crops, PARAMS, links=given).duplicates
    assert found[["kind", "split_a", "split_b", "image_a", "image_b"]].to_numpy().tolist() == [
        ["identical", "train", "test", crops["image"][here], crops["image"][there]]
    ]


def test_crops_that_are_the_same_keep_their_locations_together():
    crops = many_crops()
    first = [int(crops.index[crops["location"] == f"{at:03}"][0]) for at in range(4)]
    given = links((first[0], first[1], "similar", 1), (first[1], first[2], "sequence", 0))
    placed = place(crops, split_params(duplicates="together"), links=given)
    side = splits_of(placed)
    assert side["000"] == side["001"] == side["002"]
    assert placed.duplicates.empty


def test_crops_across_splits_are_counted_in_one_line():
    placed = place(many_crops(), PARAMS)
    pairs = pd.DataFrame({"kind": ["similar", "identical", "similar"]})
    assert warnings_of(replace(placed, duplicates=pairs))[-1] == (
        "3 pairs of crops across splits (data/splits/duplicates.csv): 1 identical, 2 similar"
    )


def test_links_of_crops_that_are_left_out_are_passed_over():
    crops = pd.concat([many_crops(), crops_of(("000", "owl", 1))], ignore_index=True)
    assert place(crops, PARAMS, links=links((0, len(crops) - 1, "similar", 1))).duplicates.empty


def test_photos_without_location_may_follow_their_day():
    days = [datetime(2024, 4, 1, 23, 59), datetime(2024, 4, 2, 0, 1), datetime(2024, 4, 2, 9), None]
    photos = [{"image": f"d/{n}", "datetime": day} for n, day in enumerate(days)]
    photos[0]["sequence"] = photos[1]["sequence"] = "s"
    photos += [{"image": "d/5", "sequence": "t"}, {"image": "d/6", "location": "007", "sequence": "u"}]
    assert stand_in(rows(CROPS, *photos), "day").tolist() == [
        "day 2024-04-01", "day 2024-04-01", "day 2024-04-02", "photo d/3", "sequence t", "007",
    ]  # fmt: skip


def test_photos_without_location_may_be_left_out_with_a_reason():
    """S5: an empty cell in the CSV of CameraTraps took a crop out of every split, in silence."""
    crops = pd.concat([many_crops(), crops_of((None, "deer", 3))], ignore_index=True)
    placed = place(crops, split_params(without_location="leave_out"))
    assert len(placed.assigned) == len(crops) - 3
    assert placed.skipped["reason"].tolist() == ["no location (split.without_location: leave_out)"] * 3


def test_split_files_of_other_locations_are_an_error():
    known = pd.Series("train", pd.MultiIndex.from_tuples([("elsewhere", "000"), ("d", "0")]))
    with pytest.raises(InputError) as error:
        place(many_crops(), PARAMS, known)
    assert str(error.value) == (
        "data/<name>/splits: none of the 2 locations of split.previous and split.match_test has crops here; "
        "are datasets and locations called the same?"
    )


def test_a_split_without_a_location_is_an_error():
    known = pd.Series("train", pd.MultiIndex.from_product([["d"], [f"{at:03}" for at in range(12)]]))
    with pytest.raises(InputError) as error:
        place(many_crops(), PARAMS, known)
    assert str(error.value) == "data/crops: val gets no location; change split.method or the split files"


@pytest.mark.parametrize("method", ["balanced", "random", "smallest_first"])
def test_every_method_splits_whole_locations_the_same_each_time(method):
    """S1, S2: smallest_first works, random can be repeated."""
    params = split_params(method=method)
    placed = place(many_crops(), params)
    assert set(placed.splits["split"]) == {"train", "val", "test"}
    assert len(placed.splits) == 12
    assert splits_of(placed) == splits_of(place(many_crops(), params))


def skewed_crops():
    """Make 12,000 crops of 20 labels, each at some of 150 locations, most of its crops at a few of them."""
    generator = np.random.default_rng(2)
    given = []
    for label in range(20):
        places = generator.choice(150, 15 + label, replace=False)
        numbers = generator.lognormal(2.5, 1, len(places)).astype(int) + 1
        given += [(f"{at:03}", f"label {label:02}", int(num)) for at, num in zip(places, numbers, strict=True)]
    return crops_of(*given)


def test_classes_are_shared_out_better_than_by_random_tries():
    """S9: 10,000 random tries took most of a minute and found poor optima; shares of crops count, not of locations."""
    crops = skewed_crops()
    ours, random = (
        place(crops, split_params(method=method)).balance["deviation"].abs().mean() for method in ("balanced", "random")
    )
    assert ours < 0.03
    assert ours < random / 2


def test_numbers_and_names_like_nothing_survive_the_tables(tmp_path):
    """S4, S11: locations 007 and 7 became one, and numbers matched no split; labels NA and null became nothing."""
    names = ["007", "7", "7.0", "NA", "null", "None", ""]
    placed = place(crops_of(*((name, label, 2) for name in names for label in ("NA", "null"))), LENIENT)
    tables.write(placed.assigned, tmp_path / "assigned.parquet", ASSIGNED)
    back = tables.read(tmp_path / "assigned.parquet", ASSIGNED)
    assert sorted(back["location"].unique()) == sorted(names)
    assert sorted(back["label"].unique()) == ["NA", "null"]


def test_a_label_with_a_comma_is_one_label():
    """S12: labels joined by commas were taken apart again. Photos of several labels give no crops: see test_crops."""
    placed = place(crops_of(*((f"{at}", label, 2) for at in range(4) for label in ("fox, red", "fox"))), LENIENT)
    assert sorted(placed.assigned["label"].unique()) == ["fox", "fox, red"]


def test_rows_may_come_with_any_index():
    """S7: after --min-locs the mask stood on another index than the rows."""
    crops = pd.concat([crops_of(("000", "owl", 3)), many_crops()]).sample(frac=1, random_state=0)
    placed = place(crops, PARAMS)
    assert (placed.skipped["image"].str.contains("owl")).all()
    assert len(placed.assigned) + len(placed.skipped) == len(crops)


def test_a_crop_tells_where_it_comes_from():
    """S13: the CSV had no box, no size, no sequence, no time, and nothing to tell a person's box.

    S13a: a box of another class than its photo, and one that recurs, is not cropped: see test_crops.
    """
    assert {"box", *"xywh", "width", "height", "sequence", "datetime", "detector", "confidence"} <= set(
        CROPS.schema.names
    )
