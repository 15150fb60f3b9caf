"""Lookalikes: the nearest crops at other locations, worked out on angles in a plane."""

import numpy as np
import pytest

from camtraps import lookalikes
from camtraps.lookalikes import Known, find


def at_angles(degrees, labels, places, first=0):
    radians = np.radians(degrees)
    features = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
    rows = np.arange(first, first + len(degrees))
    return Known(features, np.array(labels), np.array(places), rows)


KNOWN = at_angles([0, 10, 20, 30, 40, 90], [0, 0, 1, 1, 0, 1], [0, 1, 1, 2, 2, 3], first=100)


def test_the_nearest_crops_of_the_label_and_of_the_class_predicted_are_given_nearest_first():
    found = find(at_angles([12], [0], [9]), np.array([1]), KNOWN, 2)
    assert found.like_label.tolist() == [[101, 100, 104]]
    assert found.like_predicted.tolist() == [[102, 103, 105]]


def test_a_crop_of_the_same_location_is_no_lookalike():
    found = find(at_angles([12], [0], [1]), np.array([1]), KNOWN, 2)
    assert found.like_label.tolist() == [[100, 104, -1]]
    assert found.like_predicted.tolist() == [[103, 105, -1]]


def test_the_labels_of_the_nearest_are_counted(monkeypatch):
    monkeypatch.setattr(lookalikes, "NEAREST", 3)
    found = find(at_angles([12, 89], [0, 1], [9, 9]), np.array([1, 0]), KNOWN, 2)
    assert found.votes.tolist() == [[2, 1], [1, 2]]  # of 10, 20, 0 and of 90, 40, 30 degrees


def test_where_nothing_is_elsewhere_there_are_no_votes():
    alone = at_angles([0, 5], [0, 1], [4, 4])
    found = find(alone, np.array([1, 0]), alone, 2)
    assert found.votes.tolist() == [[0, 0], [0, 0]]
    assert (found.like_label == -1).all()


def test_a_crop_without_features_has_no_lookalikes():
    asked = at_angles([0, 0], [0, 0], [9, 9])
    asked.features[1] = np.nan
    found = find(asked, np.array([1, 1]), KNOWN, 2)
    assert found.votes.sum(axis=1).tolist() == [6, 0]
    assert found.like_label.tolist() == [[100, 101, 104], [-1, -1, -1]]


@pytest.mark.parametrize("rows", [1, 2, 512])
def test_the_result_does_not_depend_on_how_many_are_compared_at_once(rows, monkeypatch):
    asked = at_angles([1, 33, 70], [0, 1, 1], [9, 2, 9])
    whole = find(asked, np.array([1, 0, 0]), KNOWN, 2)
    monkeypatch.setattr(lookalikes, "ROWS", rows)
    parts = find(asked, np.array([1, 0, 0]), KNOWN, 2)
    assert np.array_equal(whole.votes, parts.votes)
    assert np.array_equal(whole.like_label, parts.like_label)
