"""Files as they come: plain, gzipped, or the one member of a zip that is meant; opened with a progress bar."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from camtraps.errors import InputError, MissingError
from camtraps.files import climbs
from camtraps.progress import bar

BLOCK = 1 << 20
LARGE = 32 * BLOCK  # below that, reading takes no time worth a progress bar


@contextmanager
def opened(path: Path, suffix: str, remedy: str = "check the path") -> Iterator[BinaryIO]:
    """Open a file, gzipped or not, or the one member of a zip whose name ends in ``suffix``, with a progress bar.

    Raises:
        MissingError: no such file.
        InputError: it cannot be read, or the zip has none or several such members, or one that leads out of it.
    """
    try:
        size = path.stat().st_size
        label = f"reading {path.name}" if size > LARGE else None
        with path.open("rb") as raw, bar(label, size, "B", scale=True) as progress:
            counted = _Counted(raw, progress)
            start = raw.read(4)
            raw.seek(0)
            if start in (b"PK\x03\x04", b"PK\x05\x06"):  # the second: a zip without members
                with zipfile.ZipFile(counted) as archive, archive.open(member_of(archive, path, suffix)) as member:
                    yield member  # type: ignore[misc]
            elif start[:2] == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=counted) as unzipped:
                    yield unzipped  # type: ignore[misc]
            else:
                yield raw if progress.disable else counted  # type: ignore[misc]
    except FileNotFoundError:
        raise MissingError(f"{path}: not found; {remedy}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}: cannot be unpacked: {error}; get it again whole") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a zip with a password
        raise InputError(f"{path}: cannot be read as a file: {getattr(error, 'strerror', None) or error}") from None


def member_of(archive: zipfile.ZipFile, path: Path, suffix: str) -> str:
    """Name the one member of a zip that ends in ``suffix``; errors as in `opened`."""
    names = archive.namelist()
    if out := [name for name in names if climbs(name)]:
        raise InputError(f"{path}: its member {out[0]!r} leads out of the folder; this is no archive to trust")
    # macOS adds a shadow of each file.
    found = [name for name in names if name.lower().endswith(suffix) and not name.startswith("__MACOSX/")]
    if len(found) != 1:
        listed = ", ".join(found[:5]) or "none"
        raise InputError(f"{path}: expected one file *{suffix} in it, found {listed}; unpack it and name the file")
    return found[0]


class _Counted(io.BufferedIOBase):
    """A file whose reading moves a progress bar."""

    def __init__(self, raw: BinaryIO, progress: Any) -> None:
        self._raw, self._progress = raw, progress

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def read(self, size: int | None = -1) -> bytes:
        block = self._raw.read(-1 if size is None else size)
        # A zip is read from its end, where its list of members is: the bar goes back then.
        self._progress.update(self._raw.tell() - self._progress.n)
        return block
