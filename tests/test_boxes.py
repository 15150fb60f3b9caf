"""Boxes: overlaps by hand, and which found box is right."""

import numpy as np
import pytest

from camtraps.boxes import iou, match


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0, 1, 1), (0, 0, 1, 1), 1.0),
        ((0, 0, 1, 1), (0.5, 0, 1, 1), 1 / 3),
        ((0, 0, 1, 1), (1, 0, 1, 1), 0.0),
        ((0, 0, 1, 1), (2, 2, 1, 1), 0.0),
        ((0, 0, 1, 1), (0.25, 0.25, 0.5, 0.5), 0.25),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),
    ],
)
def test_overlap_is_intersection_over_union(one, other, expected):
    assert iou(np.array(one, float), np.array(other, float)) == pytest.approx(expected)


def test_overlaps_of_all_pairs_come_at_once():
    boxes = np.array([[0, 0, 1, 1], [0.5, 0, 1, 1]], float)
    assert iou(boxes[:, None], boxes[None]).round(3).tolist() == [[1, 0.333], [0.333, 1]]


def test_each_true_box_is_found_once_by_the_first_that_fits():
    true = np.array([[0, 0, 1, 1]], float)
    found = np.array([[0, 0, 1, 0.9], [0, 0, 1, 1], [3, 3, 1, 1]], float)
    assert match(found, true).tolist() == [True, False, False]


def test_two_near_boxes_take_a_true_box_each():
    true = np.array([[0, 0, 1, 1], [0.4, 0, 1, 1]], float)
    found = np.array([[0.1, 0, 1, 1], [0.3, 0, 1, 1]], float)
    assert match(found, true).tolist() == [True, True]


def test_half_an_overlap_is_enough_and_less_is_not():
    true = np.array([[0, 0, 1, 1]], float)
    assert match(np.array([[0, 0, 1, 0.5]], float), true).tolist() == [True]
    assert match(np.array([[0, 0, 1, 0.49]], float), true).tolist() == [False]


def test_without_true_boxes_none_is_right():
    assert match(np.ones((2, 4)), np.empty((0, 4))).tolist() == [False, False]
    assert match(np.empty((0, 4)), np.ones((2, 4))).tolist() == []
