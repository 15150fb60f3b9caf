"""Work in units: each unit's result is a folder named by the fingerprint of all it was made from, made once.

A unit is a fixed set of photos. Results lie in the work folder, written aside and renamed, so that a killed run
continues with the units that are missing; the caller publishes them into a stage's output.
"""

import ctypes
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from camtraps.errors import CamtrapsError
from camtraps.files import remove, replacing
from camtraps.progress import bar

KEEP_SECONDS = 30 * 24 * 3600
AGAIN = "again"  # a file in a result that the next run makes again
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
WAITING = 2  # units handed out for each worker: one that it makes and one that it finds ready


@dataclass(frozen=True)
class Unit:
    """One piece of work.

    ``fingerprint`` is the hash of rows, parameters and code; ``payload`` is what the function gets; ``size`` counts
    photos, for the progress bar.
    """

    fingerprint: str
    payload: Any
    size: int


Function = Callable[[Any, Path], bool]


def run(units: Sequence[Unit], function: Function, folder: Path, label: str) -> list[Path]:
    """Bring every unit's result about and give the result folders in the order of the units.

    A result is made once, unless its function says that it is not final: then the next run tries again.

    Args:
        units: the work.
        function: called as ``function(payload, new_folder)`` in a worker process; writes its files into the folder and
            says whether the result is final: no failure in it `may_pass`.
        folder: the work folder of this kind of work (`files.work_dir`).
        label: what the progress bar says.

    Raises:
        CamtrapsError: a worker process was killed, or the disk is full; finished units are kept for the next run.
    """
    results = [folder / unit.fingerprint for unit in units]
    prune(folder, {result.name for result in results})
    wanted = missing(units, folder)
    total = sum(unit.size for unit in units)
    with bar(label, total, "photos", initial=total - sum(unit.size for unit in wanted)) as progress:
        if num_workers() == 1 or len(wanted) < 2:
            for unit in wanted:
                _make(function, unit, folder)
                progress.update(unit.size)
        else:
            _run_pool(wanted, function, folder, progress)
    for result in results:
        os.utime(result)
    return results


def missing(units: Sequence[Unit], folder: Path) -> list[Unit]:
    """Give the units that `run` would make."""
    return [unit for unit in units if not _is_final(folder / unit.fingerprint)]


def num_workers() -> int:
    """Count the worker processes to use: ``$CAMTRAPS_WORKERS``, else one a core that this process may use."""
    given = os.environ.get("CAMTRAPS_WORKERS", "")
    if given and not (given.isdigit() and int(given) > 0):
        raise CamtrapsError(f"CAMTRAPS_WORKERS: expected a whole number above 0, got {given!r}")
    if given:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_pass(failure: str, is_remote: bool) -> bool:
    """Say whether a photo that failed may be fine in the next run though its stamp is the same.

    Args:
        failure: the reason.
        is_remote: the photo has no stamp, so that nothing would tell that it has come back.
    """
    return is_remote or failure.startswith(("photo not readable", "model failed"))


def die_with_parent(parent: int = 0) -> None:
    """Ask Linux to end this process when its parent ends; elsewhere nothing happens.

    Killing only ``dvc`` would otherwise leave a stage writing into the outputs of the next run.

    Args:
        parent: its number, from itself: to ask for it here is too late if it is killed while this process starts.
    """
    if sys.platform == "linux":
        parent = parent or os.getppid()
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
        if os.getppid() != parent:
            sys.exit(1)


def start_worker(parent: int = 0) -> None:
    """Set a new worker process up: it ends with its parent, and keeps the memory of large buffers.

    Args:
        parent: as in `die_with_parent`.
    """
    die_with_parent(parent)
    keep_buffers()


def keep_buffers() -> None:
    """Let this process keep the memory of freed buffers instead of giving it back to the kernel to be fetched again.

    It speeds decoding, and networks on the CPU, up where glibc is used; elsewhere nothing happens.
    """
    if sys.platform == "linux" and "glibc" in str(os.confstr("CS_GNU_LIBC_VERSION")):
        # Both are needed: one alone switches glibc's own adaption off.
        libc = ctypes.CDLL(None)
        if not libc.mallopt(M_MMAP_THRESHOLD, 1 << 30):
            libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that older releases take
        libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def _run_pool(wanted: list[Unit], function: Function, folder: Path, progress: "tqdm[Any]") -> None:
    num = min(num_workers(), len(wanted))
    # Large units first: a last one that is large would keep one worker while the others rest.
    queue = iter(sorted(wanted, key=lambda unit: -unit.size))
    context = get_context("spawn")  # a forked DuckDB, Arrow or torch thread pool may hang
    with ProcessPoolExecutor(num, mp_context=context, initializer=start_worker, initargs=(os.getpid(),)) as pool:
        waiting: dict[Future[None], Unit] = {}
        try:
            while True:
                for unit in islice(queue, WAITING * num - len(waiting)):
                    waiting[pool.submit(_make, function, unit, folder)] = unit
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    future.result()
                    progress.update(waiting.pop(future).size)
        except BrokenProcessPool:
            raise CamtrapsError(
                "a worker process was killed (out of memory?); what is finished is kept: run again, "
                "with CAMTRAPS_WORKERS=1 if memory is short"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _is_final(result: Path) -> bool:
    return result.is_dir() and not (result / AGAIN).exists()


class _MadeMeanwhile(Exception):
    """Another run with the same work folder has made the result, and may be reading it."""


def _make(function: Function, unit: Unit, folder: Path) -> None:
    result = folder / unit.fingerprint
    try:
        with replacing(result) as part:
            part.mkdir()
            if not function(unit.payload, part):
                (part / AGAIN).touch()
            if _is_final(result):
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
