"""Results of units of work: folders named by the fingerprint of all they were made from, whole or not there."""

import errno
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camtraps.files import remove, replacing

KEEP_SECONDS = 30 * 24 * 3600
AGAIN = "again"  # a file in a result that the next run makes again


@dataclass(frozen=True)
class Unit:
    """One piece of work.

    ``fingerprint`` is the hash of rows, parameters and code; ``payload`` is what the function gets; ``size`` counts
    photos, for the progress bar; ``name`` tells people what it is about; ``seen`` is a local file that it needs and
    that is there, so that a worker on another machine that lacks it does not take it for gone.
    """

    fingerprint: str
    payload: Any
    size: int
    name: str = ""
    seen: str = ""


@dataclass(frozen=True)
class Kind:
    """What all units of a kind of work have in common.

    ``noun`` is what their sizes count; ``gpu``: they use a GPU where there is one; ``apiece``: a worker process is
    worth its start from so many on.
    """

    noun: str = "photos"
    gpu: bool = False
    apiece: int = 1


# Called as ``function(payload, new_folder)``: writes its files into the folder and says whether the result is final:
# no failure in it `may_pass`.
Function = Callable[[Any, Path], bool]


def is_final(result: Path) -> bool:
    """Say whether a result is there and need not be made again."""
    return result.is_dir() and not (result / AGAIN).exists()


def missing(units: Sequence[Unit], folder: Path) -> list[Unit]:
    """Give the units that `units.run` would make."""
    return [unit for unit in units if not is_final(folder / unit.fingerprint)]


def may_pass(failure: str, is_remote: bool) -> bool:
    """Say whether a photo that failed may be fine in the next run though its stamp is the same.

    Args:
        failure: the reason.
        is_remote: the photo has no stamp, so that nothing would tell that it has come back.
    """
    return is_remote or failure.startswith(("photo not readable", "model failed"))


class _MadeMeanwhile(Exception):
    """Another run with the same work folder has made the result, and may be reading it."""


def make(function: Function, unit: Unit, folder: Path) -> None:
    """Make the result of a unit in the work folder, or leave it to another run that was faster."""
    result = folder / unit.fingerprint
    try:
        with replacing(result) as part:
            part.mkdir()
            if not function(unit.payload, part):
                (part / AGAIN).touch()
            if is_final(result):
                raise _MadeMeanwhile
    except _MadeMeanwhile:
        pass
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # the same, a moment later: it cannot be renamed over
            raise


def prune(folder: Path, wanted: set[str]) -> None:
    """Remove what has not been used for 30 days from a work folder, except the names that are wanted."""
    oldest = time.time() - KEEP_SECONDS
    for entry in folder.iterdir():
        with suppress(FileNotFoundError):  # another run removes it too, or has just renamed it
            if entry.name not in wanted and entry.stat().st_mtime < oldest:
                shutil.rmtree(entry) if entry.is_dir() else remove(entry)
