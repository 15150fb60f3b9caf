"""Signatures of crops: numbers by which crops that show the same are found, computed from the shards once."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import PIL
from numpy.typing import NDArray
from PIL import Image

from camtraps import duplicates, images, shards
from camtraps.errors import InputError
from camtraps.files import code_digest, digest, work_dir
from camtraps.results import Unit
from camtraps.storage import stamp
from camtraps.units import run

CODE = ("camtraps.signatures", "camtraps.duplicates", "camtraps.images", "camtraps.shards")
SIDE = 9  # of the thumbnail whose neighbouring grey levels are compared
STEP = 4  # grey levels that a neighbour must be brighter by: where nothing changes, noise flips no bit
LEAST_BITS, MOST_BITS = 16, 112  # of 128: with fewer steps up or down a crop shows nothing


@dataclass(frozen=True)
class Shard:
    """What a worker process gets: a shard, and the offset and length of its crops."""

    folder: Path
    name: str
    places: NDArray[np.int64]


def read(crops: pd.DataFrame, folder: Path) -> NDArray[np.uint64]:
    """Give the signatures of crops, (crops, 3): a hash of the bytes, and the two halves of one of the look.

    The look's hash (dHash) says of each two neighbours in a thumbnail of 9 x 9 grey levels, along rows and along
    columns, whether the second is clearly brighter. It is 0 for a crop without structure: a dark or empty one. All
    three are 0 for a crop that cannot be decoded.

    Args:
        crops: rows of the crops table.
        folder: what ``shard`` is relative to.

    Raises:
        MissingError: a shard is missing or too short.
    """
    common = digest(code_digest(CODE), PIL.__version__)
    units, rows = [], []
    for name, at in sorted(crops.reset_index(drop=True).groupby("shard").indices.items()):
        places = crops[["offset", "length"]].to_numpy(np.int64)[at]
        mark = stamp(str(folder / name))
        units.append(Unit(digest(common, mark, places.tobytes()), Shard(folder, name, places), len(at)))
        rows.append(at)
    signatures = np.zeros((len(crops), 3), np.uint64)
    for at, result in zip(rows, run(units, _sign_shard, work_dir("signatures"), "split: signatures"), strict=True):
        signatures[at] = np.load(result / "signatures.npy", allow_pickle=False)
    return signatures


def look(image: Image.Image) -> tuple[int, int]:
    """Give both halves of the hash of the look of an image; 0, 0 for one without structure."""
    small = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)).astype(np.int16)
    steps = np.stack([np.diff(small[:-1], axis=1), np.diff(small[:, :-1], axis=0)]) >= STEP
    if not LEAST_BITS <= steps.sum() <= MOST_BITS:
        return 0, 0
    # Each part of the hash has steps from all over the image, so that a part of it that is plain makes no part plain.
    bits = np.packbits(steps.reshape(-1, duplicates.PARTS).T).tobytes()
    return int.from_bytes(bits[:8], "little"), int.from_bytes(bits[8:], "little")


def _sign_shard(shard: Shard, folder: Path) -> bool:
    """Write ``signatures.npy``; it is final."""
    reader = shards.Reader(shard.folder)
    signatures = np.zeros((len(shard.places), 3), np.uint64)
    for at, (offset, length) in enumerate(shard.places.tolist()):
        jpeg = reader.read(shard.name, offset, length)
        with suppress(InputError):  # a damaged crop has no signature
            signatures[at] = (int(digest(jpeg)[:16], 16), *look(images.decode_crop(jpeg, 8 * SIDE)))
    np.save(folder / "signatures.npy", signatures, allow_pickle=False)
    return True
