"""The intake: what is joined, mended, dropped with a reason, refused; whatever format the rows come from."""

import os
import random
import subprocess
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import make
import pyarrow as pa
import pytest

from camtraps import intake, tables
from camtraps.errors import CamtrapsError, InputError
from camtraps.formats import coco
from camtraps.formats.rows import (
    ANNOTATIONS,
    PHOTOS,
    Annotation,
    Category,
    Fault,
    Given,
    Location,
    Photo,
    Problem,
)
from camtraps.schema import CATALOG

PATH = Path("source.csv")
MOST = "is no whole number from 0 to 2147483647; left empty"


class Taken(NamedTuple):
    photos: list[dict[str, Any]]
    problems: list[tuple[str, ...]]
    num_given: int
    datasets: tuple[str, ...]


def take(given: Iterable[Given], dataset: str = "ds", **rules: Any) -> Taken:
    """Take in rows; the photos come sorted by their image."""
    with intake.Opened() as database:
        gathered = intake.gather(given, PATH, intake.Rules(dataset=dataset, **rules), database)
        table = database.sql("select * from photos order by image").to_arrow_table()
        assert table.schema.names == CATALOG.schema.names
        assert gathered.num_photos == table.num_rows
        return Taken(table.to_pylist(), list(gathered.problems()), gathered.num_given, gathered.datasets)


def only(given: Iterable[Given], **rules: Any) -> dict[str, Any]:
    """Take in rows of one photo in which nothing is wrong."""
    taken = take(given, **rules)
    assert taken.problems == []
    assert len(taken.photos) == 1
    return taken.photos[0]


def refusal(given: Iterable[Given], **rules: Any) -> str:
    with pytest.raises(InputError) as caught:
        take(given, **rules)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{PATH}: ")


def photo(key: str = "a.jpg", **more: Any) -> Photo:
    return Photo(**{"place": f"p-{key}", "key": key, "file": key, **more})


def says(name: str | None = "deer", photo: str = "a.jpg", **more: Any) -> Annotation:
    return Annotation(**{"place": "a0", "photo": photo, "name": name, **more})


def box(x: float, y: float, w: float, h: float, **more: Any) -> Annotation:
    return says(**{"x": x, "y": y, "w": w, "h": h, **more})


def label(name: str, level: str = "image") -> dict[str, str]:
    return {"class": name, "level": level}


# Labels and boxes


def test_a_document_of_the_example_becomes_a_catalog(tmp_path):
    document = {
        "images": [
            {"id": "i1", "file_name": "cam3/1.jpg", "location": "cam3", "seq_id": "s1", "frame_num": 0, "width": 200}
            | {"height": 100, "datetime": "2024-04-01 05:12:09"},
            {
                "id": "i2",
                "file_name": "cam3/0.jpg",
                "location": "cam3",
                "seq_id": "s1",
                "frame_num": 1,
                "corrupt": True,
            },
        ],
        "annotations": [
            {"id": "a1", "image_id": "i1", "category_id": 1, "bbox": [20, 30, 60, 25]},
            {"id": "a2", "image_id": "i2", "category_id": 1, "sequence_level_annotation": True},
        ],
        "categories": [{"id": 0, "name": "empty"}, {"id": 1, "name": "deer"}],
    }
    taken = take(coco.read(make.write_json(tmp_path / "cct.json", document)))
    human = {"category": "animal", "class": "deer", "x": 0.1, "y": 0.3, "w": 0.3, "h": 0.25}
    first = make.row("ds/cam3/0.jpg", sequence=("deer",), location="cam3", frame=1, corrupt=True) | {"sequence": "s1"}
    second = make.row("ds/cam3/1.jpg", "deer", location="cam3", frame=0, width=200, height=100, boxes=[human])
    taken_at = datetime(2024, 4, 1, 5, 12, 9)
    assert taken == ([first, second | {"sequence": "s1", "datetime": taken_at}], [], 2, ("ds",))


def test_a_source_without_photos_gives_nothing():
    assert take([]) == ([], [], 0, ())


@pytest.mark.parametrize("text", ["007", "NA", "null", "x#1", "a|b", " x ", "it's", "ä😀"])
def test_keys_locations_sequences_and_classes_stay_text(text):
    row = only([photo(key=text, file="a.jpg", location=text, sequence=text), says(text, photo=text)])
    assert (row["location"], row["sequence"], row["labels"]) == (text, text, [label(text)])


def test_a_photo_without_any_annotation_has_no_label_and_nobody_boxed_it():
    row = only([photo()])
    assert (row["labels"], row["boxes"]) == ([], None)


