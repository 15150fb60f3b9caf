"""Crops: which boxes are cut, and which pixels."""

import re

import numpy as np
import pytest
from make_tables import rows

from camtraps import tables
from camtraps.crops import CropParams, rectangle, relative, select
from camtraps.schema import DETECTIONS, QUERIED

GOOD = {"threshold": 0.3, "square": True, "margin": 1.0, "min_side": 16, "max_side": 512, "quality": 92}

# Image, box and square of the specification (A.11). Where it says "same up to rounding" the numbers are rounded once.
SQUARES = [
    ((1000, 800), (0.95, 0.2, 0.05, 0.25), (800, 160, 1000, 360)),
    ((1000, 800), (0.0, 0.2, 0.05, 0.25), (0, 160, 200, 360)),
    ((1000, 800), (0.2, 0.9, 0.3, 0.1), (200, 500, 500, 800)),
    ((1000, 800), (0.3333, 0.25, 0.1007, 0.2), (304, 200, 464, 360)),
    ((1000, 800), (0.1, 0.1, 0.1, 0.11), (100, 74, 200, 174)),
    ((2000, 1000), (0.1, 0.4, 0.75, 0.2), (200, -250, 1700, 1250)),
    ((1000, 800), (0.5, 0.5, 0.0009, 0.3), (380, 400, 620, 640)),
]


def chosen(*boxes, threshold=0.3, photo_class="fox", labels=("canid",)):
    """Select among boxes of one photo; give the numbers of those taken and the reasons of the others by number."""
    queried = rows(QUERIED, {"image": "d/a.jpg", "class": photo_class, "label": labels[0], "labels": labels})
    found = rows(DETECTIONS, *({"image": "d/a.jpg", "box": at} | box for at, box in enumerate(boxes)))
    selected = select(queried, found, threshold)
    reasons = dict(zip(selected.skipped["box"], selected.skipped["reason"], strict=True))
    return selected.boxes["box"].tolist(), reasons


def animal(confidence=None, named=None):
    return {"category": "animal", "confidence": confidence, "class": named}


@pytest.mark.parametrize(("size", "box", "expected"), SQUARES)
def test_squares_are_those_of_the_specification(size, box, expected):
    assert rectangle(box, size, square=True, margin=1.0) == expected


def test_a_square_larger_than_the_photo_is_centred_on_it():
    left, top, right, bottom = rectangle((0.1, 0.4, 0.75, 0.2), (2000, 1000), square=True, margin=1.0)
    assert (right - left, bottom - top) == (1500, 1500)
    assert -top == bottom - 1000


@pytest.mark.parametrize("square", [True, False])
def test_a_mirrored_box_gives_the_mirrored_rectangle(square):
    width, height = 1000, 800
    draws = np.random.default_rng(0).uniform(0, 1, (300, 4))
    for x, y, w, h in draws * (0.99, 0.99, 0.6, 0.7) + (0, 0, 0.01, 0.01):
        w, h = min(w, 1 - x), min(h, 1 - y)
        left, top, right, bottom = rectangle((x, y, w, h), (width, height), square, 1.0)
        across = rectangle((1 - x - w, y, w, h), (width, height), square, 1.0)
        upside_down = rectangle((x, 1 - y - h, w, h), (width, height), square, 1.0)
        assert across == (width - right, top, width - left, bottom)
        assert upside_down == (left, height - bottom, right, height - top)


def test_without_squares_the_box_itself_is_cut():
    assert rectangle((0.1, 0.25, 0.3, 0.5), (1000, 800), square=False, margin=1.0) == (100, 200, 400, 600)


def test_a_thin_box_is_at_least_one_pixel_wide():
    left, top, right, bottom = rectangle((0.5, 0.5, 0.0004, 0.3), (1000, 800), square=False, margin=1.0)
    assert (right - left, bottom - top) == (1, 240)


def test_a_box_at_the_very_edge_keeps_a_pixel_of_the_photo():
    assert rectangle((1.0, 1.0, 0.0, 0.0), (1000, 800), square=False, margin=1.0) == (999, 799, 1000, 800)


