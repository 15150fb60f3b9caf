"""Pixels: decode a photo upright, cut a rectangle, encode a JPEG."""

import io
import struct
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from camtraps.errors import InputError
from camtraps.storage import PhotoError

# What Pillow raises over files with a few wrong bytes, found by trying: EXIF values of another type, AVIF's decoder.
BROKEN = (OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, RuntimeError, struct.error)


def decode(data: bytes) -> Image.Image:
    """Decode a photo to upright RGB.

    Args:
        data: the bytes of an image file.

    Raises:
        PhotoError: not an image, cut off, or far larger than any camera's (a decompression bomb).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        raise PhotoError("photo is not an image") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise PhotoError("photo has too many pixels to be from a camera") from None
    except BROKEN as error:
        raise PhotoError(f"photo cannot be decoded: {error}".splitlines()[0]) from None


def cut(image: Image.Image, rectangle: tuple[int, int, int, int], max_side: int | None) -> Image.Image:
    """Cut a rectangle in pixels (left, top, right, bottom) and shrink it to ``max_side`` if it is larger.

    What lies outside the image comes out black.
    """
    crop = image.crop(rectangle)
    if max_side is None or max(crop.size) <= max_side:
        return crop
    scale = max_side / max(crop.size)
    size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
    return crop.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def encode(image: Image.Image, quality: int) -> bytes:
    """Encode a JPEG without metadata; the same bytes for the same pixels."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def decode_crop(data: bytes, side: int) -> Image.Image:
    """Decode a JPEG that we wrote ourselves, at 1/2, 1/4 or 1/8 where its shorter side stays at least ``side`` px.

    Raises:
        InputError: the bytes are not the JPEG that was written.
    """
    try:
        image = Image.open(io.BytesIO(data))
        image.draft("RGB", (side, side))
        return image.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise InputError(f"data/crops: a crop is damaged; run `dvc checkout data/crops`: {error}") from None