def test_labels_of_a_photo_are_one_each_and_sorted():
    given = [photo(), says("fox"), says("deer"), says("fox", level="sequence"), says("fox")]
    assert only(given)["labels"] == [label("deer"), label("fox"), label("fox", "sequence")]


def test_an_annotation_without_a_class_is_a_box_only():
    row = only([photo(), box(0.1, 0.2, 0.3, 0.4, name=None)])
    assert row["labels"] == []
    assert row["boxes"] == [{"category": "animal", "class": None, "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}]


def test_two_boxes_of_one_class_are_one_label():
    row = only([photo(), box(0.5, 0, 0.1, 0.1), box(0, 0, 0.1, 0.1)])
    assert row["labels"] == [label("deer")]
    assert [each["x"] for each in row["boxes"]] == [0.0, 0.5]


def test_annotations_may_stand_before_photos_and_categories():
    given = [says("7"), Category("c0", "7", "deer"), photo(), Category("c1", "8", "fox")]
    assert only(given)["labels"] == [label("deer")]


@pytest.mark.parametrize(
    ("name", "category"),
    [("deer", "animal"), (" Homo_Sapiens", "person"), ("Human", "person"), ("car", "vehicle"), (None, "animal")],
)
def test_the_category_of_a_box_follows_from_its_class(name, category):
    assert only([photo(), box(0, 0, 1, 1, name=name)])["boxes"][0]["category"] == category


def test_a_category_that_is_given_goes_before_the_class():
    assert only([photo(), box(0, 0, 1, 1, name="human", category="group")])["boxes"][0]["category"] == "group"


@pytest.mark.parametrize("name", ["empty", " Blank ", "EMPTY"])
def test_what_is_said_to_be_empty_has_no_box(name):
    assert only([photo(), box(0, 0, 1, 1, name=name)])["boxes"] is None


def test_a_photo_that_somebody_looked_at_without_boxing_anything_has_no_boxes_rather_than_unknown_ones():
    assert only([photo(), says("empty", boxed=True)])["boxes"] == []
    assert only([photo(), says(None, boxed=True)])["boxes"] == []
    assert len(only([photo(), says(None, boxed=True), box(0, 0, 1, 1)])["boxes"]) == 1


def test_pixels_become_shares_of_the_photo():
    row = only([photo(width="200", height="100"), box(20, 30, 60, 25, in_pixels=True)])
    assert [row["boxes"][0][name] for name in "xywh"] == [0.1, 0.3, 0.3, 0.25]


@pytest.mark.parametrize("size", [{}, {"width": "200"}, {"width": "0", "height": "100"}])
def test_a_box_in_pixels_needs_the_size_of_its_photo(size):
    taken = take([photo(**size), box(20, 30, 60, 25, in_pixels=True)])
    reason = "box is in pixels but the image has no width and height"
    assert taken.problems == [("a0 of a.jpg", "ignored", reason, "[20, 30, 60, 25]")]
    assert (taken.photos[0]["labels"], taken.photos[0]["boxes"]) == ([label("deer")], None)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ((0.1, 0.3, 0.0, 0.25), "[0.1, 0.3, 0, 0.25]"),
        ((0.1, 0.3, 0.2, -0.1), "[0.1, 0.3, 0.2, -0.1]"),
        ((1.5, 0.3, 0.1, 0.1), "[1.5, 0.3, 0.1, 0.1]"),
        ((-0.5, 0.3, 0.5, 0.1), "[-0.5, 0.3, 0.5, 0.1]"),
        ((float("nan"), 0.3, 0.5, 0.1), "[nan, 0.3, 0.5, 0.1]"),
    ],
)
def test_a_box_without_area_is_left_out_but_its_label_stays(given, shown):
    taken = take([photo(), box(*given)])
    assert taken.problems == [("a0 of a.jpg", "ignored", "box has no area inside the image", shown)]
    assert (taken.photos[0]["labels"], taken.photos[0]["boxes"]) == ([label("deer")], None)


def test_a_box_that_its_reader_could_not_read_is_left_out():
    taken = take([photo(), says(problem="box is not four numbers", found="[1, 2]")])
    assert taken.problems == [("a0 of a.jpg", "ignored", "box is not four numbers", "[1, 2]")]
    assert taken.photos[0]["labels"] == [label("deer")]


def test_a_box_that_reaches_outside_is_clipped_and_said():
    taken = take([photo(width="200", height="100"), box(150, 50, 100, 50, in_pixels=True)])
    assert [taken.photos[0]["boxes"][0][name] for name in "xywh"] == [0.75, 0.5, 0.25, 0.5]
    reason = "box reaches outside the image; clipped"
    assert taken.problems == [("a0 of a.jpg", "mended", reason, "[150, 50, 100, 50]")]


