"""Requests to remote stores: read a file, save it, look for it; tried again while trouble may pass."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from fsspec.asyn import get_loop, sync

from camtraps import access, stores, troubles
from camtraps.errors import CamtrapsError
from camtraps.stores import About, Source

T = TypeVar("T")

PAUSE = 0.5  # seconds before the second try, about; twice as long before each further one


class NotWritten(CamtrapsError, OSError):
    """A file on this machine cannot be written; ``errno`` is the disk's."""


def read(uri: str) -> bytes:
    """Read a file into memory.

    Raises:
        Trouble: absent, refused, out of reach or broken off.
        InputError: ``storage.yaml`` cannot be used, or a package is missing; so in all functions here.
    """

    async def whole(source: Source) -> bytes:
        async with source.opened() as body:
            data = b"".join([chunk async for chunk in body.chunks])
        _check_size(len(data), body.size)
        return data

    return _tried(uri, whole)


def save(uri: str, path: Path, shown: Callable[[int], object] = lambda num_bytes: None) -> int:
    """Write a file to a path, a piece at a time; after an error, what is there is to be thrown away.

    Args:
        uri: the file.
        path: where to write it.
        shown: is called with the number of bytes that came; a negative one where they have to come again.

    Returns:
        Its size in bytes.

    Raises:
        Trouble: as `read`.
        NotWritten: the disk is full, or the path may not be written.
    """

    async def copied(source: Source) -> int:
        num_bytes = 0
        try:
            async with source.opened() as body:
                with _writable(path) as file:
                    async for chunk in body.chunks:
                        # Not in the thread that all requests share: a disk may be slow.
                        await asyncio.to_thread(_write, file, chunk, path)
                        num_bytes += len(chunk)
                        shown(len(chunk))
            _check_size(num_bytes, body.size)
        except Exception:
            shown(-num_bytes)
            raise
        return num_bytes

    return _tried(uri, copied)


def look(uri: str) -> About:
    """Ask for a file's size and versions; errors as in `read`."""

    async def about(source: Source) -> About:
        return await source.about()

    return _tried(uri, about)


def _tried(uri: str, ask: Callable[[Source], Coroutine[Any, Any, T]]) -> T:
    reach = access.reach(uri)
    for number in range(reach.tries):
        # By chance longer or shorter, so that threads that were refused together do not come back together.
        time.sleep(PAUSE * 2 ** (number - 1) * random.uniform(0.5, 1.5) if number else 0)
        source = None
        try:
            source = stores.source(uri, reach)
            result: T = sync(get_loop(), ask, source)
            return result
        except CamtrapsError:
            raise
        except Exception as error:  # each client has errors of its own
            trouble = troubles.of(error, uri, reach, source is not None and source.signed)
            if not trouble.passing or number == reach.tries - 1:
                raise trouble from error
    raise AssertionError("the last try returns or raises")


def _writable(path: Path) -> BinaryIO:
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise _not_written(path, error) from None


def _write(file: BinaryIO, chunk: bytes, path: Path) -> None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        raise _not_written(path, error) from None


def _not_written(path: Path, error: OSError) -> NotWritten:
    made = NotWritten(f"{path.parent}: cannot be written to: {error.strerror}")
    made.errno = error.errno
    return made


def _check_size(num_bytes: int, size: int | None) -> None:
    if size is not None and num_bytes != size:
        raise ConnectionError(f"{num_bytes} of {size} bytes came")
