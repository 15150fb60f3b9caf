"""Inference: one row of logits a crop, in the order asked for."""

import numpy as np
import pytest
import torch
from make_tables import colour_crops, rows
from test_models import INFO
from torch import nn

from camtraps.datasets import CropDataset, Loader, in_order
from camtraps.inference import classify, logits_of
from camtraps.schema import ASSIGNED

torch.set_num_threads(1)
LABELS = ["red", "blue", "green", "blue", "red"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    # Small, but its output differs by colour and its batch statistics matter.
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    )


@pytest.fixture
def crops(tmp_path):
    return colour_crops(tmp_path, LABELS)


def dataset(crops, folder):
    return CropDataset(crops, np.zeros(len(crops), np.int64), folder, 32)


def logits(network, dataset, batch_size, num_workers):
    return logits_of(network, Loader(dataset, num_workers), in_order(len(dataset)), batch_size).logits


def test_logits_do_not_depend_on_the_batch(network, crops, tmp_path):
    one, all_at_once = (logits(network, dataset(crops, tmp_path), size, 0) for size in (1, 8))
    assert (one.shape, one.dtype) == ((5, 3), np.float64)
    assert one == pytest.approx(all_at_once, abs=1e-5)


def test_logits_stand_in_table_order(network, crops, tmp_path):
    turned = crops.iloc[::-1].reset_index(drop=True)
    found = logits(network, dataset(turned, tmp_path), 8, 0)
    expected = logits(network, dataset(crops, tmp_path), 8, 0)
    assert found[::-1] == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected, axis=0).max() > 0.1  # else any order would do


def test_inference_leaves_the_network_as_it_was_trained(network, crops, tmp_path):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    logits(network.train(), dataset(crops, tmp_path), 8, 0)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_classify_follows_the_assigned_table(network, crops, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    order = [3, 0, 4]
    assigned = rows(ASSIGNED, *({"image": crops["image"][at], "box": 0} for at in order))
    expected = logits(network, dataset(crops, tmp_path), 8, 0)[order]
    assert classify(network, INFO, crops, assigned, tmp_path) == pytest.approx(expected, abs=1e-5)
