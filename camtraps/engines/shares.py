"""Ranks that share a disk, as `torchrun` or SLURM starts them: each makes its share, the first waits for all.

A rank says that it lives by touching a file beside the results. What a rank that died has left is made by the first.
"""

import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
        progress.total = progress.n + sum(unit.size for unit in mine)
        pool.carry(mine, function, folder, progress, kind)
    if rank():
        raise ShareDone(f"rank {rank()} of {num} has made its share, {len(mine):,} of {len(units):,} units")
    for other in range(1, num):
        if not _has_ended(marks / str(other)):
            sys.stderr.write(f"ranks: rank {other} is silent for {SILENT_SECONDS:.0f} s; its share is made here\n")
    rest = [unit for unit in units if not (folder / unit.fingerprint).is_dir()]
    pool.carry(rest, function, folder, progress, kind)
    shutil.rmtree(marks)


@contextmanager
def _beating(mark: Path) -> Iterator[None]:
    """Touch a file as long as the work goes on, and write `DONE` into it when it went well."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            with suppress(OSError):  # the first rank has taken this one for dead, or the disk is slow to answer
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


def _has_ended(mark: Path) -> bool:
    """Wait until a rank has made its share, and say True, or is silent."""
    since = time.time()
    while time.time() - since < SILENT_SECONDS:
        if mark.exists():
            if mark.read_text() == DONE:
                return True
            since = max(since, mark.stat().st_mtime)
        time.sleep(BEAT_SECONDS / 4)
    return False
