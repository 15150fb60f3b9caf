"""The choice of photos: class rule (spec A.1), corrections (A.4), restrictions, several labels, caps (A.3), counts."""

import dataclasses
import hashlib
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import make
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from imports import ROOT

from camtraps import catalog, corrections, existence, label_specs, query_rules, tables, taxonomy
from camtraps import labels as label_module
from camtraps.errors import InputError
from camtraps.labels import Hit, LabelRule, Selection
from camtraps.query import Chosen, QueryParams, choose
from camtraps.schema import BOXES, QUERIED
from camtraps.storage import Images
from camtraps.taxonomy import fold

FOLDERS = itertools.count()
PARAMS = QueryParams(
    seed=1,
    allow_multilabel=False,
    min_locations=0,
    datasets=None,
    locations=None,
    since=None,
    until=None,
    check_photos=False,
    max_failed=0.01,
)


def correct(*decisions: tuple[str, str]) -> pd.DataFrame:
    """Make the corrections (image, class)."""
    rows = [(*image.split("/", maxsplit=1), right) for image, right in decisions]
    return pd.DataFrame(rows, columns=["dataset", "file", "correct_class"])


def select(*classes: str, dataset: str = "d", max_count: int | None = None, prioritize: Any = ()) -> Selection:
    """Ask for classes of a dataset, each a label of its own in capital letters."""
    rules = [LabelRule(name.upper(), max_count=max_count, prioritize=prioritize) for name in classes]
    return Selection(tuple(rules), {(dataset, name): (Hit(name.upper(), "dataset label"),) for name in classes})


def several(**taking: tuple[str, ...]) -> Selection:
    """Ask for classes of dataset d: label = classes that it takes, in the order of the specification."""
    pairs: dict[tuple[str, str], tuple[Hit, ...]] = {}
    for label, names in taking.items():
        for name in names:
            pairs["d", name] = (*pairs.get(("d", name), ()), Hit(label, f"{label} takes {name}"))
    return Selection(tuple(LabelRule(label) for label in taking), pairs)


def cap(selection: Selection, **caps: int) -> Selection:
    rules = tuple(dataclasses.replace(rule, max_count=caps.get(rule.label)) for rule in selection.rules)
    return dataclasses.replace(selection, rules=rules)


def pick(
    folder: Path,
    rows: list[dict[str, Any]],
    selection: Selection,
    decisions: Any = (),
    images: Images | None = None,
    **params: Any,
) -> Chosen:
    database = make.database(folder / str(next(FOLDERS)), *rows)
    return choose(database, selection, correct(*decisions), dataclasses.replace(PARAMS, **params), images)


def photos(chosen: Chosen) -> list[dict[str, Any]]:
    """Give the rows of queried.parquet."""
    return written(chosen, "queried.parquet", QUERIED)


def boxes(chosen: Chosen) -> list[dict[str, Any]]:
    return written(chosen, "boxes.parquet", BOXES)


def written(chosen: Chosen, name: str, table: Any) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        chosen.write(Path(folder))
        rows: list[dict[str, Any]] = tables.read_arrow(Path(folder) / name, table).to_pylist()
        return rows


def classes(chosen: Chosen) -> dict[str, str]:
    return {row["image"]: row["class"] for row in photos(chosen)}


def labels(chosen: Chosen) -> dict[str, list[str]]:
    return {row["image"]: row["labels"] for row in photos(chosen)}


def left_out(chosen: Chosen) -> dict[str, tuple[str, str]]:
    return {row.image: (row.kind, row.reason) for row in chosen.left_out.itertuples()}


def of_two_datasets() -> list[dict[str, Any]]:
    """Make 500 photos of x, 60 of them in dataset a (spec A.3)."""
    names = [f"a/{number}.jpg" for number in range(60)] + [f"b/{number}.jpg" for number in range(440)]
    return [make.row(name, "x") for name in names]


def asked_of_both(max_count: int | None, prioritize: Any = ()) -> Selection:
    rule = LabelRule("X", max_count=max_count, prioritize=prioritize)
    return Selection((rule,), {(dataset, "x"): (Hit("X", "genus x"),) for dataset in ("a", "b")})


@pytest.mark.parametrize(
    ("own", "sequence", "result"),
    [
        (["deer"], ["elk"], "deer"),
        (["deer"], [], "deer"),
        (["deer", "elk"], ["deer"], None),
        (["deer", "fox"], [], "deer"),
        (["fox"], ["deer"], None),
        ([], ["elk"], "elk"),
        ([], ["elk", "fox"], "elk"),
        ([], ["deer", "elk"], None),
        ([], [], None),
    ],
)
def test_the_labels_of_an_image_win_over_those_of_its_sequence_and_one_must_be_asked_for(
    tmp_path, own, sequence, result
):
    rows = [make.row("d/x.jpg", *own, sequence=tuple(sequence)), make.row("d/other.jpg", "deer")]
    assert classes(pick(tmp_path, rows, select("deer", "elk"))).get("d/x.jpg") == result


def test_a_photo_of_several_asked_classes_is_left_out_with_their_names(tmp_path):
    rows = [make.row("d/x.jpg", "elk", "deer", "fox"), make.row("d/other.jpg", "deer")]
    chosen = pick(tmp_path, rows, select("deer", "elk"))
    assert left_out(chosen) == {"d/x.jpg": ("skipped", "several asked classes: deer, elk")}


def test_a_class_in_two_spellings_is_one_class(tmp_path):
    chosen = pick(tmp_path, [make.row("d/x.jpg", "Deer", "deer ")], select("deer"))
    assert [row["label"] for row in photos(chosen)] == ["DEER"]


def test_the_level_of_the_label_is_kept(tmp_path):
    rows = [make.row("d/a.jpg", "deer"), make.row("d/b.jpg", sequence=("deer",)), make.row("d/c.jpg", "fox")]
    chosen = pick(tmp_path, rows, select("deer"), [("d/c.jpg", "deer")])
    assert [row["level"] for row in photos(chosen)] == ["image", "sequence", "correction"]


