"""Local image folders: what files lie in one, and how big they are."""

import os
from collections.abc import Iterator
from pathlib import Path

from camtraps import access
from camtraps.errors import InputError, MissingError
from camtraps.storage import is_local


def check(images: str) -> None:
    """Refuse an image folder that is not there, and an address with a key in it; other URIs are believed.

    Raises:
        MissingError: no such local folder.
        InputError: the address holds a key, which would land in datasets.csv.
    """
    access.check_root(images)
    if is_local(images) and not Path(images).is_dir():
        raise MissingError(f"{images}: image folder not found")


def stored(images: str, collection: Path) -> str:
    """Give an image folder as a collection stores it: relative to itself if it lies there, else absolute."""
    if not is_local(images):
        return images
    root, home = Path(images).resolve(), collection.resolve()
    return root.relative_to(home).as_posix() if root.is_relative_to(home) else str(root)


def sizes(images: str) -> dict[str, int]:
    """Scan a local image folder: name relative to it -> bytes.

    Links are followed, but not in circles; those that lead nowhere and folders that may not be read are passed over.

    Raises:
        InputError: a folder cannot be read.
    """
    found: dict[str, int] = {}
    # With each folder the real paths of those that lead to it, so that links cannot lead in a circle.
    waiting: list[tuple[str, str, tuple[str, ...]]] = [(images, "", (os.path.realpath(images),))]
    while waiting:
        folder, prefix, above = waiting.pop()
        for entry in _entries(folder):
            if entry.is_symlink() and not Path(entry.path).exists():
                continue
            if entry.is_dir():
                real = os.path.realpath(entry.path) if entry.is_symlink() else f"{above[-1]}/{entry.name}"
                if real not in above:
                    waiting.append((entry.path, f"{prefix}{entry.name}/", (*above, real)))
            elif entry.is_file():
                found[prefix + entry.name] = entry.stat().st_size
    return found


def _entries(folder: str) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except PermissionError:  # such as lost+found at the top of a drive
        return
    except OSError as error:
        raise InputError(f"{folder}: image folder cannot be read: {error.strerror or error}") from None
