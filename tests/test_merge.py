"""Merge: the worked example of the specification, and every photo exactly once."""

import json

import pytest
from make_tables import predictions, rows

from camtraps.merge import MergeParams, merge, of_dataset
from camtraps.schema import DETECTIONS, QUERIED

CLASSES = ["fox", "deer", "bird"]
EXAMPLE = {"image": "d/a.jpg", "box": 0, "label": "deer", "probabilities": [0.55, 0.30, 0.15]}
ANIMAL = {"image": "d/a.jpg", "category": "animal", "confidence": 0.93, "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.2}


def merged(photos=("d/a.jpg",), boxes=(ANIMAL,), failed=None, predicted=(EXAMPLE,), threshold=0.1, label="none"):
    return merge(
        rows(QUERIED, *({"image": image} for image in photos)),
        rows(DETECTIONS, *({"detector": "motion"} | box for box in boxes)),
        failed or {},
        predictions(*predicted),
        CLASSES,
        MergeParams(threshold=threshold, label=label),
    )


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("none", [["0", 0.55], ["1", 0.3], ["2", 0.15]]),
        ("last", [["0", 0.55], ["1", 0.3], ["2", 0.15], ["1000001", 1.0]]),
        ("first", [["1000001", 1.0], ["0", 0.55], ["1", 0.3], ["2", 0.15]]),
    ],
)
def test_classifications_are_those_of_the_specification(label, expected):
    (image,) = merged(label=label)["images"]
    assert image == {
        "file": "d/a.jpg",
        "detections": [{"category": "1", "conf": 0.93, "bbox": [0.1, 0.2, 0.3, 0.2], "classifications": expected}],
    }


def test_classes_below_the_threshold_are_left_out():
    (image,) = merged(threshold=0.3)["images"]
    assert image["detections"][0]["classifications"] == [["0", 0.55], ["1", 0.3]]


def test_of_equally_probable_classes_the_first_stands_first():
    (image,) = merged(predicted=[EXAMPLE | {"probabilities": [0.2, 0.4, 0.4]}])["images"]
    assert image["detections"][0]["classifications"] == [["1", 0.4], ["2", 0.4], ["0", 0.2]]


def test_category_names_name_the_labels_only_where_they_are_used():
    assert merged()["classification_categories"] == {"0": "fox", "1": "deer", "2": "bird"}
    assert merged(label="last")["classification_categories"] == {
        "0": "fox", "1": "deer", "2": "bird",
        "1000000": "label: fox", "1000001": "label: deer", "1000002": "label: bird",
    }  # fmt: skip


def test_a_box_above_99_gets_its_own_classes():
    boxes = [ANIMAL | {"box": at} for at in range(120)]
    predicted = [EXAMPLE | {"box": 10}, EXAMPLE | {"box": 104, "probabilities": [0.0, 0.0, 1.0]}]
    detections = merged(boxes=boxes, predicted=predicted)["images"][0]["detections"]
    classified = {at: box["classifications"][0] for at, box in enumerate(detections) if "classifications" in box}
    assert classified == {10: ["0", 0.55], 104: ["2", 1.0]}


def test_every_queried_photo_stands_in_the_document_once_sorted_by_file():
    photos = ["d/c.jpg", "d/a.jpg", "e/a.jpg", "d/b.jpg"]
    boxes = [ANIMAL, ANIMAL | {"image": "d/c.jpg"}, ANIMAL | {"image": "d/c.jpg", "box": 1}]
    images = merged(photos, boxes, {"e/a.jpg": "photo not found"})["images"]
    assert [image["file"] for image in images] == ["d/a.jpg", "d/b.jpg", "d/c.jpg", "e/a.jpg"]
    assert [len(image["detections"] or []) for image in images] == [1, 0, 2, 0]


def test_a_photo_that_failed_is_a_failure_and_has_no_detections():
    images = merged(["d/a.jpg", "d/b.jpg"], failed={"d/b.jpg": "photo is an empty file"})["images"]
    assert images[1] == {"file": "d/b.jpg", "failure": "photo is an empty file", "detections": None}


def test_a_photo_without_boxes_has_an_empty_list():
    assert merged(boxes=(), predicted=())["images"] == [{"file": "d/a.jpg", "detections": []}]


def test_a_box_that_a_person_drew_is_certain():
    (image,) = merged(boxes=[ANIMAL | {"confidence": None}])["images"]
    assert image["detections"][0]["conf"] == 1.0


def test_a_box_without_prediction_has_no_classes():
    (image,) = merged(boxes=[ANIMAL, ANIMAL | {"box": 1, "category": "person"}])["images"]
    assert image["detections"][1] == {"category": "2", "conf": 0.93, "bbox": [0.1, 0.2, 0.3, 0.2]}


def test_other_categories_get_ids_of_their_own():
    document = merged(boxes=[ANIMAL, ANIMAL | {"box": 1, "category": "group"}])
    assert document["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle", "4": "group"}
    assert [box["category"] for box in document["images"][0]["detections"]] == ["1", "4"]


def test_the_document_says_its_format_and_all_detectors():
    document = merged(boxes=[ANIMAL, ANIMAL | {"box": 1, "detector": "human"}])
    assert document["info"] == {"format_version": "1.6", "detector": "human, motion", "classifier": "camtraps"}


def test_the_document_is_plain_json():
    document = merged(label="last")
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_part_of_a_dataset_has_files_relative_to_its_image_folder():
    document = merged(photos=("d/a.jpg", "d/sub/b.jpg", "e/a.jpg"))
    part = of_dataset(document, "d")
    assert [image["file"] for image in part["images"]] == ["a.jpg", "sub/b.jpg"]
    assert part["images"][0]["detections"] == document["images"][0]["detections"]
    assert part["info"] == document["info"]