@pytest.mark.parametrize(
    ("asked", "right", "result"),
    [
        (("deer", "elk"), "elk", {"d/x.jpg": "elk"}),
        (("deer",), "elk", {}),
        (("elk",), "elk", {"d/x.jpg": "elk"}),
        (("deer",), "", {}),
        (("deer",), "Deer", {"d/x.jpg": "Deer"}),
    ],
)
def test_a_correction_brings_a_photo_to_its_new_label_and_away_from_the_old(tmp_path, asked, right, result):
    rows = [make.row("d/x.jpg", "deer", sequence=("deer",))]
    rows += [make.row(f"d/other_{name}.jpg", name) for name in asked]
    found = classes(pick(tmp_path, rows, select(*asked), [("d/x.jpg", right)]))
    assert {image: name for image, name in found.items() if "other" not in image} == result


def test_a_correction_settles_a_photo_of_several_classes(tmp_path):
    rows = [make.row("d/x.jpg", "deer", "elk")]
    assert classes(pick(tmp_path, rows, select("deer", "elk"), [("d/x.jpg", "elk")])) == {"d/x.jpg": "elk"}


def test_a_photo_that_is_known_to_be_wrong_is_left_out_with_that_reason(tmp_path):
    rows = [make.row("d/x.jpg", "deer"), make.row("d/y.jpg", "deer")]
    chosen = pick(tmp_path, rows, select("deer"), [("d/x.jpg", "")])
    assert left_out(chosen) == {"d/x.jpg": ("skipped", "its label is known to be wrong, the right one unknown")}


def test_a_correction_of_another_dataset_does_not_count(tmp_path):
    rows = [make.row("d/x.jpg", "deer"), make.row("e/x.jpg", "deer")]
    assert classes(pick(tmp_path, rows, select("deer"), [("e/x.jpg", "fox")])) == {"d/x.jpg": "deer"}


def test_a_cap_is_met_exactly_and_the_first_group_comes_whole(tmp_path):
    chosen = pick(tmp_path, of_two_datasets(), asked_of_both(100, (("a",),)))
    assert Counter(row["dataset"] for row in photos(chosen)) == {"a": 60, "b": 40}


def test_a_cap_below_the_first_group_takes_nothing_else(tmp_path):
    chosen = pick(tmp_path, of_two_datasets(), asked_of_both(40, (("b",), ("a",))))
    assert Counter(row["dataset"] for row in photos(chosen)) == {"b": 40}


def test_datasets_of_one_group_are_equal(tmp_path):
    both = pick(tmp_path, of_two_datasets(), asked_of_both(100, (("a", "b"),)))
    assert photos(both) == photos(pick(tmp_path, of_two_datasets(), asked_of_both(100)))


def test_a_cap_above_the_number_of_photos_takes_all(tmp_path):
    assert pick(tmp_path, of_two_datasets(), asked_of_both(501)).num_chosen == 500
    assert pick(tmp_path, of_two_datasets(), asked_of_both(None)).num_chosen == 500


def test_each_label_has_a_cap_of_its_own(tmp_path):
    rows = [make.row(f"d/{name}{number}.jpg", name) for name in ("deer", "elk") for number in range(5)]
    chosen = pick(tmp_path, rows, select("deer", "elk", max_count=3))
    counts = {"before": 5, "after": 3}
    assert chosen.details()["photos_by_label"] == {"DEER": counts, "ELK": counts}


def test_a_higher_cap_keeps_every_earlier_pick(tmp_path):
    picks = [set(classes(pick(tmp_path, of_two_datasets(), asked_of_both(cap)))) for cap in (50, 100, 200)]
    assert [len(images) for images in picks] == [50, 100, 200]
    assert picks[0] < picks[1] < picks[2]


def test_more_photos_in_the_catalog_only_add_to_the_picks_or_push_some_out(tmp_path):
    few = set(classes(pick(tmp_path, of_two_datasets()[:300], asked_of_both(50))))
    many = set(classes(pick(tmp_path, of_two_datasets(), asked_of_both(50))))
    old = {row["image"] for row in of_two_datasets()[:300]}
    assert many & old < few


def test_the_picks_are_those_with_the_lowest_hash_of_seed_and_image(tmp_path):
    def draw(image: str) -> int:
        return int.from_bytes(hashlib.md5(f"7:{image}".encode()).digest()[8:], "little")

    images = [row["image"] for row in of_two_datasets()]
    chosen = pick(tmp_path, of_two_datasets(), asked_of_both(20), seed=7)
    assert sorted(classes(chosen)) == sorted(sorted(images, key=draw)[:20])


def test_another_seed_gives_other_picks(tmp_path):
    one, two = (set(classes(pick(tmp_path, of_two_datasets(), asked_of_both(50), seed=seed))) for seed in (1, 2))
    assert one != two


def test_photos_over_the_cap_are_counted_and_not_listed(tmp_path):
    chosen = pick(tmp_path, of_two_datasets(), asked_of_both(498))
    assert left_out(chosen) == {}
    assert chosen.num_unlisted == {"over the cap of its label (max_count)": 2}


@pytest.mark.parametrize(
    ("file", "more", "expected"),
    [
        ("x.JPG", {"corrupt": True}, ("failed", "marked corrupt in its source")),
        ("x.mp4", {}, ("skipped", "not an image file")),
        ("jpg", {}, ("skipped", "not an image file")),
    ],
)
def test_what_is_no_good_photo_is_left_out_and_never_fills_a_cap(tmp_path, file, more, expected):
    rows = [make.row(f"d/{file}", "deer", **more), make.row("d/good.JPEG", "deer")]
    chosen = pick(tmp_path, rows, select("deer", max_count=1))
    assert classes(chosen) == {"d/good.JPEG": "deer"}
    assert left_out(chosen) == {f"d/{file}": expected}


def test_a_box_keeps_the_class_it_was_drawn_for(tmp_path):
    drawn = [{"category": "animal", "class": name, **make.BOX} for name in ("deer", "fox")]
    chosen = pick(tmp_path, [make.row("d/x.jpg", "deer", "fox", boxes=drawn)], select("deer"))
    assert [(row["box"], row["class"]) for row in boxes(chosen)] == [(0, "deer"), (1, "fox")]


