"""Boxes brought inside their image, and the category of a class."""

import pytest

from camtraps.formats.rows import category_of, inside, is_number, name_problem


@pytest.mark.parametrize(
    ("box", "expected", "was_clipped"),
    [
        ([0.25, 0.25, 0.5, 0.5], (0.25, 0.25, 0.5, 0.5), False),
        ([0, 0, 1, 1], (0, 0, 1, 1), False),
        ([0.75, 0.5, 0.5, 0.5], (0.75, 0.5, 0.25, 0.5), True),
        ([-0.25, -0.5, 0.5, 1.0], (0, 0, 0.25, 0.5), True),
        ([-0.25, 0.0, 2.0, 1.0], (0, 0, 1, 1), True),
        # Cut, but no more than rounding: half a percent of the side.
        ([-0.004, 0.0, 0.504, 1.0], (0, 0, 0.5, 1), False),
        ([-0.006, 0.0, 0.506, 1.0], (0, 0, 0.5, 1), True),
    ],
)
def test_a_box_is_clipped_to_its_image(box, expected, was_clipped):
    clipped, said = inside(box)
    assert tuple(clipped.values()) == pytest.approx(expected)
    assert list(clipped) == ["x", "y", "w", "h"]
    assert said is was_clipped


def test_a_box_that_fits_keeps_its_last_digits():
    assert inside([0.7, 0.1, 0.3, 0.2])[0] == {"x": 0.7, "y": 0.1, "w": 0.3, "h": 0.2}


@pytest.mark.parametrize(
    "box", [[0.1, 0.1, 0, 0.2], [0.1, 0.1, 0.2, -0.1], [1.0, 0.1, 0.2, 0.2], [0.1, -0.3, 0.2, 0.2]]
)
def test_a_box_without_area_in_the_image_is_refused(box):
    with pytest.raises(ValueError, match=r"^box has no area inside the image: ") as caught:
        inside(box)
    assert str(caught.value).endswith(str([float(value) for value in box]))


@pytest.mark.parametrize(
    "box", [None, "box", [1, 2, 3], [1, 2, 3, 4, 5], [0, 0, 1, None], [0, 0, 1, "1"], [0, 0, 1, True], {"x": 0}]
)
def test_what_is_not_four_numbers_is_refused(box):
    with pytest.raises(ValueError, match=r"^box is not four numbers: ") as caught:
        inside(box)
    assert str(caught.value).endswith(repr(box))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400, True, "1", None])
def test_only_finite_numbers_are_numbers(value):
    assert not is_number(value)
    assert is_number(0)
    assert is_number(-1e300)


@pytest.mark.parametrize(
    ("name", "category"),
    [
        ("Homo_sapiens", "person"),
        (" human ", "person"),
        ("car", "vehicle"),
        ("group", "group"),
        ("red fox", "animal"),
        ("cart", "animal"),
    ],
)
def test_a_class_has_a_detection_category(name, category):
    assert category_of(name) == category


def test_a_file_name_that_cannot_be_used_says_why():
    assert name_problem("café/é.jpg") is None
    assert name_problem("a/../x.jpg") == "file name leads out of the image folder"
    assert name_problem("caf\udce9.jpg") == "file name is not Unicode text"
