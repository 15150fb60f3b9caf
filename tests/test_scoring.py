"""Scores of an epoch, and which epoch is kept."""

import numpy as np
import pytest

from camtraps.scoring import is_kept, judge

LABELS = np.array([0, 0, 0, 1])
LOCATIONS = np.array(["a", "b", "c", "d"])
LOGITS = np.array([[2.0, 0], [2, 0], [0, 2], [0, 2]])


@pytest.mark.parametrize("metric", ["macro_recall", "top1", "log_loss"])
def test_an_epoch_is_scored_by_crop_and_by_class(metric):
    scores = judge(LABELS, LOGITS, LOCATIONS, metric)
    assert scores["val_top1"] == 0.75
    assert scores["val_macro_recall"] == round((2 / 3 + 1) / 2, 4)
    right, wrong = np.log(1 + np.exp(-2)), np.log(1 + np.exp(2))
    assert scores["val_log_loss"] == pytest.approx((3 * right + wrong) / 4, abs=1e-4)
    assert scores[f"val_{metric}_error"] > 0


def test_the_error_of_a_mean_is_that_over_locations():
    scores = judge(LABELS, LOGITS, LOCATIONS, "top1")
    # Four locations of one crop each: the deviation of the crops by the root of their number.
    assert scores["val_top1_error"] == pytest.approx(np.sqrt(0.75 * 0.25 / 4), rel=0.05)


def history(metric, *values, error=0.0):
    return [{f"val_{metric}": value, f"val_{metric}_error": error} for value in values]


@pytest.mark.parametrize(
    ("metric", "values", "kept"),
    [
        ("top1", (0.5, 0.6), True),
        ("top1", (0.6, 0.5), False),
        ("log_loss", (1.0, 0.9), True),
        ("log_loss", (0.9, 1.0), False),
    ],
)
def test_a_better_epoch_is_kept_and_a_worse_one_not(metric, values, kept):
    assert is_kept(history(metric, *values), metric) is kept


def test_what_is_worse_by_less_than_the_error_is_kept():
    assert is_kept(history("top1", 0.6, 0.55, error=0.03), "top1")
    assert is_kept(history("log_loss", 1.0, 1.05, error=0.03), "log_loss")
    assert not is_kept(history("top1", 0.6, 0.5, error=0.03), "top1")
