"""How likely is a label wrong: a model of label noise, fitted to the labels as they are given, without any truth.

Each photo has a true class. What speaks for it are several sources, each a probability for every class; together they
say ``q = softmax(weights * log sources)``. With probability ``1 - rate`` the label is the true class, else a wrong one
drawn by ``confusion``. A label may also stand alone in its sequence, and wrong ones do so more often (`Company`). The
parameters are those that make the given labels most likely (expectation maximisation), with weak priors.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

Values = NDArray[np.float64]

STEPS = 30
FITTED = 20_000  # photos; of more, evenly spaced ones will do
RATE, RATE_PHOTOS = 0.04, 25.0  # the prior of the share of wrong labels, and so many photos that it counts for
COMPANY_PHOTOS = 4.0  # the same for `company`, whose prior is that it tells nothing
CONFUSION_PHOTOS = 10.0  # the same for each class's confusions
WEIGHT_SPREAD = 1.0  # of the prior of the weights around 1 for the first source and 0 for the others


class Company(IntEnum):
    """What the other photos of a photo's sequence are labelled as."""

    ALONE = 0
    SAME = 1
    MIXED = 2
    OTHER = 3


@dataclass(frozen=True)
class Evidence:
    """What is known of photos: log probabilities (photos, sources, classes), labels (photos,), `Company` (photos,)."""

    sources: Values
    labels: NDArray[np.int64]
    company: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> "Evidence":
        """Take some of the photos."""
        return Evidence(self.sources[rows], self.labels[rows], self.company[rows])


@dataclass(frozen=True)
class NoiseModel:
    """The parameters: see the module.

    ``weights`` (sources,); ``confusion`` (classes, classes), the true class in rows, the diagonal 0; ``company``
    (2, states), the share of each state among right labels and among wrong ones that are not alone.
    """

    weights: Values
    rate: float
    confusion: Values
    company: Values

    def joint(self, evidence: Evidence) -> Values:
        """Give the probability of each photo's label together with each true class, (photos, classes)."""
        photos = np.arange(len(evidence.labels))
        q = np.exp(_log_q(self.weights, evidence.sources))
        right, wrong = self.company[:, evidence.company]
        joint: Values = q * self.rate * self.confusion.T[evidence.labels] * wrong[:, None]
        joint[photos, evidence.labels] = q[photos, evidence.labels] * (1 - self.rate) * right
        return joint

    def doubts(self, evidence: Evidence) -> Values:
        """Give the probability that each label is wrong, (photos,)."""
        joint = self.joint(evidence)
        of_label = joint[np.arange(len(joint)), evidence.labels]
        return np.asarray((joint.sum(axis=1) - of_label) / joint.sum(axis=1))


def fit(evidence: Evidence, closeness: Values) -> NoiseModel:
    """Fit the model to the labels as they are given.

    Args:
        evidence: of at least one photo; no source may have seen the labels of the photos it speaks of.
        closeness: (classes, classes), how readily the class of a row is called that of a column, before any label is
            seen; only the proportions within a row count, the diagonal not at all.
    """
    num = len(evidence.labels)
    given = evidence.of(np.linspace(0, num - 1, min(num, FITTED)).astype(np.int64))
    num_sources, num_classes = given.sources.shape[1:]
    prior = closeness * (1 - np.eye(num_classes))
    prior = CONFUSION_PHOTOS * prior / np.maximum(prior.sum(axis=1, keepdims=True), 1e-12)
    weights = np.eye(num_sources)[0]
    model = NoiseModel(weights, RATE, prior / CONFUSION_PHOTOS, np.ones((2, len(Company))))
    for _ in range(STEPS):
        model = _step(model, given, prior)
    return model


def _step(model: NoiseModel, evidence: Evidence, prior: Values) -> NoiseModel:
    """Make one step of expectation maximisation."""
    photos, num = np.arange(len(evidence.labels)), len(evidence.labels)
    truth = model.joint(evidence)
    truth /= truth.sum(axis=1, keepdims=True)  # (photos, classes), the probabilities of the true class
    wrong = truth.copy()
    wrong[photos, evidence.labels] = 0.0
    called = np.stack([np.bincount(evidence.labels, each, len(prior)) for each in wrong.T])  # true by given class
    confusion = (called + prior) / np.maximum((called + prior).sum(axis=1, keepdims=True), 1e-12)
    doubts = wrong.sum(axis=1)
    rate = (doubts.sum() + RATE * RATE_PHOTOS) / (num + RATE_PHOTOS)
    return NoiseModel(_weights(model.weights, evidence.sources, truth), rate, confusion, _company(evidence, doubts))


def _company(evidence: Evidence, doubts: Values) -> Values:
    every = np.bincount(evidence.company, minlength=len(Company)).astype(np.float64)
    every[Company.ALONE] = 0
    shares = every / max(1.0, every.sum())
    wrong = np.bincount(evidence.company, doubts, len(Company))
    counts = np.stack([np.bincount(evidence.company, 1 - doubts, len(Company)), wrong])
    counts[:, Company.ALONE] = 0
    found: Values = (counts + COMPANY_PHOTOS * shares) / (counts.sum(axis=1, keepdims=True) + COMPANY_PHOTOS)
    found[:, Company.ALONE] = 1  # to be alone tells nothing
    return found


def _weights(weights: Values, sources: Values, truth: Values) -> Values:
    """Find the weights with which the sources say best what the true classes probably are."""
    middle = np.eye(len(weights))[0]

    def cost(tried: Values) -> tuple[float, Values]:
        log_q = _log_q(tried, sources)
        surplus = np.einsum("psc,pc->s", sources, np.exp(log_q) - truth)
        distance = (tried - middle) / WEIGHT_SPREAD**2
        return -float((truth * log_q).sum()) + float(distance @ (tried - middle)) / 2, surplus + distance

    found = minimize(cost, weights, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(weights))
    return np.asarray(found.x)


def _log_q(weights: Values, sources: Values) -> Values:
    return np.asarray(log_softmax(np.einsum("s,psc->pc", weights, sources), axis=1))