def test_a_box_that_reaches_outside_by_rounding_is_clipped_in_silence():
    row = only([photo(), box(-0.004, 0.0, 0.5, 1.003)])
    assert [row["boxes"][0][name] for name in "xywh"] == [0.0, 0.0, 0.496, 1.0]


def test_a_box_at_the_edge_keeps_its_digits():
    assert 0.7 + 0.3 - 0.7 != 0.3
    row = only([photo(), box(0.7, 0.1, 0.3, 0.9)])
    assert [row["boxes"][0][name] for name in "xywh"] == [0.7, 0.1, 0.3, 0.9]


def test_annotations_that_lead_nowhere_are_counted():
    categories = [Category("c0", "1", "deer")]
    given = [photo(), says("1"), says("1", photo="b.jpg", place="a1"), says("9", place="a2"), *categories]
    taken = take(given)
    assert taken.photos[0]["labels"] == [label("deer")]
    assert taken.problems == [
        ("a1", "ignored", "names no photo of this file", "b.jpg"),
        ("a2", "ignored", "names no category of this file", "9"),
    ]


def test_a_source_whose_annotations_all_lead_nowhere_is_refused_with_the_first():
    given = [photo(), says(photo="x", place="a0"), says(photo="y", place="a1"), Problem("z", "ignored", "other", "")]
    assert refusal(given) == (
        "none of its annotations names a photo and a class of it: a0: names no photo of this file: x"
    )
    assert refusal([photo(), says("9"), Category("c0", "1", "deer")]) == (
        "none of its annotations names a photo and a class of it: a0: names no category of this file: 9"
    )


def test_annotations_of_dropped_photos_go_with_them():
    taken = take([photo("../a.jpg"), says(photo="../a.jpg"), photo("b.jpg")])
    assert [row["labels"] for row in taken.photos] == [[]]
    assert [problem[1] for problem in taken.problems] == ["dropped"]


def test_a_category_id_of_two_names_is_refused():
    categories = [Category("c0", "1", "fox"), Category("c1", "1", "deer"), Category("c2", "2", "fox")]
    assert refusal([photo(), says("1"), *categories]) == "c0: category id 1 is deer and fox"


def test_a_category_may_stand_twice_with_one_name():
    categories = [Category("c0", "1", "deer"), Category("c1", "1", "deer")]
    assert only([photo(), says("1"), *categories])["labels"] == [label("deer")]


# Names and keys


@pytest.mark.parametrize(
    ("file", "kept"),
    [
        ("cam3\\1.jpg", "cam3/1.jpg"),
        ("./a.jpg", "a.jpg"),
        (".\\x\\.\\a.jpg", "x/a.jpg"),
        ("x//a.jpg", "x/a.jpg"),
        ("x/./././a.jpg", "x/a.jpg"),
        ("a./b..jpg", "a./b..jpg"),
        ("...jpg", "...jpg"),
        ("..x/a.jpg", "..x/a.jpg"),
        ("x y/ä 😀.JPG", "x y/ä 😀.JPG"),
    ],
)
def test_file_names_are_written_one_way(file, kept):
    row = only([photo("k", file=file)])
    assert (row["file"], row["image"]) == (kept, f"ds/{kept}")


@pytest.mark.parametrize(
    "file",
    ["../x.jpg", "a/../../x.jpg", "a/..", "..", "/x.jpg", "C:\\x.jpg", "a\\..\\x.jpg", "//server/x.jpg", ".", "", "./"],
)
def test_a_file_name_that_leads_out_is_dropped(file):
    taken = take([photo("k", file=file), photo("b.jpg")])
    assert [row["file"] for row in taken.photos] == ["b.jpg"]
    assert taken.num_given == 2
    ((item, kind, reason, _),) = taken.problems
    assert item.startswith("p-k ")
    assert (kind, reason) == ("dropped", "file name leads out of the image folder")


def test_a_file_name_with_a_nul_is_dropped():
    taken = take([photo("k", file="a\0b.jpg"), photo("b.jpg")])
    assert taken.problems == [("p-k a\0b.jpg", "dropped", "file name leads out of the image folder", "")]


def test_an_id_that_stands_twice_is_taken_once():
    taken = take([photo("1", file="a.jpg"), photo("1", file="b.jpg"), says(photo="1")])
    assert [row["image"] for row in taken.photos] == ["ds/a.jpg"]
    assert taken.photos[0]["labels"] == [label("deer")]
    assert taken.problems == [("p-1 b.jpg", "dropped", "its id stands twice", "1")]


def test_a_file_that_stands_twice_is_taken_once():
    taken = take([photo("1", file="x/a.jpg"), photo("2", file="x\\a.jpg"), says(photo="1"), says("fox", photo="2")])
    assert len(taken.photos) == 1
    assert taken.photos[0]["labels"] == [label("deer")]
    assert taken.num_given == 2
    assert taken.problems == [("p-2 x/a.jpg", "dropped", "its file name stands twice", "")]


