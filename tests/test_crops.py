"""Crops: which boxes are cut, and which pixels."""

import re

import numpy as np
import pytest
from make_tables import crop_params, rows

from camtraps import tables
from camtraps.crops import Plan, plan, relative, select
from camtraps.errors import InputError
from camtraps.schema import DETECTIONS, QUERIED

# The whole table A.11 of the specification: image, box, our square and that of the ancestor, with the side of the black
# square it is centred on, if any. C1: right and bottom squares of the ancestor leave the image.
SQUARES = [
    ((1000, 800), (0.95, 0.2, 0.05, 0.25), (800, 160, 1000, 360), (875, 160, 1075, 360), None),
    ((1000, 800), (0.0, 0.2, 0.05, 0.25), (0, 160, 200, 360), (0, 160, 200, 360), None),
    ((1000, 800), (0.2, 0.9, 0.3, 0.1), (200, 500, 500, 800), (200, 610, 500, 910), None),
    ((1000, 800), (0.3333, 0.25, 0.1007, 0.2), (304, 200, 464, 360), (303, 200, 463, 360), None),
    ((1000, 800), (0.1, 0.1, 0.1, 0.11), (100, 74, 200, 174), (100, 74, 200, 174), None),
    ((2000, 1000), (0.1, 0.4, 0.75, 0.2), (200, -250, 1700, 1250), (200, 0, 1700, 1000), 1500),
    ((1000, 800), (0.5, 0.5, 0.0009, 0.3), (380, 400, 620, 640), (380, 400, 620, 640), None),
    ((1000, 800), (0.5, 0.5, 0.0011, 0.002), (500, 400, 502, 402), (500, 400, 501, 401), None),
]


def rectangle(box, size, **params):
    return plan(box, size, crop_params(**params)).rectangle


def chosen(*boxes, photo_class="fox", labels=("canid",), **params):
    """Select among boxes of one photo; give the numbers of those taken and the reasons of the others by number."""
    queried = rows(QUERIED, {"image": "d/a.jpg", "class": photo_class, "label": labels[0], "labels": labels})
    found = rows(DETECTIONS, *({"image": "d/a.jpg", "box": at} | box for at, box in enumerate(boxes)))
    selected = select(queried, found, crop_params(**params))
    reasons = dict(zip(selected.skipped["box"], selected.skipped["reason"], strict=True))
    return selected.boxes["box"].tolist(), reasons


def animal(confidence=None, named=None):
    return {"category": "animal", "confidence": confidence, "class": named}


@pytest.mark.parametrize(("size", "box", "ours", "ancestor", "pad_to"), SQUARES)
def test_squares_are_those_of_the_specification_under_both_rules(size, box, ours, ancestor, pad_to):  # C1, C6
    assert plan(box, size, crop_params()) == Plan(ours)
    assert plan(box, size, crop_params(rule="ancestor")) == Plan(ancestor, pad_to)


@pytest.mark.parametrize("x", [0.0, 0.3, 0.95])
@pytest.mark.parametrize("y", [0.0, 0.3, 0.75])
def test_no_square_that_fits_has_a_pixel_from_outside_the_photo(x, y):  # C1
    left, top, right, bottom = rectangle((x, y, 0.05, 0.25), (1000, 800))
    assert (right - left, bottom - top) == (200, 200)
    assert left >= 0
    assert top >= 0
    assert right <= 1000
    assert bottom <= 800


def test_a_square_larger_than_the_photo_is_centred_on_it():
    left, top, right, bottom = rectangle((0.1, 0.4, 0.75, 0.2), (2000, 1000))
    assert (right - left, bottom - top) == (1500, 1500)
    assert -top == bottom - 1000


@pytest.mark.parametrize("shape", ["square", "box"])
def test_a_mirrored_box_gives_the_mirrored_rectangle(shape):  # C1, C6
    width, height = 1000, 800
    draws = np.random.default_rng(0).uniform(0, 1, (300, 4))
    for x, y, w, h in draws * (0.99, 0.99, 0.6, 0.7) + (0, 0, 0.01, 0.01):
        w, h = min(w, 1 - x), min(h, 1 - y)
        left, top, right, bottom = rectangle((x, y, w, h), (width, height), shape=shape)
        across = rectangle((1 - x - w, y, w, h), (width, height), shape=shape)
        upside_down = rectangle((x, 1 - y - h, w, h), (width, height), shape=shape)
        assert across == (width - right, top, width - left, bottom)
        assert upside_down == (left, height - bottom, right, height - top)


def test_with_shape_box_the_box_itself_is_cut():
    assert rectangle((0.1, 0.25, 0.3, 0.5), (1000, 800), shape="box") == (100, 200, 400, 600)


def test_a_thin_box_is_at_least_one_pixel_wide():  # C6
    left, top, right, bottom = rectangle((0.5, 0.5, 0.0004, 0.3), (1000, 800), shape="box")
    assert (right - left, bottom - top) == (1, 240)


def test_a_box_at_the_very_edge_keeps_a_pixel_of_the_photo():
    assert rectangle((1.0, 1.0, 0.0, 0.0), (1000, 800), shape="box") == (999, 799, 1000, 800)


