"""Crops as TFRecord files for TensorFlow and others: ``train-00000`` ..., written without TensorFlow.

A record is a `tf.train.Example` in the encoding of Protocol Buffers, between its length and checksums. The names of its
features are those that TF-slim's readers of classification data know.
"""

import functools
import json
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from camtraps.errors import InputError, MissingError
from camtraps.exports.labelled_crops import LabelledCrops
from camtraps.files import replacing, write_text
from camtraps.progress import bar
from camtraps.schema import SPLIT_NAMES
from camtraps.shards import Reader
from camtraps.words import num

LABEL_MAP = "label_map.pbtxt"
MASK_DELTA = 0xA282EAD8  # of TensorFlow's masked checksums


def export(given: LabelledCrops, shards_folder: Path, out: Path, per_file: int, seed: int = 0) -> str:
    """Write a folder of record files and ``label_map.pbtxt``, whole or not at all; give the counts as text.

    Records are shuffled within their split, since readers shuffle no more than a few thousand at a time.

    Args:
        given: from `labelled_crops.choose`.
        shards_folder: what its ``shard`` column is relative to.
        out: the folder to write; an earlier export there is replaced.
        per_file: crops in a file, at most.
        seed: of the shuffle.

    Raises:
        InputError: ``out`` is something else than an earlier export.
        MissingError: a package or a shard is not there.
    """
    if out.exists() and not (out / LABEL_MAP).is_file():
        raise InputError(f"{out}: is there and holds no {LABEL_MAP}; name a new folder")
    _checksum()
    reader, generator, counts = Reader(shards_folder), np.random.default_rng(seed), []
    with replacing(out) as part, bar("export tfrecords", len(given.crops), "crops") as progress:
        part.mkdir()
        for split in SPLIT_NAMES:
            rows = given.crops[given.crops["split"] == split]
            rows = rows.iloc[generator.permutation(len(rows))]
            starts = range(0, len(rows), per_file)
            for at, start in enumerate(starts):
                with (part / f"{split}-{at:05}").open("wb") as file:
                    for row in rows.iloc[start : start + per_file].itertuples():
                        _write(file, _example(row, reader.read(row.shard, row.offset, row.length)))
                        progress.update()
            if len(rows):
                counts.append(f"{len(rows):,} in {num(len(starts), 'file')} of {split}")
        items = [f"item {{\n  name: {json.dumps(name)}\n  id: {at}\n}}\n" for at, name in enumerate(given.categories)]
        write_text(part / LABEL_MAP, "".join(items))
    return f"{len(given.crops):,} crops of {len(given.categories)} categories: {', '.join(counts)}"


def _write(file: BinaryIO, record: bytes) -> None:
    length = struct.pack("<Q", len(record))
    file.write(length + _masked(length) + record + _masked(record))


def _masked(data: bytes) -> bytes:
    value = _checksum()(data)
    turned = (value >> 15) | (value << 17) & 0xFFFFFFFF
    return struct.pack("<I", (turned + MASK_DELTA) & 0xFFFFFFFF)


def _example(row: Any, jpeg: bytes) -> bytes:
    """Encode an Example: a map of names to features, each of which is a list of bytes (1) or of numbers (3)."""
    texts = {
        "image/encoded": jpeg,
        "image/format": b"jpeg",
        "image/colorspace": b"RGB",
        "image/filename": row.file.encode(),
        "image/id": row.file.encode(),
        "image/original_key": row.image.encode(),
        "image/location": row.location.encode(),
        "image/class/text": row.label.encode(),
    }
    numbers = {
        "image/class/label": row.category,
        "image/width": row.width,
        "image/height": row.height,
        "image/channels": 3,
    }
    features = {name: _field(1, _field(1, text)) for name, text in texts.items()}
    features |= {name: _field(3, _field(1, _varint(int(number)))) for name, number in numbers.items()}
    entries = [_field(1, _field(1, name.encode()) + _field(2, feature)) for name, feature in sorted(features.items())]
    return _field(1, b"".join(entries))


def _field(number: int, payload: bytes) -> bytes:
    """Encode a field of Protocol Buffers that has a length: text, bytes, a message, or packed numbers."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    """Encode a number from 0 in groups of 7 bits, the lowest first; all but the last have their high bit set."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


@functools.cache
def _checksum() -> Any:
    """Give the function that computes CRC-32C.

    Raises:
        MissingError: its package is not installed.
    """
    try:
        from google_crc32c import value
    except ImportError:
        raise MissingError("TFRecords need google-crc32c; run `pip install '.[tfrecord]'`") from None
    return value