def test_a_file_may_stand_in_several_datasets():
    given = [photo("1", file="a.jpg", dataset="one"), photo("2", file="a.jpg", dataset="two"), photo("3", file="a.jpg")]
    taken = take(given)
    assert [row["image"] for row in taken.photos] == ["ds/a.jpg", "one/a.jpg", "two/a.jpg"]
    assert taken.datasets == ("ds", "one", "two")


@pytest.mark.parametrize("dataset", ["", "a/b", "..", ".x", "ä", "a b", "a\n", "x'y"])
def test_a_wrong_dataset_name_drops_its_photos(dataset):
    taken = take([photo(dataset=dataset), photo("b.jpg", dataset="One-1.2_x")])
    assert taken.datasets == ("One-1.2_x",)
    reason = "dataset name has other characters than letters, digits, . _ and -"
    assert taken.problems == [("p-a.jpg a.jpg", "dropped", reason, dataset)]


def test_what_a_reader_dropped_counts_as_given():
    taken = take([photo(), Problem("line 7", "dropped", "no file name"), Problem("x", "skipped", "a video", "x.mp4")])
    assert taken.num_given == 2
    assert taken.problems == [("line 7", "dropped", "no file name", ""), ("x", "skipped", "a video", "x.mp4")]


def test_a_file_name_that_is_not_unicode_is_dropped_with_one_problem_that_can_be_read():
    broken = "d\\caf\udce9.jpg"
    taken = take([photo(broken, place="line 2"), says(photo=broken), photo("b.jpg"), says(photo="b.jpg")])
    assert [row["labels"] for row in taken.photos] == [[label("deer")]]
    assert taken.problems == [("line 2 d\\caf\\udce9.jpg", "dropped", "file name is not Unicode text", "")]


def test_locations_sequences_and_classes_that_are_not_unicode_are_mended():
    taken = take([photo(location="caf\udce9", sequence="\ud800"), says("re\udce9h")])
    row = taken.photos[0]
    assert (row["location"], row["sequence"], row["labels"]) == ("caf\\udce9", "\\ud800", [label("re\\udce9h")])
    mended = "is not Unicode text; half characters escaped"
    assert sorted(taken.problems) == [
        ("a0", "mended", f"name {mended}", "re\\udce9h"),
        ("p-a.jpg", "mended", f"location {mended}", "caf\\udce9"),
        ("p-a.jpg", "mended", f"sequence {mended}", "\\ud800"),
    ]


def test_a_name_of_a_category_that_is_not_unicode_is_mended():
    taken = take([photo(), says("1"), Category("c0", "1", "re\udce9h")])
    assert taken.photos[0]["labels"] == [label("re\\udce9h")]
    assert taken.problems == [("c0", "mended", "name is not Unicode text; half characters escaped", "re\\udce9h")]


def test_ids_that_are_not_unicode_still_join_in_silence():
    assert only([photo("\udce9", file="a.jpg"), says(photo="\udce9")])["labels"] == [label("deer")]


def test_problems_and_faults_that_are_not_unicode_can_be_shown():
    taken = take([photo(), Problem("x\udce9", "skipped", "a video", "y\udce9")])
    assert taken.problems == [("x\\udce9", "skipped", "a video", "y\\udce9")]
    assert refusal([Fault("key '\udce9' is missing")]) == "key '\\udce9' is missing"


# Numbers


@pytest.mark.parametrize(("value", "kept"), [("200", 200), ("2048.0", 2048), ("0", 0), ("2147483647", 2147483647)])
def test_whole_numbers_are_read_as_people_write_them(value, kept):
    row = only([photo(width=value, height=value, frame=value)])
    assert (row["width"], row["height"], row["frame"]) == (kept, kept, kept)


@pytest.mark.parametrize("value", ["-1", "2147483648", "1711947600000", "true", "1.5", "inf", "nan", "1,024", "[1]"])
def test_what_is_no_whole_number_is_left_empty_and_said(value):
    taken = take([photo(width=value), photo("b.jpg", frame=value, height=value)])
    assert [row["width"] for row in taken.photos] == [None, None]
    assert taken.problems == [
        ("p-a.jpg a.jpg", "mended", f"width {MOST}", value),
        ("p-b.jpg b.jpg", "mended", f"frame {MOST}", value),
        ("p-b.jpg b.jpg", "mended", f"height {MOST}", value),
    ]


# Rows that repeat


