"""Photo headers: what the file of a photo says before its pixels, its size, the time in its EXIF and its XMP tags."""

import re
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

from camtraps.formats import xmp
from camtraps.formats.xmp import Tag
from camtraps.progress import bar

NUM_THREADS = 16  # they wait for a drive, not for the processor
AT_ONCE = 1024  # photos

# As in camtraps.images.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", *(("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()))
# What Pillow raises over files with a few wrong bytes.
BROKEN = (OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, RuntimeError, struct.error)


@dataclass(frozen=True)
class Header:
    """What a photo says of itself."""

    size_px: tuple[int, int] | None = None
    """Upright; None if it cannot be opened."""
    taken: str | None = None
    """Local time, ``2024-04-01 05:06:07``; whatever stands there if it looks like none."""
    tags: Sequence[Tag] = ()
    problems: Sequence[tuple[str, str]] = ()
    """Reasons and values."""


def read(root: Path, files: Sequence[str], sidecars: Mapping[str, list[str]] | None) -> Iterator[tuple[str, Header]]:
    """Read what photos say of themselves, many at once.

    Args:
        root: the folder.
        files: photos, relative to it.
        sidecars: the XMP files beside each photo, those that go first first; None: tags are not asked for.

    Yields:
        Each file with its header, in the order given. Pixels are not decoded.
    """

    def header(file: str) -> Header:
        return _header(root / file, None if sidecars is None else [root / name for name in sidecars[file]])

    with ThreadPoolExecutor(NUM_THREADS) as pool, bar("reading photos", len(files), "photos") as progress:
        for start in range(0, len(files), AT_ONCE):
            some = files[start : start + AT_ONCE]
            # Pillow warns of each odd EXIF tag. The filter is the whole program's, so it must not stay over a yield.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                headers = list(pool.map(header, some))
            progress.update(len(some))
            yield from zip(some, headers, strict=True)


def taken(data: bytes) -> str | None:
    """Give when a photo was taken, as `Header.taken`; None also for what is no photo."""
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            return _taken(_exif(image))
    except (*BROKEN, Image.DecompressionBombError):
        return None


def moment(taken: str | None) -> datetime | None:
    """Read `Header.taken`; None if it is no time, whatever a camera wrote there."""
    try:
        return datetime.fromisoformat(taken).replace(tzinfo=None) if taken else None
    except ValueError:
        return None


def _header(path: Path, sidecars: list[Path] | None) -> Header:
    problems: list[tuple[str, str]] = []
    size_px = taken = None
    packets: list[Path | bytes | str] = [*(sidecars or [])]
    try:
        with Image.open(path, formats=FORMATS) as image:
            exif = _exif(image)
            size_px, taken = _upright(image, exif), _taken(exif)
            packets += filter(None, [image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")])
    except (*BROKEN, Image.DecompressionBombError) as error:
        problems.append(("photo cannot be opened; marked as corrupt", _said(error)))
    tags = [] if sidecars is None else _first_tags(packets, problems)
    return Header(size_px, taken, tags, problems)


def _said(error: BaseException) -> str:
    """Give what an error says in one line, without the path that it is about."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return str(getattr(error, "strerror", None) or error or type(error).__name__).split("\n")[0][:100]


def _exif(image: Image.Image) -> Image.Exif:
    try:
        # Not image.getexif(): that of a PNG would decode the pixels.
        return Image.Image.getexif(image)
    except BROKEN:
        return Image.Exif()


def _upright(image: Image.Image, exif: Image.Exif) -> tuple[int, int]:
    # Pillow has turned the size of a TIFF already.
    turned = exif.get(ExifTags.Base.Orientation) in (5, 6, 7, 8) and image.format != "TIFF"
    return (image.height, image.width) if turned else (image.width, image.height)


def _taken(exif: Image.Exif) -> str | None:
    try:
        details: Mapping[int, Any] = exif.get_ifd(ExifTags.IFD.Exif)
    except BROKEN:
        details = {}
    base = ExifTags.Base
    given = [details.get(base.DateTimeOriginal), details.get(base.DateTimeDigitized), exif.get(base.DateTime)]
    times = [value.strip("\0 ") for value in given if isinstance(value, str)]
    # A camera whose clock was never set writes blanks or zeros.
    known = [time for time in times if re.search("[1-9]", time)]
    return re.sub(r"^(\d{4}):(\d\d):(\d\d)", r"\1-\2-\3", known[0]) if known else None


def _first_tags(packets: Sequence[Path | bytes | str], problems: list[tuple[str, str]]) -> list[Tag]:
    """Give the tags of the first XMP packet or file that has any."""
    for packet in packets:
        try:
            tags = xmp.read(packet)
        except (OSError, SyntaxError, ValueError) as error:
            problems.append(("XMP cannot be read; its tags are left out", _said(error)))
            continue
        if tags:
            return tags
    return []