def test_a_corrected_photo_keeps_its_boxes_but_not_their_class(tmp_path):
    drawn = [{"category": "animal", "class": "deer", **make.BOX}]
    chosen = pick(tmp_path, [make.row("d/x.jpg", "deer", boxes=drawn)], select("elk"), [("d/x.jpg", "elk")])
    assert boxes(chosen) == [{"image": "d/x.jpg", "box": 0, "category": "animal", "class": None, **make.BOX}]


def test_a_person_who_found_nothing_to_box_is_not_nobody(tmp_path):
    rows = [make.row("d/a.jpg", "deer", boxes=[]), make.row("d/b.jpg", "deer", boxes=None)]
    chosen = pick(tmp_path, rows, select("deer"))
    assert [row["has_truth_boxes"] for row in photos(chosen)] == [True, False]
    assert boxes(chosen) == []


def test_locations_labels_and_classes_that_look_like_something_else_stay_text(tmp_path):
    selection = Selection((LabelRule("NA"),), {("007", "null"): (Hit("NA", "dataset label"),)})
    taken = datetime(2024, 4, 1, 5)
    rows = [make.row("007/1e5/NA.jpg", "null", location="007", sequence_id=None, datetime=taken)]
    row = photos(pick(tmp_path, rows, selection))[0]
    assert (row["dataset"], row["file"], row["location"]) == ("007", "1e5/NA.jpg", "007")
    assert (row["class"], row["label"], row["datetime"]) == ("null", "NA", taken)


def test_every_photo_of_the_catalog_is_counted_once(tmp_path):
    rows = [
        make.row("d/in.jpg", "deer"),
        make.row("d/corrupt.jpg", "deer", corrupt=True),
        make.row("d/movie.avi", "deer"),
        make.row("d/wrong.jpg", "deer"),
        make.row("d/fox.jpg", "fox"),
    ]
    chosen = pick(tmp_path, rows, select("deer"), [("d/wrong.jpg", "")])
    counts = chosen.counts()
    assert (counts.rows_in, counts.rows_out, counts.skipped, counts.failed) == (5, 1, 3, 1)
    listed = {row.image: row.kind for row in chosen.failure_rows().itertuples()}
    assert listed == {"d/corrupt.jpg": "failed", "d/movie.avi": "skipped", "d/wrong.jpg": "skipped"}


def test_a_specification_that_chooses_nothing_names_the_classes_that_are_there(tmp_path):
    with pytest.raises(InputError) as caught:
        pick(tmp_path, [make.row("d/a.jpg", "Fox"), make.row("d/b.jpg", "hare")], select("deer"))
    assert str(caught.value) == "the label specification chooses none of 2 photos; the catalog has: Fox, hare"


def test_a_correction_may_name_a_label_instead_of_a_class(tmp_path):
    rows = [make.row("d/x.jpg", "deer"), make.row("d/y.jpg", "vulpes")]
    asked = Selection(
        (LabelRule("fox"), LabelRule("DEER")), {("d", "vulpes"): (Hit("fox", ""),), ("d", "deer"): (Hit("DEER", ""),)}
    )
    chosen = pick(tmp_path, rows, asked, [("d/x.jpg", "Fox")])
    assert labels(chosen) == {"d/x.jpg": ["fox"], "d/y.jpg": ["fox"]}
    assert photos(chosen)[0]["why"] == "label in a correction"


def test_a_class_of_the_catalog_that_is_called_like_a_label_stays_that_class(tmp_path):
    rows = [make.row("d/x.jpg", "fox"), make.row("d/y.jpg", "vulpes")]
    asked = Selection((LabelRule("fox"),), {("d", "vulpes"): (Hit("fox", ""),)})
    assert classes(pick(tmp_path, rows, asked)) == {"d/y.jpg": "vulpes"}


def test_a_photo_corrected_to_what_nobody_asked_for_is_listed(tmp_path):
    rows = [make.row("d/x.jpg", "deer"), make.row("d/y.jpg", "deer")]
    chosen = pick(tmp_path, rows, select("deer"), [("d/x.jpg", "unicorn")])
    assert left_out(chosen) == {"d/x.jpg": ("skipped", "corrected to a class that is not asked for: unicorn")}


def test_corrections_of_unknown_photos_and_labels_without_photos_are_warned_of(tmp_path):
    rows = [make.row("d/x.jpg", "deer")]
    chosen = pick(tmp_path, rows, select("deer", "elk"), [("d/nosuch.jpg", "deer")])
    assert chosen.warnings() == [
        "no photo of label ELK is chosen; `camtraps labels explain` says why",
        "corrections.csv: 1 of no photo in the catalog, first d/nosuch.jpg",
    ]


def test_why_no_photo_is_left_is_said_with_the_commonest_reasons(tmp_path):
    rows = [make.row(f"d/{number}.jpg", "deer", corrupt=number > 2) for number in range(8)]
    rows += [make.row(f"e/{number}.jpg", "deer") for number in range(4)]
    with pytest.raises(InputError) as caught:
        pick(tmp_path, rows, select("deer"), min_locations=1, datasets=("d",))
    assert str(caught.value) == (
        "the label specification chooses none of 12 photos; 5 left out: marked corrupt in its source; "
        "4 left out: outside the datasets, locations and days asked for, or without location or time; "
        "3 left out: its label has fewer locations than min_locations; the catalog has: deer"
    )


def test_the_specification_is_not_changed(tmp_path):
    selection = asked_of_both(70, (("a",),))
    before = repr(selection)
    pick(tmp_path, of_two_datasets(), selection)
    assert repr(selection) == before


def test_a_photo_without_labels_is_chosen_only_when_it_is_corrected(tmp_path):
    rows = [make.row("d/x.jpg"), make.row("d/y.jpg"), make.row("d/z.jpg", "deer")]
    chosen = pick(tmp_path, rows, select("deer"), [("d/x.jpg", "deer")])
    assert classes(chosen) == {"d/x.jpg": "deer", "d/z.jpg": "deer"}


