"""Crops as files of their own: unpacked from their shards into the folders and names of CameraTraps."""

from pathlib import Path

import pandas as pd

from camtraps.errors import InputError
from camtraps.files import climbs, replacing
from camtraps.progress import bar
from camtraps.shards import Reader, member_name

COLUMNS = ["image", "box", "detector", "shard", "offset", "length"]


def export(crops: pd.DataFrame, shards_folder: Path, out: Path) -> str:
    """Write crops as ``<out>/<dataset>/<file>___cropNN[_DETECTOR].jpg``; give the counts as text.

    A file that has the crop's bytes already is left alone, any other that stands there is replaced whole. Files of
    other crops are neither asked for nor removed.

    Args:
        crops: rows of the crops table: all, or those wanted.
        shards_folder: what its ``shard`` column is relative to.
        out: the folder to write into.

    Raises:
        InputError: the name of a crop would lead out of the folder, or a file stands where a folder is needed.
        MissingError: a shard is not there, or is shorter than the crops table says.
    """
    reader, num_written, num_bytes = Reader(shards_folder), 0, 0
    rows = crops.sort_values(["shard", "offset"])[COLUMNS]
    columns = [rows[name].tolist() for name in COLUMNS]
    with bar("export crops", len(rows), "crops") as progress:
        for image, box, detector, *place in zip(*columns, strict=True):
            data = reader.read(*place)
            num_written += put(out, member_name(image, box, detector), data)
            num_bytes += len(data)
            progress.update()
    there = f", {len(rows) - num_written:,} were there" if num_written < len(rows) else ""
    return f"{len(rows):,} crops ({num_bytes / 1e6:,.1f} MB) of {rows['image'].nunique():,} photos{there}"


def put(folder: Path, name: str, data: bytes) -> bool:
    """Write a crop's file unless it is there; say whether it was written; errors as in `export`."""
    if climbs(name):
        raise InputError(f"{name!r} leads out of {folder}; cut the crops again")
    path = folder / name
    # Of two crops of the same length one may be newer.
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return False
    try:
        with replacing(path) as part:
            part.write_bytes(data)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InputError(f"{path}: cannot be written: a file or folder is in the way; move it away") from None
    return True
