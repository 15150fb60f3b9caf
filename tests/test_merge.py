"""Merge: the worked example of the specification, and every photo exactly once."""

import json

import numpy as np
import pandas as pd
import pytest
from make_tables import predictions, rows

from camtraps.errors import InputError
from camtraps.formats.megadetector_json import write
from camtraps.merge import LABEL_OFFSET, MergeParams, Truth, classifications, merge, with_descriptions, with_source
from camtraps.schema import DETECTIONS, QUERIED

CLASSES = ["fox", "deer", "bird"]
EXAMPLE = {"image": "d/a.jpg", "box": 0, "label": "deer", "probabilities": [0.55, 0.30, 0.15]}
ANIMAL = {"image": "d/a.jpg", "category": "animal", "confidence": 0.93, "x": 0.1, "y": 0.2, "w": 0.3, "h": 0.2}


def merged(photos=("d/a.jpg",), boxes=(ANIMAL,), failed=None, predicted=(EXAMPLE,), threshold=0.1, **params):
    return merge(
        rows(QUERIED, *({"image": image} for image in photos)),
        rows(DETECTIONS, *({"detector": "motion"} | box for box in boxes)),
        failed or {},
        predictions(*predicted),
        CLASSES,
        MergeParams(threshold=threshold, **params),
    )


def classes_of(document):
    return [json.dumps(box.get("classifications")) for image in document.images() for box in image["detections"]]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("none", [["0", 0.55], ["1", 0.3], ["2", 0.15]]),
        ("last", [["0", 0.55], ["1", 0.3], ["2", 0.15], ["1000001", 1.0]]),
        ("first", [["1000001", 1.0], ["0", 0.55], ["1", 0.3], ["2", 0.15]]),
    ],
)
def test_classifications_are_those_of_the_specification(label, expected):
    (image,) = merged(label=label).images()
    assert image == {
        "file": "d/a.jpg",
        "detections": [{"category": "1", "conf": 0.93, "bbox": [0.1, 0.2, 0.3, 0.2], "classifications": expected}],
    }


def test_classes_below_the_threshold_are_left_out():
    (image,) = merged(threshold=0.3).images()
    assert image["detections"][0]["classifications"] == [["0", 0.55], ["1", 0.3]]


def test_of_equally_probable_classes_the_first_stands_first():
    (image,) = merged(predicted=[EXAMPLE | {"probabilities": [0.2, 0.4, 0.4]}]).images()
    assert image["detections"][0]["classifications"] == [["1", 0.4], ["2", 0.4], ["0", 0.2]]


def test_category_names_name_the_labels_only_where_they_are_used():
    assert merged().head["classification_categories"] == {"0": "fox", "1": "deer", "2": "bird"}
    assert merged(label="last").head["classification_categories"] == {
        "0": "fox", "1": "deer", "2": "bird",
        "1000000": "label: fox", "1000001": "label: deer", "1000002": "label: bird",
    }  # fmt: skip


def test_a_box_above_99_gets_its_own_classes():
    boxes = [ANIMAL | {"box": at} for at in range(120)]
    predicted = [EXAMPLE | {"box": 10}, EXAMPLE | {"box": 104, "probabilities": [0.0, 0.0, 1.0]}]
    detections = merged(boxes=boxes, predicted=predicted).images()[0]["detections"]
    classified = {at: box["classifications"][0] for at, box in enumerate(detections) if "classifications" in box}
    assert classified == {10: ["0", 0.55], 104: ["2", 1.0]}


def test_every_queried_photo_stands_in_the_document_once_sorted_by_file():
    photos = ["d/c.jpg", "d/a.jpg", "e/a.jpg", "d/b.jpg"]
    boxes = [ANIMAL, ANIMAL | {"image": "d/c.jpg"}, ANIMAL | {"image": "d/c.jpg", "box": 1}]
    images = merged(photos, boxes, {"e/a.jpg": "photo not found"}).images()
    assert [image["file"] for image in images] == ["d/a.jpg", "d/b.jpg", "d/c.jpg", "e/a.jpg"]
    assert [len(image["detections"] or []) for image in images] == [1, 0, 2, 0]