def test_the_same_class_of_an_image_and_its_sequence_is_that_of_the_image(tmp_path):
    row = photos(pick(tmp_path, [make.row("d/x.jpg", "deer", sequence=("deer",))], select("deer")))[0]
    assert (row["class"], row["level"]) == ("deer", "image")


def test_of_two_spellings_of_a_class_the_first_in_the_alphabet_is_kept(tmp_path):
    rows = [make.row("d/x.jpg", "deer ", "deer"), make.row("d/y.jpg", "deer", "Deer", "fox")]
    assert classes(pick(tmp_path, rows, select("deer"))) == {"d/x.jpg": "deer", "d/y.jpg": "Deer"}


@pytest.mark.parametrize("name", ["it's", 'a"b', "a;b", "$seed", "x\0y", "{within}", "", " ", "Ä ö", "a|b", "x#1"])
def test_a_class_may_be_called_anything(tmp_path, name):
    rows = [make.row("d/1.jpg", name), make.row("d/2.jpg", name, "fox"), make.row("d/3.jpg", name, "deer")]
    selection = Selection(
        (LabelRule("A"), LabelRule("B")), {("d", fold(name)): (Hit("A", ""),), ("d", "deer"): (Hit("B", ""),)}
    )
    chosen = pick(tmp_path, rows, selection)
    assert classes(chosen) == {"d/1.jpg": name, "d/2.jpg": name}
    assert left_out(chosen) == {"d/3.jpg": ("skipped", f"several asked classes: {', '.join(sorted((name, 'deer')))}")}


def test_an_empty_correction_takes_a_photo_out_though_there_is_a_class_without_a_name(tmp_path):
    rows = [make.row("d/1.jpg", "deer"), make.row("d/2.jpg", "")]
    chosen = pick(tmp_path, rows, select("", "deer"), [("d/1.jpg", "")])
    assert classes(chosen) == {"d/2.jpg": ""}
    assert left_out(chosen) == {"d/1.jpg": ("skipped", "its label is known to be wrong, the right one unknown")}


def test_of_two_corrections_of_a_photo_the_last_one_counts(tmp_path):
    ledger = tmp_path / "corrections.csv"
    ledger.write_text("dataset,file,correct_class\nd,x.jpg,fox\nd,y.jpg,\nd,x.jpg,elk\nd,y.jpg,deer\n")
    database = make.database(tmp_path / "catalog", make.row("d/x.jpg", "deer"), make.row("d/y.jpg", "elk"))
    chosen = choose(database, select("deer", "elk"), corrections.read_latest(ledger), PARAMS)
    assert classes(chosen) == {"d/x.jpg": "elk", "d/y.jpg": "deer"}


def test_a_photo_corrected_to_an_asked_class_that_the_catalog_lacks_is_chosen(tmp_path):
    chosen = pick(tmp_path, [make.row("d/x.jpg", "fox")], select("deer"), [("d/x.jpg", "deer")])
    assert classes(chosen) == {"d/x.jpg": "deer"}


def test_corrected_photos_meet_caps_like_others(tmp_path):
    rows = [make.row(f"d/{number}.jpg", "deer" if number % 2 else "fox") for number in range(40)]
    decisions = [(f"d/{number}.jpg", "deer") for number in range(0, 40, 2)]
    of_one_class = [make.row(f"d/{number}.jpg", "deer") for number in range(40)]
    corrected = pick(tmp_path, rows, select("deer", max_count=11), decisions)
    assert set(classes(corrected)) == set(classes(pick(tmp_path, of_one_class, select("deer", max_count=11))))


def shots() -> list[dict[str, Any]]:
    """Make photos at two places and at none, at the ends of two days and at no time."""
    night, morning = datetime(2024, 4, 1, 23, 59, 59, 999000), datetime(2024, 4, 2)
    return [
        make.row("d/1.jpg", "deer", location="007", datetime=night),
        make.row("d/2.jpg", "deer", location="7", datetime=morning),
        make.row("d/3.jpg", "deer", location=None, datetime=morning),
        make.row("d/4.jpg", "deer", location="007", datetime=None),
        make.row("E.x_y/5.jpg", "deer", location="007", datetime=morning),
    ]


@pytest.mark.parametrize(
    ("params", "numbers"),
    [
        ({}, "12345"),
        ({"datasets": ("D",)}, "1234"),
        ({"datasets": ("e.x-Y", "d", "d")}, "12345"),
        ({"locations": ("007",)}, "145"),
        ({"locations": ("7", "007")}, "1245"),
        ({"since": "2024-04-02"}, "235"),
        ({"until": "2024-04-01"}, "1"),
        ({"since": "2024-04-01", "until": "2024-04-02"}, "1235"),
        ({"datasets": ("d",), "locations": ("007",), "since": "2024-04-01"}, "1"),
    ],
)
def test_only_photos_of_the_datasets_places_and_days_asked_for_are_chosen(tmp_path, params, numbers):
    pairs = {(dataset, "deer"): (Hit("X", ""),) for dataset in ("d", "e.x-y")}
    chosen = pick(tmp_path, shots(), Selection((LabelRule("X"),), pairs), **params)
    assert "".join(sorted(row["file"][0] for row in photos(chosen))) == numbers
    num_outside = 5 - len(numbers)
    reasons = {query_rules.OUTSIDE: num_outside} if num_outside else {}
    assert chosen.num_unlisted == reasons
    assert chosen.counts().skipped == num_outside


def test_a_correction_outside_of_what_is_asked_for_neither_chooses_nor_lists_nor_warns(tmp_path):
    rows = [make.row("d/x.jpg", "fox", location="007"), make.row("d/y.jpg", "deer", location="north")]
    rows += [make.row("d/z.jpg", "deer", location="007")]
    decisions = [("d/x.jpg", "deer"), ("d/z.jpg", "")]
    chosen = pick(tmp_path, rows, select("deer"), decisions, locations=("north",))
    assert (classes(chosen), left_out(chosen), chosen.warnings()) == ({"d/y.jpg": "deer"}, {}, [])
    assert chosen.num_unlisted == {query_rules.OUTSIDE: 2}


