"""Downloads: files of the web or a cloud, fetched into the work folder once, whole or not at all."""

from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from fsspec.callbacks import Callback
from fsspec.core import url_to_fs

from camtraps.errors import InputError
from camtraps.files import climbs, digest, replacing, work_dir
from camtraps.progress import bar
from camtraps.storage import is_local

VERSIONS = ("ETag", "Last-Modified", "etag", "mtime", "LastModified")  # how stores tell of a change
PATIENCE = 60.0  # seconds that a server may stay silent


def fetch(url: str) -> Path:
    """Download a file, unless it was downloaded before with the same size and time of change; give where it is.

    Raises:
        InputError: no web address, no such file, refused, out of reach or broken off.
    """
    if is_local(url):
        raise InputError(f"{url!r} is no web address")
    try:
        store, path = url_to_fs(url, **_options(url))
        about = store.info(path)
        target = _target(url, about)
        if not target.exists():
            _download(store, path, about.get("size"), target)
    except Exception as error:  # each back end has a tree of errors of its own (aiohttp, botocore, azure)
        raise InputError(f"{url.partition('?')[0]}: cannot be downloaded: {_told(error)}") from error
    return target


def _options(url: str) -> dict[str, Any]:
    if not url.startswith("http"):
        return {}
    import aiohttp

    # Its own limit is five minutes for a whole file.
    limits = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=PATIENCE)
    return {"client_kwargs": {"timeout": limits}}


def _target(url: str, about: dict[str, Any]) -> Path:
    versions = [str(about.get(name)) for name in ("size", *VERSIONS)]
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    return work_dir("downloads") / digest(url, *versions)[:16] / ("download" if climbs(name) else name)


def _download(store: Any, path: str, size: int | None, target: Path) -> None:
    with replacing(target) as part, bar(f"downloading {target.name}", size or 0, "B", scale=True) as progress:
        store.get_file(path, str(part), callback=_Shown(progress))
        if size is not None and part.stat().st_size != size:
            raise OSError(f"it broke off after {part.stat().st_size:,} of {size:,} bytes; run the command again")


class _Shown(Callback):  # type: ignore[misc]
    """What fsspec calls with the number of bytes that came."""

    def __init__(self, progress: Any) -> None:
        super().__init__()
        self._progress = progress

    def relative_update(self, inc: int = 1) -> None:
        self._progress.update(inc)


def _told(error: BaseException) -> str:
    # Of HTTP, fsspec calls every refusal an absence; its reason is the cause. Its text may hold a key of the address.
    error = error.__cause__ or error
    if status := getattr(error, "status", None):
        return f"HTTP {status} {getattr(error, 'message', '')}".strip()
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return (str(error).splitlines() or [type(error).__name__])[0]
