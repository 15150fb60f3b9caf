"""Videos: frames sampled at a rate, decoded by OpenCV (an optional package), one after the other."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from PIL import Image

from camtraps.storage import PhotoError, download, is_local

NOT_INSTALLED = "video: OpenCV is not installed; pip install 'camtraps[video]'"


@dataclass(frozen=True)
class Frame:
    """A frame: its number in the video, from 0, and its pixels, RGB."""

    number: int
    image: Image.Image


@dataclass(frozen=True)
class Video:
    """A video that can be read: its frames a second, and which frame of how many is looked at."""

    path: Path
    frame_rate: float
    every: int

    def frames(self) -> Iterator[Frame]:
        """Give every so-many-th frame, the first one first; it can be asked for several times.

        Raises:
            PhotoError: not a single frame can be decoded.
        """
        cv2 = _opencv()
        capture = cv2.VideoCapture(str(self.path))
        number = 0
        try:
            while capture.grab():
                if number % self.every == 0:
                    is_there, pixels = capture.retrieve()
                    if is_there:
                        yield Frame(number, Image.fromarray(pixels[:, :, ::-1].copy()))
                number += 1
        finally:
            capture.release()
        if not number:
            raise PhotoError("video cannot be decoded")


def opened(path: Path, rate: float) -> Video:
    """Look at a video's header.

    Args:
        path: a local file.
        rate: frames a second that are wanted; never more than there are.

    Raises:
        PhotoError: it is no video, or OpenCV is not installed.
    """
    cv2 = _opencv()
    if not path.is_file():
        raise PhotoError("photo not found")
    capture = cv2.VideoCapture(str(path))
    try:
        frame_rate = float(capture.get(cv2.CAP_PROP_FPS)) if capture.isOpened() else 0.0
    finally:
        capture.release()
    if not 0 < frame_rate < 1e4:
        raise PhotoError("video cannot be decoded")
    return Video(path, frame_rate, max(1, round(frame_rate / rate)))


@contextmanager
def local(uri: str) -> Iterator[Path]:
    """Give the path of a video, which is brought here for as long as the block lasts if it lies elsewhere.

    Raises:
        PhotoError: it cannot be had.
    """
    if is_local(uri):
        yield Path(uri)
        return
    with TemporaryDirectory(prefix="camtraps-video-") as folder:
        path = Path(folder) / "video"
        download(uri, path)
        yield path


def _opencv() -> ModuleType:
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # it would tell of broken files on stderr, without a name
    try:
        import cv2
    except ImportError:
        raise PhotoError(NOT_INSTALLED) from None
    return cv2
