"""Metrics against sklearn, hand counts and slow versions."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn import metrics as oracle

from camtraps import metrics


def sample(num=400, classes=5, seed=0, num_locations=20):
    """Draw labels, probabilities that know something of them, and locations."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, num)
    logits = generator.normal(0, 1, (num, classes)) + 1.5 * np.eye(classes)[labels]
    return labels, softmax(logits, axis=1), np.arange(num) % num_locations


def as_probabilities(predicted, classes):
    """Make confident probabilities of predictions."""
    return (
        np.full((len(predicted), classes), 0.1 / (classes - 1))
        + (0.9 - 0.1 / (classes - 1)) * np.eye(classes)[predicted]
    )


def slow_ece(labels, probabilities, bins=15):
    total = 0.0
    for low in np.arange(bins) / bins:
        best = probabilities.max(axis=1)
        here = (best > low) & (best <= low + 1 / bins)
        if here.any():
            right = probabilities.argmax(axis=1)[here] == labels[here]
            total += here.mean() * abs(right.mean() - best[here].mean())
    return total


def test_scores_are_those_of_sklearn():
    labels, probabilities, locations = sample()
    predicted, onehot = probabilities.argmax(axis=1), np.eye(5)[labels]
    expected = {
        "top1": oracle.accuracy_score(labels, predicted),
        "top3": oracle.top_k_accuracy_score(labels, probabilities, k=3),
        "macro_recall": oracle.balanced_accuracy_score(labels, predicted),
        "macro_f1": oracle.f1_score(labels, predicted, average="macro"),
        "macro_ap": oracle.average_precision_score(onehot, probabilities, average="macro"),
        "log_loss": oracle.log_loss(labels, probabilities),
        "top1_majority": oracle.accuracy_score(labels, np.full(len(labels), 2)),
    }
    found = metrics.scores(labels, probabilities, locations, majority=2)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=6e-5)
    assert (found["crops"], found["locations"]) == (400, 20)


def test_macro_scores_are_means_over_the_classes_that_occur():
    labels = np.array([0, 0, 0, 1])
    found = metrics.scores(labels, as_probabilities([0, 0, 2, 1], 3), np.arange(4), majority=0)
    assert found["macro_recall"] == round((2 / 3 + 1) / 2, 4)
    assert found["macro_f1"] == round((0.8 + 1) / 2, 4)


def test_top_k_is_told_for_every_k_that_exists():
    # E2, R2: top-3 was hard-wired, so that two classes could be neither trained nor evaluated.
    for classes, tops in ((2, ["top1"]), (3, ["top1", "top3"]), (5, ["top1", "top3", "top5"])):
        found = metrics.scores(*sample(classes=classes), majority=0)
        assert [name for name in found if name in ("top1", "top3", "top5")] == tops
        assert found.get("top3" if classes == 3 else "top5", 1.0) == 1.0


def test_the_scores_of_two_classes_are_those_of_sklearn():
    labels, probabilities, locations = sample(classes=2)
    found = metrics.scores(labels, probabilities, locations, majority=0)
    onehot = np.eye(2)[labels]
    expected = {
        "macro_ap": oracle.average_precision_score(onehot, probabilities, average="macro"),
        "micro_ap": oracle.average_precision_score(onehot, probabilities, average="micro"),
        "macro_f1": oracle.f1_score(labels, probabilities.argmax(axis=1), average="macro"),
        "brier": 2 * oracle.brier_score_loss(labels, probabilities[:, 1]),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=6e-5)


def test_micro_average_precision_is_that_of_sklearn_in_blocks_too(monkeypatch):
    labels, probabilities, _ = sample(classes=7)
    expected = oracle.average_precision_score(np.eye(7)[labels], probabilities, average="micro")
    assert metrics.micro_average_precision(labels, probabilities) == pytest.approx(expected, abs=1e-5)
    monkeypatch.setattr(metrics, "BLOCK", 33)
    assert metrics.micro_average_precision(labels, probabilities) == pytest.approx(expected, abs=1e-5)