@pytest.mark.parametrize(
    ("box", "shape", "expected"),
    [
        ((0.4, 0.4, 0.2, 0.1), "square", (350, 300, 650, 600)),
        ((0.4, 0.4, 0.2, 0.1), "box", (350, 375, 650, 525)),
        ((0.0, 0.0, 0.2, 0.1), "square", (0, 0, 300, 300)),
        ((0.0, 0.0, 0.2, 0.1), "box", (0, 0, 250, 125)),
    ],
)
def test_a_margin_widens_about_the_centre_within_the_photo(box, shape, expected):
    assert rectangle(box, (1000, 1000), shape=shape, margin=1.5) == expected


def test_coordinates_are_rounded_once_and_not_cut_off():  # C6
    box = (0.1009, 0.1009, 0.1999, 0.1999)  # 100.9 to 300.8 px
    assert rectangle(box, (1000, 1000), shape="box") == (101, 101, 301, 301)
    assert rectangle(box, (1000, 1000), shape="box", rule="ancestor") == (100, 100, 299, 299)


def test_a_padded_box_is_put_on_a_square_of_its_longer_side():
    assert plan((0.1, 0.25, 0.3, 0.1), (1000, 800), crop_params(shape="padded")) == Plan((100, 200, 400, 280), 300)


@pytest.mark.parametrize(
    ("shape", "box"), [("box", (0.5, 0.5, 0.0009, 0.3)), ("square", (0.5, 0.5, 0.0009, 0.001)), ("box", (0, 0, 0, 0))]
)
def test_a_box_without_a_pixel_has_no_rectangle_under_the_rule_of_the_ancestor_only(shape, box):  # C6
    assert plan(box, (1000, 800), crop_params(rule="ancestor", shape=shape)) is None
    left, top, right, bottom = rectangle(box, (1000, 800), shape=shape)
    assert min(right - left, bottom - top) == 1


def test_the_part_that_was_cut_is_told_without_what_lies_outside():
    assert relative((200, -250, 1700, 1250), (2000, 1000)) == (0.1, 0.0, 0.75, 1.0)


def test_only_animals_are_cut():
    taken, reasons = chosen({"category": "person", "confidence": 0.9}, animal(0.9), {"category": "group"})
    assert taken == [1]
    assert reasons == {0: "not in crop.categories: person", 2: "not in crop.categories: group"}


def test_categories_that_no_box_has_are_refused():
    with pytest.raises(InputError) as caught:
        chosen(animal(), {"category": "person"}, categories=("animals",))
    assert str(caught.value) == (
        "params.yaml: crop.categories: no box is of category animals; there are: animal, person"
    )


def test_other_categories_are_cut_where_they_are_asked_for():
    taken, reasons = chosen({"category": "person"}, animal(), {"category": "group"}, categories=("animal", "group"))
    assert taken == [1, 2]
    assert reasons == {0: "not in crop.categories: person"}


def test_a_box_that_recurs_is_not_cut_unless_it_is_asked_for():
    boxes = (animal(0.9), animal(0.9) | {"repeat": 0})
    assert chosen(*boxes) == ([0], {1: "recurs at the same place (crop.drop_repeats)"})
    assert chosen(*boxes, drop_repeats=False) == ([0, 1], {})


def test_the_first_rule_that_leaves_a_box_out_is_its_reason():
    worst = {"category": "person", "confidence": 0.1, "repeat": 3, "class": "deer"}
    rules = [{}, {"category": "animal"}, {"confidence": 0.9}, {"repeat": None}, {"class": None}]
    boxes = [worst := worst | better for better in rules]
    taken, reasons = chosen(*boxes)
    assert taken == [4]
    assert [reason.split(" ")[0] for reason in reasons.values()] == ["not", "confidence", "recurs", "box"]


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
    boxes = select(queried, found, crop_params()).boxes
    assert dict(zip(boxes["image"], boxes["label"], strict=True)) == given


def test_no_box_of_a_photo_with_several_labels_is_cut():
    # R12: labels of more than one class were accepted, and could not be learned.
    taken, reasons = chosen(animal(0.9), animal(0.1), animal(named="deer"), labels=("fox", "deer"))
    assert taken == []
    assert set(reasons.values()) == {"several labels: fox, deer; training takes one a crop"}
    assert list(reasons) == [0, 1, 2]


def test_a_photo_with_several_labels_leaves_those_with_one_alone(tmp_path):
    given = {"d/a": ["fox"], "d/b": ["fox", "NA"], "d/c": ["NA"]}
    photos = rows(QUERIED, *({"image": image, "label": names[0], "labels": names} for image, names in given.items()))
    tables.write(photos, tmp_path / "queried.parquet", QUERIED)
    queried = tables.read(tmp_path / "queried.parquet", QUERIED)
    selected = select(
        queried, rows(DETECTIONS, *({"image": image, "category": "animal"} for image in given)), crop_params()
    )
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
        ({"categories": ()}, "categories: must name at least one, such as animal"),
        ({"rule": "ancestor", "shape": "padded"}, "shape: must be square or box under rule ancestor, got 'padded'"),
        ({"rule": "ancestor", "margin": 1.5}, "margin: must be 1.0 under rule ancestor, which has none, got 1.5"),
        ({"threshold": 30.0}, "threshold: must be from 0.0 to 1.0, got 30.0"),
    ],
)
def test_a_value_out_of_range_is_refused(change, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        crop_params(**change)