@pytest.mark.parametrize(
    ("box", "square", "expected"),
    [
        ((0.4, 0.4, 0.2, 0.1), True, (350, 300, 650, 600)),
        ((0.4, 0.4, 0.2, 0.1), False, (350, 375, 650, 525)),
        ((0.0, 0.0, 0.2, 0.1), True, (0, 0, 300, 300)),
        ((0.0, 0.0, 0.2, 0.1), False, (0, 0, 250, 125)),
    ],
)
def test_a_margin_widens_about_the_centre_within_the_photo(box, square, expected):
    assert rectangle(box, (1000, 1000), square, margin=1.5) == expected


def test_the_part_that_was_cut_is_told_without_what_lies_outside():
    assert relative((200, -250, 1700, 1250), (2000, 1000)) == (0.1, 0.0, 0.75, 1.0)


def test_only_animals_are_cut():
    taken, reasons = chosen({"category": "person", "confidence": 0.9}, animal(0.9), {"category": "group"})
    assert taken == [1]
    assert reasons == {0: "not an animal but a person", 2: "not an animal but a group"}


def test_a_box_at_the_threshold_is_cut_and_one_below_is_not():
    taken, reasons = chosen(animal(0.3), animal(0.2999))
    assert taken == [0]
    assert reasons == {1: "confidence below crop.threshold"}


def test_a_box_that_a_person_drew_is_cut_whatever_the_threshold():
    assert chosen(animal(), threshold=1.0) == ([0], {})


def test_a_box_of_another_class_is_not_cut():
    taken, reasons = chosen(animal(named="deer"), animal(named="fox"), animal())
    assert taken == [1, 2]
    assert reasons == {0: "box is of another class: deer"}


def test_classes_that_differ_by_case_or_blanks_only_are_the_same():
    assert chosen(animal(named=" Red Fox"), photo_class="red fox") == ([0], {})


def test_no_boxes_give_no_crops():
    assert chosen() == ([], {})


def test_a_chosen_box_carries_the_label_of_its_photo():
    given = {"d/a": "fox", "d/b": "NA"}
    queried = rows(QUERIED, *({"image": image, "label": name, "labels": [name]} for image, name in given.items()))
    found = rows(DETECTIONS, {"image": "d/b", "category": "animal"}, {"image": "d/a", "category": "animal"})
    boxes = select(queried, found, 0.3).boxes
    assert dict(zip(boxes["image"], boxes["label"], strict=True)) == given


def test_no_box_of_a_photo_with_several_labels_is_cut():
    taken, reasons = chosen(animal(0.9), animal(0.1), animal(named="deer"), labels=("fox", "deer"))
    assert taken == []
    assert set(reasons.values()) == {"several labels: fox, deer; training takes one a crop"}
    assert list(reasons) == [0, 1, 2]


def test_a_photo_with_several_labels_leaves_those_with_one_alone(tmp_path):
    given = {"d/a": ["fox"], "d/b": ["fox", "NA"], "d/c": ["NA"]}
    photos = rows(QUERIED, *({"image": image, "label": names[0], "labels": names} for image, names in given.items()))
    tables.write(photos, tmp_path / "queried.parquet", QUERIED)
    queried = tables.read(tmp_path / "queried.parquet", QUERIED)
    selected = select(queried, rows(DETECTIONS, *({"image": image, "category": "animal"} for image in given)), 0.3)
    assert selected.boxes["image"].tolist() == ["d/a", "d/c"]
    assert selected.skipped[["image", "kind", "reason"]].to_numpy(object).tolist() == [
        ["d/b", "skipped", "several labels: fox, NA; training takes one a crop"]
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": 0.5}, "margin: must be from 1.0 to 4.0, got 0.5"),
        ({"max_side": 8}, "max_side: must be from 16 to 65500, got 8"),
        ({"quality": 0}, "quality: must be from 1 to 100, got 0"),
        ({"threshold": 30.0}, "threshold: must be from 0.0 to 1.0, got 30.0"),
    ],
)
def test_a_value_out_of_range_is_refused(change, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        CropParams(**GOOD | {"max_failed": 0.0} | change)
