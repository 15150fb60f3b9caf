"""The inspection page: numbers by label and split, in a page where data stays text."""

import pandas as pd
import pytest
from make_tables import colour_crops
from test_pages import EVIL, QUOTES, cells, parsed

from camtraps.inspection import (
    Inspected,
    balance_table,
    cardinality,
    compose,
    confidence_table,
    datasets_table,
    overlap_table,
    sample,
    shares_table,
    splits_table,
)
from camtraps.shards import Reader
from camtraps.splits import balance


def assigned_of(*given):
    """Make rows from (label, split, dataset, location, number)."""
    places = [place for *place, number in given for _ in range(number)]
    columns = ["label", "split", "dataset", "location"]
    frame = pd.DataFrame(places, columns=columns, dtype="str")
    return frame.assign(image=[f"{at:03}" for at in range(len(frame))], box=0)


FOX = assigned_of(
    ("fox", "train", "a", "1", 3),
    ("fox", "train", "b", "1", 1),
    ("fox", "val", "a", "2", 1),
    ("NA", "test", "a", "3", 2),
)


def test_splits_count_crops_locations_and_labels():
    assert splits_table(FOX).to_numpy(object).tolist() == [
        ["train", 4, 2, 1, pytest.approx(4 / 7)],
        ["val", 1, 1, 1, pytest.approx(1 / 7)],
        ["test", 2, 1, 1, pytest.approx(2 / 7)],
    ]


def test_little_of_a_label_is_coloured():
    table = balance(FOX, (0.6, 0.2, 0.2)).assign(warning=["", "", "", "few crops", "", "few locations"])
    crops, locations = balance_table(table, "crop", "few crops"), balance_table(table, "location", "few locations")
    assert cells(crops) == [
        ["", "train", "val", "test", "all", "weight"],
        ["NA", "0 (0%)", "0 (0%)", "2 (100%)", "2", "2.00"],
        ["fox", "4 (80%)", "1 (20%)", "0 (0%)", "5", "0.50"],
    ]
    assert crops.count("style=") == locations.count("style=") == 1
    assert 'style="background: hsl(35 95% 55% / .45)">4 (80%)' in crops
    assert cells(locations)[2] == ["fox", "2 (67%)", "1 (33%)", "0 (0%)", "3"]


def test_shares_are_of_the_split():
    assert cells(shares_table(FOX))[1:] == [["NA", "0.0%", "0.0%", "100.0%"], ["fox", "100.0%", "100.0%", "0.0%"]]


def test_confidences_are_counted_by_tenths_and_people_have_none():
    table = pd.DataFrame({"label": ["fox"] * 4 + ["owl"], "confidence": [None, 0.31, 0.35, 1.0, None]})
    fox, owl = cells(confidence_table(table))[1:]
    assert fox == ["fox", "1", "", "", "", "2", "", "", "", "", "", "1", "0.33", "0.35", "0.68"]
    assert owl == ["owl", "1", *[""] * 10, "–", "–", "–"]


def test_crops_at_a_location_are_counted_by_label():
    assert cardinality(FOX).to_numpy(object).tolist() == [["NA", 1, 2, 2.0, 2, 1.0], ["fox", 3, 1, 1.0, 3, 0.6]]


def test_datasets_are_counted_by_label_and_split():
    assert datasets_table(FOX).to_numpy(object).tolist() == [["NA", 0, 0, 1, 1], ["fox", 2, 1, 0, 2]]


def test_locations_that_changed_their_split_are_coloured():
    keys = pd.MultiIndex.from_tuples([("a", "1"), ("a", "2"), ("c", "9")])
    shown = overlap_table(FOX, pd.Series(["train", "test", "val"], keys))
    assert cells(shown)[1:] == [
        ["train", "1", "0", "0", "0"],
        ["val", "0", "0", "0", "1"],
        ["test", "0", "1", "0", "0"],
        ["not there", "1", "0", "1", "0"],
    ]
    assert shown.count("style=") == 1


def test_random_crops_are_the_same_each_time():
    many = assigned_of(*(("fox", "train", "a", f"{at}", 4) for at in range(9)), ("owl", "val", "a", "x", 2))
    shown = sample(many)
    assert shown["label"].tolist() == ["fox"] * 6 + ["owl"] * 2
    assert shown["image"].tolist() == sample(many.sample(frac=1, random_state=3))["image"].tolist()
    assert shown["location"].nunique() > 3


def test_labels_stay_text_and_the_page_needs_no_other_file(tmp_path):
    crops = colour_crops(tmp_path, [EVIL, EVIL, QUOTES]).assign(location=[EVIL, "007", QUOTES])
    assigned = crops[["image", "box", "dataset", "location", "label"]].assign(split=["train", "val", "test"])
    pairs = pd.DataFrame({"kind": ["similar"], "location_a": [EVIL], "location_b": [QUOTES]})
    other = pd.Series("test", pd.MultiIndex.from_tuples([("d", EVIL)]))
    given = Inspected(EVIL, crops, assigned, balance(assigned, (0.6, 0.2, 0.2)), pairs, other, QUOTES)
    page = parsed(compose(given, Reader(tmp_path)))
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    sources = [value for name, value in page.attributes if name == "src"]
    assert len(sources) == 3
    assert all(value.startswith("data:image/jpeg;base64,") for value in sources)
    assert not page.depth
