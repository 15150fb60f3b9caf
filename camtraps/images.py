"""Pixels: decode a photo upright, or no more of it than a rectangle needs; encode a JPEG."""

import functools
import io
import re
import struct
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.ExifTags import Base as ExifTag
from PIL.Image import Transpose

from camtraps import regions
from camtraps.errors import InputError
from camtraps.regions import Rectangle
from camtraps.storage import PhotoError

# Of what Pillow opens, all that a photo can be; for EPS it would run Ghostscript on the file. An MPO begins as a JPEG;
# AVIF came with Pillow 11.3.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", *(("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()))
MAX_PIXELS = 89_478_485  # of a photo: a quarter of a GiB at 3 bytes each, as Pillow has it
MAX_CROP_PIXELS = 2 * MAX_PIXELS  # of a crop before it is shrunk, with the black around it

# Odd EXIF, palettes: of no use without the name of the file. Once for the process, since `warnings.catch_warnings` in
# one thread changes the filters of all.
warnings.filterwarnings("ignore", module=r"PIL\.")

# What Pillow raises over files with a few wrong bytes, found by trying: EXIF values of another type, AVIF's decoder.
BROKEN = (OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, RuntimeError, struct.error)

TOO_LARGE = "photo has too many pixels to be from a camera"


class Turn(NamedTuple):
    """What makes a stored photo upright, and where a pixel of the upright one is stored."""

    method: Transpose
    swaps: bool
    mirrors_x: bool
    mirrors_y: bool

    def stored(self, upright: Rectangle, size: tuple[int, int]) -> Rectangle:
        """Give where a rectangle of the upright photo lies in the stored one of this size."""
        left, top, right, bottom = upright
        if self.swaps:
            left, top, right, bottom = top, left, bottom, right
        if self.mirrors_x:
            left, right = size[0] - right, size[0] - left
        if self.mirrors_y:
            top, bottom = size[1] - bottom, size[1] - top
        return left, top, right, bottom


# By the value of the EXIF tag Orientation.
TURNS = {
    2: Turn(Transpose.FLIP_LEFT_RIGHT, False, True, False),
    3: Turn(Transpose.ROTATE_180, False, True, True),
    4: Turn(Transpose.FLIP_TOP_BOTTOM, False, False, True),
    5: Turn(Transpose.TRANSPOSE, True, False, False),
    6: Turn(Transpose.ROTATE_270, True, False, True),
    7: Turn(Transpose.TRANSVERSE, True, True, True),
    8: Turn(Transpose.ROTATE_90, True, True, False),
}

# Time to decode a region, as shares of the time to decode the whole photo with Pillow: of the rows down to its last one
# and of its area. Measured on photos of 0.3 to 12 megapixels and 0.06 to 4 MB: .2 to .6 and .8 to 1.2.
COST_OF_ROWS, COST_OF_AREA = 0.5, 1.0


class Photo:
    """A photo to cut rectangles from, upright, in pixels that do not depend on how it was decoded."""

    def __init__(self, data: bytes, image: Image.Image) -> None:
        """Keep the bytes of the file, and the image that Pillow has opened but not decoded."""
        self._data = data
        self._image = image
        # Pillow turns a TIFF by itself.
        self._turn = None if image.format == "TIFF" else TURNS.get(image.getexif().get(ExifTag.Orientation, 1))
        self._cost = 0.0
        self.size: tuple[int, int] = image.size[::-1] if self._turn and self._turn.swaps else image.size
        """Width and height of the upright photo, in pixels."""

    @functools.cached_property
    def _decoder(self) -> regions.Decoder | None:
        """The decoder of regions; None once the whole photo is decoded, or is to be."""
        is_regional = self._image.format == "JPEG" and self._image.mode in ("RGB", "L")
        return regions.decoder() if is_regional and regions.has_one_whole_scan(self._data) else None

    def whole(self) -> Image.Image:
        """Give the upright RGB photo; errors as in `cut`."""
        return _rgb(self._upright(self._decoded()))

    def expect(self, rectangles: Iterable[Rectangle]) -> None:
        """Say which rectangles will all be cut: where that is cheaper, the whole photo is decoded for the first one."""
        if sum(self._cost_of(regions.around(self._stored(each), self._image.size)) for each in rectangles) >= 1:
            self._decoder = None

    def cut(self, rectangle: Rectangle, max_side: int | None, pad_to: int | None = None) -> Image.Image:
        """Cut a rectangle and shrink it to ``max_side`` if it is larger; what lies outside the photo comes out black.

        Args:
            rectangle: in pixels of the upright photo; with ``pad_to``, at most `MAX_CROP_PIXELS`.
            max_side: of the result, in pixels; None keeps all.
            pad_to: side of a black square, in pixels before shrinking, in whose middle the rectangle is put.

        Returns:
            RGB.

        Raises:
            PhotoError: the photo is cut off or damaged.
        """
        (left, top, right, bottom), (width, height) = rectangle, self.size
        inside = (*_within(left, top, width, height), *_within(right, bottom, width, height))
        size, at = (right - left, bottom - top), (inside[0] - left, inside[1] - top)
        if pad_to is not None:
            at = (round((pad_to - size[0]) / 2) + at[0], round((pad_to - size[1]) / 2) + at[1])
            size = (pad_to, pad_to)
        crop = _rgb(self._upright(self._piece(self._stored(inside))))
        if crop.size != size:
            # Pillow's own crop refuses a large rectangle, most of which is black.
            canvas = Image.new("RGB", size)
            canvas.paste(crop, at)
            crop = canvas
        return _shrunk(crop, max_side)

    def _piece(self, rectangle: Rectangle) -> Image.Image:
        """Give a rectangle of the stored photo, which lies in it.

        Regions are decoded as long as all of them together are cheaper than the whole photo, which is then kept.
        """
        if self._decoder:
            region = regions.around(rectangle, self._image.size)
            self._cost += self._cost_of(region)
            if self._cost < 1 and (pixels := self._decoder.decode(self._data, region)) is not None:
                (left, top, right, bottom), (x, y) = rectangle, region[:2]
                return Image.fromarray(pixels[top - y : bottom - y, left - x : right - x])
        whole = self._decoded()
        return whole if rectangle == (0, 0, *whole.size) else whole.crop(rectangle)

    def _cost_of(self, region: Rectangle) -> float:
        (width, height), (left, top, right, bottom) = self._image.size, region
        area = (right - left) * (bottom - top) / (width * height)
        return COST_OF_ROWS * bottom / height + COST_OF_AREA * area

    def _stored(self, rectangle: Rectangle) -> Rectangle:
        return self._turn.stored(rectangle, self._image.size) if self._turn else rectangle

    def _decoded(self) -> Image.Image:
        self._decoder = None
        with decoding():
            self._image.load()
            self._image = plain(self._image)
        return self._image

    def _upright(self, image: Image.Image) -> Image.Image:
        return image.transpose(self._turn.method) if self._turn else image


