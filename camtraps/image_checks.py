"""Image checks: which photos are good, missing, empty, cut off, no images, too large or not readable, and why."""

import os
import re
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import Literal, NamedTuple

from camtraps.errors import CamtrapsError, InputError
from camtraps.images import decode, opened
from camtraps.photo_lists import Listed
from camtraps.processes import die_with_parent, num_workers
from camtraps.reading import ahead
from camtraps.storage import Images, PhotoError

AT_ONCE = 64  # photos that a worker process gets
WAITING = 4  # lots of them for each process that are begun or wait for it

Kind = Literal["good", "missing", "empty", "not an image", "truncated", "too many pixels", "damaged", "not readable"]

# How the reasons of storage and images begin.
KINDS: tuple[tuple[str, Kind], ...] = (
    ("photo not found", "missing"),
    ("photo is an empty file", "empty"),
    ("photo is not an image", "not an image"),
    ("photo has too many pixels", "too many pixels"),
    ("photo cannot be decoded", "damaged"),
    ("", "not readable"),
)
MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd9\xff]")  # of a part of a JPEG that says its length
JPEG, PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
CUT_OFF = "photo is cut off: its end is missing"


class Checked(NamedTuple):
    """What was found of one photo; ``reason`` is empty for a good one."""

    image: str
    kind: Kind
    reason: str


def check(photos: Iterable[Listed], images: Images, fast: bool = False) -> Iterator[Checked]:
    """Check photos in worker processes.

    Args:
        photos: any number of them; few are in memory.
        images: where they lie.
        fast: look at the header and for the end of the file alone, instead of decoding every pixel.

    Yields:
        A finding for each photo, in the order given.

    Raises:
        CamtrapsError: a worker process was killed.
    """
    lots, workers = _lots(photos), num_workers()
    if workers == 1:
        for lot in lots:
            yield from _check_lot(lot, images, fast)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start, initargs=(os.getpid(),))
    waiting: deque[Future[list[Checked]]] = deque()
    try:
        for lot in lots:
            waiting.append(pool.submit(_check_lot, lot, images, fast))
            if len(waiting) > WAITING * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    except BrokenProcessPool:
        raise CamtrapsError("a worker process was killed (out of memory?); run again with CAMTRAPS_WORKERS=1") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _lots(photos: Iterable[Listed]) -> Iterator[list[Listed]]:
    rest = iter(photos)
    while lot := list(islice(rest, AT_ONCE)):
        yield lot


def _start(parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this one


def _check_lot(photos: Sequence[Listed], images: Images, fast: bool) -> list[Checked]:
    uris: dict[str, str] = {}
    found: dict[str, Checked] = {}
    for photo in photos:
        try:
            uris[photo.image] = images.uri(photo.dataset, photo.file)
        except InputError as error:
            found[photo.image] = Checked(photo.image, "not readable", str(error))
    for image, data in zip(uris, ahead(uris.values()), strict=True):
        found[image] = _check(image, data, fast)
    return [found[photo.image] for photo in photos]


def _check(image: str, data: bytes | PhotoError, fast: bool) -> Checked:
    if isinstance(data, PhotoError):
        return Checked(image, _kind(data), str(data))
    try:
        if fast:
            opened(data)
        else:
            decode(data)
    except PhotoError as error:
        found = Checked(image, _kind(error), str(error))
    else:
        found = Checked(image, "good", "")
    # Decoders say nothing of pixels that end in zeros, as a broken card leaves them.
    is_cut = found.kind != "too many pixels" and not _is_whole(data)
    return Checked(image, "truncated", CUT_OFF) if is_cut else found


def _kind(error: PhotoError) -> Kind:
    return next(kind for begin, kind in KINDS if str(error).startswith(begin))


def _is_whole(data: bytes) -> bool:
    """Say whether the end mark of a JPEG or PNG is there; other formats have none.

    In a JPEG it is looked for behind the header of the first scan: a thumbnail before that has one of its own. What a
    camera appends behind the end mark does not matter, and neither do bytes between the parts, as decoders pass over.
    """
    if data.startswith(PNG):
        return b"IEND" in data
    if not data.startswith(JPEG):
        return True
    at = len(JPEG)
    while found := MARKER.search(data, at):
        if found[0] == b"\xff\xda":  # start of scan
            return data.find(b"\xff\xd9", found.end()) >= 0
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    return False
