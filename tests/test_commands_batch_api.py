"""``camtraps batch-api`` as a user meets it."""

import argparse
import json

import batch_server
import pytest
from batch_server import CALLER

from camtraps.commands import batch_api, sources
from camtraps.detectors import batch_client, batch_tasks
from camtraps.detectors.batch_client import Refused
from camtraps.errors import InputError


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(batch_client, "PAUSES", ())
    with batch_server.serving() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def task(server):
    """Give the id of a task that runs and is in the journal."""
    server.files["/lists/a.json"] = b'["a.jpg"]'
    address = f"{server.host}/lists/a.json?{batch_server.KEY}"
    server.states = [("running", "1 out of 2 shards"), ("completed", None)]
    given = {"use_url": True, "images_requested_json_sas": address}
    task = batch_client.Client(server.url, CALLER).submit(given)
    batch_tasks.note(batch_tasks.Task("alpha", "name", task, "a.json", "", 1200, server.url, "4.1", ""), "submitted")
    return task


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    batch_api.add(parser.add_subparsers())
    options = parser.parse_args(["batch-api", *arguments])
    return options.run(options)


def state(task: str) -> str:
    return batch_tasks.read()[task].status


def test_without_a_task_nothing_is_asked(monkeypatch, capsys):
    monkeypatch.delenv("BATCH_DETECTION_API_URL", raising=False)
    assert run("status") == 0
    assert capsys.readouterr().out == "0 tasks, 0 not over\n"


def test_tasks_are_listed_with_what_the_api_says_of_them(server, task, capsys):
    other = batch_tasks.Task("beta", "name", "0f3c", "b.json", "", 1, "http://elsewhere/v3", "3", "")
    time = batch_tasks.note(other, "submitted").time
    batch_tasks.note(batch_tasks.Task("beta", "name", "1f3c", "c.json", "", 1, server.url, "3", ""), "canceled")
    assert run("status") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{task}  alpha, 1,200 photos, model 4.1: running: 1 out of 2 shards",
        f"0f3c  beta, 1 photo, model 3: submitted ({time}; of http://elsewhere/v3)",
        "1f3c  beta, 1 photo, model 3: canceled",
        "3 tasks, 2 not over",
    ]


def test_a_request_without_an_answer_is_listed_with_what_to_do_and_can_be_forgotten(server, capsys):
    sent = batch_tasks.Task("beta", "detect_b", "detect_b", "b.json", "", 1, server.url, "3", "")
    time = batch_tasks.note(sent, batch_tasks.SENDING).time
    assert run("status") == 0
    line, count = capsys.readouterr().out.splitlines()
    begin = f"detect_b  beta, 1 photo, model 3: being submitted ({time}), maybe accepted: look there, then "
    assert line.startswith(begin)
    assert line.endswith("(`camtraps batch-api forget detect_b`)")
    assert count == "1 task, 1 not over"
    assert not server.asked["task"]
    assert run("forget", "detect_b") == 0
    assert state("detect_b") == "forgotten"


def test_an_api_that_does_not_answer_leaves_what_is_known(server, task, capsys):
    server.trouble["task"] = [503]
    assert run("status") == 0
    assert "model 4.1: submitted (" in capsys.readouterr().out


def test_models_are_listed_with_the_default(server, capsys):
    assert run("models") == 0
    assert capsys.readouterr().out.splitlines() == ["3", "4.1 (default)"]


def test_a_task_is_canceled_and_that_is_journalled(task, capsys):
    assert run("cancel", task) == 0
    assert capsys.readouterr().out == "Canceling signal has been sent.\n"
    assert state(task) == "canceled"


def test_a_refused_cancel_changes_nothing(server, task):
    server.tasks[task] = [("completed", None)]
    with pytest.raises(Refused, match="HTTP 400: Task has completed and cannot be canceled"):
        run("cancel", task)
    assert state(task) == "submitted"


def test_a_task_is_forgotten(task, capsys):
    assert run("forget", task) == 0
    assert capsys.readouterr().out == f"{task}: the next run submits its photos again\n"
    assert state(task) == "forgotten"


def test_an_unknown_task_is_not_forgotten():
    with pytest.raises(InputError, match="no task 0f3c in the journal"):
        run("forget", "0f3c")


def test_the_answer_of_a_task_is_saved_as_the_import_wants_it(task, tmp_path, capsys):
    out = tmp_path / "response.json"
    run("fetch", task, "--out", str(out))
    assert run("fetch", task, "--out", str(out)) == 0
    assert [line.split(";")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"{out}: running",
        f"{out}: completed",
    ]
    results = json.loads(sources.results(out, "response").path.read_text())
    assert [image["file"] for image in results["images"]] == ["a.jpg"]


@pytest.mark.parametrize("action", [["cancel"], ["fetch", "--out", "x.json"]])
def test_an_id_that_is_none_is_refused(server, action):
    with pytest.raises(InputError, match=r"TASK: '\.\./x' is no id of a task"):
        run(*action, "../x")
    assert not server.asked


def test_without_the_address_of_the_api_its_variable_is_named(monkeypatch):
    monkeypatch.delenv("BATCH_DETECTION_API_URL", raising=False)
    with pytest.raises(InputError, match="the environment lacks BATCH_DETECTION_API_URL, which the batch API needs"):
        run("models")
