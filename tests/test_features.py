"""Features: one row for each crop that can be decoded, with what the last layer sees of it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from make_networks import INFO, SMALL, compiled
from make_tables import colour_crops, damage
from torch import nn

from camtraps import features, networks
from camtraps.errors import InputError
from camtraps.images import decode_crop
from camtraps.networks import build
from camtraps.shards import Reader
from camtraps.transforms import eval_view, normalise

torch.set_num_threads(1)
LABELS = ["red", "blue", "green"] * 3


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build(SMALL, 3, 32).eval()


def test_a_row_holds_the_features_of_its_crop(tmp_path, network, monkeypatch):
    crops = colour_crops(tmp_path, LABELS)
    monkeypatch.setattr(features, "BATCH_SIZE", 2)
    monkeypatch.setattr(features, "BATCHES_IN_GROUP", 2)
    assert features.write(network, INFO, crops, tmp_path, tmp_path / "f.parquet") == []
    table, reader = pq.read_table(tmp_path / "f.parquet"), Reader(tmp_path)
    assert table.schema.types == [pa.string(), pa.int32(), pa.list_(pa.float32(), 1024)]
    assert (table["image"].to_pylist(), table["box"].to_pylist()) == (crops["image"].tolist(), crops["box"].tolist())
    for row, crop in zip(table.to_pylist(), crops.itertuples(), strict=True):
        view = eval_view(decode_crop(reader.read(crop.shard, crop.offset, crop.length), 32), 32)
        with torch.no_grad():
            expected = networks.features(network, normalise(view[None]))[0]
        assert np.allclose(row["features"], expected, atol=1e-5)


def test_rows_are_written_group_by_group(tmp_path, network, monkeypatch):
    monkeypatch.setattr(features, "BATCH_SIZE", 2)
    monkeypatch.setattr(features, "BATCHES_IN_GROUP", 2)
    features.write(network, INFO, colour_crops(tmp_path, LABELS), tmp_path, tmp_path / "f.parquet")
    groups = pq.ParquetFile(tmp_path / "f.parquet").metadata
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)] == [4, 4, 1]


def test_the_same_crops_give_the_same_bytes(tmp_path, network):
    crops = colour_crops(tmp_path, LABELS)
    for name in ("one", "two"):
        features.write(network, INFO, crops, tmp_path, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_crops_that_cannot_be_decoded_are_listed_and_the_others_written(tmp_path, network):
    crops = colour_crops(tmp_path, LABELS)
    damage(tmp_path, crops["offset"][4])
    failures = features.write(network, INFO, crops, tmp_path, tmp_path / "f.parquet")
    assert [failure[:2] for failure in failures] == [(crops["image"][4], 0)]
    assert "a crop is damaged" in failures[0][2]
    assert pq.read_table(tmp_path / "f.parquet")["image"].to_pylist() == crops["image"].drop(4).tolist()


def test_nothing_to_write_is_a_clear_error(tmp_path, network):
    crops = colour_crops(tmp_path, LABELS[:1])
    damage(tmp_path, crops["offset"][0])
    for given in (crops, crops.iloc[:0]):
        with pytest.raises(InputError, match="no crop that can be decoded"):
            features.write(network, INFO, given, tmp_path, tmp_path / "f.parquet")
    assert not (tmp_path / "f.parquet").exists()


def test_a_compiled_model_has_no_features(tmp_path):
    network = compiled(nn.Sequential(nn.Conv2d(3, 3, 32), nn.Flatten()))
    with pytest.raises(InputError, match=r"^a compiled model"):
        features.write(network, INFO, colour_crops(tmp_path, LABELS), tmp_path, tmp_path / "f.parquet")
