"""Tasks in a folder: what becomes of them, whoever looks and whatever is killed."""

import json

import pytest

from camtraps.errors import InputError
from camtraps.service import queue as queues
from camtraps.service.protocol import Refusal, Request
from camtraps.service.queue import Queue

ASKED = Request("name", "https://h/c?sig=secret", "https://h/list.json")


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path / "tasks", 3)


def test_a_task_is_there_after_a_restart(queue, tmp_path):
    task = queue.submit(ASKED)
    queue.note(task, "running", "1 out of 2 shards have completed")
    again = Queue(tmp_path / "tasks", 3)
    assert again.open() == [task]
    assert (again.state(task).status, again.request(task)) == ("running", ASKED)


def test_tasks_are_open_in_the_order_in_which_they_came(queue):
    tasks = [queue.submit(ASKED) for _ in range(3)]
    queue.note(tasks[0], "completed", "")
    assert queue.open() == tasks[1:]


def test_too_many_tasks_are_refused_until_one_is_over(queue):  # 503 of the protocol
    tasks = [queue.submit(ASKED) for _ in range(3)]
    with pytest.raises(Refusal) as error:
        queue.submit(ASKED)
    assert (error.value.status, str(error.value)) == (503, "Too many active tasks, please try again later")
    queue.cancel(tasks[0])
    queue.submit(ASKED)


def test_a_task_that_is_over_stays_so(queue):
    task = queue.submit(ASKED)
    queue.cancel(task)
    assert not queue.note(task, "running", "")
    assert queue.state(task).status == "canceled"


def test_a_task_that_is_over_cannot_be_cancelled(queue):
    task = queue.submit(ASKED)
    queue.note(task, "completed", "")
    with pytest.raises(Refusal) as error:
        queue.cancel(task)
    assert (error.value.status, str(error.value)) == (400, "Task is completed and cannot be canceled")


def test_a_task_that_nobody_knows_cannot_be_cancelled(queue):
    with pytest.raises(Refusal) as error:
        queue.cancel("0" * 32)
    assert error.value.status == 404


def test_keys_are_for_the_owner_alone_and_go_with_the_end_of_the_task(queue, tmp_path):
    task = queue.submit(ASKED)
    assert (tmp_path / "tasks").stat().st_mode & 0o77 == 0
    queue.note(task, "failed", "said")
    assert not [path for path in (tmp_path / "tasks").rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def test_two_services_do_not_share_a_folder(queue, tmp_path):
    with queue.locked(), pytest.raises(InputError) as error, Queue(tmp_path / "tasks", 3).locked():
        pass
    assert str(error.value) == f"{tmp_path}/tasks: another service works there; name another --folder"


def test_results_are_kept_for_half_a_year(queue):
    old, young = queue.submit(ASKED), queue.submit(ASKED)
    for task in (old, young):
        queue.note(task, "completed", "")
    path = queue.folder(old) / "state.json"
    state = json.loads(path.read_text())
    path.write_text(json.dumps(state | {"submitted": state["submitted"] - (queues.KEEP_DAYS + 1) * 86_400}))
    queue.submit(ASKED)
    assert queue.state(old) is None
    assert queue.state(young).status == "completed"
    assert not queue.folder(old).exists()
