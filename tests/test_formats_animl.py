"""Animl: its export by either name, the ancestor's MegaDetector form, and exports that are cut off."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from camtraps.errors import InputError
from camtraps.formats import animl
from camtraps.formats.rows import Annotation, Category, Fault, Given, Photo, Problem

IMAGE = {
    "id": "p:1",
    "file_name": "p/cam/dep/p-1.jpg",
    "original_file_name": "IMG_1.JPG",
    "serving_bucket_key": "original/p:1-original.jpg",
    "datetime": "2024-04-01T05:12:09.000-07:00",
    "location": "dep",
    "width": 200,
    "height": 100,
}
LABEL = {
    "id": "a1",
    "image_id": "p:1",
    "category_id": 1,
    "sequence_level_annotation": False,
    "bbox": [20, 10, 100, 50],
    "confidence": 0.9,
    "validated": True,
}
CATEGORIES = [{"id": 0, "name": "empty"}, {"id": 1, "name": "fox"}]
EXPORT = {"images": [IMAGE], "annotations": [LABEL], "categories": CATEGORIES, "info": {"version": "1.0"}}
ROWS = [
    Photo("images[0]", "p:1", IMAGE["file_name"], "dep", None, None, IMAGE["datetime"], "200", "100"),
    Annotation("annotations[0]", "p:1", "1", x=20.0, y=10.0, w=100.0, h=50.0, in_pixels=True),
    Category("categories[0]", "0", "empty"),
    Category("categories[1]", "1", "fox"),
]
TRUTH = {
    "info": {"format_version": 1.2, "detector": "cct_to_md"},
    "detection_categories": {"0": "empty", "1": "fox", "2": "person"},
    "images": [
        {
            "file": "p/1.jpg",
            "location": "dep",
            "id": "p:1",
            "detections": [
                {"category": "1", "conf": 1.0, "bbox": [0.1, 0.1, 0.5, 0.5]},
                {"category": "2", "conf": 1.0, "bbox": [0.5, 0.5, 0.25, 0.5]},
            ],
            "max_detection_conf": 1.0,
            "is_ground_truth": True,
        },
        {"file": "p/2.jpg", "location": "dep", "id": "p:2", "detections": [], "is_ground_truth": True},
    ],
}


@pytest.fixture
def read(tmp_path):
    def give(document: Any, by: animl.By = "file_name") -> list[Given]:
        path = tmp_path / "animl.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return list(animl.read(path, by))

    return give


def faults(given: list[Given]) -> list[str]:
    return [each.text for each in given if isinstance(each, Fault)]


def test_an_export_becomes_photos_boxes_and_categories(read):
    assert read(EXPORT) == ROWS


def test_an_export_may_have_its_keys_in_any_order(read):
    assert read(dict(reversed(EXPORT.items()))) == [*ROWS[2:], ROWS[1], ROWS[0]]


def test_a_photo_may_be_found_by_its_name_in_the_bucket(read):
    photo = read(EXPORT, "serving_bucket_key")[0]
    assert photo == ROWS[0]._replace(file="original/p:1-original.jpg")  # type: ignore[union-attr]
    assert animl.BUCKET == "s3://animl-images-serving-prod"


def test_a_label_that_nobody_validated_is_dropped(read):
    given = read(EXPORT | {"annotations": [LABEL | {"validated": False}, LABEL | {"validated": None}]})
    reason = "its label was not validated by a person in Animl"
    assert given[1] == Problem("annotations[0]", "ignored", reason, "1")
    assert given[2] == ROWS[1]._replace(place="annotations[1]")  # type: ignore[union-attr]


def test_a_box_without_size_of_its_image_has_its_problem(read):
    # Animl multiplies by a width that it does not know.
    label = read(EXPORT | {"annotations": [LABEL | {"bbox": [None] * 4}]})[1]
    assert isinstance(label, Annotation)
    assert (label.name, label.problem, label.found) == ("1", "box is not four numbers", "[None, None, None, None]")


def test_wrong_entries_of_an_export_are_faults(read):
    without = {name: value for name, value in IMAGE.items() if name != "serving_bucket_key"}
    given = read(EXPORT | {"images": [without, 7], "annotations": [{"image_id": "x"}]}, "serving_bucket_key")
    assert faults(given) == [
        "images[0]: key 'serving_bucket_key' is missing or None",
        "images[1]: expected an object, got 7",
        "annotations[0]: key 'category_id' is missing or None",
    ]
    assert faults(read({"images": [IMAGE], "categories": {}})) == [
        "categories: expected a list, got {}",
        "the list 'annotations' is missing; it has images, categories",
    ]


def test_an_export_without_photos_has_no_rows(read):
    assert faults(read({"info": {}, "images": [], "annotations": [], "categories": []})) == []


@pytest.mark.parametrize("labels", [[], [LABEL], [LABEL, LABEL]])
def test_an_export_that_is_cut_off_says_what_to_do_in_animl(tmp_path, labels):
    # As Animl streams it: each label is followed by a comma, the categories by the last label of the last photo.
    path = tmp_path / "large.json"
    written = "".join(json.dumps(label, indent=4) + ", " for label in labels)
    path.write_text('{"images": [' + json.dumps(IMAGE, indent=4) + '], "annotations": [' + written)
    given = []
    with pytest.raises(InputError) as caught:
        given.extend(animl.read(path, "file_name"))
    first, hint = str(caught.value).split(": its categories are", 1)[0], str(caught.value)
    assert "the file ends in the middle" in first
    assert hint.endswith(
        "; its categories are missing: Animl cuts large exports off when their last photo has no labelled object; "
        "export again in Animl with a narrower filter (dates, deployments, reviewed photos), a piece at a time"
    )


def test_other_errors_have_no_such_hint(read):
    with pytest.raises(InputError) as caught:
        read('{"categories": [], "annotations": [{"x": 1}')
    assert "its categories are missing" not in str(caught.value)
    with pytest.raises(InputError) as caught:
        read('{"images": [}')
    assert "its categories are missing" not in str(caught.value)


def test_the_form_of_megadetector_has_species_and_all_boxes(read):
    expected = [
        Category("detection_categories.0", "0", "empty"),
        Category("detection_categories.1", "1", "fox"),
        Category("detection_categories.2", "2", "person"),
        Photo("images[0]", "p:1", "p/1.jpg", "dep"),
        Annotation("images[0].detections[0]", "p:1", "1", x=0.1, y=0.1, w=0.5, h=0.5),
        Annotation("images[0].detections[1]", "p:1", "2", x=0.5, y=0.5, w=0.25, h=0.5),
        Photo("images[1]", "p:2", "p/2.jpg", "dep"),
    ]
    assert read(TRUTH) == expected
    assert read(dict(reversed(TRUTH.items()))) == [*expected[3:], *expected[:3]]


@pytest.mark.parametrize("packed", ["zip", "gz"])
@pytest.mark.parametrize(("document", "num_rows"), [(EXPORT, 4), (TRUTH, 7)])
def test_either_form_may_be_packed(tmp_path, packed, document, num_rows):
    path: Path = tmp_path / f"animl.{packed}"
    if packed == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("animl.json", json.dumps(document))
    else:
        path.write_bytes(gzip.compress(json.dumps(document).encode()))
    assert len(list(animl.read(path, "file_name"))) == num_rows


def test_the_form_of_megadetector_has_no_bucket_keys(read, tmp_path):
    with pytest.raises(InputError) as caught:
        read(TRUTH, "serving_bucket_key")
    assert str(caught.value) == (
        f"{tmp_path / 'animl.json'}: a file of MegaDetector's form has no serving_bucket_key; "
        "say with --images where the photos are"
    )


def test_results_of_a_detector_are_refused(read):
    images = [{"file": "1.jpg", "detections": []}, {"file": "2.jpg", "detections": []}]
    detected = TRUTH | {"images": images, "info": {"detector": "md_v5a.0.0.pt"}}
    assert faults(read(detected)) == [
        "images[0] is not marked is_ground_truth; results of a detector come in with `camtraps import detections`"
    ]
    assert faults(read(detected | {"info": {"detector": "cct_to_md"}})) == []


def test_wrong_types_in_the_form_of_megadetector_are_faults(read):
    marked = {"is_ground_truth": True, "file": "1.jpg"}
    images = [7, {"is_ground_truth": True}, marked | {"detections": {}}, marked | {"detections": [7, {"bbox": []}]}]
    assert faults(read(TRUTH | {"detection_categories": {"1": " ", "2": 3}, "images": images})) == [
        "detection_categories.1: expected a name, got ' '",
        "detection_categories.2: expected a name, got 3",
        "images[0]: expected an object, got 7",
        "images[1].file: expected a file name, got None",
        "images[2].detections: expected a list, got {}",
        "images[3].detections[0]: expected an object with category and bbox, got 7",
        "images[3].detections[1]: expected an object with category and bbox, got {'bbox': []}",
    ]
    assert faults(read({"detection_categories": [1], "images": 3})) == [
        "detection_categories: expected an object of ids to names, got 1",
        "images: expected a list, got 3",
    ]
    assert faults(read({"detection_categories": {}})) == ["key 'images' is missing; it has detection_categories"]