def test_repeated_rows_of_a_photo_are_merged():
    given = [
        photo(location="cam1", place="line 2"),
        says("deer"),
        photo(width="64", taken="2024-04-01", corrupt=True, place="line 3"),
        says("fox"),
        photo("b.jpg", place="line 4"),
    ]
    taken = take(given, repeats=True)
    first, second = taken.photos
    assert (first["location"], first["width"], first["corrupt"]) == ("cam1", 64, True)
    assert (first["datetime"], first["labels"]) == (datetime(2024, 4, 1), [label("deer"), label("fox")])
    assert (second["file"], second["labels"], second["corrupt"]) == ("b.jpg", [], False)
    assert (taken.num_given, taken.problems) == (2, [])


@pytest.mark.parametrize(
    ("column", "low", "high", "named"),
    [
        ("location", "a", "b", "location"),
        ("taken", "2024-04-01", "2024-04-02", "time"),
        ("sequence", "a", "b", "sequence"),
        ("frame", "1", "2", "frame"),
        ("width", "1", "2", "width"),
        ("height", "1", "2", "height"),
    ],
)
def test_rows_of_a_photo_that_differ_are_said(column, low, high, named):
    given = [photo("b.jpg"), photo(place="line 3", **{column: high}), photo(place="line 4", **{column: low})]
    taken = take(given, repeats=True)
    reason = f"the photo's rows differ in {named}; the first in the alphabet is kept"
    assert taken.problems == [("line 3 a.jpg", "mended", reason, "")]
    assert taken.photos[0] == only([photo(**{column: low})])


def test_without_repeats_a_second_row_is_a_problem():
    assert take([photo(), photo()]).problems == [("p-a.jpg a.jpg", "dropped", "its id stands twice", "a.jpg")]


def test_repeated_rows_of_a_name_that_leads_out_are_one_problem():
    taken = take([photo("../a.jpg"), photo("../a.jpg")], repeats=True)
    assert (taken.num_given, len(taken.problems)) == (1, 1)


# Times


def times(*texts: str, **rules: Any) -> tuple[list[str | None], list[tuple[str, ...]]]:
    """Take in photos of these times; give what was read, and the problems."""
    given = [photo(f"{at:04}.jpg", taken=text) for at, text in enumerate(texts)]
    taken = take(given, **rules)
    read = [row["datetime"] for row in taken.photos]
    return [time and time.strftime("%Y-%m-%d %H:%M:%S") for time in read], taken.problems


@pytest.mark.parametrize(
    "text",
    [
        "2024-04-01 05:12:09",
        "2024-04-01T05:12:09",
        "2024-04-01T05:12:09Z",
        "2024-04-01T05:12:09.500+02:00",
        "2024-04-01T05:12:09,5",
        "2024-04-01 05:12:09 -0700",
        "2024-04-01 05:12:09 UTC",
        "2024-04-01 05:12:09 EST",
        " 2024-04-01  05:12:09 ",
        "2024-4-1 5:12:9",
        "2024-04-01 05:12:09 AM",
        "2024:04:01 05:12:09",
        "2024/04/01 05:12:09",
        "2024.04.01 05:12:09",
        "20240401051209",
        "20240401T051209",
        "1 Apr 2024 05:12:09",
        "1 April 2024, 5:12:09 am",
        "Apr 1, 2024 5:12:09 AM",
        "Mon, 01 Apr 2024 05:12:09 GMT",
        "01-Apr-2024 05:12:09",
        "1 Apr 24 05:12:09",
    ],
)
def test_a_time_is_read_as_the_camera_wrote_it(text):
    assert times(text) == (["2024-04-01 05:12:09"], [])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2024-04-01 05:12", "2024-04-01 05:12:00"),
        ("2024-04-01", "2024-04-01 00:00:00"),
        ("20240401", "2024-04-01 00:00:00"),
        ("2024:04:01 05:12", "2024-04-01 05:12:00"),
        ("2024-04-01 05:12:09 PM", "2024-04-01 17:12:09"),
        ("2024-04-01 12:12:09 AM", "2024-04-01 00:12:09"),
        ("2024-02-29", "2024-02-29 00:00:00"),
        ("1 Apr 2024", "2024-04-01 00:00:00"),
    ],
)
def test_a_time_may_be_less_exact(text, read):
    assert times(text) == ([read], [])


@pytest.mark.parametrize(
    "text",
    [
        "0000-00-00 00:00:00",
        "yesterday",
        "5",
        "2024",
        "05:12:09",
        "Monday",
        "1 Apr",
        "Apr 2024",
        "04-01 05:12",
        "2024-13-01 05:12:09",
        "2024-02-30 05:12:09",
        "2023-02-29",
        "2024-04-01 25:00:00",
        "2024-04-01 05:61",
        "24-04-01 05:12:09",
        "1311101200",
        "1711947600",
        "1711947600000",
        "unknown",
        "(2024, 4, 1)",
        "\x00",
        "9" * 400,
    ],
)
def test_a_time_that_cannot_be_read_is_left_empty_and_said(text):
    read, problems = times(text)
    assert read == [None]
    assert problems == [("p-0000.jpg 0000.jpg", "mended", "time cannot be read; left empty", text)]


