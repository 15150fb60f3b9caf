"""Batches of crops: in the picked order, the same for any number of workers."""

import numpy as np
import pytest
import torch
from make_tables import colour_crops, damage

from camtraps.datasets import CropDataset, Loader, Pick, chunks, in_order
from camtraps.errors import MissingError
from camtraps.transforms import AUGMENTATIONS

LABELS = ["red", "blue", "green", "blue", "red", "green", "red"]


INDEX = {"blue": 0, "green": 1, "red": 2}
# Python 3.12 warns of every fork of a process that has threads.
FORK = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def make(crops, folder):
    labels = np.array([INDEX[name] for name in crops["label"]])
    return CropDataset(crops, labels, folder, 32, AUGMENTATIONS["camtraps"])


@pytest.fixture
def dataset(tmp_path):
    return make(colour_crops(tmp_path, LABELS), tmp_path)


@pytest.fixture
def damaged(tmp_path):
    """Crops of which the second and the fifth are no JPEG."""
    crops = colour_crops(tmp_path, LABELS)
    for at in (1, 4):
        damage(tmp_path, crops["offset"][at])
    return make(crops, tmp_path)


def batches(dataset, picks, batch_size, num_workers):
    return list(Loader(dataset, num_workers).batches(chunks(picks, batch_size)))


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
    found = batches(dataset, picks, batch_size=2, num_workers=0)
    assert [seen(batch.views) for batch in found] == [["red", "blue"], ["blue", "green"], ["red"]]


def test_the_same_row_is_seen_anew_with_another_seed(dataset):
    (batch,) = batches(dataset, [Pick(0, (1,)), Pick(0, (2,)), Pick(0, (1,))], batch_size=3, num_workers=0)
    assert torch.equal(batch.views[0], batch.views[2])
    assert not torch.equal(batch.views[0], batch.views[1])


@FORK
def test_a_worker_process_changes_nothing(dataset):
    picks = [Pick(row, (1, row)) for row in (6, 5, 4, 3, 2, 1, 0)]
    here = batches(dataset, picks, batch_size=3, num_workers=0)
    there = batches(dataset, picks, batch_size=3, num_workers=1)
    assert len(here) == len(there) == 3
    for one, other in zip(here, there, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one[:5], other[:5], strict=True))


@FORK
def test_one_loader_gives_any_number_of_epochs(dataset):
    """R10: workers were started anew for every epoch."""
    loader = Loader(dataset, 1)
    epochs = [list(loader.batches(chunks([Pick(row, None) for row in rows], 2))) for rows in ((0, 1, 2), (6, 5))]
    assert [[batch.rows.tolist() for batch in epoch] for epoch in epochs] == [[[0, 1], [2]], [[6, 5]]]


def test_views_lie_channels_last(dataset):
    (batch,) = batches(dataset, in_order(7), batch_size=8, num_workers=0)
    assert batch.views.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=FORK)])
def test_a_crop_that_cannot_be_decoded_is_told_and_another_view_takes_its_place(damaged, workers):
    first, second = batches(damaged, in_order(7), batch_size=4, num_workers=workers)
    assert seen(first.views) == ["red", "red", "green", "blue"]
    assert first.good.tolist() == [True, False, True, True]
    assert first.labels.tolist() == [2, 0, 1, 0]
    assert [row for row, _ in first.failed + second.failed] == [1, 4]
    assert first.failed[0][1].startswith("data/crops: a crop is damaged; run `dvc checkout data/crops`: ")


def test_a_batch_without_any_good_crop_is_black_and_said_so(damaged):
    (batch,) = batches(damaged, [Pick(1, (1, 1)), Pick(4, (1, 4))], batch_size=2, num_workers=0)
    assert not batch.good.any()
    assert (batch.views.shape, int(batch.views.max()), batch.looks.shape) == ((2, 3, 32, 32), 0, (2, 4))


def test_a_shard_that_is_not_there_is_a_clear_error(tmp_path):
    crops = colour_crops(tmp_path, LABELS)
    (tmp_path / "shards/s.zip").unlink()
    with pytest.raises(MissingError, match=r"shards/s.zip: not found; run `dvc pull` or `dvc repro`$"):
        batches(make(crops, tmp_path), in_order(7), batch_size=8, num_workers=0)


def test_the_length_is_the_number_of_crops(dataset):
    assert len(dataset) == 7
