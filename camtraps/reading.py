"""Reading ahead: remote photos by a bounded pool of threads, a few before they are asked for, in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import tee
from typing import TypeVar

from camtraps.errors import CamtrapsError, InputError
from camtraps.storage import PhotoError, is_local, read_photo

T = TypeVar("T")

THREADS = 16  # they wait for the network, not for the processor
WAITING = 2  # photos for each thread that are begun, or done and not yet asked for
GIVE_UP = 200  # remote photos in a row that could not be read: the store is out of reach, and each takes seconds

_num_unread = 0  # in a row, in this process: a worker reads few photos at a time


def ahead(uris: Iterable[str]) -> Iterator[bytes | PhotoError]:
    """Read photos in order: remote ones ahead, by threads; local ones when they are asked for.

    At most `WAITING` times `num_threads` photos are in memory.

    Yields:
        Each photo's bytes, or why it could not be read.

    Raises:
        InputError: ``storage.yaml`` or ``$CAMTRAPS_THREADS`` cannot be used, or a package is missing.
        CamtrapsError: `GIVE_UP` remote photos in a row could not be read; those that are not there do not count.
    """
    wanted, given = tee(uris)
    for uri, photo in zip(wanted, in_order(_read, given, lambda uri: not is_local(uri)), strict=True):
        _watch(uri, photo)
        yield photo


def _watch(uri: str, photo: bytes | PhotoError) -> None:
    global _num_unread
    reason = str(photo) if isinstance(photo, PhotoError) and not is_local(uri) else ""
    _num_unread = _num_unread + 1 if reason.startswith("photo not readable") else 0
    if _num_unread == GIVE_UP:
        _num_unread = 0
        raise CamtrapsError(
            f"{GIVE_UP} photos in a row could not be read, the last one: {reason}; run again when that is mended"
        )


def in_order(function: Callable[[str], T], uris: Iterable[str], waits: Callable[[str], bool]) -> Iterator[T]:
    """Call a function with each URI, a few ahead in threads, and give the results in order.

    When the caller stops early, or the function raises, calls that have not begun are dropped.

    Args:
        function: what to call.
        uris: any number of them; few are in memory.
        waits: says of a URI whether to call ahead; otherwise the function is called when the result is asked for.
    """
    threads = num_threads()
    pool = ThreadPoolExecutor(threads)
    begun: deque[Callable[[], T]] = deque()
    try:
        for uri in uris:
            begun.append(pool.submit(function, uri).result if waits(uri) else partial(function, uri))
            if len(begun) >= WAITING * threads:
                yield begun.popleft()()
        while begun:
            yield begun.popleft()()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def num_threads() -> int:
    """Give the number of threads that read from stores: ``$CAMTRAPS_THREADS``, else 16.

    Raises:
        InputError: it is no number from 1.
    """
    given = os.environ.get("CAMTRAPS_THREADS") or str(THREADS)
    if not given.isdecimal() or int(given) < 1:
        raise InputError(f"CAMTRAPS_THREADS: must be a number from 1, got {given!r}")
    return int(given)


def _read(uri: str) -> bytes | PhotoError:
    try:
        return read_photo(uri)
    except PhotoError as error:
        return error
