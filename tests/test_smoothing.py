"""Smoothing: sequences by time, and the mean of each."""

import numpy as np

from camtraps.smoothing import sequences, smooth


def test_photos_that_follow_closely_are_a_sequence_in_any_order():
    taken = ["2024-04-01 05:00:40", "2024-04-01 05:00:00", "2024-04-01 05:00:20", "2024-04-01 06:00:00"]
    first, second, third, alone = sequences(taken, 20)
    assert first == second == third != alone
    assert len(set(sequences(taken, 19))) == 4


def test_photos_without_a_time_are_alone():
    assert len(set(sequences([None, None, "0000-00-00", "2024-04-01 05:00:00"], 60))) == 4


def test_each_crop_gets_the_mean_of_its_group():
    logits = np.array([[1, 2], [3, 4], [5, 9]], np.float32)
    assert smooth(logits, [7, 7, 2]).tolist() == [[2, 3], [2, 3], [5, 9]]
