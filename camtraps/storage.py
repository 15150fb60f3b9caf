"""Photos where they lie: a local folder or any fsspec URI (``s3://``, ``az://``, ``https://`` ...)."""

from pathlib import Path

import fsspec

from camtraps.errors import CamtrapsError, InputError
from camtraps.files import climbs


class PhotoError(CamtrapsError):
    """A photo could not be read; the message is the reason for the failures table."""


def photo_uri(root: str, file: str) -> str:
    """Join a dataset's image root and a file name of its catalog.

    Args:
        root: local folder or URI prefix.
        file: relative name with ``/``.

    Raises:
        InputError: the name would lead out of the root.
    """
    if climbs(file):
        raise InputError(f"{file!r} leads out of the image folder {root}")
    return f"{root.rstrip('/')}/{file}"


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
    except (OSError, ValueError, ImportError) as error:
        raise PhotoError(f"photo not readable: {getattr(error, 'strerror', None) or error}".splitlines()[0]) from None
    if not data:
        raise PhotoError("photo is an empty file")
    return data


def stamp(uri: str) -> str:
    """Give a text that changes when a local photo does (size and time of change); empty for a remote one."""
    try:
        status = Path(uri).stat() if is_local(uri) else None
    except OSError:
        return "absent"
    return f"{status.st_size}:{status.st_mtime_ns}" if status else ""


def _read_remote(uri: str) -> bytes:
    try:
        with fsspec.open(uri, "rb") as file:
            data: bytes = file.read()
    except (OSError, ValueError, ImportError):
        raise
    except Exception as error:  # each back end has a tree of errors of its own (aiohttp, botocore, azure)
        raise OSError(str(error)) from error
    return data
