"""The batch API's tasks in the work folder: their journal, ``batch_api/tasks.jsonl``, and the results of each.

In the journal stands one JSON object a line; of the lines about a task the last one counts. It has the fields of the
ancestor's resume file and those that say whether a task can serve a later run. No key is ever in it.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from camtraps.detectors.answers import Answer, Box
from camtraps.errors import InputError
from camtraps.files import digest, read_json, work_dir
from camtraps.formats import megadetector
from camtraps.formats.rows import Fault

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


def read() -> dict[str, Task]:
    """Read the latest of each task, by id, in the order of submission."""
    tasks: dict[str, Task] = {}
    for line in _path().read_bytes().splitlines() if _path().exists() else []:
        try:
            given = json.loads(line)
            task = Task(**{each.name: given[each.name] for each in fields(Task)})
        except (ValueError, KeyError, TypeError):
            continue  # empty, or half a line of a killed run
        tasks[task.task_id] = task
    return tasks


def note(task: Task, status: str) -> Task:
    """Write down what became of a task, to last even if the power fails the next moment; give it with that status."""
    task = replace(task, status=status, time=datetime.now(UTC).isoformat(timespec="seconds"))
    with _path().open("ab") as journal:
        # A line end in front as well: a killed run may have left half a line.
        journal.write(b"\n" + json.dumps(asdict(task)).encode() + b"\n")
        journal.flush()
        os.fsync(journal.fileno())
    return task


def answers(task: Task) -> Iterator[tuple[str, Answer]]:
    """Read what a task found, by the names in its list; nothing if its results are not here.

    Raises:
        InputError: the results are no MegaDetector file, which is said before the first box.
    """
    if not task.results.exists():
        return
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
    categories = {}
    for item in megadetector.read(path):
        if isinstance(item, Fault):
            raise InputError(f"{path}: {item.text}")
        if isinstance(item, megadetector.Header):
            categories = item.categories
    return categories


def _path() -> Path:
    return work_dir("batch_api") / "tasks.jsonl"
