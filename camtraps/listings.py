"""Listings: the files below a folder, here or in a store, one folder at a time, so that any number fits in memory."""

import os
from collections.abc import Callable, Iterator
from typing import Any

from fsspec.core import url_to_fs

from camtraps import access, image_folders, troubles
from camtraps.errors import InputError, MissingError
from camtraps.storage import is_local, is_web

Entry = tuple[str, bool]  # the last part of a name, and whether it is a folder


def walk(root: str) -> Iterator[str]:
    """Name the files below a folder, relative to it: in each folder its files first, then its folders, sorted.

    Hidden files and folders are passed over; links are followed, but not in circles.

    Args:
        root: a local folder, or a prefix of a store.

    Raises:
        MissingError: no such folder.
        InputError: it cannot be listed, as those of the web cannot.
    """
    if is_local(root):
        image_folders.check(root)
        return _below(root, "", _local_entries, (os.path.realpath(root),))
    if is_web(root):
        raise InputError(f"{access.shown(root)}: a folder of the web cannot be listed; give a list of addresses")
    return _below(root, "", _lister(root), ())


def _below(root: str, prefix: str, entries: Callable[[str], list[Entry]], above: tuple[str, ...]) -> Iterator[str]:
    found = sorted(each for each in entries(f"{root}/{prefix}".rstrip("/")) if not each[0].startswith("."))
    yield from (prefix + name for name, is_folder in found if not is_folder)
    for name, is_folder in found:
        real = os.path.realpath(f"{root}/{prefix}{name}") if above else ""
        if is_folder and (not above or real not in above):
            yield from _below(root, f"{prefix}{name}/", entries, (*above, real) if above else ())


def _local_entries(folder: str) -> list[Entry]:
    try:
        with os.scandir(folder) as entries:
            return [(each.name, each.is_dir()) for each in entries if each.is_dir() or each.is_file()]
    except PermissionError:  # such as lost+found at the top of a drive
        return []
    except OSError as error:
        raise InputError(f"{folder}: image folder cannot be read: {error.strerror or error}") from None


def _lister(root: str) -> Callable[[str], list[Entry]]:
    """Give what lists a folder of a store, with the credentials for it."""
    store, base = _store(root)

    def entries(folder: str) -> list[Entry]:
        path = base + folder.removeprefix(root.rstrip("/"))
        try:
            found = store.ls(path, detail=True)
        except FileNotFoundError:
            raise MissingError(f"{access.shown(folder)}: not found") from None
        except Exception as error:  # each client has errors of its own
            trouble = troubles.of(error, folder, access.reach(root), True)
            raise InputError(f"{access.shown(folder)}: cannot be listed: {trouble}") from error
        # A store may list the folder itself as an empty file.
        named = [(each["name"].rstrip("/").rpartition("/")[2], each["type"] == "directory") for each in found]
        return [each for each, about in zip(named, found, strict=True) if about["name"].rstrip("/") != path.strip("/")]

    return entries


def _store(root: str) -> tuple[Any, str]:
    """Give the file system of a store, and the path of a prefix in it."""
    reach, rest = access.reach(root), root.partition("://")[2].rstrip("/")
    kind = access.kind(root)
    if kind == "s3":
        return access.s3(reach), rest
    if kind == "gs":
        return access.gs(reach), rest
    if kind == "az":
        bucket, _, path = rest.partition("/")
        container, _, host = bucket.partition("@")
        return access.az(reach, host.partition(".")[0]), f"{container}/{path}".rstrip("/")
    store, path = url_to_fs(root)
    return store, str(path).rstrip("/")
