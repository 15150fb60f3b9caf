"""Confident learning: thresholds, the confident joint off its diagonal, margins, worked out by hand."""

import numpy as np
import pytest

from camtraps.confident_learning import normalised_margin, off_diagonal, thresholds

# Two classes; the mean self-confidence is (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.7 + 0.5) / 2 = 0.6.
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.3, 0.7], [0.5, 0.5]])
LABELS = np.array([0, 0, 0, 1, 1])


def test_a_class_s_threshold_is_its_mean_self_confidence():
    assert thresholds(PROBABILITIES, LABELS).tolist() == pytest.approx([0.6, 0.6])


def test_a_class_that_nothing_is_labelled_as_is_never_counted_for():
    probabilities = np.array([[0.4, 0.6], [0.5, 0.5]])
    assert thresholds(probabilities, np.array([0, 0]))[1] == np.inf
    assert not off_diagonal(probabilities, np.array([0, 0])).any()


def test_a_crop_that_reaches_another_class_s_threshold_is_off_the_diagonal():
    # The fourth and the fifth reach their own class's, or none.
    assert off_diagonal(PROBABILITIES, LABELS).tolist() == [False, False, True, False, False]


def test_of_two_thresholds_that_are_reached_the_more_probable_class_counts():
    # Mean self-confidence 0.3 and 0.4: the second crop reaches both.
    probabilities = np.array([[0.1, 0.9], [0.5, 0.5], [0.6, 0.4]])
    labels = np.array([0, 0, 1])
    assert thresholds(probabilities, labels).tolist() == pytest.approx([0.3, 0.4])
    assert off_diagonal(probabilities, labels).tolist() == [True, False, True]


def test_the_normalised_margin_is_the_label_s_probability_less_the_best_other():
    assert normalised_margin(PROBABILITIES, LABELS).tolist() == pytest.approx([0.8, 0.6, -0.8, 0.4, 0.0])
