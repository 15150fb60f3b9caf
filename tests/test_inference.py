"""Inference: one row of logits a crop, in the order asked for."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from make_networks import INFO, SMALL
from make_tables import colour_crops, damage, rows
from torch import nn

from camtraps import inference, models
from camtraps.datasets import CropDataset, Loader, in_order
from camtraps.inference import classify
from camtraps.networks import build
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


def run(network, dataset, batch_size, num_workers=0):
    return inference.run(network, Loader(dataset, num_workers), in_order(len(dataset)), batch_size)


def logits(*given):
    return run(*given).logits


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


@pytest.fixture
def model(tmp_path):
    """Make a model folder, and give it with its network."""
    torch.manual_seed(0)
    network = build(SMALL, 3, 32)
    models.save(tmp_path / "model", network, INFO)
    return tmp_path / "model", network


def test_classify_follows_the_assigned_table(model, crops, tmp_path):
    order = [3, 0, 4]
    assigned = rows(ASSIGNED, *({"image": crops["image"][at], "box": 0} for at in order))
    folder, network = model
    expected = logits(network, dataset(crops, tmp_path), 8, 0)[order]
    found = classify(folder, crops, assigned, tmp_path)
    assert found.logits == pytest.approx(expected, abs=1e-5)
    assert found.reasons == [None] * 3
    assert found.is_grey.tolist() == [False] * 3


def in_shards(folder, num):
    """Make crops of colours, one shard for each two of them."""
    parts = []
    for at in range(num):
        part = colour_crops(folder, ["red", "blue"], (40 + at, 40))
        name = f"shards/{at}.zip"
        (folder / part["shard"][0]).rename(folder / name)
        parts.append(part.assign(shard=name, image=[f"d/{at}.{each}.jpg" for each in range(2)]))
    crops = pd.concat(parts, ignore_index=True)
    return crops, rows(ASSIGNED, *({"image": image, "box": 0} for image in crops["image"].iloc[::-1]))


@pytest.fixture
def made(monkeypatch):
    """List what is really classified: the shard of each unit, and its folder."""
    made, classify_shard = [], inference._classify_shard
    monkeypatch.setattr(inference, "_classify_shard", lambda *given: made.append(given) or classify_shard(*given))
    return made


def names(made):
    return [shard.crops["shard"].iloc[0] for shard, _ in made]


def test_a_crop_that_lies_elsewhere_classifies_its_shard_again_and_no_other(model, tmp_path, made):
    crops, assigned = in_shards(tmp_path, 3)
    classify(model[0], crops, assigned, tmp_path)
    swapped = crops.copy()
    for name in ("offset", "length"):
        swapped[name] = [*crops[name][:4], *crops[name][:3:-1]]  # the two crops of the last shard change places
    classify(model[0], swapped, assigned, tmp_path)
    assert names(made) == [*(f"shards/{at}.zip" for at in range(3)), "shards/2.zip"]


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [(inference, "code_digest", lambda modules: "of the next version"), (torch, "__version__", "99.0.0")],
)
def test_a_line_of_code_or_another_torch_classifies_all_again(model, tmp_path, made, monkeypatch, where, name, value):
    crops, assigned = in_shards(tmp_path, 2)
    classify(model[0], crops, assigned, tmp_path)
    monkeypatch.setattr(where, name, value)
    classify(model[0], crops, assigned, tmp_path)
    assert names(made) == ["shards/0.zip", "shards/1.zip"] * 2


def test_only_changed_shards_are_classified_again(model, tmp_path, made):
    crops, assigned = in_shards(tmp_path, 3)
    before = classify(model[0], crops, assigned, tmp_path)
    made.clear()
    again = classify(model[0], crops, assigned, tmp_path)
    assert (again.logits == before.logits).all()
    assert made == []
    os.utime(tmp_path / "shards/1.zip", (0, 0))
    classify(model[0], crops, assigned, tmp_path)
    assert [shard.crops["shard"].unique().tolist() for shard, _ in made] == [["shards/1.zip"]]
    models.save(model[0], model[1], replace(INFO, temperature=2.0))
    classify(model[0], crops, assigned, tmp_path)
    assert len(made) == 4


def test_the_numbers_do_not_depend_on_who_computes_them(model, tmp_path, monkeypatch):
    crops, assigned = in_shards(tmp_path, 4)
    monkeypatch.setattr(inference, "CROPS", replace(inference.CROPS, apiece=1))
    found = []
    for workers in ("1", "2"):
        monkeypatch.setenv("CAMTRAPS_WORKERS", workers)
        monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / workers))
        found.append(classify(model[0], crops, assigned, tmp_path).logits)
    assert (found[0] == found[1]).all()


def test_crops_of_infrared_are_grey_even_if_a_little_tinted(network, crops, tmp_path):
    assert not run(network, dataset(crops, tmp_path), 2, 0).is_grey.any()
    grey = torch.randint(0, 250, (1, 1, 32, 32), dtype=torch.uint8).expand(1, 3, 32, 32)
    tinted = grey + torch.tensor([0, 1, 3], dtype=torch.uint8).view(1, 3, 1, 1)
    pale = grey + torch.tensor([0, 3, 6], dtype=torch.uint8).view(1, 3, 1, 1)
    assert inference._is_grey(torch.cat([grey, pale, tinted])).tolist() == [True, False, True]


def test_a_crop_that_cannot_be_read_has_no_logits_but_a_reason(network, crops, tmp_path):
    expected = logits(network, dataset(crops, tmp_path), 8, 0)
    damage(tmp_path, crops["offset"][1])
    found = run(network, dataset(crops, tmp_path), 8, 0)
    assert [reason is None for reason in found.reasons] == [True, False, True, True, True]
    assert str(found.reasons[1]).startswith("data/crops: a crop is damaged; ")
    assert np.isnan(found.logits[1]).all()
    assert found.logits[[0, 2, 3, 4]] == pytest.approx(expected[[0, 2, 3, 4]], abs=1e-5)
