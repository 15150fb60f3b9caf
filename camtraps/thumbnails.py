"""Thumbnails: crops and photos made small for a page, up to a number of bytes."""

import base64
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import pandas as pd
from PIL import Image
from PIL.ExifTags import Base as ExifTag

from camtraps.errors import InputError
from camtraps.images import TURNS, decode_crop, decoding, encode, opened_by_pillow, plain
from camtraps.pages import figures
from camtraps.shards import Reader

SIDE_PX, QUALITY = 132, 78  # of a crop among others


class Album:
    """The pictures of a page as base64, each once, up to so many bytes of text."""

    def __init__(self, max_bytes: int) -> None:
        """Begin without pictures."""
        self.pictures: list[str] = []
        self.is_full = False
        self._left = max_bytes
        self._numbers: dict[Hashable, int] = {}

    def grow(self, num_bytes: int) -> None:
        """Make room for more."""
        self._left += num_bytes
        self.is_full = False

    def number(self, key: Hashable, make: Callable[[], bytes | None]) -> int | None:
        """Give the place of a picture in ``pictures``.

        Args:
            key: tells it from others.
            make: gives its JPEG, or None if there is none; called once at most.

        Returns:
            None where there is no such picture, or no room for it; from the first one without room on the album is
            full, so that which ones are there does not depend on their sizes.
        """
        if key in self._numbers:
            return self._numbers[key]
        data = None if self.is_full else make()
        if data is None:
            return None
        text = base64.b64encode(data).decode()
        self.is_full = len(text) > self._left
        if self.is_full:
            return None
        self._left -= len(text)
        self.pictures.append(text)
        self._numbers[key] = len(self.pictures) - 1
        return self._numbers[key]


def of_crop(place: Any, reader: Reader, side: int = SIDE_PX, quality: int = QUALITY) -> bytes | None:
    """Make a crop small.

    Args:
        place: a row of the crops table, or of any other with shard, offset and length.
        reader: of its shards.
        side: of the result at most, pixels.
        quality: of the JPEG, 1 to 100.

    Returns:
        A JPEG; None if the crop is damaged.

    Raises:
        MissingError: its shard is not there.
    """
    try:
        picture = decode_crop(reader.read(place.shard, int(place.offset), int(place.length)), side)
    except InputError:
        return None
    picture.thumbnail((side, side), Image.Resampling.HAMMING)
    return encode(picture, quality)


def of_photo(data: bytes, side: int, quality: int) -> bytes:
    """Make a photo small and upright; a JPEG is decoded no finer than that needs.

    Raises:
        PhotoError: not an image, cut off, or far larger than any camera's.
    """
    with decoding():
        image = opened_by_pillow(data)
        turn = None if image.format == "TIFF" else TURNS.get(image.getexif().get(ExifTag.Orientation, 1))
        image.draft("RGB", (side, side))
        image.load()
        small = plain(image).convert("RGB")
        small.thumbnail((side, side), Image.Resampling.HAMMING)
    return encode(small.transpose(turn.method) if turn else small, quality)


def gallery(crops: pd.DataFrame, captions: Sequence[str], reader: Reader, album: Album) -> str:
    """Show crops with their captions, as many as the album has room for.

    Args:
        crops: with image, box, shard, offset and length.
        captions: one each.
        reader: of the shards.
        album: where they are counted.
    """
    shown, titles = [], []
    for row in crops.itertuples():
        number = album.number((row.shard, row.offset), lambda row=row: of_crop(row, reader))  # type: ignore[misc]
        shown.append(None if number is None else album.pictures[number])
        titles.append(f"{row.image} box {row.box}")
    return figures(shown, captions, titles)
