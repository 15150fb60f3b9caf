"""COCO Camera Traps: what becomes a row, what is mended or dropped with a reason, what is refused."""

from datetime import datetime
from pathlib import Path
from typing import Any

import make
import pytest

from camtraps.errors import InputError
from camtraps.formats import coco
from camtraps.formats.rows import Parsed, Problem

PATH = Path("cct.json")
IMAGE = {"id": "i1", "file_name": "cam3/1.jpg", "width": 200, "height": 100}
LABEL = {"id": "a1", "image_id": "i1", "category_id": 1}
MOST = "no whole number from 0 to 2147483647; left empty"


def document(image: dict[str, Any] | None = None, label: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Make a document of one photo of a deer; keys of its image and annotation may be added or changed."""
    own = {"images": [IMAGE | (image or {})], "annotations": [LABEL | (label or {})]}
    return own | {"categories": [{"id": 0, "name": "empty"}, {"id": 1, "name": "deer"}]} | more


def parse(*given: Any, **more: Any) -> Parsed:
    return coco.parse(document(*given, **more), "ds", PATH)


def only(parsed: Parsed) -> dict[str, Any]:
    assert len(parsed.rows) == 1
    return parsed.rows[0]


def message(given: Any) -> str:
    with pytest.raises(InputError) as caught:
        coco.parse(given, "ds", PATH)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_example_of_the_format_becomes_two_rows():
    images = [
        IMAGE | {"location": "cam3", "seq_id": "s1", "frame_num": 0, "datetime": "2024-04-01 05:12:09"},
        {"id": "i2", "file_name": "cam3/0.jpg", "location": "cam3", "seq_id": "s1", "frame_num": 1, "corrupt": True},
    ]
    annotations = [
        LABEL | {"bbox": [20, 30, 60, 25], "sequence_level_annotation": False},
        {"id": "a2", "image_id": "i2", "category_id": 1, "sequence_level_annotation": True},
    ]
    parsed = parse(images=images, annotations=annotations)
    box = {"category": "animal", "class": "deer", "x": 0.1, "y": 0.3, "w": 0.3, "h": 0.25}
    assert parsed.problems == []
    assert parsed.num_given == 2
    first = make.row("ds/cam3/0.jpg", sequence=("deer",), location="cam3", frame=1, corrupt=True) | {"sequence": "s1"}
    second = make.row("ds/cam3/1.jpg", "deer", location="cam3", frame=0, width=200, height=100, boxes=[box])
    assert parsed.rows == [first, second | {"sequence": "s1", "datetime": datetime(2024, 4, 1, 5, 12, 9)}]


@pytest.mark.parametrize(
    ("location", "text"), [("007", "007"), (7, "7"), ("NA", "NA"), ("null", "null"), (None, None), ("", None), (0, "0")]
)
def test_a_location_is_text(location, text):
    assert only(parse({"location": location}))["location"] == text


def test_a_class_that_looks_like_nothing_stays_text():
    parsed = parse(categories=[{"id": 1, "name": "null"}])
    assert only(parsed)["labels"] == [{"class": "null", "level": "image"}]


def test_a_relative_box_needs_no_size():
    row = only(parse({"width": None, "height": None}, {"bbox_relative": [0.1, 0.2, 0.3, 0.4]}))
    assert row["boxes"] == [{"category": "animal", "class": "deer", "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}]


def test_two_annotations_of_one_class_are_one_label_with_two_boxes():
    boxes = [LABEL | {"bbox": [0, 0, 20, 10]}, LABEL | {"id": "a2", "bbox": [100, 50, 20, 10]}]
    row = only(parse(annotations=boxes))
    assert len(row["labels"]) == 1
    assert [box["x"] for box in row["boxes"]] == [0.0, 0.5]


@pytest.mark.parametrize("label", [{"category_id": 0, "bbox": [0, 0, 20, 10]}, {"bbox": None}, {"bbox_relative": None}])
def test_an_annotation_without_a_box_leaves_the_photo_unboxed(label):
    parsed = parse(None, label)
    assert only(parsed)["boxes"] is None
    assert parsed.problems == []


@pytest.mark.parametrize(
    ("bbox", "reason"),
    [
        ([20, 30, 0, 25], "box has no area inside the image: [0.1, 0.3, 0.0, 0.25]"),
        ([300, 30, 10, 10], "box has no area inside the image: [1.5, 0.3, 0.05, 0.1]"),
        ([1, 2, 3], "box is not four numbers: [1, 2, 3]"),
        ([1, 2, 3, None], "box is not four numbers: [1, 2, 3, None]"),
        ([1, 2, 3, "4"], "box is not four numbers: [1, 2, 3, '4']"),
    ],
)
def test_a_box_that_cannot_be_used_is_dropped_but_the_label_stays(bbox, reason):
    parsed = parse(None, {"bbox": bbox})
    assert only(parsed)["boxes"] is None
    assert only(parsed)["labels"] == [{"class": "deer", "level": "image"}]
    assert parsed.problems == [Problem("annotations[0] of cam3/1.jpg", "dropped", reason)]


def test_a_box_that_reaches_outside_is_clipped_and_said():
    parsed = parse(None, {"bbox": [150, 50, 100, 50]})
    assert only(parsed)["boxes"][0] == {"category": "animal", "class": "deer", "x": 0.75, "y": 0.5, "w": 0.25, "h": 0.5}
    problem = Problem("annotations[0] of cam3/1.jpg", "mended", "box reaches outside the image; clipped")
    assert parsed.problems == [problem]


def test_a_box_in_pixels_needs_the_size_of_its_image():
    parsed = parse({"width": None}, {"bbox": [20, 30, 60, 25]})
    reason = "box is in pixels but the image has no width and height"
    assert parsed.problems == [Problem("annotations[0] of cam3/1.jpg", "dropped", reason)]


@pytest.mark.parametrize(("value", "shown"), [("200", "'200'"), (-1, "-1"), (2**31, "2147483648"), (True, "True")])
def test_a_width_that_is_no_whole_number_is_left_empty_and_said(value, shown):
    parsed = parse({"width": value})
    assert only(parsed)["width"] is None
    assert parsed.problems == [Problem("images[0] cam3/1.jpg", "mended", f"width {shown} is {MOST}")]


def test_a_frame_number_that_is_really_a_time_is_left_empty_and_said():
    parsed = parse({"frame_num": 1711947600000})
    assert only(parsed)["frame"] is None
    assert parsed.problems == [Problem("images[0] cam3/1.jpg", "mended", f"frame_num 1711947600000 is {MOST}")]


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("2024-04-01 05:12:09", datetime(2024, 4, 1, 5, 12, 9)),
        ("2024-04-01T05:12:09.500+02:00", datetime(2024, 4, 1, 5, 12, 9)),
        ("2024-04-01", datetime(2024, 4, 1)),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_as_the_camera_wrote_it(text, taken):
    parsed = parse({"datetime": text})
    assert only(parsed)["datetime"] == taken
    assert parsed.problems == []


@pytest.mark.parametrize("text", ["01/04/2024 05:12", "2024:04:01 05:12:09", "0000-00-00 00:00:00", "yesterday"])
def test_an_odd_time_is_left_empty_and_said(text):
    parsed = parse({"datetime": text})
    assert only(parsed)["datetime"] is None
    assert parsed.problems == [
        Problem("images[0] cam3/1.jpg", "mended", f"datetime {text!r} is not ISO 8601; left empty")
    ]


@pytest.mark.parametrize("file", ["../../x.jpg", "/data/x.jpg", "C:\\x.jpg", "a\\..\\..\\x.jpg"])
def test_a_file_name_that_leads_out_is_dropped_with_its_annotations(file):
    images = [IMAGE | {"file_name": file}, IMAGE | {"id": "i2", "file_name": "b.jpg"}]
    parsed = parse(images=images, annotations=[LABEL, LABEL | {"image_id": "i2"}])
    assert only(parsed)["image"] == "ds/b.jpg"
    assert parsed.problems == [Problem(f"images[0] {file}", "dropped", "file name leads out of the image folder")]


def test_a_file_name_that_is_not_text_is_dropped_and_can_be_written_down():
    images = [IMAGE | {"file_name": "caf\udce9.jpg"}, IMAGE | {"id": "i2", "file_name": "b.jpg"}]
    parsed = parse(images=images, annotations=[LABEL | {"image_id": "i2"}])
    assert only(parsed)["image"] == "ds/b.jpg"
    assert parsed.problems == [Problem("images[0] caf\\udce9.jpg", "dropped", "file name is not Unicode text")]


def test_backslashes_in_a_file_name_are_folders():
    assert only(parse({"file_name": "cam3\\1.jpg"}))["file"] == "cam3/1.jpg"


def test_an_image_that_stands_twice_is_dropped_once():
    images = [IMAGE, IMAGE | {"file_name": "b.jpg"}, IMAGE | {"id": "i2"}]
    parsed = parse(images=images)
    assert only(parsed)["file"] == "cam3/1.jpg"
    assert parsed.num_given == 3
    assert parsed.problems == [
        Problem("images[1] b.jpg", "dropped", "image id 'i1' stands twice"),
        Problem("images[2] cam3/1.jpg", "dropped", "file name stands twice"),
    ]


def test_annotations_that_lead_nowhere_are_dropped():
    parsed = parse(annotations=[LABEL, LABEL | {"image_id": "i9"}, LABEL | {"category_id": 9}])
    assert only(parsed)["labels"] == [{"class": "deer", "level": "image"}]
    assert parsed.problems == [
        Problem("annotations[1]", "dropped", "image_id 'i9' is no image of this file"),
        Problem("annotations[2]", "dropped", "category_id 9 is no category of this file"),
    ]


def test_a_file_whose_annotations_all_lead_nowhere_is_refused():
    assert message(document(None, {"image_id": 1})) == (
        "cct.json: none of its annotations names an image and a category of it: "
        "annotations[0]: image_id 1 is no image of this file"
    )


def test_photos_without_any_annotation_are_taken():
    assert only(parse(annotations=[]))["labels"] == []


def test_missing_lists_are_refused_at_once():
    assert message({"images": [IMAGE], "info": {}}) == (
        "cct.json: the list 'categories' is missing; it has images, info; "
        "the list 'annotations' is missing; it has images, info"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "expected an object with images, categories and annotations, got a list"),
        (document(images=["x"]), "images[0]: expected an object, got 'x'"),
        (document({"id": None}), "images[0]: key 'id' is missing or None"),
        (document({"file_name": ""}), "images[0]: key 'file_name' is missing or ''"),
        (document(None, {"category_id": [1]}), "annotations[0]: key 'category_id' is missing or [1]"),
        (
            document(annotations=[{}]),
            "annotations[0]: key 'image_id' is missing or None; annotations[0]: key 'category_id' is missing or None",
        ),
        (
            document(categories=[{"id": 1, "name": "deer"}, {"id": 1, "name": "fox"}]),
            "categories[1]: id 1 is 'fox' here and 'deer' above",
        ),
    ],
)
def test_what_is_no_cct_file_is_refused(given, said):
    assert message(given) == f"cct.json: {said}"


def test_of_many_problems_the_first_twenty_are_said():
    said = message(document(images=[IMAGE | {"id": None}] * 25))
    assert said.count("key 'id' is missing") == 20
    assert said.endswith("; and 5 more")


def test_the_order_of_a_file_does_not_matter():
    tiny = make.cct()
    turned = {name: part[::-1] if isinstance(part, list) else part for name, part in tiny.items()}
    assert coco.parse(tiny, "tiny", PATH).rows == coco.parse(turned, "tiny", PATH).rows
