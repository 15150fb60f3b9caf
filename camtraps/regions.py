"""A region of a JPEG, decoded without the rest, in exactly the pixels that Pillow gives it."""

import ctypes
import functools
import importlib
import os
import re
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rectangle = tuple[int, int, int, int]  # left, top, right, bottom, in pixels

# libjpeg smooths colours across neighbouring pixels, but not in a region of a single column: so much more is decoded.
AROUND = 2

# Markers of a JPEG; behind FF, pixel data have 00 (an FF among them) and D0 to D7 (restarts) besides.
MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
STANDALONE = {0x01, 0xD8}
SCAN, END = 0xDA, 0xD9
OTHER_FRAMES = set(range(0xC0, 0xD0)) - {0xC0, 0xC1, 0xC4}  # progressive, lossless, arithmetic

_loading = threading.Lock()


class Decoder(threading.local):
    """The CPU decoder of nvidia-nvimgcodec: libjpeg-turbo, as in Pillow.

    Each thread has its own, since threads that share one get each other's photos.
    """

    def __init__(self, codec: Any, silence: "_Silence") -> None:
        """Make the decoder of this thread from the imported library; all threads share the silence."""
        self.version = str(codec.__version__)
        self._codec = codec
        backends = [codec.Backend(codec.BackendKind.CPU_ONLY)]
        self._decoder = codec.Decoder(codec.NVIMGCODEC_DEVICE_CPU_ONLY, max_num_cpu_threads=1, backends=backends)
        self._params = codec.DecodeParams(apply_exif_orientation=False)
        self._silence = silence

    def decode(self, data: bytes, region: Rectangle) -> NDArray[np.uint8] | None:
        """Decode a region of a photo as it is stored, not turned.

        Args:
            data: a JPEG that `has_one_whole_scan`.
            region: from `around`.

        Returns:
            (height, width, 3) RGB; None if the photo is damaged.
        """
        left, top, right, bottom = region
        part = self._codec.Region(start=[top, left], end=[bottom, right])
        with self._silence:
            stream = self._codec.CodeStream(data).get_sub_code_stream(region=part)
            decoded = self._decoder.decode(stream, params=self._params)
        return None if decoded is None else np.asarray(decoded.cpu())


class _Silence:
    """Send nowhere what C code writes to its ``stderr``: libjpeg says there what is odd in a photo, but not in which.

    The variable of C is changed and not file descriptor 2, so that nothing is lost of what Python writes meanwhile.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        self._stream = ctypes.c_void_p.in_dll(libc, "stderr")
        self._real = self._stream.value
        self._nowhere = libc.fopen(os.fsencode(os.devnull), b"w") or self._real

    def __enter__(self) -> None:
        self._stream.value = self._nowhere

    def __exit__(self, *_: object) -> None:
        self._stream.value = self._real


def decoder() -> Decoder | None:
    """Load the decoder, once; None where its wheel is not installed (macOS, ARM) or does not load."""
    with _loading:  # the cache alone lets threads that come together each load one
        return _load()


@functools.cache
def _load() -> Decoder | None:
    try:
        return Decoder(_nvimgcodec(), _Silence())
    except (ImportError, OSError, RuntimeError, AttributeError, ValueError):
        return None


def around(rectangle: Rectangle, size: tuple[int, int]) -> Rectangle:
    """Give the region to decode for a rectangle, of which it holds what lies in a photo of this size."""
    (left, top, right, bottom), (width, height) = rectangle, size
    left, top = min(max(0, left - AROUND), width - 1), min(max(0, top - AROUND), height - 1)
    return left, top, max(left + 1, min(width, right + AROUND)), max(top + 1, min(height, bottom + AROUND))


def has_one_whole_scan(data: bytes) -> bool:
    """Say whether a JPEG is one sequential scan, Huffman coded, with the end mark behind it.

    In others, a region may differ from the same region of the whole: libjpeg guesses what is damaged in a progressive
    one from farther around. And what is wrong below a region, such as a missing end, would go unseen.
    """
    at = 0
    while marker := MARKER.search(data, at):
        code, at = marker[1][0], marker.end()
        if code in STANDALONE:
            continue
        if code == END or code in OTHER_FRAMES:
            return False
        at += int.from_bytes(data[at : at + 2], "big")
        if code == SCAN:
            behind = MARKER.search(data, _first_candidate(data, at))
            return behind is not None and behind[1][0] == END
    return False


def _first_candidate(data: bytes, at: int) -> int:
    """Give where the first marker in pixel data may be: at an FF without 00 behind it. Twice as fast as the pattern."""
    pixels = np.frombuffer(data, np.uint8, offset=min(at, len(data)))
    is_candidate = pixels[:-1] == 0xFF
    is_candidate &= pixels[1:] != 0
    return at + int(is_candidate.argmax()) if len(is_candidate) else at


def _nvimgcodec() -> Any:
    """Import nvidia.nvimgcodec with its JPEG decoder only: the others complain of libraries that only they need."""
    spec = find_spec("nvidia.nvimgcodec")
    if spec is None or spec.origin is None:
        raise ImportError("nvidia.nvimgcodec")
    with tempfile.TemporaryDirectory() as folder:
        for path in (Path(spec.origin).parent / "extensions").glob("libjpeg_turbo*"):
            (Path(folder) / path.name).symlink_to(path)
        meant = {"NVIMGCODEC_EXTENSIONS_PATH": folder, "PYNVIMGCODEC_VERBOSITY": "0"}
        found = {name: os.environ.get(name) for name in meant}
        os.environ.update(meant)
        try:
            return importlib.import_module("nvidia.nvimgcodec")
        finally:
            for name, value in found.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