def test_an_unknown_dataset_is_named_with_those_that_are_there(tmp_path):
    rows = [make.row("d/1.jpg", "deer"), make.row("E/1.jpg")]
    assert classes(pick(tmp_path, rows, select("deer"), datasets=("d", "e"))) == {"d/1.jpg": "deer"}
    with pytest.raises(InputError) as caught:
        pick(tmp_path, rows, select("deer"), datasets=("d", "f"))
    assert str(caught.value) == "params.yaml: query.datasets: the catalog has no dataset 'f'; it has E, d"


def test_an_unknown_location_is_named_with_the_nearest(tmp_path):
    with pytest.raises(InputError) as caught:
        pick(tmp_path, shots(), select("deer"), locations=("007", "07"))
    assert str(caught.value) == "params.yaml: query.locations: no photo is from '07'; near: 007, 7"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"since": "2024-4-1"}, "since: expected a day as YYYY-MM-DD, got '2024-4-1'"),
        ({"until": "20240401"}, "until: expected a day as YYYY-MM-DD, got '20240401'"),
        ({"until": "2023-02-29"}, "until: expected a day as YYYY-MM-DD, got '2023-02-29'"),
        ({"since": "2024-04-01' or '1'='1"}, "since: expected a day as YYYY-MM-DD, got \"2024-04-01' or '1'='1\""),
        (
            {"since": "2024-04-02", "until": "2024-04-01"},
            "since: must not be after until, got 2024-04-02 and 2024-04-01",
        ),
        ({"datasets": ()}, "datasets: the list is empty; null means all"),
        ({"locations": ()}, "locations: the list is empty; null means all"),
        ({"min_locations": -1}, "min_locations: must be at least 0, got -1"),
        ({"max_failed": 1.5}, "max_failed: must be from 0.0 to 1.0, got 1.5"),
    ],
)
def test_params_that_cannot_be_followed_are_named(params, said):
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        dataclasses.replace(PARAMS, **params)


def test_a_label_of_too_few_places_is_left_out_whole_and_no_place_is_no_place(tmp_path):
    places = {"deer": ("007", "7"), "elk": ("007", None, "007"), "fox": (None, None)}
    rows = [
        make.row(f"d/{name}{at}.jpg", name, location=place)
        for name, own in places.items()
        for at, place in enumerate(own)
    ]
    chosen = pick(tmp_path, rows, select("deer", "elk", "fox"), min_locations=2)
    assert classes(chosen) == {"d/deer0.jpg": "deer", "d/deer1.jpg": "deer"}
    assert chosen.num_unlisted == {"its label has fewer locations than min_locations": 5}
    assert chosen.label_index() == {"0": "DEER"}
    assert chosen.warnings() == ["no photo of label ELK, FOX is chosen; `camtraps labels explain` says why"]
    assert set(classes(pick(tmp_path, rows, select("deer", "elk", "fox"), min_locations=1))) == {
        row["image"] for row in rows if row["labels"][0]["class"] != "fox"
    }


def test_places_of_the_same_name_in_two_datasets_are_two_places(tmp_path):
    rows = [make.row("a/1.jpg", "x", location="007"), make.row("b/1.jpg", "x", location="007")]
    assert pick(tmp_path, rows, asked_of_both(None), min_locations=2).num_chosen == 2
    with pytest.raises(InputError):
        pick(tmp_path, rows, asked_of_both(None), min_locations=3)


def test_absent_photos_have_failed_and_others_fill_the_cap(tmp_path):
    rows = [make.row(f"d/{number}.jpg", "deer") for number in range(8)]
    for number in range(2, 8):
        (tmp_path / f"{number}.jpg").write_bytes(b"1")
    chosen = pick(tmp_path, rows, select("deer", max_count=6), images=Images({"d": str(tmp_path)}), check_photos=True)
    assert sorted(classes(chosen)) == [f"d/{number}.jpg" for number in range(2, 8)]
    assert left_out(chosen) == {f"d/{number}.jpg": ("failed", "photo not found") for number in range(2)}
    counts = chosen.counts()
    assert (counts.rows_in, counts.rows_out, counts.skipped, counts.failed) == (8, 6, 0, 2)


def test_a_photo_that_cannot_be_looked_for_stays_and_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.setattr(existence, "presence", lambda uri: None if "closed" in uri else "gone" not in uri)
    rows = [make.row(f"d/{name}.jpg", "deer") for name in ("closed", "gone", "there")]
    chosen = pick(tmp_path, rows, select("deer"), images=Images({"d": "az://c"}), check_photos=True)
    assert sorted(classes(chosen)) == ["d/closed.jpg", "d/there.jpg"]
    assert chosen.warnings() == ["1 photos could not be looked for and stay: no permission or no answer"]


