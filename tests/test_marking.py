"""Boxes and names drawn into a photo."""

import numpy as np
import pytest
from PIL import Image

from camtraps.marking import Mark, draw

GREY = (100, 100, 100)


def drawn(*marks, size=(200, 100)):
    photo = Image.new("RGB", size, GREY)
    return np.asarray(draw(photo, marks)).astype(int)


def changed(pixels):
    rows, columns = np.nonzero((pixels != GREY).any(axis=2))
    return (columns.min(), rows.min(), columns.max(), rows.max()) if len(rows) else None


def test_a_box_is_drawn_where_it_is_and_nowhere_else():
    pixels = drawn(Mark((0.25, 0.2, 0.5, 0.6), [], 0))
    assert changed(pixels) == (50, 20, 149, 79)
    assert (pixels[40:60, 70:130] == GREY).all()


def test_a_box_at_the_edge_stays_in_the_photo():
    assert changed(drawn(Mark((0.0, 0.0, 1.0, 1.0), [], 0))) == (0, 0, 199, 99)
    assert changed(drawn(Mark((1.0, 1.0, 0.0, 0.0), [], 0))) is not None


@pytest.mark.parametrize(
    ("box", "is_above", "is_left"),
    [
        ((0.1, 0.7, 0.3, 0.25), True, False),
        ((0.6, 0.05, 0.3, 0.25), False, True),
        ((0.1, 0.05, 0.3, 0.25), False, False),
    ],
)
def test_the_text_stands_at_the_corner_nearest_to_the_centre_and_outside_of_the_box(box, is_above, is_left):
    size = (400, 200)
    pixels, bare = drawn(Mark(box, ["fox"], 0), size=size), drawn(Mark(box, [], 0), size=size)
    left, top, right, bottom = changed(np.where((pixels != bare).any(axis=2)[..., None], pixels, 100))
    assert (bottom <= box[1] * 200) == is_above
    assert (top >= (box[1] + box[3]) * 200 - 1) == (not is_above)
    assert abs((left if is_left else right) - (box[0] if is_left else box[0] + box[2]) * 400) <= 1


def test_a_text_without_room_is_moved_into_the_photo():
    pixels = drawn(Mark((0.9, 0.9, 0.1, 0.1), ["a long name of a class 99.9%"], 0), size=(300, 60))
    assert pixels.shape == (60, 300, 3)
    assert (pixels[:, 200] != GREY).any()


def test_classes_have_colours_of_their_own():
    colours = {tuple(drawn(Mark((0.25, 0.2, 0.5, 0.6), [], at))[20, 100]) for at in range(12)}
    assert len(colours) == 12


def test_the_photo_itself_is_not_changed():
    photo = Image.new("RGB", (50, 50), GREY)
    draw(photo, [Mark((0.1, 0.1, 0.5, 0.5), ["x"], 1)])
    assert photo.getcolors() == [(2500, GREY)]