@pytest.mark.parametrize("text", ["04/01/2024 05:12:09", "04-01-2024 05:12:09 AM", "4/1/24 5:12:09"])
def test_an_unclear_date_is_month_first_and_said_once(text):
    read, problems = times(text, text.replace("04", "05").replace("4/1", "5/1"))
    assert read == ["2024-04-01 05:12:09", "2024-05-01 05:12:09"]
    reason = "dates may be month/day or day/month; read as month first (--day-first if not)"
    assert problems == [("ds", "mended", reason, text)]


def test_a_date_that_can_only_be_day_first_decides_for_its_dataset():
    read, problems = times("01.04.2024 5:12", "13.04.2024 5:12", "01/04/2024 05:12:09 PM", "1/4/24 5:12")
    assert read == ["2024-04-01 05:12:00", "2024-04-13 05:12:00", "2024-04-01 17:12:09", "2024-04-01 05:12:00"]
    assert problems == []


def test_a_date_that_can_only_be_month_first_decides_for_its_dataset():
    read, problems = times("04/01/2024 5:12", "04/13/2024 5:12", "4/1/24 5:12 PM")
    assert read == ["2024-04-01 05:12:00", "2024-04-13 05:12:00", "2024-04-01 17:12:00"]
    assert problems == []


def test_unclear_dates_with_points_are_day_first():
    read, problems = times("04.01.2024 5:12:09", "05.01.2024 5:12:09")
    assert read == ["2024-01-04 05:12:09", "2024-01-05 05:12:09"]
    reason = "dates may be month/day or day/month; read as day first (--month-first if not)"
    assert problems == [("ds", "mended", reason, "04.01.2024 5:12:09")]


def test_dates_of_both_orders_are_read_as_month_first_and_the_others_left_empty():
    read, problems = times("04/01/2024", "04/13/2024", "13/04/2024", "13/4/24")
    assert read == ["2024-04-01 00:00:00", "2024-04-13 00:00:00", None, None]
    assert [(problem[0], problem[2], problem[3]) for problem in problems] == [
        ("ds", "dates may be month/day or day/month; read as month first (--day-first if not)", "04/01/2024"),
        ("p-0002.jpg 0002.jpg", "time cannot be read; left empty", "13/04/2024"),
        ("p-0003.jpg 0003.jpg", "time cannot be read; left empty", "13/4/24"),
    ]


@pytest.mark.parametrize(("day_first", "month", "day"), [(True, 4, 1), (False, 1, 4)])
def test_the_user_says_what_comes_first(day_first, month, day):
    read, problems = times("01/04/2024", "1/4/24 5:12 PM", "2024-01-04", "2024-01-04 05:12 EST", day_first=day_first)
    first = f"2024-{month:02}-{day:02}"
    assert read == [f"{first} 00:00:00", f"{first} 17:12:00", "2024-01-04 00:00:00", "2024-01-04 05:12:00"]
    assert problems == []


def test_each_dataset_decides_for_itself():
    given = [
        photo("1", dataset="d1", taken="01/04/2024"),
        photo("2", dataset="d1", taken="13/04/2024"),
        photo("3", dataset="m1", taken="01/04/2024"),
        photo("4", dataset="m1", taken="01/13/2024"),
    ]
    taken = take(given)
    assert [row["datetime"].month for row in taken.photos] == [4, 4, 1, 1]
    assert taken.problems == []


def test_a_date_with_the_year_first_is_not_unclear():
    assert times("2024-04-01", "2024/04/01", "20240401", "1 Apr 2024")[1] == []


def test_no_text_breaks_the_reading_of_times():
    choose = random.Random(1)
    letters = "0123456789" * 3 + ":-/. TZ+APM,JanFeb()'\"\\\n%é"
    texts = ["".join(choose.choices(letters, k=choose.randrange(1, 25))) for _ in range(2000)]
    read, problems = times(*texts)
    unread = [problem[3] for problem in problems if problem[0] != "ds"]
    assert unread == [text for text, time in zip(texts, read, strict=True) if time is None]


# Sequences


def built(*photos: tuple[str, str | None, str | None], **rules: Any) -> list[tuple[str | None, int | None]]:
    """Take in photos of (file, location, time); give sequence and frame of each in the order of their names."""
    given = [photo(file, location=location, taken=taken) for file, location, taken in photos]
    return [(row["sequence"], row["frame"]) for row in take(given, **rules).photos]


