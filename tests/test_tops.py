"""The tutorial's lines, to the letter (spec C.10)."""

import numpy as np

from camtraps import tops


def test_the_most_probable_classes_are_printed_as_in_the_tutorial():
    lines = tops.sentences(np.array([0.8655, 0.0094, 0.1251]), ["zebra", "empty", "lion"], 2)
    assert lines == [
        "Prediction finished. Most likely classes:",
        '    "zebra" with confidence 86.55%',
        '    "lion" with confidence 12.51%',
    ]


def test_of_equal_ones_the_first_comes_first_and_there_are_no_more_than_all():
    assert tops.top(np.array([0.25, 0.5, 0.25]), 9) == [(1, 0.5), (0, 0.25), (2, 0.25)]
