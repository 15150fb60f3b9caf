"""The catalog and the choice of photos: class rule (spec A.1), corrections (A.4), caps and priorities (A.3)."""

import hashlib
import itertools
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import make
import pandas as pd
import pytest

from camtraps import catalog, tables
from camtraps.errors import InputError, MissingError, TableError
from camtraps.labels import LabelRule, Selection
from camtraps.query import Chosen, choose
from camtraps.schema import CATALOG, FAILURES, QUERIED

FOLDERS = itertools.count()


def correct(*decisions: tuple[str, str]) -> pd.DataFrame:
    """Make the corrections (image, class)."""
    rows = [(*image.split("/", maxsplit=1), right) for image, right in decisions]
    return pd.DataFrame(rows, columns=["dataset", "file", "correct_class"])


def select(*classes: str, dataset: str = "d", max_count: int | None = None, prioritize: Any = ()) -> Selection:
    """Ask for classes of a dataset, each a label of its own in capital letters."""
    rules = [LabelRule(name.upper(), max_count=max_count, prioritize=prioritize) for name in classes]
    return Selection(tuple(rules), {(dataset, name): (name.upper(), "dataset label") for name in classes})


def pick(folder: Path, rows: list[dict[str, Any]], selection: Selection, decisions: Any = (), seed: int = 1) -> Chosen:
    database = make.database(folder / str(next(FOLDERS)), *rows)
    return choose(database, selection, correct(*decisions), seed)


def classes(chosen: Chosen) -> dict[str, str]:
    return {row["image"]: row["class"] for row in chosen.photos.select(["image", "class"]).to_pylist()}


def left_out(chosen: Chosen) -> dict[str, tuple[str, str]]:
    return {row.image: (row.kind, row.reason) for row in chosen.left_out.itertuples()}


def of_two_datasets() -> list[dict[str, Any]]:
    """Make 500 photos of x, 60 of them in dataset a (spec A.3)."""
    names = [f"a/{number}.jpg" for number in range(60)] + [f"b/{number}.jpg" for number in range(440)]
    return [make.row(name, "x") for name in names]


def asked_of_both(max_count: int | None, prioritize: Any = ()) -> Selection:
    rule = LabelRule("X", max_count=max_count, prioritize=prioritize)
    return Selection((rule,), {(dataset, "x"): ("X", "genus x") for dataset in ("a", "b")})


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
    assert [row["label"] for row in chosen.photos.to_pylist()] == ["DEER"]


def test_the_level_of_the_label_is_kept(tmp_path):
    rows = [make.row("d/a.jpg", "deer"), make.row("d/b.jpg", sequence=("deer",)), make.row("d/c.jpg", "fox")]
    chosen = pick(tmp_path, rows, select("deer"), [("d/c.jpg", "deer")])
    assert chosen.photos["level"].to_pylist() == ["image", "sequence", "correction"]


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
    assert chosen.photos.num_rows == 100
    assert chosen.photos["dataset"].to_pylist().count("a") == 60


def test_a_cap_below_the_first_group_takes_nothing_else(tmp_path):
    chosen = pick(tmp_path, of_two_datasets(), asked_of_both(40, (("b",), ("a",))))
    assert set(chosen.photos["dataset"].to_pylist()) == {"b"}
    assert chosen.photos.num_rows == 40


def test_datasets_of_one_group_are_equal(tmp_path):
    both = pick(tmp_path, of_two_datasets(), asked_of_both(100, (("a", "b"),)))
    assert both.photos.equals(pick(tmp_path, of_two_datasets(), asked_of_both(100)).photos)


def test_a_cap_above_the_number_of_photos_takes_all(tmp_path):
    assert pick(tmp_path, of_two_datasets(), asked_of_both(501)).photos.num_rows == 500
    assert pick(tmp_path, of_two_datasets(), asked_of_both(None)).photos.num_rows == 500


