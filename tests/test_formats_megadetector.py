"""MegaDetector results: rows with boxes or a failure, what is dropped with a reason, what is refused."""

from pathlib import Path
from typing import Any

import pytest

from camtraps.errors import InputError
from camtraps.formats import megadetector
from camtraps.formats.rows import Problem

PATH = Path("md.json")
BOX = {"category": "1", "conf": 0.9, "bbox": [0.1, 0.2, 0.3, 0.4]}
PARSED_BOX = {"category": "animal", "confidence": 0.9, "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.4}


def document(*images: Any, **more: Any) -> dict[str, Any]:
    info = {"format_version": "1.6", "detector": "md_v5a.0.0.pt"}
    return {"info": info, "detection_categories": {"1": "animal", "2": "person"}, "images": list(images)} | more


def parse(*images: Any, **more: Any) -> megadetector.Results:
    return megadetector.parse(document(*images, **more), "ds", PATH)


def row(file: str, boxes: list[dict[str, Any]] | None, failure: str | None = None) -> dict[str, Any]:
    return {"image": f"ds/{file}", "dataset": "ds", "file": file, "failure": failure, "boxes": boxes}


def message(given: Any) -> str:
    with pytest.raises(InputError) as caught:
        megadetector.parse(given, "ds", PATH)
    return str(caught.value)


def test_a_photo_has_boxes_or_none():
    results = parse({"file": "b.jpg", "detections": []}, {"file": "a.jpg", "detections": [BOX]})
    assert results.detector == "md_v5a.0.0.pt"
    assert results.parsed.rows == [row("a.jpg", [PARSED_BOX]), row("b.jpg", [])]
    assert results.parsed.problems == []


@pytest.mark.parametrize(
    "image",
    [
        {"failure": "Failure image access", "detections": None},
        {"failure": "Failure image access"},
        {"failure": "Failure image access", "detections": []},
    ],
)
def test_a_failure_stays_a_failure_in_every_spelling(image):
    assert parse({"file": "a.jpg"} | image).parsed.rows == [row("a.jpg", None, "Failure image access")]


def test_a_photo_without_detections_is_not_an_empty_one():
    assert parse({"file": "a.jpg"}).parsed.rows == [row("a.jpg", None, "no detections recorded")]


def test_a_failure_that_is_null_is_none():
    assert parse({"file": "a.jpg", "failure": None, "detections": []}).parsed.rows == [row("a.jpg", [])]


def test_a_success_replaces_a_failure_and_else_the_first_counts():
    failed, found, empty = (
        {"file": "a", "failure": "x"},
        {"file": "a", "detections": [BOX]},
        {"file": "a", "detections": []},
    )
    assert parse(failed, found, empty).parsed.rows == [row("a", [PARSED_BOX])]
    assert parse(found, failed).parsed.rows == [row("a", [PARSED_BOX])]


def test_a_file_of_1_0_without_a_detector_is_of_version_4():
    assert parse(info={"format_version": "1.0"}).detector == "megadetector_v4"


def test_backslashes_in_a_file_name_are_folders():
    assert parse({"file": "cam3\\a.jpg", "detections": []}).parsed.rows == [row("cam3/a.jpg", [])]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"category": "9"}, "category '9' is not in detection_categories"),
        ({"category": None}, "category 'None' is not in detection_categories"),
        ({"conf": 1.5}, "conf is not a number from 0 to 1: 1.5"),
        ({"conf": -0.1}, "conf is not a number from 0 to 1: -0.1"),
        ({"conf": None}, "conf is not a number from 0 to 1: None"),
        ({"conf": "0.9"}, "conf is not a number from 0 to 1: '0.9'"),
        ({"conf": float("inf")}, "conf is not a number from 0 to 1: inf"),
        ({"bbox": [0.1, 0.2, 0.3]}, "box is not four numbers: [0.1, 0.2, 0.3]"),
        ({"bbox": [0.1, 0.2, 0.0, 0.4]}, "box has no area inside the image: [0.1, 0.2, 0.0, 0.4]"),
    ],
)
def test_a_box_that_cannot_be_used_is_ignored_and_the_others_stay(change, reason):
    results = parse({"file": "a.jpg", "detections": [BOX | change, BOX]})
    assert results.parsed.rows == [row("a.jpg", [PARSED_BOX])]
    assert results.parsed.problems == [Problem("a.jpg detections[0]", "ignored", reason)]


@pytest.mark.parametrize("file", ["../x.jpg", "/data/x.jpg", "C:\\x.jpg"])
def test_a_file_name_that_leads_out_is_dropped(file):
    results = parse({"file": file, "detections": []})
    assert results.parsed.rows == []
    assert results.parsed.problems == [
        Problem(f"images[0] {file}", "dropped", "file name leads out of the image folder")
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "expected an object with info, detection_categories and images"),
        (
            {"images": 5},
            "key 'info' is missing or not a dict; it has images; key 'detection_categories' is missing or not a dict; "
            "it has images; key 'images' is missing or not a list; it has images",
        ),
        (document({"detections": []}), "images[0]: expected an object with a text 'file', got {'detections': []}"),
        (document("a.jpg"), "images[0]: expected an object with a text 'file', got 'a.jpg'"),
        (document({"file": "a", "detections": {"x": 1}}), "images[0].detections: expected a list, got {'x': 1}"),
    ],
)
def test_what_is_no_result_file_is_refused(given, said):
    assert message(given) == f"md.json: {said}"


def test_what_we_write_we_can_read():
    images = [
        {"file": "a.jpg", "detections": [BOX]},
        {"file": "b.jpg", "failure": "photo not found", "detections": None},
    ]
    written = megadetector.document(images, {"detector": "motion"}, {"0": "fox"})
    assert written["info"] == {"format_version": "1.6", "detector": "motion"}
    assert written["classification_categories"] == {"0": "fox"}
    results = megadetector.parse(written, "ds", PATH)
    assert results.parsed.rows == [row("a.jpg", [PARSED_BOX]), row("b.jpg", None, "photo not found")]
