"""queried_images.json: the class becomes the label, boxes are a person's, wrong types have their place."""

import json
from typing import Any

import pytest

from camtraps.formats import queried_images
from camtraps.formats.rows import Annotation, Fault, Given, Photo, Problem

KEY = "alpha/cam3/0007.jpg"
IMAGE = {
    "dataset": "alpha",
    "location": "cam3",
    "class": "roe deer",
    "label": ["cervid"],
    "bbox": [{"category": "animal", "bbox": [0.1, 0.2, 0.3, 0.25]}],
}


@pytest.fixture
def read(tmp_path):
    def give(document: Any) -> list[Given]:
        path = tmp_path / "queried_images.json"
        path.write_text(json.dumps(document))
        return list(queried_images.read(path))

    return give


def test_the_example_of_the_format_becomes_a_photo_a_label_and_a_box(read):
    expected = [
        Photo(KEY, KEY, "cam3/0007.jpg", "cam3", dataset="alpha"),
        Annotation(KEY, KEY, "roe deer"),
        Annotation(f"{KEY}.bbox[0]", KEY, x=0.1, y=0.2, w=0.3, h=0.25, category="animal"),
    ]
    assert read({KEY: IMAGE}) == expected
    assert read({KEY: dict(reversed(IMAGE.items()))}) == expected


def test_more_is_taken_where_it_stands(read):
    more = {"seq_id": "s1", "frame_num": 0, "datetime": "2024-04-01 05:12:09", "width": 20, "height": 10}
    photo, label, *_ = read({KEY: IMAGE | more | {"label_source": "sequence"}})
    assert photo == Photo(
        *(KEY, KEY, "cam3/0007.jpg", "cam3", "s1", "0", "2024-04-01 05:12:09", "20", "10", False, "alpha")
    )
    assert label == Annotation(KEY, KEY, "roe deer", "sequence")


def test_an_empty_list_of_boxes_says_that_a_person_looked(read):
    assert read({KEY: IMAGE | {"bbox": []}})[2:] == [Annotation(KEY, KEY, boxed=True)]
    assert read({KEY: IMAGE | {"bbox": None}})[2:] == []


@pytest.mark.parametrize(("given", "expected"), [(7, "7"), ("007", "007"), ("NA", "NA"), (None, None), ("", None)])
def test_a_location_is_text(read, given, expected):
    photo = read({KEY: IMAGE | {"location": given}})[0]
    assert isinstance(photo, Photo)
    assert photo.location == expected


@pytest.mark.parametrize("name", ["NA", "null", "x#1", "a|b"])
def test_a_class_stays_as_it_is(read, name):
    assert read({KEY: IMAGE | {"class": name}})[1] == Annotation(KEY, KEY, name)


def test_labels_stand_in_for_a_class_that_is_not_there(read):
    without = {name: value for name, value in IMAGE.items() if name not in ("class", "bbox")}
    assert read({KEY: without})[1:] == [Annotation(KEY, KEY, "cervid")]
    assert read({KEY: without | {"label": ["fox", "canid"], "class": ""}})[1:] == [
        Annotation(KEY, KEY, "fox"),
        Annotation(KEY, KEY, "canid"),
    ]
    assert read({KEY: {}}) == [Photo(KEY, KEY, "cam3/0007.jpg", dataset="alpha")]


@pytest.mark.parametrize(
    ("key", "image", "found"), [("beta/1.jpg", IMAGE, "'alpha'"), ("1.jpg", {}, "None"), ("a/", {"dataset": 3}, "3")]
)
def test_a_key_that_is_not_its_dataset_and_file_is_dropped(read, key, image, found):
    assert read({key: image}) == [
        Problem(key, "dropped", "its key is not its dataset, a slash and its file name", found)
    ]


@pytest.mark.parametrize(
    ("image", "texts"),
    [
        (7, [f"{KEY}: expected an object, got 7"]),
        ([IMAGE, 8], [f"{KEY}: expected an object, got [{IMAGE}"[:120]]),
        ({"class": ["deer"]}, [f"{KEY}: class: expected a text, got ['deer']"]),
        (
            {"label": "cervid", "label_source": "photo"},
            [
                f"{KEY}: label: expected a list of texts, got 'cervid'",
                f"{KEY}: label_source: expected image or sequence, got 'photo'",
            ],
        ),
        ({"bbox": "none"}, [f"{KEY}.bbox: expected a list of boxes, got 'none'"]),
    ],
)
def test_wrong_types_are_faults_with_their_place(read, image, texts):
    assert [each.text[:120] for each in read({KEY: image}) if isinstance(each, Fault)] == texts


def test_a_list_is_no_such_file(read):
    assert read([IMAGE, IMAGE]) == [Fault("expected an object of <dataset>/<file> to photos, got a list")]