def test_a_pause_of_exactly_the_gap_is_within_a_sequence():
    start = ("a.jpg", "cam", "2024-04-01 05:00:00")
    first = "cam 2024-04-01T05:00:00"
    assert built(start, ("b.jpg", "cam", "2024-04-01 05:00:30")) == [(first, 0), (first, 1)]
    assert built(start, ("b.jpg", "cam", "2024-04-01 05:00:31")) == [(first, 0), ("cam 2024-04-01T05:00:31", 0)]


def test_the_gap_is_between_neighbours_not_from_the_start():
    photos = [(f"{at}.jpg", "cam", f"2024-04-01 05:00:{at * 20:02}") for at in range(3)]
    assert [frame for _, frame in built(*photos)] == [0, 1, 2]


@pytest.mark.parametrize(("gap", "frames"), [(0.5, [0, 0]), (1, [0, 1]), (3600, [0, 1])])
def test_the_gap_is_in_seconds(gap, frames):
    photos = [("a.jpg", "cam", "2024-04-01 05:00:00"), ("b.jpg", "cam", "2024-04-01 05:00:01")]
    assert [frame for _, frame in built(*photos, sequence_gap=gap)] == frames


def test_a_gap_of_zero_builds_no_sequences():
    photos = [("a.jpg", "cam", "2024-04-01 05:00:00"), ("b.jpg", "cam", "2024-04-01 05:00:00")]
    assert built(*photos, sequence_gap=0) == [(None, None), (None, None)]


def test_locations_and_datasets_have_sequences_of_their_own():
    taken = "2024-04-01 05:00:00"
    given = [photo(f"{at}.jpg", location=name, taken=taken) for at, name in enumerate(["cam1", "cam2", "cam1"])]
    given += [photo("3.jpg", location="cam1", taken=taken, dataset="other")]
    photos = take(given).photos
    assert [(row["sequence"], row["frame"]) for row in photos] == [
        ("cam1 2024-04-01T05:00:00", 0),
        ("cam2 2024-04-01T05:00:00", 0),
        ("cam1 2024-04-01T05:00:00", 1),
        ("cam1 2024-04-01T05:00:00", 0),
    ]


def test_frames_follow_the_time_and_then_the_name():
    photos = [
        ("c.jpg", "cam", "2024-04-01 05:00:00"),
        ("a.jpg", "cam", "2024-04-01 05:00:01"),
        ("b.jpg", "cam", "2024-04-01 05:00:01"),
    ]
    assert [frame for _, frame in built(*photos)] == [1, 2, 0]


def test_a_day_without_a_clock_time_builds_no_sequence():
    assert built(("a.jpg", "cam", "2024-04-01"), ("b.jpg", "cam", "2024-04-01")) == [(None, None), (None, None)]


def test_photos_without_a_place_or_time_are_in_no_sequence():
    photos = [("a.jpg", None, "2024-04-01"), ("b.jpg", "cam", None), ("c.jpg", "cam", "yesterday")]
    assert built(*photos) == [(None, None)] * 3


def test_a_photo_with_a_sequence_of_its_own_keeps_it():
    taken = "2024-04-01 05:00:00"
    given = [
        photo("a.jpg", location="cam", taken=taken, sequence="s1"),
        photo("b.jpg", location="cam", taken=taken),
        photo("c.jpg", location="cam", taken=taken, frame="7"),
    ]
    first = "cam 2024-04-01T05:00:00"
    assert [(row["sequence"], row["frame"]) for row in take(given).photos] == [("s1", None), (first, 0), (first, 7)]


# The source as a whole


def test_all_faults_are_said_together_the_first_twenty_by_name():
    said = refusal([Fault(f"images[{at}]: key 'id' is missing") for at in range(25)] + [photo()])
    assert said.startswith("images[0]: key 'id' is missing; images[1]: ")
    assert said.count("is missing") == 20
    assert said.endswith("images[19]: key 'id' is missing; and 5 more")


def test_twenty_faults_are_all_said():
    said = refusal([Fault(f"f{at}") for at in range(20)])
    assert said == "; ".join(f"f{at}" for at in range(20))


def test_locations_come_with_the_photos():
    with intake.Opened() as database:
        given = [photo(), Location("cam", 1.5, -2.5), Location("caf\udce9", 0.0, 0.0, "other")]
        gathered = intake.gather(given, PATH, intake.Rules(dataset="ds"), database)
        assert gathered.locations == (Location("cam", 1.5, -2.5), Location("caf\\udce9", 0.0, 0.0, "other"))


