"""The model of label noise: what it says by hand, and what it finds in drawn labels whose noise is known."""

import numpy as np
import pytest

from camtraps.noise import COMPANY_PHOTOS, Company, Evidence, NoiseModel, fit

EVEN = np.ones((3, 3))


def drawn(num=4000, rate=0.06, seed=5, sure=4.0):
    """Draw photos of three classes: a good source, a useless one, labels of which some are wrong and stand alone."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=num)
    wrong = rng.random(num) < rate
    labels = np.where(wrong, (truth + rng.integers(1, 3, num)) % 3, truth)
    good = rng.normal(size=(num, 3)) + sure * np.eye(3)[truth]
    useless = rng.normal(size=(num, 3))
    other = rng.random(num) < np.where(wrong, 0.7, 0.02)
    company = np.where(rng.random(num) < 0.2, Company.ALONE, np.where(other, Company.OTHER, Company.SAME))
    sources = np.stack([good, useless], axis=1)
    sources -= np.log(np.exp(sources).sum(axis=2, keepdims=True))
    return Evidence(sources, labels, company.astype(np.int64)), wrong


def test_the_doubt_about_a_label_follows_from_bayes_rule():
    """q = (0.6, 0.3, 0.1), a label of class 0, a tenth of the labels wrong, alike for all others:
    right 0.6 * 0.9 = 0.54; wrong 0.1 * 0.5 * (0.3 + 0.1) = 0.02."""
    model = NoiseModel(np.array([1.0]), 0.1, (1 - np.eye(3)) / 2, np.ones((2, 4)))
    evidence = Evidence(np.log([[[0.6, 0.3, 0.1]]]), np.array([0]), np.array([Company.ALONE]))
    assert model.doubts(evidence).tolist() == pytest.approx([0.02 / 0.56])


def test_a_label_unlike_those_of_its_sequence_is_doubted_more():
    company = np.array([[1.0, 0.9, 0.05, 0.05], [1.0, 0.2, 0.1, 0.7]])
    model = NoiseModel(np.array([1.0]), 0.1, (1 - np.eye(3)) / 2, company)
    states = np.array([Company.SAME, Company.ALONE, Company.OTHER])
    evidence = Evidence(np.log([[[0.6, 0.3, 0.1]]] * 3), np.array([0, 0, 0]), states)
    wrong = 0.02 * np.array([0.2, 1, 0.7])
    right = 0.54 * np.array([0.9, 1, 0.05])
    assert model.doubts(evidence).tolist() == pytest.approx((wrong / (wrong + right)).tolist())


def test_the_share_of_wrong_labels_and_their_company_are_found_without_the_truth():
    evidence, wrong = drawn()
    model = fit(evidence, EVEN)
    assert model.rate == pytest.approx(wrong.mean(), abs=0.01)
    assert model.company[1, Company.OTHER] == pytest.approx(0.7, abs=0.1)
    assert model.company[0, Company.OTHER] == pytest.approx(0.02, abs=0.01)


def test_a_useless_source_gets_next_to_no_weight():
    evidence, _ = drawn()
    good, useless = fit(evidence, EVEN).weights
    assert good > 0.5
    assert useless < 0.1


def test_the_scores_are_calibrated():
    evidence, wrong = drawn()
    doubts = fit(evidence, EVEN).doubts(evidence)
    for low, high in ((0.0, 0.05), (0.05, 0.5), (0.5, 0.95), (0.95, 1.0)):
        part = (doubts >= low) & (doubts <= high)
        assert doubts[part].mean() == pytest.approx(wrong[part].mean(), abs=0.12)


def test_confusions_between_two_classes_are_learned():
    evidence, _ = drawn(rate=0.0)
    labels = evidence.labels.copy()
    changed = np.flatnonzero(labels == 0)[::8]
    labels[changed] = 2
    model = fit(Evidence(evidence.sources, labels, evidence.company), EVEN)
    assert model.confusion[0, 2] > 0.8
    assert (np.diag(model.confusion) == 0).all()
    assert model.confusion.sum(axis=1).tolist() == pytest.approx([1, 1, 1])


def test_labels_of_whole_sequences_are_not_taken_for_right_because_they_agree():
    # All photos of a sequence carry its label, be it right or wrong: company then tells nothing.
    evidence, wrong = drawn()
    same = np.full(len(wrong), Company.SAME, np.int64)
    model = fit(Evidence(evidence.sources, evidence.labels, same), EVEN)
    assert model.company[:, Company.SAME].tolist() == pytest.approx([1, 1])
    assert model.rate == pytest.approx(wrong.mean(), abs=0.02)


def test_one_photo_alone_is_judged_by_the_priors():
    evidence = Evidence(np.log([[[0.8, 0.1, 0.1]]]), np.array([0]), np.array([Company.ALONE]))
    model = fit(evidence, EVEN)
    assert 0 < model.doubts(evidence)[0] < 0.05
    assert COMPANY_PHOTOS > 0
    assert np.isfinite(model.company).all()


def test_the_same_evidence_gives_the_same_scores():
    evidence, _ = drawn(num=300)
    assert np.array_equal(fit(evidence, EVEN).doubts(evidence), fit(evidence, EVEN).doubts(evidence))
