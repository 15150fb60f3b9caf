"""Objects of DVC: hashed again and compared with their names, in the cache and a remote, and mended from each other."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from camtraps.dvc_remotes import Remote, told
from camtraps.errors import CamtrapsError
from camtraps.progress import bar

CHUNK = 1 << 20  # bytes read at a time
BLOCK = 4 << 20  # bytes that a remote is asked for at a time
THREADS = 8
AT_ONCE = 1000  # objects handed to the threads together
NAME = re.compile(r"([0-9a-f]{2})/([0-9a-f]{30}(?:\.dir)?)$")  # of an object in its folder

Kind = Literal["damaged", "cut short", "missing"]


@dataclass(frozen=True)
class Place:
    """The cache, or a remote; ``store`` is DVC's file system for it, and its objects lie below ``folder``."""

    name: str
    store: Any
    folder: str
    remote: Remote | None = None

    def path(self, oid: str) -> str:
        """Give where an object lies."""
        return f"{self.folder}/{oid[:2]}/{oid[2:]}"

    def told(self, error: Exception) -> CamtrapsError:
        """Make what the store raised an error of one line."""
        words = told(error, self.remote) if self.remote else f"{self.folder}: {error}"
        return CamtrapsError(f"{words}; run again to go on" if self.remote else words)


@dataclass(frozen=True)
class Held:
    """What a place holds: sizes in bytes by name, which are damaged, and the members of intact folders by name."""

    place: Place
    sizes: dict[str, int]
    damaged: frozenset[str]
    folders: dict[str, dict[str, str]]  # of names of members to their paths in the folder

    def has(self, oid: str) -> bool:
        """Say whether an intact object is there."""
        return oid in self.sizes and oid not in self.damaged


@dataclass(frozen=True)
class Fault:
    """An object that is not as it should be: where, in which way, of which file, and why it was not mended, if not."""

    place: str
    oid: str
    kind: Kind
    file: str = ""
    mended: bool = False
    reason: str = ""
    sizes: tuple[int, int] | None = field(default=None, compare=False)  # bytes there, and of the intact one

    def line(self) -> str:
        """Say it."""
        lengths = f", {self.sizes[0]:,} of {self.sizes[1]:,} bytes" if self.sizes and self.kind == "cut short" else ""
        what = "mended" if self.mended else f"not mended: {self.reason}"
        return f"{self.place}: {self.oid} {self.kind}{lengths}{f' ({self.file})' if self.file else ''}: {what}"


def cache_of(repository: Any) -> Place:
    """Give the cache of a `dvc.repo.Repo`."""
    local = repository.cache.local
    return Place("cache", local.fs, local.path)


def remote_place(remote: Remote) -> Place:
    """Give the objects of a remote."""
    return Place(remote.name, remote.store, f"{remote.path.rstrip('/')}/files/md5", remote)


def hold(place: Place) -> Held:
    """Hash all objects of a place, many at once and a piece at a time.

    Raises:
        CamtrapsError: the place cannot be read, or not any more.
    """
    sizes = _sizes(place)
    damaged, folders = set(), {}
    with bar(f"hashing {place.name}", sum(sizes.values()), "B", scale=True) as progress:
        for oid, digest in _hashed(place, sizes):
            progress.update(sizes[oid])
            if digest != oid.partition(".")[0]:
                damaged.add(oid)
            elif oid.endswith(".dir"):
                folders[oid] = _members(place, oid)
    return Held(place, sizes, frozenset(damaged), folders)


def wanted(repository: Any) -> dict[str, str]:
    """Give the objects of the outputs of the workspace's `dvc.lock` and ``.dvc`` files, by name, with their paths."""
    found = {}
    for out in repository.index.outs:
        hashed = out.hash_info
        if out.use_cache and out.can_push and not out.stage.is_repo_import and hashed and hashed.name == "md5":
            found[hashed.value] = out.def_path if out.fs_path.startswith("..") else _below(repository.root_dir, out)
    return found


def faults(held: Held, other: Held | None, outputs: dict[str, str]) -> list[Fault]:
    """List what is damaged in a place, and, if it is a remote, what is missing there; sorted by kind and name.

    Args:
        held: the place.
        other: where intact ones may be.
        outputs: from `wanted`.
    """
    files = _files(outputs, held, *([other] if other else []))
    found = []
    for oid in held.damaged:
        size = held.sizes[oid]
        whole = other.sizes[oid] if other and other.has(oid) else None
        is_short = size == 0 or (whole is not None and size < whole)
        kind: Kind = "cut short" if is_short else "damaged"
        found.append(Fault(held.place.name, oid, kind, files.get(oid, ""), sizes=(size, whole) if whole else None))
    if held.place.remote:
        # DVC sends the list of a folder last: whoever has the list had all members.
        members = {oid for folder in held.folders.values() for oid in folder}
        missing = (members | files.keys()) - held.sizes.keys()
        found += [Fault(held.place.name, oid, "missing", files.get(oid, "")) for oid in missing]
    return sorted(found, key=lambda fault: (fault.kind, fault.file, fault.oid))


