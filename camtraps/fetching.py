"""Fetching: photos of a collection brought from where they are served to this machine, each whole or not at all."""

import errno
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from camtraps import remote
from camtraps.errors import InputError
from camtraps.photo_lists import Listed
from camtraps.progress import bar
from camtraps.storage import Images, PhotoError, download
from camtraps.troubles import Trouble
from camtraps.words import num

AT_ONCE = 8  # photos for each thread that are begun or wait for it
GIVE_UP = 200  # photos in a row that a store refuses, after which it is asked for no more
# What a disk says of one name; other errors of it are the same for all.
OF_THE_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.EILSEQ)


class Answer(NamedTuple):
    """What became of one photo: it was there, or so many bytes came, or there is a reason why not."""

    photo: Listed
    there: bool = False
    num_bytes: int = 0
    reason: str | None = None
    refused: bool = False
    """The store did not answer, or not properly: it may be the same with all others."""


@dataclass(frozen=True)
class Fetched:
    """What became of photos.

    ``failures`` are (image, reason), sorted. ``last`` has, by dataset, the one after which its rest was not asked for.
    """

    num_fetched: int
    num_bytes: int
    num_there: int
    failures: list[tuple[str, str]]
    last: dict[str, tuple[str, str]]

    def __str__(self) -> str:
        """Tell the counts."""
        failed = f", {len(self.failures):,} failed" if self.failures else ""
        return f"{self.num_fetched:,} fetched ({size(self.num_bytes)}), {self.num_there:,} there already{failed}"


def fetch(photos: Iterable[Listed], num_photos: int, images: Images, num_threads: int, verify: bool = False) -> Fetched:
    """Download photos to where `Images.copy` says, many at once and few in memory.

    A photo that is there is not asked for again: none that was fetched gets its name before it is whole.

    Args:
        photos: of datasets whose photos lie elsewhere.
        num_photos: their number, for the progress bar.
        images: where they lie and where they go.
        num_threads: downloads at a time.
        verify: ask the store for the size of what is there, and fetch it again if it has another.

    Raises:
        CamtrapsError: nothing can be written, such as on a full disk; ``storage.yaml`` cannot be used.
        OSError: a folder cannot be made.
    """
    fetched = there = num_bytes = 0
    failures: list[tuple[str, str]] = []
    streaks: Counter[str] = Counter()
    last: dict[str, tuple[str, str]] = {}
    asked = (photo for photo in photos if photo.dataset not in last)

    def ask(photo: Listed) -> Answer | None:
        return None if photo.dataset in last else _fetch(photo, images, verify)

    with bar("fetching", num_photos, "photos") as progress:
        for answer in filter(None, _answers(asked, ask, num_threads)):
            progress.update()
            dataset = answer.photo.dataset
            streaks[dataset] = streaks[dataset] + 1 if answer.refused else 0
            if answer.reason is not None:
                failures.append((answer.photo.image, answer.reason))
            elif answer.there:
                there += 1
            else:
                fetched += 1
                num_bytes += answer.num_bytes
            if streaks[dataset] >= GIVE_UP:
                last[dataset] = failures[-1]
    return Fetched(fetched, num_bytes, there, sorted(failures), last)


def is_there(photo: Listed, images: Images) -> bool:
    """Say whether a photo was fetched before.

    Raises:
        InputError: its name leads out of its folder.
    """
    path = images.copy(photo.dataset, photo.file)
    try:
        return path is not None and path.is_file() and path.stat().st_size > 0
    except OSError:  # a name that no file here can have
        return False


def size(num_bytes: int) -> str:
    """Say a number of bytes: ``1 byte``, ``2.1 MB``."""
    power = min(int(math.log10(num_bytes or 1) / 3), 4)
    return f"{num_bytes / 1000**power:.1f} {'kMGT'[power - 1]}B" if power else num(num_bytes, "byte")


def _answers(
    photos: Iterable[Listed], ask: Callable[[Listed], Answer | None], num_threads: int
) -> Iterator[Answer | None]:
    """Give the answers as they come."""
    pool = ThreadPoolExecutor(num_threads)
    waiting: set[Future[Answer | None]] = set()
    try:
        for photo in photos:
            waiting.add(pool.submit(ask, photo))
            if len(waiting) >= AT_ONCE * num_threads:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


def _fetch(photo: Listed, images: Images, verify: bool) -> Answer:
    try:
        uri, path = images.source(photo.dataset, photo.file), images.copy(photo.dataset, photo.file)
        there = is_there(photo, images)
    except InputError as error:
        return Answer(photo, reason=str(error))
    assert path, photo
    if there and not (verify and _differs(uri, path)):
        return Answer(photo, there=True)
    try:
        num_bytes = download(uri, path)
        if _is_page(path):
            path.unlink()
            return Answer(photo, reason="a web page came instead of the photo")
        return Answer(photo, num_bytes=num_bytes)
    except PhotoError as error:
        return Answer(photo, reason=str(error), refused=str(error).startswith("photo not readable"))
    except OSError as error:
        if error.errno not in OF_THE_NAME:
            raise
        return Answer(photo, reason=f"photo cannot be written: {os.strerror(error.errno)}")


def _is_page(path: Path) -> bool:
    """Say whether a file is HTML: what some servers send, as if all were well, to who is not logged in."""
    with path.open("rb") as file:
        return file.read(64).lstrip().startswith(b"<")


def _differs(uri: str, path: Path) -> bool:
    """Say whether a store gives another size than a file has, or cannot be asked: then the download says why."""
    try:
        num_bytes = remote.look(uri).size
    except Trouble:
        return True
    return num_bytes is not None and num_bytes != path.stat().st_size
