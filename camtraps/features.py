"""Features of crops: what the classifier's last layer sees of each, as a table for other programs to learn from."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn
from tqdm import tqdm

from camtraps import networks
from camtraps.errors import InputError
from camtraps.files import replacing
from camtraps.images import decode_crop
from camtraps.models import ModelInfo, device
from camtraps.progress import bar
from camtraps.shards import Reader
from camtraps.transforms import eval_view, normalise
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
    networks.head_name(network)
    network = network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    failures: list[Failure] = []
    with bar("features", len(crops), "crops") as progress:
        batches = _batches(crops, folder, info.image_size, failures)
        groups = _groups(_table(network, rows, views, progress) for rows, views in batches)
        first = next(groups, None)
        if first is None:
            raise InputError(f"{folder}: no crop that can be decoded; run `dvc repro` or `dvc checkout {folder}`")
        with replacing(path) as part, pq.ParquetWriter(part, first.schema, compression="zstd") as writer:
            for group in chain([first], groups):
                writer.write_table(group)
    return failures


def _batches(
    crops: pd.DataFrame, folder: Path, size: int, failures: list[Failure]
) -> Iterator[tuple[pd.DataFrame, Tensor]]:
    """Give rows of crops that can be decoded with their views, in batches; note the others."""
    reader = Reader(folder)
    with ThreadPoolExecutor(num_workers()) as pool:
        for start in range(0, len(crops), BATCH_SIZE):
            rows = crops.iloc[start : start + BATCH_SIZE]
            data = [reader.read(*place) for place in zip(rows["shard"], rows["offset"], rows["length"], strict=True)]
            found = list(pool.map(_view, data, [size] * len(data)))
            for row, view in zip(rows.itertuples(), found, strict=True):
                if isinstance(view, InputError):
                    failures.append((str(row.image), int(row.box), str(view)))
            views = [view for view in found if isinstance(view, Tensor)]
            if views:
                yield rows[[isinstance(view, Tensor) for view in found]], torch.stack(views)


def _view(data: bytes, size: int) -> Tensor | InputError:
    try:
        return eval_view(decode_crop(data, size), size)
    except InputError as error:
        return error


def _table(network: nn.Module, rows: pd.DataFrame, views: Tensor, progress: "tqdm[Any]") -> pa.Table:
    where = next(network.parameters()).device
    inputs = normalise(views.to(where)).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
        found = networks.features(network, inputs).float().cpu().numpy()  # (batch, features)
    progress.update(len(rows))
    features = pa.FixedSizeListArray.from_arrays(pa.array(found.ravel()), found.shape[1])
    columns = {"image": pa.array(rows["image"], pa.string()), "box": pa.array(rows["box"], pa.int32())}
    return pa.table(columns | {"features": features})


def _groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Put the tables of batches together, as many as make a row group."""
    while batches := list(islice(tables, BATCHES_IN_GROUP)):
        yield pa.concat_tables(batches).combine_chunks()