def test_the_brier_score_is_the_squared_distance_from_the_truth():
    probabilities = np.array([[0.8, 0.2, 0.0], [0.0, 0.0, 1.0]])
    # 0.04 + 0.04 for the first, 1 + 1 for the second.
    assert metrics.brier(np.array([0, 1]), probabilities) == pytest.approx((0.08 + 2) / 2)


def test_weighted_accuracy_is_a_share_of_all_weight_at_once():
    # E8: divided by the size of each batch it could exceed 100%.
    right, weights = np.array([True, True, False]), np.array([3.0, 0.5, 0.5])
    assert metrics.weighted_accuracy(right, weights) == 0.875
    assert metrics.weighted_accuracy(np.array([True]), np.array([3.0])) == 1.0


def test_the_interval_of_the_macro_recall_resamples_whole_locations():
    # Two locations, one with all of class 0 right, the other with all of class 1 wrong: a draw is 1, 1/2 or 0.
    labels, probabilities = np.array([0] * 5 + [1] * 5), as_probabilities([0] * 10, 2)
    locations = np.array(["a"] * 5 + ["b"] * 5)
    assert metrics.macro_recall_interval(labels, probabilities, locations) == (0.0, 1.0)
    one_place = np.array(["a"] * 10)
    assert metrics.macro_recall_interval(labels, probabilities, one_place) == (0.5, 0.5)


def test_the_scores_of_two_classes_have_no_top3():
    labels, probabilities, locations = sample(classes=2)
    found = metrics.scores(labels, probabilities, locations, majority=0)
    assert "top3" not in found
    assert found["top1"] == round(oracle.accuracy_score(labels, probabilities.argmax(axis=1)), 4)


def test_top_k_counts_the_first_of_equal_classes_once():
    even = np.full((3, 4), 0.25)
    assert metrics.top_k(np.array([0, 1, 3]), even, 1) == pytest.approx(1 / 3)
    assert metrics.top_k(np.array([0, 1, 3]), even, 3) == pytest.approx(2 / 3)


def test_a_certain_mistake_has_a_finite_log_loss():
    found = metrics.scores(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]), np.arange(2), majority=0)
    assert found["log_loss"] == round(-np.log(1e-7) / 2, 4)


def test_class_scores_are_counted_by_hand():
    # fox: 3 of 4 found, one deer taken for it; owl does not occur and is never predicted.
    labels, predicted = np.array([0, 0, 0, 0, 1, 1]), [0, 0, 0, 1, 1, 0]
    found = metrics.per_class(labels, as_probabilities(predicted, 3), ["fox", "deer", "owl"])
    fox, deer, owl = found.to_dict("records")
    assert (fox["support"], fox["precision"], fox["recall"], fox["f1"]) == (4, 0.75, 0.75, 0.75)
    assert (deer["support"], deer["precision"], deer["recall"], deer["f1"]) == (2, 0.5, 0.5, 0.5)
    assert (owl["label"], owl["support"], owl["precision"]) == ("owl", 0, 0.0)
    assert np.isnan([owl["recall"], owl["ap"]]).all()


def test_average_precision_by_class_is_that_of_sklearn():
    labels, probabilities, _ = sample(classes=3)
    expected = oracle.average_precision_score(np.eye(3)[labels], probabilities, average=None)
    assert metrics.per_class(labels, probabilities, list("abc"))["ap"].tolist() == pytest.approx(expected, abs=6e-5)


def test_the_calibration_error_is_that_of_a_slow_version():
    labels, probabilities, _ = sample()
    assert metrics.calibration_error(labels, probabilities) == pytest.approx(slow_ece(labels, probabilities), abs=1e-4)


def test_the_calibration_error_of_a_boaster_is_its_confidence_less_its_accuracy():
    assert metrics.calibration_error(np.array([0, 1, 1, 1]), as_probabilities([0] * 4, 2)) == pytest.approx(0.9 - 0.25)


def test_reliability_lists_the_bins_that_have_crops():
    table = metrics.reliability(np.array([0, 1, 0]), np.array([[1.0, 0.0], [0.52, 0.48], [0.52, 0.48]]))
    assert table.to_dict("records") == [
        {"bin": round(8 / 15, 4), "crops": 2, "confidence": 0.52, "accuracy": 0.5},
        {"bin": 1.0, "crops": 1, "confidence": 1.0, "accuracy": 1.0},
    ]


