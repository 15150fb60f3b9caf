"""Features of crops: what the classifier's last layer sees of each, as a table for other programs to learn from."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import nn

from camtraps import networks
from camtraps.datasets import CropDataset, Loader, chunks, in_order
from camtraps.errors import InputError
from camtraps.files import replacing
from camtraps.models import ModelInfo
from camtraps.progress import bar
from camtraps.ranks import device
from camtraps.transforms import normalise
from camtraps.units import num_workers

BATCH_SIZE = 64
BATCHES_IN_GROUP = 64  # what is held in memory
Failure = tuple[str, int, str]  # image, box, reason


def write(network: nn.Module, info: ModelInfo, crops: pd.DataFrame, folder: Path, path: Path) -> list[Failure]:
    """Write columns image, box and features (a list of float32, all of one length), in the order of the crops.

    Args:
        network: from `models.load`.
        info: from `models.load`.
        crops: rows of the crops table.
        folder: where the shards are.
        path: the Parquet file to write, whole or not at all.

    Returns:
        The crops that cannot be decoded, which have no row.

    Raises:
        InputError: no crop can be decoded, or the model is a compiled one.
        MissingError: a shard is not there.
    """
    failed: dict[int, str] = {}
    with replacing(path) as part:
        writer = None
        for group in _groups(_table(crops, *each) for each in _batches(network, info, crops, folder, failed)):
            writer = writer or pq.ParquetWriter(part, group.schema, compression="zstd")
            writer.write_table(group)
        if writer:
            writer.close()
        if len(failed) == len(crops):
            raise InputError(f"{folder}: no crop that can be decoded; run `dvc repro` or `dvc checkout {folder}`")
    keys = crops[["image", "box"]].to_numpy(object)
    return [(str(keys[row][0]), int(keys[row][1]), reason) for row, reason in failed.items()]


def of_crops(network: nn.Module, info: ModelInfo, crops: pd.DataFrame, folder: Path) -> NDArray[np.float32]:
    """Compute the features of crops, (crops, features); NaN where a crop cannot be decoded.

    Arguments and errors are those of `write`, but that no decodable crop is no error.
    """
    found = np.empty((len(crops), 0), np.float32)
    for rows, features in _batches(network, info, crops, folder, {}):
        if not found.shape[1]:
            found = np.full((len(crops), features.shape[1]), np.nan, np.float32)
        found[rows] = features
    return found


def _batches(
    network: nn.Module, info: ModelInfo, crops: pd.DataFrame, folder: Path, failed: dict[int, str]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Give the rows of a batch's crops and their features; those that cannot be decoded are noted instead."""
    networks.head_name(network)
    network = network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    where = next(network.parameters()).device
    dataset = CropDataset(crops, np.zeros(len(crops), np.int64), folder, info.image_size)
    with bar("features", len(crops), "crops") as progress:
        for batch in Loader(dataset, num_workers() - 1).batches(chunks(in_order(len(crops)), BATCH_SIZE)):
            inputs = normalise(batch.views.to(where)).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
                found = networks.features(network, inputs).float().cpu()  # (batch, features)
            failed.update(batch.failed)
            progress.update(len(batch.rows))
            yield batch.rows[batch.good].numpy(), found[batch.good].numpy()


def _table(crops: pd.DataFrame, rows: NDArray[np.int64], found: NDArray[np.float32]) -> pa.Table:
    chosen = crops.iloc[rows]
    features = pa.FixedSizeListArray.from_arrays(pa.array(found.ravel()), found.shape[1])
    columns = {"image": pa.array(chosen["image"], pa.string()), "box": pa.array(chosen["box"], pa.int32())}
    return pa.table(columns | {"features": features})


def _groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Put the tables of batches together, as many as make a row group."""
    while batches := list(islice(tables, BATCHES_IN_GROUP)):
        yield pa.concat_tables(batches).combine_chunks()
