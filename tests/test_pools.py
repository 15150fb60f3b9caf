"""Pools: which label counts for which target."""

import numpy as np

from camtraps.pools import matrix


def test_probabilities_of_a_target_are_the_sum_of_its_labels():  # spec A.9
    labels = ["red fox", "wolf", "elk", "moose"]
    pools = {"canid": ["red fox", "wolf"], "deer": ["elk"], "other": ["moose"]}
    found = np.array([0.4, 0.3, 0.2, 0.1]) @ matrix(labels, pools, ["canid", "deer", "horse", "other"])
    assert np.allclose(found, [0.7, 0.2, 0, 0.1])
