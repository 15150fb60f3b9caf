"""What the commands share: the collection they are about, lines for people, argument types."""

import argparse
import math
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from camtraps.errors import CamtrapsError, InputError, MissingError

if TYPE_CHECKING:
    from camtraps.photo_lists import Wanted

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # what a module's `add` gets


def say(*lines: str) -> None:
    """Print lines to stdout; characters that it cannot show are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def add_name(parser: argparse.ArgumentParser) -> None:
    """Add ``--name`` to a command that reads a collection; read it with `collection`."""
    parser.add_argument("--name", help="the collection data/NAME (default: data.name of params.yaml)")


def add_photos(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which photos a command is about; read them with `wanted`."""
    parser.add_argument("--dataset", action="append", metavar="D", help="only of this dataset; may stand several times")
    parser.add_argument("--label", metavar="CLASS", help="only photos of this class")
    parser.add_argument("--queried", action="store_true", help="only photos that the last query chose")
    text = "only photos that the last run of the pipeline lists as failed"
    parser.add_argument("--failed", action="store_true", help=text)


def wanted(options: argparse.Namespace) -> "Wanted":
    """Read the options of `add_photos`."""
    from camtraps.photo_lists import Wanted

    datasets = tuple(options.dataset or ())
    return Wanted(datasets=datasets, label=options.label, queried=options.queried, failed=options.failed)


def collection(name: str | None) -> Path:
    """Give the folder of a collection that is there; None is the one that params.yaml names.

    Raises:
        InputError: not in the top folder of the repository, or no name of a collection.
        MissingError: there is no such collection.
    """
    _check_place()
    from camtraps import layout

    path = layout.collection() if name is None else _path(name)
    if not path.is_dir():
        there = ", ".join(sorted(each.parent.name for each in Path("data").glob("*/datasets.csv"))) or "none"
        raise MissingError(f"{path}: no such collection; there are: {there}")
    return path


def new_collection(name: str) -> Path:
    """Give the folder that an import writes to.

    Raises:
        InputError: not in the top folder of the repository, or the name is one that the pipeline writes to itself.
    """
    _check_place()
    from camtraps import layout

    # DVC deletes what a stage writes before the stage runs: a collection must not lie there.
    taken = {path.name for path in vars(layout).values() if isinstance(path, Path) and path.parent == Path("data")}
    if name in {"demo", *taken}:
        raise InputError(f"--name: data/{name} is written by the pipeline itself; choose another name")
    path = _path(name)
    if path.exists() and not path.is_dir():
        raise InputError(f"--name: {path} is a file; choose another name")
    return path


@contextmanager
def dvc_repository() -> Iterator[Any]:
    """Open the `dvc.repo.Repo` of this folder.

    Raises:
        InputError: not in the top folder of the repository.
        CamtrapsError: what DVC says, in one line.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    check_dvc()
    try:
        with Repo() as repository:
            yield repository
    except DvcException as error:
        raise CamtrapsError(f"DVC: {' '.join(str(error).split())}") from None


def check_dvc() -> None:
    """Refuse a folder that is not the top folder of a DVC repository.

    Raises:
        InputError: it is not.
    """
    if not Path(".dvc").is_dir():
        raise InputError("no .dvc here; run the command in the top folder of the repository")


def share(text: str) -> float:
    """Read a share from 0 to 1, for ``type=``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text!r}")
    return value


def count(text: str) -> int:
    """Read a whole number above 0, for ``type=``."""
    if not (_is_whole(text) and int(text)):
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def whole(text: str) -> int:
    """Read a whole number from 0, for ``type=``."""
    if not _is_whole(text):
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """Read a time span such as ``30s``, ``2m``, ``1h`` or ``0``, for ``type=``; gives seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h|)", text.strip())
    if not match or (not match[2] and float(match[1])):
        raise argparse.ArgumentTypeError(f"expected a time span such as 30s, 2m or 1h (0 for none), got {text!r}")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600, "": 0}[match[2]]


def check_plain(path: Path) -> None:
    """Refuse a path to write to that is a link, a device or a pipe: writing aside and renaming would replace it.

    Raises:
        InputError: it is one.
    """
    if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
        raise InputError(f"{path}: is a link or a device, which would be replaced; name a plain file")


def check_out(path: Path) -> None:
    """Refuse a place where a file cannot be or should not be written.

    Raises:
        InputError: a folder stands in the way, or as in `check_own`.
    """
    check_plain(path)
    if path.is_dir():
        raise InputError(f"--out: {path} is a folder; name the file to write")
    check_own(path)


def check_own(path: Path) -> None:
    """Refuse to write where DVC or an import keeps its own files.

    Raises:
        InputError: the path leads into an output of a stage or a collection, or nothing can be written there.
    """
    from camtraps import layout

    own = [each for each in vars(layout).values() if isinstance(each, Path)]
    own += [each.parent for each in Path("data").glob("*/datasets.csv")]
    for folder in own:
        if path.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"--out: {path} is in {folder}, which DVC keeps track of; write it elsewhere")
    above = next(each for each in path.absolute().parents if each.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(f"--out: {above} is not a folder that you can write to")


def _is_whole(text: str) -> bool:
    # DuckDB's whole numbers end somewhere; no question here needs more digits.
    return text.isascii() and text.isdigit() and len(text) < 10


def _check_place() -> None:
    if not Path("dvc.yaml").is_file():
        raise InputError("no dvc.yaml here; run the command in the top folder of the repository")


def _path(name: str) -> Path:
    from camtraps import layout

    try:
        return Path("data") / layout.DataParams(name=name, label_spec="label_spec.json").name
    except ValueError as error:
        raise InputError(f"--{error}") from None
