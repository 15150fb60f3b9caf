"""The pool: worker processes on this machine, each makes a unit at a time."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from camtraps.errors import CamtrapsError
from camtraps.processes import num_workers, start_worker
from camtraps.results import Function, Kind, Unit, make

WAITING = 2  # units handed out for each worker: one that it makes and one that it finds ready


def carry(units: Sequence[Unit], function: Function, folder: Path, progress: "tqdm[Any]", kind: Kind) -> None:
    """Make the results of units.

    Raises:
        CamtrapsError: a worker process was killed.
    """
    num = min(num_workers(), len(units), sum(unit.size for unit in units) // kind.apiece)
    if num < 2:
        for unit in units:
            make(function, unit, folder)
            progress.update(unit.size)
        return
    # Large units first: a last one that is large would keep one worker while the others rest.
    queue = iter(sorted(units, key=lambda unit: -unit.size))
    context = get_context("spawn")  # a forked DuckDB, Arrow or torch thread pool may hang
    with ProcessPoolExecutor(num, mp_context=context, initializer=start_worker, initargs=(os.getpid(),)) as pool:
        waiting: dict[Future[None], Unit] = {}
        try:
            while True:
                for unit in islice(queue, WAITING * num - len(waiting)):
                    waiting[pool.submit(make, function, unit, folder)] = unit
                if not waiting:
                    return
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    future.result()
                    progress.update(waiting.pop(future).size)
        except BrokenProcessPool:
            raise CamtrapsError(
                f"a worker process was killed{_at_work(waiting.values(), folder)} (out of memory?); what is finished "
                "is kept: run again, with CAMTRAPS_WORKERS=1 if memory is short"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _at_work(units: Iterable[Unit], folder: Path) -> str:
    """Name the units that were being made: a photo that ends the process that decodes it is in one of them."""
    names = [unit.name for unit in units if unit.name and any(folder.glob(f".{unit.fingerprint}.*.part"))]
    return f", at work on {' or '.join(names)}" if names else ""
