"""Work in units: each unit's result is a folder named by the fingerprint of all it was made from, made once.

A unit is a fixed set of photos. Results lie in the work folder, written aside and renamed, so that a killed run
continues with the units that are missing; the caller publishes them into a stage's output.
"""

import ctypes
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
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
WAITING = 2  # units handed out for each worker: one that it makes and one that it finds ready


@dataclass(frozen=True)
class Unit:
    """One piece of work.

    ``fingerprint`` is the hash of rows, parameters and code; ``payload`` is what the function gets; ``size`` counts
    photos, for the progress bar. ``remote`` says that some photos have no stamp in the fingerprint: nothing would tell
    that one of them has come back.
    """

    fingerprint: str
    payload: Any
    size: int
    remote: bool = False


Function = Callable[[Any, Path], bool]


def run(units: Sequence[Unit], function: Function, folder: Path, label: str) -> list[Path]:
    """Bring every unit's result about and give the result folders in the order of the units.

    A result is made once, unless remote photos of it could not be read: then the next run tries again.

    Args:
        units: the work.
        function: called as ``function(payload, new_folder)`` in a worker process; writes its files into the folder and
            says whether all photos could be read.
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


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent ends; elsewhere nothing happens.

    Killing only ``dvc`` would otherwise leave a stage writing into the outputs of the next run.
    """
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
        if os.getppid() != parent:
            sys.exit(1)


def start_worker() -> None:
    """Set a new worker process up: it ends with its parent, and keeps the memory of large buffers."""
    die_with_parent()
    if sys.platform == "linux" and "glibc" in str(os.confstr("CS_GNU_LIBC_VERSION")):
        # Keep large buffers instead of giving each decoded photo back to the kernel. Both calls are needed: one alone
        # switches glibc's own adaption off.
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def _run_pool(wanted: list[Unit], function: Function, folder: Path, progress: "tqdm[Any]") -> None:
    num = min(num_workers(), len(wanted))
    # Large units first: a last one that is large would keep one worker while the others rest.
    queue = iter(sorted(wanted, key=lambda unit: -unit.size))
    context = get_context("spawn")  # a forked DuckDB, Arrow or torch thread pool may hang
    with ProcessPoolExecutor(num, mp_context=context, initializer=start_worker) as pool:
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


def _make(function: Function, unit: Unit, folder: Path) -> None:
    with replacing(folder / unit.fingerprint) as part:
        part.mkdir()
        all_read = function(unit.payload, part)
        if unit.remote and not all_read:
            (part / AGAIN).touch()


def prune(folder: Path, wanted: set[str]) -> None:
    """Remove what has not been used for 30 days from a work folder, except the names that are wanted."""
    oldest = time.time() - KEEP_SECONDS
    for entry in folder.iterdir():
        if entry.name not in wanted and entry.stat().st_mtime < oldest:
            shutil.rmtree(entry) if entry.is_dir() else remove(entry)
