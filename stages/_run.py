"""Run a stage: one process at a time, one summary line, one line for a user's error."""

import fcntl
import hashlib
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from camtraps.errors import CamtrapsError, ShareDone
from camtraps.failures import Counts
from camtraps.files import work_dir
from camtraps.processes import die_with_parent, rank


def run(name: str, stage: Callable[[], Counts]) -> None:
    """Run a stage's main function and end the process: 0, or 1 after a user's error."""
    if "DVC_STAGE" in os.environ:  # killing only dvc would leave a stage writing into the outputs of the next run
        die_with_parent()
    start = time.monotonic()
    is_first = rank() == 0
    try:
        with _Lock(name) if is_first else nullcontext():
            counts = stage()
    except CamtrapsError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(1)
    except ShareDone as share:
        sys.stderr.write(f"{name}: {share}\n")
        return
    except (KeyboardInterrupt, RuntimeError) as error:
        if "DataLoader worker" in str(error):  # torch raises it wherever this process happens to be
            sys.stderr.write(f"{name}: a process that reads crops was killed (out of memory?); run again to continue\n")
            sys.exit(1)
        if isinstance(error, RuntimeError) and "interrupted" not in str(error):  # what DuckDB makes of Ctrl-C
            raise
        sys.stderr.write(f"{name}: stopped; run again to continue\n")
        sys.exit(130)
    if not is_first:
        return
    seconds = time.monotonic() - start
    left_out = f", {counts.skipped:,} skipped" if counts.skipped else ""
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    rate = counts.rows_in / max(seconds, 1e-3)
    sys.stderr.write(
        f"{name}: {counts.rows_in:,} {counts.unit} in, {counts.rows_out:,} out{left_out}{failed}; "
        f"{seconds:.1f} s, {rate:,.0f} {counts.unit}/s\n"
    )


def warn(*lines: str) -> None:
    """Say something that a person should look at, though the stage goes on."""
    for line in lines:
        sys.stderr.write(f"warning: {line}\n")


class _Lock:
    """Keep a second run of the same stage in the same folder from writing into this one's outputs."""

    def __init__(self, name: str) -> None:
        here = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:16]
        self._name, self._path = name, work_dir("locks") / f"{here}.{name}"

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CamtrapsError(f"another run of {self._name} is writing here; wait for it or end it") from None

    def __exit__(self, *_: object) -> None:
        self._file.close()
