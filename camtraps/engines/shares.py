"""Ranks that share a disk, as `torchrun` or SLURM starts them: each makes its share, the first waits for all.

A rank says that it lives by touching a file beside the results. What a rank that died has left is made by the first.
"""

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from camtraps.engines import pool
from camtraps.errors import ShareDone
from camtraps.files import digest, write_text
from camtraps.processes import rank, world
from camtraps.results import Function, Kind, Unit, missing

BEAT_SECONDS = 2.0
SILENT_SECONDS = 60.0  # then a rank is taken for dead
DONE = "done"


def carry(units: Sequence[Unit], function: Function, folder: Path, progress: "tqdm[Any]", kind: Kind) -> None:
    """Make the results of this rank's share of the units, and as the first rank those of ranks that died.

    Args:
        units: all that may be missing, the same for every rank.
        function: as in `units.run`.
        folder: the work folder, on a disk that all ranks share.
        progress: counts what this rank makes.
        kind: of the work.

    Raises:
        ShareDone: this is not the first rank, and its share is made.
    """
    num, marks = world(), folder / ".ranks" / digest(*(unit.fingerprint for unit in units))
    marks.mkdir(parents=True, exist_ok=True)
    with _beating(marks / str(rank())):
        mine = missing(units[rank() :: num], folder)
        pool.carry(mine, function, folder, progress, kind)
    if rank():
        raise ShareDone(f"rank {rank()} of {num} has made its share, {len(mine):,} of {len(units):,} units")
    for other in range(1, num):
        _wait_for(marks / str(other))
    rest = [unit for unit in units if not (folder / unit.fingerprint).is_dir()]
    pool.carry(rest, function, folder, progress, kind)
    shutil.rmtree(marks)


@contextmanager
def _beating(mark: Path) -> Iterator[None]:
    """Touch a file as long as the work goes on, and write `DONE` into it when it went well."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            mark.touch()

    write_text(mark, "")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    write_text(mark, DONE)


def _wait_for(mark: Path) -> None:
    """Wait until a rank has made its share, or is silent."""
    since = time.time()
    while time.time() - since < SILENT_SECONDS:
        if mark.exists():
            if mark.read_text() == DONE:
                return
            since = max(since, mark.stat().st_mtime)
        time.sleep(BEAT_SECONDS / 4)
