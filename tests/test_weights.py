"""Weights: the worked example of the specification, and the draw of an epoch."""

import numpy as np
import pytest

from camtraps.weights import by_confidence, by_label, draw

LABELS = np.array([0, 0, 0, 1])  # three foxes, one deer
NONE = np.full(4, np.nan)  # no calibration


def test_confidence_then_label_weights_are_those_of_the_specification():
    weights = by_label(by_confidence(np.array([0.9, 0.8, 1.0, 0.5]), NONE), LABELS)
    assert weights.round(4).tolist() == [0.5333, 0.4741, 0.5926, 1.6]
    assert weights.sum() == pytest.approx(3.2)


def test_label_weights_alone_are_those_of_the_specification():
    weights = by_label(np.ones(4), LABELS)
    assert weights.round(4).tolist() == [0.6667, 0.6667, 0.6667, 2.0]


def test_a_label_without_crops_takes_no_weight():
    assert by_label(np.ones(4), np.array([0, 0, 0, 2])).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 2.0])


def test_a_box_that_a_person_drew_weighs_as_much_as_a_sure_one():
    assert by_confidence(np.array([np.nan, 1.0, 0.4]), NONE[:3]).tolist() == [1.0, 1.0, 0.4]


def test_a_calibrated_confidence_counts_in_place_of_the_raw_one():
    assert by_confidence(np.array([0.9, np.nan, 0.9]), np.array([0.3, np.nan, np.nan])).tolist() == [0.3, 1.0, 0.9]


def test_no_crop_loses_all_its_weight():
    assert by_confidence(np.array([0.0]), NONE[:1]).tolist() == [0.01]


def test_equal_weights_draw_every_crop_once():
    drawn = draw(np.full(50, 0.7), (1, 0))
    assert sorted(drawn.tolist()) == list(range(50))
    assert drawn.tolist() != list(range(50))


def test_crops_are_drawn_in_proportion_to_their_weights():
    weights = np.array([1.0] * 900 + [9.0] * 100)
    share = np.isin(draw(weights, (1, 0)), np.arange(900, 1000)).mean()
    assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(1000)


def test_the_draw_follows_the_seed():
    weights = np.array([1.0, 2.0] * 20)
    assert draw(weights, (1, 0)).tolist() == draw(weights, (1, 0)).tolist()
    assert draw(weights, (1, 0)).tolist() != draw(weights, (1, 1)).tolist()
