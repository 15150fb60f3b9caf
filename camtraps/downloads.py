"""Downloads: files of the web or a cloud, fetched into the work folder once, whole or not at all."""

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from camtraps import access, remote
from camtraps.errors import InputError
from camtraps.files import climbs, digest, replacing, work_dir
from camtraps.progress import bar
from camtraps.storage import is_local
from camtraps.stores import About
from camtraps.troubles import Trouble


def fetch(url: str) -> Path:
    """Download a file; give where it is.

    It is not asked for again if it was downloaded before with the same size and version (such as its time of change),
    where the server tells one.

    Raises:
        InputError: no web address, no such file, refused, out of reach or broken off.
        NotWritten: the disk is full.
    """
    if is_local(url):
        raise InputError(f"{url!r} is no web address")
    try:
        about = remote.look(url)
        target = _target(url, about)
        if not (about.versions and target.exists()):
            with (
                replacing(target) as part,
                bar(f"downloading {target.name}", about.size or 0, "B", scale=True) as shown,
            ):
                remote.save(url, part, shown.update)
    except Trouble as trouble:
        raise InputError(f"{access.shown(url)}: cannot be downloaded: {trouble}") from trouble
    return target


def _target(url: str, about: About) -> Path:
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    folder = digest(url, str(about.size), *about.versions)[:16]
    return work_dir("downloads") / folder / ("download" if climbs(name) else name)