def test_only_photos_that_could_be_chosen_are_looked_for(tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(existence, "presence", lambda uri: bool(asked.append(uri)) or True)
    rows = [make.row("d/a.jpg", "deer"), make.row("d/b.jpg", "fox"), make.row("d/c.jpg", "deer", corrupt=True)]
    rows += [make.row("d/d.jpg", "deer", "elk"), make.row("d/e.jpg", "fox")]
    pick(tmp_path, rows, select("deer", "elk"), [("d/e.jpg", "elk")], images=Images({"d": "x"}), check_photos=True)
    assert sorted(asked) == ["x/a.jpg", "x/e.jpg"]
    pick(tmp_path, rows, select("deer"), images=Images({"d": "x"}), check_photos=False)
    pick(tmp_path, rows, select("deer"), check_photos=True)
    assert len(asked) == 2


def test_absent_photos_are_no_place_of_their_label(tmp_path):
    rows = [make.row(f"d/{place}.jpg", "deer", location=place) for place in ("007", "north")]
    (tmp_path / "007.jpg").write_bytes(b"1")
    with pytest.raises(InputError) as caught:
        pick(tmp_path, rows, select("deer"), images=Images({"d": str(tmp_path)}), check_photos=True, min_locations=2)
    assert str(caught.value) == (
        "the label specification chooses none of 2 photos; 1 left out: photo not found; "
        "1 left out: its label has fewer locations than min_locations; the catalog has: deer"
    )


BROAD = several(fox=("fox",), canid=("fox", "wolf"), any=("wolf", "deer"))


def test_several_labels_come_in_the_order_of_the_specification(tmp_path):
    rows = [make.row("d/1.jpg", "fox"), make.row("d/2.jpg", "deer", "fox"), make.row("d/3.jpg", sequence=("wolf",))]
    chosen = pick(tmp_path, rows, BROAD, allow_multilabel=True)
    assert labels(chosen) == {
        "d/1.jpg": ["fox", "canid"],
        "d/2.jpg": ["fox", "canid", "any"],
        "d/3.jpg": ["canid", "any"],
    }
    assert [(row["label"], row["class"], row["why"]) for row in photos(chosen)] == [
        ("fox", "fox", "fox takes fox"),
        ("fox", "fox", "fox takes fox"),
        ("canid", "wolf", "canid takes wolf"),
    ]


def test_the_picks_of_an_earlier_label_count_under_the_cap_of_a_later_one(tmp_path):
    rows = [make.row(f"d/{name}{number}.jpg", name) for name in ("fox", "wolf") for number in range(20)]
    asked = cap(several(fox=("fox",), canid=("fox", "wolf")), fox=5, canid=8)
    chosen = pick(tmp_path, rows, asked, allow_multilabel=True)
    alone = set(classes(pick(tmp_path, rows, cap(several(fox=("fox",)), fox=5))))
    assert len(alone) == 5
    assert alone < set(classes(chosen))
    assert chosen.num_chosen == 8
    assert chosen.details()["photos_by_label"]["canid"] == {"before": 40, "after": 8}


def test_a_dataset_label_that_two_labels_take_is_refused_unless_photos_may_have_several(tmp_path):
    spec = make.write_json(
        tmp_path / "spec.json", {"fox": {"dataset_labels": {"d": ["fox"]}}, "any": {"dataset_labels": {"d": ["fox"]}}}
    )
    (tmp_path / "taxonomy.csv").write_text(make.taxonomy_csv({}))
    taxa, rules = taxonomy.read(tmp_path / "taxonomy.csv"), label_specs.read(spec)
    with pytest.raises(InputError) as caught:
        label_module.resolve(rules, taxa, {("d", "fox")}, spec)
    assert str(caught.value) == f"{spec}: any and fox both take 'fox' of dataset d"
    selection = label_module.resolve(rules, taxa, {("d", "fox")}, spec, allow_multilabel=True)
    chosen = pick(tmp_path, [make.row("d/1.jpg", "fox")], selection, allow_multilabel=True)
    assert labels(chosen) == {"d/1.jpg": ["fox", "any"]}


def test_corrections_to_a_class_of_several_labels_bring_all_and_those_to_a_label_one(tmp_path):
    rows = [make.row("d/1.jpg", "deer", "wolf"), make.row("d/2.jpg", "deer"), make.row("d/3.jpg", "fox")]
    chosen = pick(tmp_path, rows, BROAD, [("d/1.jpg", "fox"), ("d/2.jpg", "CANID")], allow_multilabel=True)
    assert labels(chosen) == {"d/1.jpg": ["fox", "canid"], "d/2.jpg": ["canid"], "d/3.jpg": ["fox", "canid"]}
    assert [(row["class"], row["level"]) for row in photos(chosen)] == [
        ("fox", "correction"),
        ("CANID", "correction"),
        ("fox", "image"),
    ]


def test_a_label_of_too_few_places_is_taken_from_photos_that_keep_others(tmp_path):
    rows = [make.row("d/1.jpg", "fox", "deer", location="007"), make.row("d/2.jpg", "wolf", location="7")]
    chosen = pick(tmp_path, rows, BROAD, allow_multilabel=True, min_locations=2)
    assert labels(chosen) == {"d/1.jpg": ["canid", "any"], "d/2.jpg": ["canid", "any"]}
    assert [(row["label"], row["class"], row["why"]) for row in photos(chosen)] == [
        ("canid", "fox", "canid takes fox"),
        ("canid", "wolf", "canid takes wolf"),
    ]
    assert chosen.num_unlisted == {}


def test_each_label_of_a_photo_is_counted_with_the_class_that_led_to_it(tmp_path):
    rows = [
        make.row("d/1.jpg", "fox", "deer"),
        make.row("d/2.jpg", "wolf"),
        make.row("d/3.jpg", sequence=("wolf", "fox")),
    ]
    chosen = pick(tmp_path, rows, BROAD, allow_multilabel=True)
    assert chosen.count("class", "why", "level").to_dict("split")["data"] == [
        ["fox", "fox", "fox takes fox", "image", 1, 1],
        ["fox", "fox", "fox takes fox", "sequence", 1, 1],
        ["canid", "fox", "canid takes fox", "image", 1, 1],
        ["canid", "fox", "canid takes fox", "sequence", 1, 1],
        ["canid", "wolf", "canid takes wolf", "image", 1, 1],
        ["any", "deer", "any takes deer", "image", 1, 1],
        ["any", "wolf", "any takes wolf", "image", 1, 1],
        ["any", "wolf", "any takes wolf", "sequence", 1, 1],
    ]


def test_a_photo_of_several_labels_is_one_photo_of_its_dataset(tmp_path):
    chosen = pick(tmp_path, [make.row("d/1.jpg", "fox", "deer")], BROAD, allow_multilabel=True)
    count = {"before": 1, "after": 1}
    assert chosen.details() == {
        "photos_by_label": {"fox": count, "canid": count, "any": count},
        "photos_by_dataset": {"d": count},
    }
    assert chosen.counts().rows_out == 1


def test_details_and_the_index_name_the_labels_that_have_photos(tmp_path):
    rows = [make.row("d/1.jpg", "elk"), make.row("d/2.jpg", "elk"), make.row("d/3.jpg", "deer")]
    chosen = pick(tmp_path, rows, cap(select("elk", "fox", "deer"), ELK=1))
    assert chosen.label_index() == {"0": "DEER", "1": "ELK"}
    assert list(chosen.details()["photos_by_label"].items()) == [
        ("ELK", {"before": 2, "after": 1}),
        ("DEER", {"before": 1, "after": 1}),
    ]
    assert chosen.details()["photos_by_dataset"] == {"d": {"before": 3, "after": 2}}
    assert chosen.by_dataset.to_dict("split")["data"] == [["ELK", "d", 2, 1], ["DEER", "d", 1, 1]]


def test_a_catalog_without_any_label_has_nothing_to_choose(tmp_path):
    with pytest.raises(InputError) as caught:
        pick(tmp_path, [make.row("d/1.jpg")], select("deer"))
    assert str(caught.value) == "the label specification chooses none of 1 photos; the catalog has: "


def test_a_dataset_without_photos_is_in_nobodys_way(tmp_path):
    catalog.write([], tmp_path / "catalog/c.parquet")
    rows = [make.row("b/1.jpg", "x"), make.row("d/1.jpg", "x"), make.row("d/2.jpg", "x", "y")]
    database = make.database(tmp_path / "catalog", *rows)
    pairs = {(dataset, "x"): (Hit("X", ""),) for dataset in ("b", "c", "d")}
    rule = LabelRule("X", max_count=2, prioritize=(("d",),))
    chosen = choose(database, Selection((rule,), pairs), correct(), dataclasses.replace(PARAMS, datasets=("c", "d")))
    assert classes(chosen) == {"d/1.jpg": "x", "d/2.jpg": "x"}


class Slow:
    """The rule of the class, the caps and the counts, one photo after the other.

    ``carried`` holds (image, label) -> (class, why, level) of the photos before the caps, ``chosen`` the images after.
    """

    def __init__(self, rows: list[dict[str, Any]], selection: Selection, fixed: dict[str, str], params: QueryParams):
        self.carried: dict[tuple[str, str], tuple[str, str, str]] = {}
        for row in rows:
            own = [label for label in row["labels"] if label["level"] == "image"] or row["labels"]
            if row["image"] in fixed:
                own = [{"class": fixed[row["image"]], "level": "correction"}]
            asked = {
                label["class"]: label["level"] for label in own if self._pair(row, label["class"]) in selection.pairs
            }
            if len({fold(name) for name in asked}) > 1 and not params.allow_multilabel:
                continue
            for name, level in sorted(asked.items(), key=lambda item: (fold(item[0]), item[0])):
                for hit in selection.pairs[self._pair(row, name)]:
                    self.carried.setdefault((row["image"], hit.label), (name, hit.why, level))
        self._take_few(rows, params.min_locations)
        self.chosen: set[str] = set()
        for rule in selection.rules:
            own = sorted((image for image, label in self.carried if label == rule.label), key=lambda i: rank(i, rule))
            left = [image for image in own if image not in self.chosen]
            taken = len(own) - len(left)
            self.chosen |= set(left if rule.max_count is None else left[: max(0, rule.max_count - taken)])

    def _pair(self, row: dict[str, Any], name: str) -> tuple[str, str]:
        return (taxonomy.fold_dataset(row["dataset"]), fold(name))

    def _take_few(self, rows: list[dict[str, Any]], min_locations: int) -> None:
        places = {row["image"]: (row["dataset"], row["location"]) for row in rows if row["location"] is not None}
        found: dict[str, set[tuple[str, str]]] = {label: set() for _, label in self.carried}
        for image, label in self.carried:
            found[label] |= {places[image]} if image in places else set()
        self.carried = {key: said for key, said in self.carried.items() if len(found[key[1]]) >= min_locations}

    def labels(self, selection: Selection) -> dict[str, list[str]]:
        order = [rule.label for rule in selection.rules]
        return {image: [label for label in order if (image, label) in self.carried] for image in sorted(self.chosen)}

    def count(self, rows: list[dict[str, Any]], selection: Selection) -> list[list[Any]]:
        """Count as `Chosen.count` does by all its columns."""
        by_image = {row["image"]: row for row in rows}
        order = [rule.label for rule in selection.rules]
        before: Counter[tuple[Any, ...]] = Counter()
        after: Counter[tuple[Any, ...]] = Counter()
        for (image, label), said in self.carried.items():
            key = (label, by_image[image]["dataset"], by_image[image]["location"], *said)
            before[key] += 1
            after[key] += image in self.chosen
        keys = sorted(before, key=lambda key: (order.index(key[0]), key[1], key[2] is None, *map(str, key[2:])))
        return [[*key, before[key], after[key]] for key in keys]


def rank(image: str, rule: LabelRule) -> tuple[int, bytes]:
    dataset = taxonomy.fold_dataset(image.split("/")[0])
    group = next((at for at, names in enumerate(rule.prioritize) if dataset in names), len(rule.prioritize))
    return group, hashlib.md5(f"1:{image}".encode()).digest()[8:][::-1]


def drawn_catalog(luck: random.Random, most: int = 5) -> list[dict[str, Any]]:
    names = ("deer", "Deer", "elk", "fox", "Zebra", "ape")
    return [
        make.row(
            f"{dataset}/{folder}{number}.jpg",
            *luck.sample(names, luck.choice([0, 1, 1, 1, 2, 3])),
            sequence=tuple(luck.sample(names, luck.choice([0, 0, 1, 2]))),
            location=luck.choice([None, "007", "7", "NA"]),
        )
        for dataset in ("a", "a-b", "a.b", "B")
        for folder in ("", "x/", "x-")
        for number in range(luck.randint(0, most))
    ]


def drawn_selection(luck: random.Random, multilabel: bool) -> Selection:
    order = luck.sample(("one", "two", "three"), 3)
    pairs = {}
    for dataset in ("a", "a-b", "a.b", "b"):
        for name in luck.sample(("deer", "elk", "fox", "zebra", "ape"), 4):
            taking = sorted(luck.sample(order, luck.randint(1, 3) if multilabel else 1), key=order.index)
            pairs[dataset, name] = tuple(Hit(label, f"{label} {luck.randrange(2)}") for label in taking)
    caps = [luck.choice([None, 1, 5, 10]) for _ in order]
    groups = [tuple((name,) for name in luck.sample(("a", "a-b", "a.b"), luck.randrange(3))) for _ in order]
    rules = [
        LabelRule(name, max_count=cap, prioritize=group) for name, cap, group in zip(order, caps, groups, strict=True)
    ]
    return Selection(tuple(rules), pairs)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_a_slow_version_chooses_and_counts_the_same(tmp_path, seed, multilabel):
    luck = random.Random(seed)
    rows, selection = drawn_catalog(luck), drawn_selection(luck, multilabel)
    fixed = {row["image"]: luck.choice(["Elk", "fox", "unicorn"]) for row in luck.sample(rows, len(rows) // 4)}
    params = {"allow_multilabel": multilabel, "min_locations": luck.choice([0, 0, 3, 5])}
    slow = Slow(rows, selection, fixed, dataclasses.replace(PARAMS, **params))
    chosen = pick(tmp_path, rows, selection, fixed.items(), **params)
    assert labels(chosen) == slow.labels(selection)
    counts = chosen.count("dataset", "location", "class", "why", "level").astype(object)
    assert counts.where(counts.notna(), None).to_numpy().tolist() == slow.count(rows, selection)
    said = [(row["class"], row["why"], row["level"]) for row in photos(chosen)]
    assert said == [slow.carried[image, own[0]] for image, own in slow.labels(selection).items()]


def write_project(folder: Path, luck: random.Random, rows_in_group: int, params: dict[str, Any]) -> None:
    """Write the same collection in an order of luck, in row groups of a size, ready for `stages.query`."""
    collection, same = folder / "data/tiny", random.Random(7)
    boxes = [{"category": "animal", "class": "deer", **make.BOX}, {"category": "group", "class": None, **make.BOX}]
    rows = [row | {"boxes": same.choice([None, [], boxes[:1], boxes])} for row in drawn_catalog(same, 40)]
    datasets = luck.sample(sorted({row["dataset"] for row in rows}), 4)
    for dataset in datasets:
        path = collection / f"catalog/{dataset}.parquet"
        catalog.write(sorted((row for row in rows if row["dataset"] == dataset), key=lambda row: row["file"]), path)
        pq.write_table(pq.read_table(path), path, row_group_size=rows_in_group)
    fixed = [f"{row['dataset']},{row['file']},{same.choice(['elk', '', 'B'])}" for row in rows[::4]]
    shuffled = luck.sample(fixed, len(fixed))
    (collection / "corrections.csv").write_text("\n".join(["dataset,file,correct_class", *shuffled, ""]))
    header, lines = "dataset,images,photos,photos_digest,source,source_digest", [f"{name},x,1,,," for name in datasets]
    (collection / "datasets.csv").write_text("\n".join([header, *lines, ""]))
    lineages = {(dataset, name): make.LINEAGES[name] for dataset in datasets for name in ("deer", "fox")}
    (collection / "taxonomy.csv").write_text(make.taxonomy_csv(lineages))
    make.write_json(
        collection / "label_spec.json", {"A": CERVIDS, "B": {"dataset_labels": dict.fromkeys(datasets, OTHERS)}}
    )
    sections = yaml.safe_load((ROOT / "params.yaml").read_text())
    sections["data"] |= {"name": "tiny", "label_spec": "label_spec.json"}
    sections["query"] |= params
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))


CERVIDS = {
    "taxa": [{"level": "family", "name": "cervidae"}],
    "max_count": 20,
    "prioritize": [["a.b"], ["a", "B"]],
}
OTHERS = ["elk", "zebra", "ape"]


def run_stage(folder: Path, hash_seed: str, processors: int) -> dict[str, bytes]:
    """Run the query stage on so many processors; give what it wrote."""
    code = (
        "import os, runpy, sys; os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv.pop())]); "
        "runpy.run_module('stages.query', run_name='__main__')"
    )
    env = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(processors)], cwd=folder, env=env, check=True)
    return {path.name: path.read_bytes() for path in (folder / "data/queried").iterdir()}


