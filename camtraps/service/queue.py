"""The service's tasks, each in a folder of its own, so that they survive a restart: requests, answers, results."""

import fcntl
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from camtraps.errors import InputError
from camtraps.files import read_json, remove, write_json
from camtraps.service.protocol import OVER, Refusal, Request

KEEP_DAYS = 180  # of finished tasks, as the Batch Detection API did
BUSY = "Too many active tasks, please try again later"


@dataclass(frozen=True)
class State:
    """How a task is: ``status`` as in `protocol`, a message, the name of the result file, and what it is made of."""

    status: str
    message: str
    submitted: float
    """Seconds since 1970."""
    time: str = ""
    """UTC, of the last change."""
    results: str = ""
    num_failed_shards: int = 0


class Queue:
    """Tasks in a folder. One process at a time uses it, with any number of threads."""

    def __init__(self, folder: Path, max_tasks: int) -> None:
        """Take the folder, which is made if it is not there."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder, self._max_tasks, self._lock = folder, max_tasks, threading.Lock()
        self.changed = threading.Event()
        """Set when there is something new to do."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other services away from the folder.

        Raises:
            InputError: another one uses it.
        """
        with (self._folder / "lock").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{self._folder}: another service works there; name another --folder") from None
            yield

    def submit(self, request: Request) -> str:
        """Take a task in; give its id.

        Raises:
            Refusal: 503, there are too many.
        """
        with self._lock:
            self._prune()
            if len(self.open()) >= self._max_tasks:
                raise Refusal(503, BUSY)
            task = uuid.uuid4().hex
            self.folder(task).mkdir(mode=0o700)  # the request has keys in it
            write_json(self.folder(task) / "request.json", asdict(request))
            self._write(task, State("created", "Request received.", time.time()))
        self.changed.set()
        return task

    def state(self, task: str) -> State | None:
        """Give how a task is; None if there is none of that id."""
        path = self.folder(task) / "state.json"
        return State(**read_json(path)) if path.is_file() else None

    def request(self, task: str) -> Request:
        """Give what was asked for."""
        return Request(**read_json(self.folder(task) / "request.json"))

    def open(self) -> list[str]:
        """List the tasks that are not over, in the order in which they came."""
        states = [(state, task) for task in self._tasks() if (state := self.state(task))]
        found = [(state.submitted, task) for state, task in states if state.status not in OVER]
        return [task for _, task in sorted(found)]

    def note(self, task: str, status: str, message: str, **changes: Any) -> bool:
        """Say how a task is, unless it is over, as a cancelled one is; say whether it was not."""
        with self._lock:
            state = self.state(task)
            if state is None or state.status in OVER:
                return False
            self._write(task, replace(state, status=status, message=message, **changes))
            if status in OVER:
                remove(self.folder(task) / "request.json")
                remove(self.folder(task) / "shards")
                remove(self.folder(task) / "photos.json")
            return True

    def cancel(self, task: str) -> None:
        """Cancel a task.

        Raises:
            Refusal: 404 if there is none of that id, 400 if it is over.
        """
        if self.state(task) is None:
            raise Refusal(404, "Task is not found.")
        if not self.note(task, "canceled", "Request has been canceled by the user."):
            status = getattr(self.state(task), "status", "gone")
            raise Refusal(400, f"Task is {status} and cannot be canceled")

    def folder(self, task: str) -> Path:
        """Give the folder of a task; an id has letters and digits alone, so that it leads nowhere else."""
        assert task.isalnum(), task
        return self._folder / f"job_{task}"

    def _write(self, task: str, state: State) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(self.folder(task) / "state.json", asdict(replace(state, time=now)))

    def _tasks(self) -> list[str]:
        return [path.name.removeprefix("job_") for path in self._folder.glob("job_*")]

    def _prune(self) -> None:
        for task in self._tasks():
            state = self.state(task)
            if state and state.status in OVER and time.time() - state.submitted > KEEP_DAYS * 86_400:
                remove(self.folder(task))
