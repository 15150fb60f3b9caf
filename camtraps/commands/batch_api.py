"""``camtraps batch-api``: look at the tasks that the detect stage has submitted, cancel one, save its answer."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import check_plain, say
from camtraps.errors import InputError
from camtraps.words import num

if TYPE_CHECKING:
    from camtraps.detectors.batch_client import Client
    from camtraps.detectors.batch_tasks import Task

EXAMPLES = """examples:
  camtraps batch-api status
  camtraps batch-api cancel 0f3c5a7d1e9b4c2f8a6d3e5b7c9f1a2b
  camtraps batch-api fetch 0f3c5a7d1e9b4c2f8a6d3e5b7c9f1a2b --out response.json

BATCH_DETECTION_API_URL says where the API is, DETECTION_API_CALLER who is calling.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``batch-api status``, ``models``, ``cancel``, ``forget`` and ``fetch``."""
    form = argparse.RawDescriptionHelpFormatter
    group = commands.add_parser(
        "batch-api",
        help="look at the tasks of the Batch Detection API, cancel them",
        epilog=EXAMPLES,
        formatter_class=form,
    )
    actions = group.add_subparsers(required=True, metavar="ACTION")
    status = actions.add_parser("status", help="list the tasks in the journal, and how the API says they are")
    status.set_defaults(run=_status)
    models = actions.add_parser("models", help="list the model versions that detect.model may name")
    models.set_defaults(run=_models)
    cancel = actions.add_parser("cancel", help="cancel a task (version 4 of the API); the next run submits it again")
    cancel.set_defaults(run=_cancel)
    forget = actions.add_parser("forget", help="do not wait for a task any more: the next run submits its photos again")
    forget.set_defaults(run=_forget)
    fetch = actions.add_parser("fetch", help="save the API's answer about a task, for `camtraps import detections`")
    fetch.add_argument("--out", type=Path, required=True, metavar="RESPONSE.json")
    fetch.set_defaults(run=_fetch)
    for action in (cancel, forget, fetch):
        action.add_argument("task", metavar="TASK", help="its id, as `status` lists it")


def _status(_: argparse.Namespace) -> int:
    from camtraps.detectors import batch_places, batch_tasks

    tasks = list(batch_tasks.read().values())
    closed = (*batch_tasks.OVER, batch_tasks.HANDED_ON, batch_tasks.COMPLETED)
    client = batch_places.client() if any(task.status not in closed for task in tasks) else None
    for task in tasks:
        state = _asked(client, task) if client and task.status not in closed else task.status
        say(f"{task.task_id}  {task.dataset}, {num(task.num_photos, 'photo')}, model {task.model_version}: {state}")
    say(f"{num(len(tasks), 'task')}, {sum(task.status not in closed for task in tasks):,} not over")
    return 0


def _asked(client: "Client", task: "Task") -> str:
    """Say how a task is; if the API cannot be asked, how it was and why that is all."""
    from camtraps.detectors import batch_client, batch_tasks

    if task.status == batch_tasks.SENDING:
        return f"{task.status} ({task.time}), maybe accepted: look there, then {batch_tasks.remedy(task)}"
    if task.api != batch_client.shown(client.url):
        return f"{task.status} ({task.time}; of {task.api})"
    try:
        status = batch_client.read_status(client.task(task.task_id))
    except (batch_client.Unreachable, batch_client.Refused) as error:
        return f"{task.status} ({task.time}; {error})"
    return f"{status.state}: {status.message}" if status.message else status.state


def _models(_: argparse.Namespace) -> int:
    from camtraps.detectors import batch_places

    client = batch_places.client()
    default = client.default_model()
    say(*(f"{model} (default)" if model == default else model for model in client.models()))
    return 0


def _cancel(options: argparse.Namespace) -> int:
    from camtraps.detectors import batch_client, batch_places, batch_tasks

    task = batch_client.check_id(options.task, "TASK")
    say(batch_places.client(batch_places.CALLER).cancel(task))
    if known := batch_tasks.read().get(task):
        batch_tasks.note(known, "canceled")
    return 0


def _forget(options: argparse.Namespace) -> int:
    from camtraps.detectors import batch_tasks

    task = batch_tasks.read().get(options.task)
    if task is None:
        raise InputError(f"no task {options.task} in the journal; `camtraps batch-api status` lists them")
    batch_tasks.note(task, batch_tasks.FORGOTTEN)
    say(f"{task.task_id}: the next run submits its photos again")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from camtraps.detectors import batch_client, batch_places
    from camtraps.files import write_json

    check_plain(options.out)
    answer = batch_places.client().task(batch_client.check_id(options.task, "TASK"))
    write_json(options.out, answer)
    say(f"{options.out}: {batch_client.read_status(answer).state}; it holds keys to the results: keep it to yourself")
    return 0
