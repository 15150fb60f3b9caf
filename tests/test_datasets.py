"""Batches of crops: in the picked order, the same for any number of workers."""

import numpy as np
import pytest
import torch
from make_tables import colour_crops

from camtraps.datasets import CropDataset, Pick, batches, in_order

LABELS = ["red", "blue", "green", "blue", "red", "green", "red"]


@pytest.fixture
def dataset(tmp_path):
    index = {"blue": 0, "green": 1, "red": 2}
    return CropDataset(colour_crops(tmp_path, LABELS), np.array([index[name] for name in LABELS]), tmp_path, 32)


def seen(views):
    """Name the colour of each view."""
    means = views.float().mean(dim=(2, 3))  # (batch, 3)
    return [("red", "green", "blue")[int(mean.argmax())] for mean in means]


def test_each_row_of_the_table_is_its_own_crop(dataset):
    (batch,) = batches(dataset, in_order(7), batch_size=8, num_workers=0)
    assert seen(batch.views) == LABELS
    assert batch.labels.tolist() == [2, 0, 1, 0, 2, 1, 2]
    assert (batch.views.shape, batch.views.dtype) == ((7, 3, 32, 32), torch.uint8)


def test_batches_follow_the_picks_and_the_last_is_smaller(dataset):
    picks = [Pick(row, None) for row in (4, 1, 1, 5, 0)]
    found = list(batches(dataset, picks, batch_size=2, num_workers=0))
    assert [seen(batch.views) for batch in found] == [["red", "blue"], ["blue", "green"], ["red"]]


def test_the_same_row_is_seen_anew_with_another_seed(dataset):
    (batch,) = batches(dataset, [Pick(0, (1,)), Pick(0, (2,)), Pick(0, (1,))], batch_size=3, num_workers=0)
    assert torch.equal(batch.views[0], batch.views[2])
    assert not torch.equal(batch.views[0], batch.views[1])


# Python 3.12 warns of every fork of a process that has threads.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_worker_process_changes_nothing(dataset):
    picks = [Pick(row, (1, row)) for row in (6, 5, 4, 3, 2, 1, 0)]
    here = list(batches(dataset, picks, batch_size=3, num_workers=0))
    there = list(batches(dataset, picks, batch_size=3, num_workers=1))
    assert len(here) == len(there) == 3
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one.views, other.views)
        assert torch.equal(one.labels, other.labels)


def test_the_length_is_the_number_of_crops(dataset):
    assert len(dataset) == 7
