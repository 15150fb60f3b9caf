"""Shards: crops packed as uncompressed ZIP files, each crop readable by its offset and length alone.

Any file browser opens them. Many small files are what DVC, object stores and file systems are worst at.
"""

import os
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from camtraps.errors import MissingError
from camtraps.schema import HUMAN

# ZIP cannot store earlier times; one fixed time makes the bytes depend on names and contents alone.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
HEADER_BYTES = 30  # of a local file header, before name and extra field (APPNOTE.TXT 4.3.7)
MAX_OPEN = 200


def write(path: Path, members: Iterable[tuple[str, bytes]]) -> list[tuple[int, int]]:
    """Write a shard and give each member's offset and length in it, in the order given.

    Members must come sorted by name for equal bytes; names must be unique.
    """
    places = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, FIXED_TIME)
            info.create_system = 3  # Unix on every platform, or the bytes would differ
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
            start = info.header_offset + HEADER_BYTES + len(name.encode()) + len(info.extra)
            places.append((start, len(data)))
    return places


def member_name(image: str, box: int, detector: str) -> str:
    """Name a crop as CameraTraps does: the detector follows unless a person drew the box."""
    return f"{image}___crop{box:02d}.jpg" if detector == HUMAN else f"{image}___crop{box:02d}_{detector}.jpg"


class Reader:
    """Reads crops out of the shards of one folder, keeping the most recent files open."""

    def __init__(self, folder: Path) -> None:
        """Take the folder that the crops table's ``shard`` column is relative to."""
        self._folder = folder
        self._open: OrderedDict[str, int] = OrderedDict()

    def read(self, shard: str, offset: int, length: int) -> bytes:
        """Read one crop's JPEG.

        Raises:
            MissingError: the shard is not there, or is shorter than the crops table says.
        """
        if shard not in self._open:
            try:
                self._open[shard] = os.open(self._folder / shard, os.O_RDONLY)
            except FileNotFoundError:
                raise MissingError(f"{self._folder / shard}: not found; run `dvc pull` or `dvc repro`") from None
            if len(self._open) > MAX_OPEN:
                os.close(self._open.popitem(last=False)[1])
        self._open.move_to_end(shard)
        data = os.pread(self._open[shard], length, offset)
        if len(data) != length:
            raise MissingError(f"{self._folder / shard}: shorter than its crops table says; run `dvc checkout`")
        return data

    def __getstate__(self) -> dict[str, object]:
        """Leave open files behind when a worker process gets a copy."""
        return {"_folder": self._folder, "_open": OrderedDict()}