def test_each_label_has_a_cap_of_its_own(tmp_path):
    rows = [make.row(f"d/{name}{number}.jpg", name) for name in ("deer", "elk") for number in range(5)]
    chosen = pick(tmp_path, rows, select("deer", "elk", max_count=3))
    assert chosen.photos_by_label() == {"DEER": 3, "ELK": 3}


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


def test_photos_over_the_cap_are_left_out_with_that_reason(tmp_path):
    chosen = pick(tmp_path, of_two_datasets(), asked_of_both(499))
    assert list(left_out(chosen).values()) == [("skipped", "over the cap of 499 photos (max_count)")]


def test_the_same_photos_in_another_order_give_the_same_bytes(tmp_path):
    def written(name: str, rows: list[dict[str, Any]]) -> bytes:
        for dataset in ("a", "b"):
            catalog.write([row for row in rows if row["dataset"] == dataset], tmp_path / name / f"{dataset}.parquet")
        chosen = choose(catalog.connect(tmp_path / name), asked_of_both(70, (("a",),)), correct(), 1)
        tables.write_arrow(chosen.photos, tmp_path / f"{name}.parquet", QUERIED)
        tables.write(chosen.failure_rows(), tmp_path / f"{name}_failures.parquet", FAILURES)
        return (tmp_path / f"{name}.parquet").read_bytes() + (tmp_path / f"{name}_failures.parquet").read_bytes()

    rows = of_two_datasets()
    assert written("one", rows) == written("two", random.Random(1).sample(rows, len(rows)))


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
    boxes = [{"category": "animal", "class": name, **make.BOX} for name in ("deer", "fox")]
    chosen = pick(tmp_path, [make.row("d/x.jpg", "deer", "fox", boxes=boxes)], select("deer"))
    assert [(row["box"], row["class"]) for row in chosen.boxes.to_pylist()] == [(0, "deer"), (1, "fox")]


def test_a_corrected_photo_keeps_its_boxes_but_not_their_class(tmp_path):
    boxes = [{"category": "animal", "class": "deer", **make.BOX}]
    chosen = pick(tmp_path, [make.row("d/x.jpg", "deer", boxes=boxes)], select("elk"), [("d/x.jpg", "elk")])
    assert chosen.boxes.to_pylist() == [{"image": "d/x.jpg", "box": 0, "category": "animal", "class": None, **make.BOX}]


def test_a_person_who_found_nothing_to_box_is_not_nobody(tmp_path):
    rows = [make.row("d/a.jpg", "deer", boxes=[]), make.row("d/b.jpg", "deer", boxes=None)]
    chosen = pick(tmp_path, rows, select("deer"))
    assert chosen.photos["has_truth_boxes"].to_pylist() == [True, False]
    assert chosen.boxes.num_rows == 0


def test_locations_labels_and_classes_that_look_like_something_else_stay_text(tmp_path):
    selection = Selection((LabelRule("NA"),), {("007", "null"): ("NA", "dataset label")})
    taken = datetime(2024, 4, 1, 5)
    rows = [make.row("007/1e5/NA.jpg", "null", location="007", sequence_id=None, datetime=taken)]
    row = pick(tmp_path, rows, selection).photos.to_pylist()[0]
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
    assert str(caught.value) == ("the label specification chooses none of 2 photos; the catalog has: fox, hare")


def test_a_catalog_without_a_dataset_says_how_to_bring_one_in(tmp_path):
    with pytest.raises(MissingError) as caught:
        catalog.connect(tmp_path)
    assert str(caught.value) == f"{tmp_path}: no dataset in this catalog; bring one in with `camtraps import cct`"