def test_the_interval_is_that_of_a_slow_bootstrap_over_locations():
    generator = np.random.default_rng(3)
    locations = np.repeat(np.arange(15), generator.integers(1, 20, 15)).astype(str)
    right = (generator.random(len(locations)) < 0.7).astype(float)
    by_place = [right[locations == name] for name in np.unique(locations)]
    draws = generator.integers(0, 15, (4000, 15))
    means = [np.concatenate([by_place[at] for at in draw]).mean() for draw in draws]
    assert metrics.interval(right, locations) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.02)


def test_the_error_of_the_macro_recall_is_that_of_a_slow_bootstrap_over_locations():
    labels, probabilities, locations = sample(num=150, classes=4, num_locations=10)
    right = probabilities.argmax(axis=1) == labels
    generator, recalls = np.random.default_rng(5), []
    for _ in range(1500):
        drawn = np.concatenate([np.flatnonzero(locations == at) for at in generator.integers(0, 10, 10)])
        recalls.append(np.mean([right[drawn][labels[drawn] == c].mean() for c in np.unique(labels[drawn])]))
    assert metrics.macro_recall_error(labels, probabilities, locations) == pytest.approx(np.std(recalls), rel=0.08)


def test_the_interval_narrows_with_more_locations():
    widths = []
    for num in (8, 32, 128):
        locations = np.arange(512) % num
        low, high = metrics.interval((locations % 4 != 0).astype(float), locations)  # each fourth place is all wrong
        widths.append(high - low)
    assert widths == pytest.approx([2 * 1.96 * np.sqrt(0.75 * 0.25 / num) for num in (8, 32, 128)], rel=0.2)
    assert widths[0] > widths[1] > widths[2]


def test_many_crops_of_few_locations_do_not_narrow_the_interval():
    right, locations = np.array([1.0, 0.0, 1.0, 1.0]), np.arange(4)
    once = metrics.interval(right, locations)
    assert metrics.interval(np.repeat(right, 50), np.repeat(locations, 50)) == once


def test_the_temperature_undoes_a_known_scaling():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (20000, 4))
    labels = (softmax(logits, axis=1).cumsum(axis=1) < generator.random((20000, 1))).sum(axis=1)
    assert metrics.fit_temperature(labels, 3 * logits) == pytest.approx(3, rel=0.05)
    assert metrics.fit_temperature(labels, logits / 2) == pytest.approx(0.5, rel=0.05)


def test_the_temperature_stays_within_its_bounds_for_a_perfect_classifier():
    assert metrics.fit_temperature(np.array([0, 1]), np.array([[3.0, 0.0], [0.0, 3.0]])) == pytest.approx(0.2, abs=0.01)


def test_calibrated_probabilities_are_a_softmax_at_the_temperature():
    found = metrics.calibrated(np.array([[0.0, 2 * np.log(3)], [1000.0, 0.0]]), 2.0)
    assert found == pytest.approx(np.array([[0.25, 0.75], [1.0, 0.0]]))


def test_scores_do_not_depend_on_the_order_of_crops():
    labels, probabilities, locations = sample()
    turned = pd.Series(np.arange(400)).sample(frac=1, random_state=1).to_numpy()
    one = metrics.scores(labels, probabilities, locations, majority=0)
    assert metrics.scores(labels[turned], probabilities[turned], locations[turned], majority=0) == pytest.approx(one)


def test_the_error_of_the_macro_recall_comes_from_the_locations():
    # Both locations drawn: recall 1/2; one of them twice: 1 or 0. The deviation of (1, 1/2, 1/2, 0) is sqrt(1/8).
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9]])
    error = metrics.macro_recall_error(np.array([0, 0]), probabilities, np.array(["a", "b"]))
    assert error == pytest.approx(8**-0.5, abs=0.01)
    assert metrics.macro_recall_error(np.array([0, 1]), probabilities, np.array(["a", "b"])) == 0