@pytest.mark.parametrize("multilabel", [False, True])
def test_two_processes_write_the_same_bytes_for_the_same_photos(tmp_path, multilabel):
    params = {"allow_multilabel": multilabel}
    write_project(tmp_path / "one", random.Random(1), 1000, params)
    write_project(tmp_path / "two", random.Random(2), 3, params)
    one, two = run_stage(tmp_path / "one", "1", 1), run_stage(tmp_path / "two", "2", 64)
    assert set(one) == {
        "queried.parquet",
        "boxes.parquet",
        "labels.json",
        "label_index.json",
        "photos_by_label.csv",
        "counts.json",
        "failures.parquet",
    }
    assert [name for name in one if one[name] != two[name]] == []
    counts = json.loads(one["counts.json"])
    assert counts["rows_out"] == sum(row["after"] for row in counts["photos_by_dataset"].values()) > 20


def test_the_stage_counts_each_photo_of_the_catalog_once(tmp_path):
    write_project(tmp_path, random.Random(1), 1000, {"datasets": ["a", "a.b"]})
    counts = json.loads(run_stage(tmp_path, "0", 1)["counts.json"])
    assert counts["rows_in"] == counts["rows_out"] + counts["skipped"] + counts["failed"]
    assert sum(counts["reasons"]["skipped"].values()) == counts["skipped"]
    crowds = (
        query_rules.OUTSIDE,
        "over the cap of its label (max_count)",
    )
    assert {*crowds, "not asked for"} < set(counts["reasons"]["skipped"])


def test_a_correction_to_a_class_that_nobody_knows_is_warned_of(tmp_path):
    chosen = pick(tmp_path, [make.row("d/1.jpg", "x"), make.row("d/2.jpg", "x")], select("x"), [("d/2.jpg", "xx")])
    assert chosen.warnings() == ["corrections.csv: no class of the catalog: xx; such photos are left out"]