def test_a_file_in_the_catalog_that_is_no_catalog_table_is_named(tmp_path):
    (tmp_path / "notes.parquet").write_text("not a table")
    with pytest.raises(TableError) as caught:
        catalog.connect(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/notes.parquet: not a readable Parquet file: ")


def test_a_folder_with_a_quote_in_its_name_can_hold_a_catalog(tmp_path):
    database = make.database(tmp_path / "it's", make.row("d/a.jpg", "Deer"), make.row("E/a.jpg", " fox "))
    assert catalog.pairs(database) == {("d", "deer"), ("e", "fox")}


def test_a_written_catalog_is_read_back_whole(tmp_path):
    boxes = [{"category": "animal", "class": None, **make.BOX}]
    row = make.row("d/NA/1.jpg", "null", sequence=("007",), location="NA", frame=0, width=64, boxes=boxes)
    catalog.write([row], tmp_path / "d.parquet")
    assert tables.read_arrow(tmp_path / "d.parquet", CATALOG).to_pylist() == [row]


def test_all_photos_of_a_place_come_in_the_order_they_were_taken(tmp_path):
    def shot(file: str, location: str | None, burst: str | None, frame: int | None, hour: int | None) -> dict[str, Any]:
        taken = None if hour is None else datetime(2024, 4, 1, hour)
        return make.row(f"d/{file}", location=location, frame=frame, datetime=taken) | {"sequence": burst}

    rows = [
        shot("1.jpg", "north", "late", 0, 9),
        shot("2.jpg", "north", "early", 1, None),
        shot("3.jpg", "north", "early", 0, 5),
        shot("4.jpg", "south", "other", 0, 1),
        shot("5.jpg", None, "burst", 0, 3),
        shot("6.jpg", None, "burst", 1, 4),
        shot("7.jpg", None, None, None, None),
        shot("8.jpg", None, None, None, None),
    ]
    photos = catalog.photos_at(make.database(tmp_path, *rows), {"d/1.jpg", "d/5.jpg", "d/8.jpg"})
    files = photos.groupby("place")["file"].agg(list).to_dict()
    assert files == {
        "location north": ["3.jpg", "2.jpg", "1.jpg"],
        "sequence burst": ["5.jpg", "6.jpg"],
        "photo 8.jpg": ["8.jpg"],
    }


def test_a_correction_may_name_a_label_instead_of_a_class(tmp_path):
    rows = [make.row("d/x.jpg", "deer"), make.row("d/y.jpg", "vulpes")]
    asked = Selection(
        (LabelRule("fox"), LabelRule("DEER")), {("d", "vulpes"): ("fox", ""), ("d", "deer"): ("DEER", "")}
    )
    chosen = pick(tmp_path, rows, asked, [("d/x.jpg", "Fox")])
    assert dict(zip(*chosen.photos.select(["image", "label"]).to_pydict().values(), strict=True)) == {
        "d/x.jpg": "fox",
        "d/y.jpg": "fox",
    }


def test_a_class_of_the_catalog_that_is_called_like_a_label_stays_that_class(tmp_path):
    rows = [make.row("d/x.jpg", "fox"), make.row("d/y.jpg", "vulpes")]
    asked = Selection((LabelRule("fox"),), {("d", "vulpes"): ("fox", "")})
    assert classes(pick(tmp_path, rows, asked)) == {"d/y.jpg": "vulpes"}


def test_a_photo_corrected_to_what_nobody_asked_for_is_listed(tmp_path):
    rows = [make.row("d/x.jpg", "deer"), make.row("d/y.jpg", "deer")]
    chosen = pick(tmp_path, rows, select("deer"), [("d/x.jpg", "unicorn")])
    assert left_out(chosen) == {"d/x.jpg": ("skipped", "corrected to a class that is not asked for: unicorn")}


def test_corrections_of_unknown_photos_and_labels_without_photos_are_warned_of(tmp_path):
    rows = [make.row("d/x.jpg", "deer")]
    chosen = pick(tmp_path, rows, select("deer", "elk"), [("d/nosuch.jpg", "deer")])
    assert chosen.warnings() == [
        "no photo of label ELK in the catalog: compare the names of datasets and labels in taxonomy.csv and "
        "label_spec.json with those of the catalog",
        "corrections.csv: 1 of no photo in the catalog, first d/nosuch.jpg",
    ]
