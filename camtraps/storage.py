"""Photos where they lie: a local folder, ``s3://``, ``az://``, ``gs://``, ``https://``, or any other fsspec URI."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar
from urllib.parse import quote

from camtraps import remote
from camtraps.errors import CamtrapsError, InputError
from camtraps.files import climbs, replacing
from camtraps.troubles import Trouble

P = ParamSpec("P")
T = TypeVar("T")


class PhotoError(CamtrapsError):
    """A photo could not be read; the message is the reason for the failures table."""


@dataclass(frozen=True)
class Images:
    """Where the photos of a collection lie.

    ``roots`` gives the local folder or URI prefix of each dataset; below ``saved``, in a folder for each dataset, lie
    copies of photos from elsewhere, if any were made.
    """

    roots: Mapping[str, str]
    saved: Path | None = None

    def uri(self, dataset: str, file: str) -> str:
        """Give the path or URI to read a photo from: its saved copy if there is one.

        Raises:
            InputError: the name would lead out of the root.
        """
        copy = self.copy(dataset, file)
        # Unlike Path.is_file, this takes a name that no file here can have, which a store may well give.
        return str(copy) if copy and os.path.isfile(copy) else self.source(dataset, file)  # noqa: PTH113

    def source(self, dataset: str, file: str) -> str:
        """Give the path or URI of a photo where its dataset keeps it; errors as in `uri`."""
        return photo_uri(self.roots[dataset], file)

    def copy(self, dataset: str, file: str) -> Path | None:
        """Give where a photo from elsewhere is saved; None if it lies on this machine anyway, or nothing is saved.

        Raises:
            InputError: the name would lead out of the folder.
        """
        if self.saved is None or is_local(self.roots[dataset]):
            return None
        return Path(photo_uri(str(self.saved / dataset), file))


def photo_uri(root: str, file: str) -> str:
    """Join a dataset's image root and a file name of its catalog.

    Args:
        root: local folder or URI prefix; a web address must be percent-quoted as far as it needs to be, and what it
            has behind a ``?`` comes to stand behind the file.
        file: relative name with ``/``, not quoted. Below a web address it gets quoted, since there a ``#``, ``?`` or
            ``%`` would mean something else than a letter.

    Raises:
        InputError: the name would lead out of the root.
    """
    if climbs(file):
        raise InputError(f"{file!r} leads out of the image folder {root}")
    folder, mark, key = root.partition("?") if is_web(root) else (root, "", "")
    return f"{folder.rstrip('/')}/{quote(file) if is_web(root) else file}{mark}{key}"


def is_web(uri: str) -> bool:
    """Say whether a URI is a web address, in which file names are percent-quoted."""
    return uri.startswith(("http://", "https://"))


def address(uri: str) -> str:
    """Give a URI without what a web address has behind its ``?``: a key that is given anew tells of no new photo."""
    return uri.partition("?")[0] if is_web(uri) else uri


def is_local(uri: str) -> bool:
    """Say whether a URI is a path on this machine."""
    return "://" not in uri


def read_photo(uri: str) -> bytes:
    """Read a photo's bytes.

    Raises:
        PhotoError: absent, not permitted, empty or not reachable.
        InputError: ``storage.yaml`` cannot be used, or a package is missing.
    """
    data = _read_local(Path(uri)) if is_local(uri) else _told(remote.read, uri)
    _check_bytes(len(data))
    return data


def download(uri: str, path: Path) -> int:
    """Write a photo from elsewhere to a file, whole or not at all.

    Returns:
        Its size in bytes.

    Raises:
        PhotoError: as `read_photo`.
        OSError: nothing can be written there, such as on a full disk.
        InputError: ``storage.yaml`` cannot be used, or a package is missing.
    """
    with replacing(path) as part:
        num_bytes = _told(remote.save, uri, part)
        _check_bytes(num_bytes)
    return num_bytes


def presence(uri: str) -> bool | None:
    """Say whether a photo is there, without reading it.

    Returns:
        True if it is there; False if its store says that it is not; None if nothing certain was heard (refused, out of
        reach, a failing server): an error is no absence.
    """
    try:
        if is_local(uri):
            return stat.S_ISREG(Path(uri).stat().st_mode)
        remote.look(uri)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    except Trouble as trouble:
        return False if trouble.gone else None
    return True


def stamp(uri: str) -> str:
    """Give a text that changes when a local photo does (size and time of change); empty for a remote one."""
    try:
        status = Path(uri).stat() if is_local(uri) else None
    except OSError:
        return "absent"
    return f"{status.st_size}:{status.st_mtime_ns}" if status else ""


def first_seen(uris: Iterable[str], stamps: Iterable[str]) -> str:
    """Give the first local photo whose `stamp` says that it is there; an empty text if there is none."""
    return next((uri for uri, mark in zip(uris, stamps, strict=True) if mark not in ("", "absent")), "")


def _read_local(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PhotoError("photo not found") from None
    except OSError as error:
        raise PhotoError(f"photo not readable: {error.strerror}") from None


def _told(ask: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Ask a store; make trouble with it the reason for a photo."""
    try:
        return ask(*arguments, **options)
    except Trouble as trouble:
        raise PhotoError("photo not found" if trouble.gone else f"photo not readable: {trouble}") from trouble


def _check_bytes(num_bytes: int) -> None:
    if not num_bytes:
        raise PhotoError("photo is an empty file")
