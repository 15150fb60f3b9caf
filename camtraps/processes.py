"""Worker processes: how many, how they end, and how they keep their memory."""

import ctypes
import os
import sys

from camtraps.errors import CamtrapsError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def num_workers() -> int:
    """Count the worker processes to use: ``$CAMTRAPS_WORKERS``, else one a core that this process may use."""
    given = os.environ.get("CAMTRAPS_WORKERS", "")
    if given and not (given.isdigit() and int(given) > 0):
        raise CamtrapsError(f"CAMTRAPS_WORKERS: expected a whole number above 0, got {given!r}")
    if given:
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rank() -> int:
    """Give the number of this process, from 0, among those that `torchrun` or SLURM has started for one job."""
    return _given("RANK", "SLURM_PROCID", 0)


def world() -> int:
    """Count these processes: 1 without torchrun, and without SLURM unless ``$CAMTRAPS_ENGINE`` is ``ranks``."""
    return _given("WORLD_SIZE", "SLURM_NTASKS", 1)


def _given(name: str, of_slurm: str, default: int) -> int:
    # A batch script of SLURM has these too, though it is one process.
    names = [name, of_slurm] if os.environ.get("CAMTRAPS_ENGINE") == "ranks" else [name]
    return next((int(os.environ[each]) for each in names if each in os.environ), default)


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