def test_a_photo_that_failed_is_a_failure_and_has_no_detections():
    images = merged(["d/a.jpg", "d/b.jpg"], failed={"d/b.jpg": "photo is an empty file"}).images()
    assert images[1] == {"file": "d/b.jpg", "failure": "photo is an empty file", "detections": None}


def test_a_photo_without_boxes_has_an_empty_list():
    assert merged(boxes=(), predicted=()).images() == [{"file": "d/a.jpg", "detections": []}]


def test_a_box_that_a_person_drew_is_certain():
    (image,) = merged(boxes=[ANIMAL | {"confidence": None}]).images()
    assert image["detections"][0]["conf"] == 1.0


def test_a_box_without_prediction_has_no_classes():
    (image,) = merged(boxes=[ANIMAL, ANIMAL | {"box": 1, "category": "person"}]).images()
    assert image["detections"][1] == {"category": "2", "conf": 0.93, "bbox": [0.1, 0.2, 0.3, 0.2]}


def test_other_categories_get_ids_of_their_own():
    document = merged(boxes=[ANIMAL, ANIMAL | {"box": 1, "category": "group"}])
    assert document.head["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle", "4": "group"}
    assert [box["category"] for box in document.images()[0]["detections"]] == ["1", "4"]


def test_the_document_says_its_format_all_detectors_and_how_classes_were_chosen():
    # M9: format_version was not raised, and nothing said what the file was made of.
    document = merged(boxes=[ANIMAL, ANIMAL | {"box": 1, "detector": "human"}], typical_confidence_threshold=0.75)
    document = with_descriptions(with_source(document, "abc"), {"fox": (("genus", "vulpes"), ("class", "mammalia"))})
    assert document.head["info"] == {
        "detector": "human, motion",
        "classifier": "camtraps",
        "classifier_metadata": {
            "classification_threshold": 0.1,
            "typical_classification_threshold": 0.75,
            "source_sha256": "abc",
        },
        "format_version": "1.6",
    }
    assert document.head["classification_category_descriptions"] == {
        "0": "mammalia;;;vulpes;", "1": ";;;;", "2": ";;;;",
    }  # fmt: skip


def test_the_written_document_is_plain_json_with_a_line_for_each_image(tmp_path):
    document = merged(photos=["d/a.jpg", 'd/"b\\ü.jpg'], label="last")
    write(document, tmp_path / "new" / "a.json")
    text = (tmp_path / "new" / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {**document.head, "images": document.images()}
    assert [image["file"] for image in document.images()] == ['d/"b\\ü.jpg', "d/a.jpg"]
    assert len([line for line in text.splitlines() if '"file"' in line]) == 2


def test_a_document_without_photos_is_written(tmp_path):
    write(merged(photos=(), boxes=(), predicted=()), tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["images"] == []


def test_the_part_of_a_dataset_has_files_relative_to_its_image_folder():
    document = merged(photos=("d/a.jpg", "d/sub/b.jpg", "e/a.jpg"))
    part = document.of_dataset("d")
    assert [image["file"] for image in part.images()] == ["a.jpg", "sub/b.jpg"]
    assert part.images()[0]["detections"] == document.images()[0]["detections"]
    assert part.head == document.head


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.1, [["0", 0.25]]), (0.0, [["0", 0.25], ["1", 0.0], ["2", 0.0]])]
)
def test_relative_confidences_are_those_of_the_specification(threshold, expected):
    assert classes_of(merged(relative_conf=True, threshold=threshold)) == [json.dumps(expected)]