def test_tables_of_photos_and_annotations_are_rows_too():
    rows: list[Any] = [photo(location="007"), says("NA"), photo("b.jpg")]
    photos = pa.Table.from_pylist([row._asdict() for row in (rows[0], rows[2])], schema=PHOTOS)
    annotations = pa.Table.from_pylist([rows[1]._asdict()], schema=ANNOTATIONS)
    assert take([annotations, photos]) == take(rows)


def test_more_rows_than_a_batch_are_all_taken(monkeypatch):
    monkeypatch.setattr(intake, "BATCH", 7)
    given = [row for at in range(100) for row in (photo(f"{at:03}.jpg"), says(photo=f"{at:03}.jpg"))]
    taken = take([*given, *(Problem(f"x{at}", "skipped", "a video") for at in range(20))])
    assert [row["file"] for row in taken.photos] == [f"{at:03}.jpg" for at in range(100)]
    assert all(row["labels"] == [label("deer")] for row in taken.photos)
    assert [problem[0] for problem in taken.problems] == [f"x{at}" for at in range(20)]


def test_problems_are_counted_by_reason_with_the_first():
    with intake.Opened() as database:
        given = [photo(), Problem("b", "skipped", "a video", "b.mp4"), Problem("a", "skipped", "a video")]
        gathered = intake.gather([*given, photo()], PATH, intake.Rules(dataset="ds"), database)
        assert gathered.problem_counts() == [
            ("dropped", "its id stands twice", 1, "p-a.jpg a.jpg: a.jpg"),
            ("skipped", "a video", 2, "b: b.mp4"),
        ]


def many() -> list[Given]:
    """Make photos of two datasets with labels, boxes, unclear dates and repeats, in a fixed order."""
    choose = random.Random(5)
    rows: list[Given] = []
    for at in range(3000):
        key, location = f"{at % 37:02}/{at:05}.jpg", f"{at % 37:03}"
        taken = f"{at % 28 + 1}/{at % 12 + 1}/2024 {at % 24}:{at % 60:02}:{at % 50:02}"
        rows.append(photo(key, location=location, taken=taken, dataset=f"d{at % 2}", width="640", height="480"))
        for _ in range(choose.randrange(4)):
            sides = [choose.uniform(0, 500) for _ in range(4)]
            name = choose.choice(["deer", "fox", "empty", "person"])
            level = choose.choice(["image", "sequence"])
            rows.append(box(*sides, name=name, photo=key, level=level, in_pixels=True, place=f"a{len(rows)}"))
    return rows


def write(rows: list[Given], folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    with intake.Opened() as database:
        if "THREADS" in os.environ:
            database.execute(f"set threads = {os.environ['THREADS']}")
        paths = intake.gather(rows, PATH, intake.Rules(dataset="ds"), database).write(folder)
    return {path.name: path.read_bytes() for path in paths}


def test_the_same_rows_in_any_order_are_the_same_bytes(tmp_path):
    rows, shuffled = many(), many()
    random.Random(6).shuffle(shuffled)
    first, second = write(rows, tmp_path / "first"), write(shuffled, tmp_path / "second")
    assert list(first) == ["d0.parquet", "d1.parquet"]
    assert first == second
    assert tables.read_arrow(tmp_path / "first" / "d0.parquet", CATALOG).num_rows == 1500


def test_another_process_with_other_hashes_and_one_thread_writes_the_same_bytes(tmp_path):
    first = write(many(), tmp_path / "first")
    code = "import sys, pathlib, test_intake as t; t.write(t.many(), pathlib.Path(sys.argv[1]))"
    own = {"PYTHONHASHSEED": "7", "THREADS": "1", "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", code, str(tmp_path / "second")]
    subprocess.run(command, check=True, env=os.environ | own, cwd=Path(__file__).parent.parent)
    assert {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()} == first


def test_nothing_is_left_behind(work):
    take([photo()])
    refusal([Fault("x")])
    assert list((work / "intake").iterdir()) == []


def test_nothing_is_left_behind_when_a_reader_fails(work):
    def failing() -> Iterable[Given]:
        yield photo()
        raise InputError("the file ends in the middle")

    with pytest.raises(InputError, match="the file ends in the middle"):
        take(failing())
    assert list((work / "intake").iterdir()) == []


def test_a_disk_that_is_full_before_everything_is_taken_in_is_one_line(work, monkeypatch):
    monkeypatch.setattr(intake, "MEMORY", "20MB")
    sql = "create table t as select hash(range)::varchar as a, repeat(a, 9) as b from range(1000000)"
    with pytest.raises(CamtrapsError) as caught, intake.Opened() as database, make.small_files(1000):
        database.execute(sql)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("the database cannot go on, is the disk full? ")
    assert list((work / "intake").iterdir()) == []


def test_a_work_folder_may_have_a_quote_in_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "it's"))
    assert len(take([photo()]).photos) == 1
