"""The batch API's tasks in the work folder: their journal, ``batch_api/tasks.jsonl``, and the results of each.

In the journal stands one JSON object a line; of the lines about a task the last one counts. It has the fields of the
ancestor's resume file and those that say whether a task can serve a later run. No key is ever in it.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from camtraps.detectors.answers import Answer, Box
from camtraps.detectors.batch_client import Client, Refused, Unreachable, Unsure
from camtraps.errors import CamtrapsError, InputError
from camtraps.files import digest, read_json, work_dir
from camtraps.formats import megadetector
from camtraps.formats.rows import Fault

# A task that is not known to be accepted has its name for an id; a line with the id that the API gives takes its place.
SENDING = "being submitted"
REFUSED = "refused"
# What became of a task; before that it has the state that the API gives it.
COMPLETED = "completed"  # its results are here
HANDED_ON = "handed on"  # every photo of it has got its answer
FORGOTTEN = "forgotten"  # by the user
OVER = ("failed", "canceled", FORGOTTEN)  # its photos are submitted again

UNPROCESSED = "the batch API could not process it"


@dataclass(frozen=True)
class Task:
    """A task: whose photos, under which name and id, the list that was submitted, and where to."""

    dataset: str
    task_name: str
    task_id: str
    local_images_list_path: str
    list_hash: str
    num_photos: int
    api: str
    model_version: str
    images: str
    """The container of the photos; empty if they were listed by their addresses."""
    time: str = ""
    """Of this line, UTC."""
    status: str = "submitted"

    @property
    def folder(self) -> Path:
        """Give the folder of the task's answer and results."""
        return work_dir("batch_api") / self.task_id

    @property
    def results(self) -> Path:
        """Give where the results, a MegaDetector file, are downloaded to."""
        return self.folder / "detections.json"

    @property
    def failed(self) -> Path:
        """Give where the list of failed photos, which only API v3 has apart, is downloaded to."""
        return self.folder / "failed_images.json"

    def names(self) -> list[str]:
        """Give the submitted list; nothing if it is not there any more or not the one that was submitted."""
        try:
            data = Path(self.local_images_list_path).read_bytes()
        except OSError:
            return []
        return list(json.loads(data)) if digest(data) == self.list_hash else []


@contextmanager
def locked() -> Iterator[None]:
    """Keep other runs from submitting, for what they submit depends on the journal; wait for one that does."""
    with (work_dir("batch_api") / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read() -> dict[str, Task]:
    """Read the latest of each task but refused ones, by id, in the order of submission."""
    tasks: dict[str, Task] = {}
    for line in _path().read_bytes().splitlines() if _path().exists() else []:
        try:
            given = json.loads(line)
            task = Task(**{each.name: given[each.name] for each in fields(Task)})
        except (ValueError, KeyError, TypeError):
            continue  # empty, or half a line of a killed run
        tasks.pop(task.task_name, None)
        if task.status != REFUSED:
            tasks[task.task_id] = task
    return tasks


def note(task: Task, status: str) -> Task:
    """Write down what became of a task, to last even if the power fails the next moment; give it with that status.

    Raises:
        CamtrapsError: it cannot be written, say because the disk is full; the message has the id, which is paid for.
    """
    task = replace(task, status=status, time=datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        with _path().open("ab") as journal:
            # A line end in front as well: a killed run may have left half a line.
            journal.write(b"\n" + json.dumps(asdict(task)).encode() + b"\n")
            journal.flush()
            os.fsync(journal.fileno())
    except OSError as error:
        what, why = f"task {task.task_id} of dataset {task.dataset} is {status}", (error.strerror or str(error)).lower()
        raise CamtrapsError(f"{_path()}: cannot note that {what}: {why}; mend that and run again") from None
    return task


def submit(task: Task, request: Mapping[str, Any], client: Client) -> Task:
    """Submit a task, which is in the journal before that and after; give it with its id.

    Raises:
        Unsure: it may have been accepted; the journal says so until the user gives it up.
        CamtrapsError: as of `Client.submit` and `note`.
    """
    note(task, SENDING)
    try:
        task_id = client.submit(request)
    except Unsure as error:
        raise Unsure(f"{error}: look there for {task.task_name}, then {remedy(task)}") from None
    except (Refused, Unreachable):
        note(task, REFUSED)
        raise
    return note(replace(task, task_id=task_id), "submitted")


def remedy(task: Task) -> str:
    """Say what to do about a task that may have results though nothing is heard of it."""
    return (
        "import its results by hand (`camtraps import detections RESPONSE.json --format response`) "
        f"or give it up (`camtraps batch-api forget {task.task_id}`)"
    )


def answers(task: Task, names: Iterable[str]) -> Iterator[tuple[str, Answer]]:
    """Read what a task found; nothing if its results are not here.

    Args:
        task: whose results to read.
        names: those of its list that are asked for. Nothing is given for one whose entry in the results is odd.

    Raises:
        InputError: the results are no MegaDetector file, or no entry is usable; which is said before the first box.
    """
    if not task.results.exists():
        return
    # The reader tidies paths. Those of a dataset stay apart: tidy names of the catalog behind the same root.
    asked = {megadetector.tidy(name): name for name in names}
    for file, answer in _results(task):
        if (name := asked.get(megadetector.tidy(file))) is not None:
            yield name, answer


def _results(task: Task) -> Iterator[tuple[str, Answer]]:
    if task.failed.exists():
        names = read_json(task.failed)  # or pairs of name and metadata
        if not isinstance(names, list):
            raise InputError(f"{task.failed}: expected a list of photos, got {str(names)[:50]}")
        for each in names:
            yield str(each[0] if isinstance(each, list) and each else each), Answer([], failure=UNPROCESSED)
    categories = _categories(task.results)
    for result in megadetector.read(task.results):
        if isinstance(result, megadetector.Result):
            boxes = [
                Box(x, y, w, h, confidence, categories[number])
                for number, confidence, x, y, w, h in result.boxes or ()
                if number in categories
            ]
            yield result.file, Answer(boxes, failure=result.failure)


def _categories(path: Path) -> dict[str, str]:
    """Give the names of the detection categories, which may stand behind the photos; check the file as a whole."""
    categories, faults, usable = {}, [], False
    for item in megadetector.read(path):
        usable |= isinstance(item, megadetector.Result)
        if isinstance(item, Fault):
            faults.append(item.text)
        elif isinstance(item, megadetector.Header):
            categories = item.categories
    for text in faults:
        if not usable or not text.startswith("images["):  # the others are the fault of one entry
            raise InputError(f"{path}: {text}")
    return categories


def _path() -> Path:
    return work_dir("batch_api") / "tasks.jsonl"