def test_of_several_labels_the_likeliest_is_what_confidences_are_relative_to():
    params = MergeParams(threshold=0.0, relative_conf=True, label="first")
    truth = Truth(np.array([0, 0]), np.array([2, 1]))
    (text,) = classifications(np.array([[0.55, 0.30, 0.15]], np.float32), truth, params).to_pylist()
    assert json.loads(text) == [["1000001", 1.0], ["1000002", 1.0], ["0", 0.25], ["1", 0.0], ["2", 0.0]]


def test_labels_alone_make_classifications_of_the_labels_alone():
    crops = np.empty((1, 0), np.float32)
    truth = Truth(np.array([0]), np.array([1]))
    found = [classifications(crops, truth, MergeParams(threshold=0.1, label=label)) for label in ("last", "none")]
    assert [each.to_pylist() for each in found] == [['[["1000001", 1.0]]'], ["[]"]]


def slow(probabilities, label, params):
    """The algorithm of CameraTraps, a crop at a time."""
    values = [float(p) for p in probabilities]
    pairs = [(str(at), round(p, 4)) for at, p in enumerate(values) if p >= float(np.float32(params.threshold))]
    pairs.sort(key=lambda pair: -values[int(pair[0])])
    truth = [(str(LABEL_OFFSET + label), 1.0)]
    return truth + pairs if params.label == "first" else pairs + truth if params.label == "last" else pairs


@pytest.mark.parametrize("label", ["none", "first", "last"])
def test_many_crops_get_what_a_loop_over_them_gives(label, monkeypatch):
    # M7: it took ten minutes for a million crops, by a row lookup each.
    monkeypatch.setattr("camtraps.merge.CHUNK", 64)
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet(np.full(30, 0.1), 300).astype(np.float32).round(2)  # with ties and zeros
    labels, params = generator.integers(0, 30, 300), MergeParams(threshold=0.05, label=label)
    found = classifications(probabilities, Truth(np.arange(300), labels), params).to_pylist()
    expected = [slow(*each, params) for each in zip(probabilities, labels.tolist(), strict=True)]
    assert [[tuple(pair) for pair in json.loads(text)] for text in found] == expected


def test_only_photos_of_the_datasets_asked_for_are_written():
    # M1: crops of other datasets were a KeyError.
    boxes = [ANIMAL | {"image": image} for image in ("d/a.jpg", "e/a.jpg")]
    predicted = [EXAMPLE, EXAMPLE | {"image": "e/a.jpg"}]
    document = merged(["d/a.jpg", "e/a.jpg"], boxes, predicted=predicted, datasets=("e",))
    assert [image["file"] for image in document.images()] == ["e/a.jpg"]
    assert len(classes_of(document)) == 1
    with pytest.raises(InputError, match=r"^merge.datasets: no photo is of f; there are: d, e$"):
        merged(["d/a.jpg", "e/a.jpg"], boxes, predicted=predicted, datasets=("f",))


def test_samples_are_so_many_crops_of_each_label_and_grow_without_losing_any():
    # M1: crops that were not drawn were a KeyError.
    images = [f"d/{at:02}.jpg" for at in range(20)]
    boxes = [ANIMAL | {"image": image, "box": at} for image in images for at in range(2)]
    predicted = [EXAMPLE | {"image": image, "label": "fox" if image < "d/03" else "deer"} for image in images]
    few, more = (merged(images, boxes, predicted=predicted, samples_per_label=num, seed=5) for num in (2, 4))
    assert [len(few.files), len(more.files)] == [4, 3 + 4]
    assert set(few.files) < set(more.files)
    assert [text != "null" for text in classes_of(few)] == [True, False] * 4  # the other boxes are written all the same
    assert merged(images, boxes, predicted=predicted, samples_per_label=2, seed=6).files != few.files


def test_a_label_that_is_no_class_is_said():
    with pytest.raises(InputError, match=r"^labels of crops are no classes of the classifier: wolf; it has fox, deer"):
        Truth.of(pd.Series(["fox", "wolf"]), CLASSES)