def opened(data: bytes) -> Photo:
    """Look at a photo's header.

    Args:
        data: the bytes of an image file.

    Raises:
        PhotoError: not an image, or far larger than any camera's (a decompression bomb).
    """
    with decoding():
        return Photo(data, opened_by_pillow(data))


def opened_by_pillow(data: bytes) -> Image.Image:
    """Give the image that Pillow has opened but not decoded; to be called under `decoding`, errors as in `opened`."""
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise PhotoError(TOO_LARGE)
    return image


def decode(data: bytes) -> Image.Image:
    """Decode a photo to upright RGB.

    Args:
        data: the bytes of an image file.

    Raises:
        PhotoError: not an image, cut off, or far larger than any camera's (a decompression bomb).
    """
    return opened(data).whole()


def encode(image: Image.Image, quality: int, subsampling: Literal[420, 444] = 420) -> bytes:
    """Encode a JPEG without metadata; the same bytes for the same pixels.

    Args:
        image: RGB.
        quality: 1 to 100.
        subsampling: 420, colour at half the resolution both ways, or 444, in full.
    """
    buffer = io.BytesIO()
    # Left to itself, Pillow writes the comment of the photo that an image was cut from (11.0 its XMP too).
    chroma = "4:2:0" if subsampling == 420 else "4:4:4"
    image.save(buffer, "JPEG", quality=quality, subsampling=chroma, comment=b"", xmp=b"")
    return buffer.getvalue()


def decode_crop(data: bytes, side: int) -> Image.Image:
    """Decode a JPEG that we wrote ourselves, at 1/2, 1/4 or 1/8 where its shorter side stays at least ``side`` px.

    Raises:
        InputError: the bytes are not the JPEG that was written.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG",))
        image.draft("RGB", (side, side))
        return image.convert("RGB")
    except (OSError, SyntaxError) as error:
        raise InputError(f"data/crops: a crop is damaged; run `dvc checkout data/crops`: {error}") from None


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what Pillow raises over a photo into the reason why it cannot be used, a PhotoError."""
    # MegaDetector's package sets this for the whole process: photos that are cut off would come out grey.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        yield
    except UnidentifiedImageError:
        raise PhotoError("photo is not an image") from None
    except Image.DecompressionBombError:
        raise PhotoError(TOO_LARGE) from None
    except BROKEN as error:
        # Without the number of bytes, so that reasons can be counted.
        raise PhotoError(re.sub(r" \(\d+ bytes.*", "", f"photo cannot be decoded: {error}".splitlines()[0])) from None


def plain(image: Image.Image) -> Image.Image:
    """Give a decoded image as RGB or grey of 8 bits; of 16 bits the higher 8 count, as Pillow takes them of colours.

    Raises:
        ValueError: grey values of 32 bits.
    """
    if image.mode in ("RGB", "L"):
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("its grey values have 32 bits and no known range")
    return image.convert("RGB")


def _within(x: int, y: int, width: int, height: int) -> tuple[int, int]:
    return min(max(0, x), width), min(max(0, y), height)


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _shrunk(crop: Image.Image, max_side: int | None) -> Image.Image:
    if max_side is None or max(crop.size) <= max_side:
        return crop
    scale = max_side / max(crop.size)
    size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
    # Resizing was a fifth of all cutting: Hamming is as sharp as bicubic for making smaller, in half the time of
    # Lanczos, and what is more than halved is first averaged over whole pixels.
    return crop.resize(size, Image.Resampling.HAMMING, reducing_gap=1.0)
