"""Photos where they lie: a local folder or any fsspec URI (``s3://``, ``az://``, ``https://`` ...)."""

import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fsspec.asyn import sync
from fsspec.core import url_to_fs

from camtraps.errors import CamtrapsError, InputError
from camtraps.files import climbs

GONE = (404, 410)  # HTTP answers that mean: no such photo
NO_HEAD = (405, 501)  # HTTP answers of a server that knows GET only
EMPTY = 416  # HTTP answer to a request for the first byte of an empty file
PAUSES = (0.3, 1.0)  # seconds before the second and the third try
PATIENCE = 15.0  # seconds to wait for an answer to "is it there?"


class PhotoError(CamtrapsError):
    """A photo could not be read; the message is the reason for the failures table."""


def photo_uri(root: str, file: str) -> str:
    """Join a dataset's image root and a file name of its catalog.

    Args:
        root: local folder or URI prefix; a web address must be percent-quoted as far as it needs to be.
        file: relative name with ``/``, not quoted. Below a web address it gets quoted, since there a ``#``, ``?`` or
            ``%`` would mean something else than a letter.

    Raises:
        InputError: the name would lead out of the root.
    """
    if climbs(file):
        raise InputError(f"{file!r} leads out of the image folder {root}")
    return f"{root.rstrip('/')}/{quote(file) if is_web(root) else file}"


def is_web(uri: str) -> bool:
    """Say whether a URI is a web address, in which file names are percent-quoted."""
    return uri.startswith(("http://", "https://"))


def is_local(uri: str) -> bool:
    """Say whether a URI is a path on this machine."""
    return "://" not in uri


def read_photo(uri: str) -> bytes:
    """Read a photo's bytes.

    Raises:
        PhotoError: absent, not permitted, empty or not reachable.
    """
    try:
        data = Path(uri).read_bytes() if is_local(uri) else _read_remote(uri)
    except FileNotFoundError:
        raise PhotoError("photo not found") from None
    except TimeoutError:
        raise PhotoError("photo not readable: timed out") from None
    except (OSError, ValueError, ImportError) as error:
        raise PhotoError(f"photo not readable: {getattr(error, 'strerror', None) or error}".splitlines()[0]) from None
    if not data:
        raise PhotoError("photo is an empty file")
    return data


def presence(uri: str) -> bool | None:
    """Say whether a photo is there, without reading it.

    Returns:
        True if it is there; False if its store says that it is not; None if nothing certain was heard in three tries
        (refused, out of reach, a failing server): an error is no absence.
    """
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        try:
            return _is_file(uri)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError, ImportError):
            continue
    return None


def stamp(uri: str) -> str:
    """Give a text that changes when a local photo does (size and time of change); empty for a remote one."""
    try:
        status = Path(uri).stat() if is_local(uri) else None
    except OSError:
        return "absent"
    return f"{status.st_size}:{status.st_mtime_ns}" if status else ""


def _read_remote(uri: str) -> bytes:
    with _plain_errors():
        store, path = _located(uri)
        # Not open(): for HTTP it asks for the size first and takes every refusal for an absence.
        data: bytes = store.cat_file(path)
    return data


def _located(uri: str) -> tuple[Any, str]:
    """Give the file system of a URI and the path in it."""
    # fsspec takes what stands behind `::` for another file system. No file name has a NUL, which stands in for it.
    protocol, mark, name = uri.partition("://")
    store, path = url_to_fs(protocol + mark + name.replace("::", "\0"))
    return store, path.replace("\0", "::")


def _is_file(uri: str) -> bool:
    if is_local(uri):
        return stat.S_ISREG(Path(uri).stat().st_mode)
    with _plain_errors():
        store, path = _located(uri)
        if "https" in store.protocol:
            return _is_served(store, path)
        return bool(store.info(path)["type"] != "directory")


def _is_served(store: Any, url: str) -> bool:
    status = sync(store.loop, _status, store, "HEAD", url, timeout=PATIENCE)
    if status in NO_HEAD:
        status = sync(store.loop, _status, store, "GET", url, timeout=PATIENCE)
    if status in GONE:
        return False
    if not (200 <= status < 300 or status == EMPTY):
        raise OSError(f"HTTP {status}")
    return True


async def _status(store: Any, method: str, url: str) -> int:
    """Send a request as the file system does, without its body: a GET asks for one byte and reads none."""
    session = await store.set_session()
    headers = store.kwargs.get("headers", {}) | ({"Range": "bytes=0-0"} if method == "GET" else {})
    options = store.kwargs | {"headers": headers, "allow_redirects": True}
    async with session.request(method, store.encode_url(url), **options) as response:
        return int(response.status)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn errors that only a back end knows into an OSError; each has a tree of its own (aiohttp, botocore, azure).

    An HTTP answer is told by its number, without the address: that may hold a key, and reasons are counted.
    """
    try:
        yield
    except (OSError, ValueError, ImportError):
        raise
    except Exception as error:
        status = getattr(error, "status", None)
        if status in GONE:
            raise FileNotFoundError from error
        told = f"HTTP {status} {getattr(error, 'message', '')}".strip() if status else str(error)
        raise OSError(told or type(error).__name__) from error
