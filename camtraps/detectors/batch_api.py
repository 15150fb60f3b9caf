"""The Batch Detection API as a detector: photos submitted once, tasks waited for, results taken over.

A task is paid work: it is in the journal before it is submitted, its id before the next request is sent, and photos
that a task of an earlier run, or of one at the same time, looks after are not submitted again.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from tqdm import tqdm

from camtraps.detections import DetectParams
from camtraps.detectors import batch_client, batch_places, batch_tasks
from camtraps.detectors.answers import Answer
from camtraps.detectors.batch_client import Client, Refused, Status, Unreachable, Unsure
from camtraps.detectors.batch_places import Reach, Shelf
from camtraps.detectors.batch_tasks import HANDED_ON, OVER, SENDING, Task, note
from camtraps.errors import InputError
from camtraps.files import digest, remove, work_dir, write_json, write_text
from camtraps.progress import bar
from camtraps.words import num

MAX_PHOTOS = 1_000_000  # in a task; the API takes 2 (v3) or 4 million (v4)
MAX_NAME = 92  # characters of a request's name
KEEP = 20_000  # rows that are handed on together
INTERVAL = 120.0  # seconds between two rounds of looks at the tasks
PROBLEM_ROUNDS = 15  # with a problem until a task is given up: a restarted server takes 10 to 15 minutes to resume it
SILENT_ROUNDS = 30  # without any answer until the run is given up

ABSENT = "not in the results of the batch API, or not readable there"

Keep = Callable[[list[dict[str, Any]]], None]
Photo = tuple[str, str, str]  # image, dataset, file


@dataclass(frozen=True)
class _Service:
    client: Client
    shelf: Shelf
    model: str
    keep: Keep


@dataclass
class _Pending:
    """A task and the photos that wait for it, by their names in its list."""

    task: Task
    waiting: dict[str, Photo]
    num_photos: int
    done: float = 0.0
    problems: int = 0
    said: set[str] = field(default_factory=set)


def version(params: DetectParams) -> str:
    """Give the detector's version as the API names it in results, ``megadetector_v4.1``.

    The model is ``detect.model``, or else the one that the API uses now, which it is asked for.

    Raises:
        InputError: no such version can be, or the environment does not say where the API is.
        Unreachable: it does not answer.
    """
    return f"megadetector_v{_model(params)}"


def detect(photos: pd.DataFrame, params: DetectParams, keep: Keep, interval: float = INTERVAL) -> None:
    """Have photos looked at by the API, or go on with what an earlier run has asked it for.

    A photo that fails at the API is submitted again by the next run, even if it failed before: nothing tells whether
    it is broken or was out of reach, nor whether it has been mended since.

    Args:
        photos: image, dataset, file and source of each.
        params: ``model`` is the model version to ask for.
        keep: called with rows of the recorded detections table as soon as there are some; each photo gets one row.
        interval: seconds between two rounds of looks at the tasks.

    Raises:
        InputError: the environment is not complete, the API refuses us, or it cannot reach the photos.
        Unreachable: nothing was heard of it for long; the next run goes on with the tasks.
        Unsure: nobody knows whether it has accepted photos of these; they are not submitted until the user says so.
    """
    names = batch_places.CALLER, batch_places.ACCOUNT, batch_places.CONTAINER, batch_places.LISTS_KEY
    client = batch_places.client(*names)
    first = photos.drop_duplicates("dataset").sort_values("dataset")
    # Of all datasets before any is submitted: nothing is paid while something is missing.
    reaches = batch_places.reaches(dict(zip(first["dataset"], first["source"], strict=True)))
    service = _Service(client, batch_places.shelf(), _model(params), keep)
    pending: list[_Pending] = []
    with batch_tasks.locked():
        for dataset, reach in reaches.items():
            waiting = _named(photos[photos["dataset"] == dataset], reach, service)
            pending += _resumed(dataset, reach, waiting, service)
            pending += _submitted(dataset, reach, waiting, service)
    _wait(pending, service, interval)


def _model(params: DetectParams) -> str:
    model = params.model or batch_places.client().default_model()
    if not re.fullmatch(r"\w[\w.-]*", model, re.ASCII):
        raise InputError(f"detect.model: expected a model version of the batch API such as '4.1', got {model!r}")
    return model


def _named(rows: pd.DataFrame, reach: Reach, service: _Service) -> dict[str, Photo]:
    """Name the photos as the API does; those that it does not take fail here."""
    extensions = batch_client.EXTENSIONS[service.client.version]
    taken, refused = {}, []
    for image, dataset, file, uri in zip(rows["image"], rows["dataset"], rows["file"], rows["source"], strict=True):
        if file.lower().endswith(extensions):
            taken[reach.name(uri)] = (image, dataset, file)
        else:
            refused.append((image, dataset, file))
    _fail(refused, f"the batch API {service.client.version} takes only {', '.join(extensions)}", service.keep)
    return taken


def _resumed(dataset: str, reach: Reach, waiting: dict[str, Photo], service: _Service) -> Iterator[_Pending]:
    """Take out of ``waiting`` what tasks of earlier runs look after, and give those tasks."""
    ours = (dataset, batch_client.shown(service.client.url), service.model, reach.container)
    for task in batch_tasks.read().values():
        if (task.dataset, task.api, task.model_version, task.images) != ours or task.status in OVER:
            continue
        names = [name for name in task.names() if name in waiting]
        if names and task.status == SENDING:
            was = f"{task.task_name} was being submitted when the run of {task.time} ended"
            raise Unsure(f"{task.api}: {was}; it may have been accepted: look there, then {batch_tasks.remedy(task)}")
        if names and task.status == HANDED_ON:
            # What failed there is asked for again, in a new task.
            _take_over(task, waiting, service.keep)
        elif names:
            yield _Pending(task, {name: waiting.pop(name) for name in names}, len(names))


def _submitted(dataset: str, reach: Reach, waiting: dict[str, Photo], service: _Service) -> Iterator[_Pending]:
    """Submit what is left in ``waiting``."""
    clean, now = re.sub("[^A-Za-z0-9_-]", "_", dataset), datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
    api, given = batch_client.shown(service.client.url), sorted(waiting)
    for at, start in enumerate(range(0, len(given), MAX_PHOTOS)):
        names = given[start : start + MAX_PHOTOS]
        text = json.dumps(names)
        path = work_dir("batch_api") / "lists" / f"task_list_{clean[:100]}_{digest(text)[:16]}.json"
        write_text(path, text)
        tail = f"_{now}_task{at:02}"
        name = f"detect_for_classifier_{clean}"[: MAX_NAME - len(tail)] + tail
        address = service.shelf.put(path.name, text.encode())
        request = {"request_name": name, "images_requested_json_sas": address, "model_version": service.model}
        task = Task(dataset, name, name, str(path), digest(text), len(names), api, service.model, reach.container)
        task = batch_tasks.submit(task, request | reach.request(), service.client)
        yield _Pending(task, {name: waiting[name] for name in names}, len(names))


def _wait(pending: list[_Pending], service: _Service, interval: float) -> None:
    """Look at the tasks, round by round, until all are over."""
    total, over, silent = sum(each.num_photos for each in pending), 0, 0
    with bar(f"batch API ({num(len(pending), 'task')})", total, "photos") as progress:
        while pending:
            looks = [(each, _look(each, service)) for each in pending]
            silent = silent + 1 if all(end is None for _, end in looks) else 0
            if silent == SILENT_ROUNDS:
                raise Unreachable(
                    f"{batch_client.shown(service.client.url)}: nothing heard in {silent} rounds; "
                    f"{num(len(pending), 'task')} in the journal: run again to go on with them"
                )
            over += sum(each.num_photos for each, end in looks if end)
            pending = [each for each, end in looks if not end]
            done = over + sum(int(each.done * each.num_photos) for each in pending)
            progress.update(max(0, done - progress.n))
            if pending:
                time.sleep(interval)


def _look(each: _Pending, service: _Service) -> bool | None:
    """Ask how a task is and act on it; say whether it is over, None if nothing was heard."""
    if each.task.status == batch_tasks.COMPLETED and each.task.results.exists():
        return _finish(each, service.keep)
    try:
        answer = service.client.task(each.task.task_id)
    except Unreachable as error:
        _say(each, f"{error}; it is asked again")
        return None
    except Refused as error:
        if error.status != batch_client.NOT_FOUND:
            raise
        answer, status = None, Status("problem", str(error))  # it has been accepted: not to be paid again unasked
    else:
        status = batch_client.read_status(answer)
    each.done = status.done
    if status.state == "completed":
        return _collect(each, status, answer, service.keep)
    return _act(each, status, service.keep)


def _act(each: _Pending, status: Status, keep: Keep) -> bool:
    """Act on any state but completed; say whether the task is over."""
    task, reason = each.task, f"the batch API says {status.state}: {status.message}"
    each.problems = each.problems + 1 if status.state == "problem" else 0
    if status.state in ("created", "running"):
        if task.status != status.state:
            each.task = note(task, status.state)
        return False
    if status.state in ("failed", "canceled"):
        note(task, status.state)
    elif status.state == "problem":
        # The first look makes a server that was restarted watch the task again: a later run needs one look only.
        if each.problems < PROBLEM_ROUNDS and task.status != "problem":
            return False
        note(task, "problem")
        _say(
            each,
            f"task {task.task_id} of dataset {task.dataset}: problem: {status.message}; results may exist, so it is "
            f"not submitted again: {batch_tasks.remedy(task)}",
        )
    else:
        _say(each, f"task {task.task_id}: unknown state {status.state!r}: {status.message}; waiting on")
        return False
    _fail(each.waiting.values(), reason, keep)
    return True


def _collect(each: _Pending, status: Status, answer: Any, keep: Keep) -> bool:
    """Download the results of a completed task and take them over."""
    task = each.task
    if not status.urls:
        note(task, HANDED_ON)
        _fail(each.waiting.values(), f"the batch API says completed: {status.message}", keep)
        return True
    if status.failed_shards:
        _say(each, f"task {task.task_id}: {num(status.failed_shards, 'shard')} failed at the API")
    task.folder.mkdir(mode=0o700, exist_ok=True)  # the answer has keys in it
    write_json(task.folder / "response.json", answer)
    try:
        if "failed_images" in status.urls:
            batch_client.download(status.urls["failed_images"], task.failed)
        batch_client.download(status.urls["detections"], task.results)
    except (Refused, Unreachable) as error:
        # In the journal it stays as it was: the next run asks for the results again.
        _fail(each.waiting.values(), f"results of the batch API not downloaded: {error}", keep)
        return True
    each.task = note(task, batch_tasks.COMPLETED)
    return _finish(each, keep)


def _finish(each: _Pending, keep: Keep) -> bool:
    """Take over downloaded results; photos that are not in them fail."""
    try:
        failed = _take_over(each.task, each.waiting, keep)
    except InputError as error:
        remove(each.task.results)
        note(each.task, "submitted")  # the next run downloads them again
        _fail(each.waiting.values(), f"results of the batch API not usable: {error}", keep)
        return True
    keep([Answer([], failure=failed.get(name, ABSENT)).row(*photo) for name, photo in each.waiting.items()])
    note(each.task, HANDED_ON)
    return True


def _take_over(task: Task, waiting: dict[str, Photo], keep: Keep) -> dict[str, str]:
    """Hand on the boxes of downloaded results, and take their photos out of ``waiting``; give failures by name."""
    failed, rows = {}, []
    for name, answer in batch_tasks.answers(task, waiting):
        if answer.failure:
            failed[name] = answer.failure
        elif name in waiting:
            rows.append(answer.row(*waiting.pop(name)))
        if len(rows) == KEEP:
            keep(rows)
            rows = []
    keep(rows)
    return failed


def _fail(photos: Iterable[Photo], reason: str, keep: Keep) -> None:
    rows = [Answer([], failure=reason).row(*photo) for photo in photos]
    if rows:
        keep(rows)


def _say(each: _Pending, text: str) -> None:
    """Warn, once of each thing."""
    if text not in each.said:
        each.said.add(text)
        tqdm.write(f"warning: {text}", file=sys.stderr)