def mend(found: Iterable[Fault], held: Held, other: Held | None) -> Iterator[Fault]:
    """Put intact objects in the place of those at fault, as far as the other place has them; tell of each.

    Raises:
        CamtrapsError: a store does not answer any more.
    """
    for fault in found:
        if other is None:
            yield replace(fault, reason="there is no remote to get it from; run `dvc repro`, or see *Sharing*")
        elif not other.has(fault.oid):
            yield replace(fault, reason=f"{other.place.name} has no intact one")
        elif held.place.remote:
            _send(other.place, held.place, fault.oid)
            yield replace(fault, mended=True)
        else:
            is_whole = _fetch(other.place, held.place, fault.oid)
            yield replace(fault, mended=is_whole, reason="" if is_whole else f"{other.place.name} gave a damaged one")


def look_up(place: Place, oids: Iterable[str]) -> Held:
    """Say which objects a place has, without hashing them."""
    sizes = {}
    for oid in oids:
        try:
            sizes[oid] = int(place.store.info(place.path(oid))["size"])
        except FileNotFoundError:
            continue
        except Exception as error:
            raise place.told(error) from error
    return Held(place, sizes, frozenset(), {})


def _below(root: str, out: Any) -> str:
    path = Path(out.fs_path)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _sizes(place: Place) -> dict[str, int]:
    try:
        if place.store.protocol == "local":
            listed = {path.as_posix(): path.stat().st_size for path in Path(place.folder).glob("??/*")}
        else:
            found = place.store.fs.find(place.folder, detail=True)
            listed = {path: int(about["size"]) for path, about in found.items()}
    except FileNotFoundError:
        return {}
    except Exception as error:
        raise place.told(error) from error
    # What is called otherwise was left by a broken transfer.
    matches = ((NAME.search(path), num_bytes) for path, num_bytes in listed.items())
    return {match[1] + match[2]: num_bytes for match, num_bytes in matches if match}


def _hashed(place: Place, oids: Iterable[str]) -> Iterator[tuple[str, str]]:
    names = iter(sorted(oids))
    pool = ThreadPoolExecutor(THREADS)
    try:
        while some := list(islice(names, AT_ONCE)):
            yield from zip(some, pool.map(lambda oid: _hash(place, oid), some), strict=True)
    finally:
        pool.shutdown(cancel_futures=True)


def _hash(place: Place, oid: str) -> str:
    try:
        with place.store.open(place.path(oid), "rb", **({"block_size": BLOCK} if place.remote else {})) as file:
            return _md5(file)
    except Exception as error:  # each store has errors of its own
        if isinstance(error, OSError) and not place.remote:
            return ""  # what a disk cannot read is damaged
        raise place.told(error) from error


def _md5(file: Any) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _members(place: Place, oid: str) -> dict[str, str]:
    try:
        with place.store.open(place.path(oid), "rb") as file:
            return {each["md5"]: each["relpath"] for each in json.loads(file.read())}
    except Exception as error:
        raise place.told(error) from error


def _files(outputs: dict[str, str], *places: Held) -> dict[str, str]:
    """Give the paths of the objects of outputs, as far as the lists of their folders are there."""
    files = dict(outputs)
    for oid, path in outputs.items():
        for held in places:
            files |= {member: f"{path}/{name}" for member, name in held.folders.get(oid, {}).items()}
    return files


def _send(cache: Place, place: Place, oid: str) -> None:
    try:
        place.store.put_file(cache.path(oid), place.path(oid))
    except Exception as error:
        raise place.told(error) from error


def _fetch(place: Place, cache: Place, oid: str) -> bool:
    """Write an object of a remote over that of the cache; say whether it was intact."""
    path = Path(cache.path(oid))
    part = path.with_name(f".{path.name}.part")
    try:
        try:
            place.store.get_file(place.path(oid), str(part))
        except Exception as error:
            raise place.told(error) from error
        with part.open("rb") as source:
            if _md5(source) != oid.partition(".")[0]:
                return False
        # Into the same file, because the workspace's may be a link to it.
        path.chmod(0o644)
        with part.open("rb") as source, path.open("r+b") as target:
            shutil.copyfileobj(source, target, CHUNK)
            target.truncate()
        path.chmod(0o444)
        return True
    finally:
        part.unlink(missing_ok=True)
