"""The service's one worker process, which holds the detector and the classifier."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from camtraps.errors import CamtrapsError
from camtraps.processes import start_worker
from camtraps.service.setup import Item, Setup

if TYPE_CHECKING:
    from camtraps.service.eyes import Eyes


class Worker:
    """Hands photos to the worker process, which is made anew when it dies."""

    def __init__(self, setup: Setup) -> None:
        """Start the process.

        Raises:
            CamtrapsError: the detector or the classifier cannot be used.
        """
        self._setup, self._lock = setup, threading.Lock()
        self._pool = self._made()
        self.frame: dict[str, Any] = self._pool.submit(_frame).result()
        """A document without photos."""

    def submit(self, items: Sequence[Item]) -> "Future[list[dict[str, Any]]]":
        """Have photos looked at, after those that were handed in before; a process that died is replaced."""
        with self._lock:
            try:
                return self._pool.submit(_look, items)
            except BrokenProcessPool:
                self._pool = self._made()
                return self._pool.submit(_look, items)

    def close(self) -> None:
        """End the process; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _made(self) -> ProcessPoolExecutor:
        given = (os.getpid(), self._setup)
        return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_start, initargs=given)


_eyes: "Callable[[], Eyes]"  # of the worker process


def _start(parent: int, setup: Setup) -> None:
    global _eyes
    # The service itself does without torch and what else takes long to import.
    from camtraps.service.eyes import Eyes

    start_worker(parent)
    # An initializer that fails breaks the pool without saying why: so the error is kept for the first question.
    try:
        eyes = Eyes(setup)
        _eyes = lambda: eyes  # noqa: E731
    except CamtrapsError as error:
        _eyes = _raising(error)


def _raising(error: CamtrapsError) -> "Callable[[], Eyes]":
    def fail() -> "Eyes":
        raise error

    return fail


def _frame() -> dict[str, Any]:
    return _eyes().frame()


def _look(items: Sequence[Item]) -> list[dict[str, Any]]:
    return _eyes().look(items)
