"""What the Batch Detection API is paid for is not asked for again, however a run ends and whatever the results hold."""

import json
import threading
from pathlib import Path

import batch_server
import pytest
from batch_runs import BOX, PARAMS, Killed, photos, run, set_up
from batch_server import DROP

from camtraps.detectors import batch_api, batch_client, batch_tasks
from camtraps.detectors.batch_client import Refused, Unreachable, Unsure
from camtraps.errors import CamtrapsError


@pytest.fixture
def server(monkeypatch):
    with batch_server.serving() as running:
        set_up(running, monkeypatch)
        yield running


def test_two_runs_at_the_same_time_submit_a_photo_once(server, monkeypatch):
    table, submit = photos(server, "a.jpg", "b.jpg"), server.submit

    def detect():
        batch_api.detect(table, PARAMS, lambda rows: None)

    other = threading.Thread(target=detect)

    def slowly(body):
        answer = submit(body)
        if len(server.submitted) == 1:
            other.start()
            other.join(0.5)  # it has time to submit, if it does not wait for this answer
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(batch_api, "_wait", lambda *_: None)
        patched.setattr(server, "submit", slowly)
        detect()
        other.join()
    assert run(table) == {"alpha/a.jpg": [BOX], "alpha/b.jpg": [BOX]}
    assert len(server.submitted) == 1


def test_a_run_that_is_killed_while_it_submits_leaves_what_it_sent_to_the_user(server, monkeypatch):
    table, submit = photos(server, "a.jpg"), batch_client.Client.submit

    def die(client, request):
        submit(client, request)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(batch_client.Client, "submit", die)
        with pytest.raises(Killed):
            run(table)
    (sent,) = batch_tasks.read().values()
    for _ in range(2):
        with pytest.raises(Unsure) as caught:
            run(table)
        assert str(caught.value) == (
            f"{server.url}: {sent.task_id} was being submitted when the run of {sent.time} ended; it may have been "
            "accepted: look there, then import its results by hand "
            "(`camtraps import detections RESPONSE.json --format response`) "
            f"or give it up (`camtraps batch-api forget {sent.task_id}`)"
        )
    assert len(server.submitted) == 1
    assert run(photos(server, "b.jpg")) == {"alpha/b.jpg": [BOX]}
    batch_tasks.note(sent, batch_tasks.FORGOTTEN)
    assert run(table) == {"alpha/a.jpg": [BOX]}


def test_a_request_whose_answer_is_lost_is_not_sent_again_until_it_is_forgotten(server):
    table = photos(server, "a.jpg")
    server.trouble["submit"] = [DROP]
    with pytest.raises(Unsure, match=r"may have been accepted all the same: look there for detect_for_classifier_alp"):
        run(table)
    with pytest.raises(Unsure, match=r"`camtraps batch-api forget detect_for_classifier_alpha_\w+_task00`"):
        run(table)
    assert len(server.submitted) == 1


@pytest.mark.parametrize(("trouble", "error"), [([400], Refused), ([503] * 3, Unreachable)])
def test_a_request_that_is_not_accepted_is_sent_again_by_the_next_run(server, trouble, error):
    server.trouble["submit"] = trouble
    with pytest.raises(error):
        run(photos(server, "a.jpg"))
    assert not batch_tasks.read()
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}


def test_an_id_that_cannot_be_noted_is_told(server, monkeypatch):
    table, submit = photos(server, "a.jpg"), server.submit

    def fill(body):
        patched.setattr(batch_tasks, "_path", lambda: Path("/dev/full"))
        return submit(body)

    with monkeypatch.context() as patched:
        patched.setattr(server, "submit", fill)
        with pytest.raises(CamtrapsError) as caught:
            run(table)
    assert str(caught.value) == (
        f"/dev/full: cannot note that task {server.submitted[0]['task']} of dataset alpha is submitted: "
        "no space left on device; mend that and run again"
    )
    with pytest.raises(Unsure, match="it may have been accepted"):
        run(table)


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_names_that_the_reader_of_results_tidies_are_found_in_them(version, monkeypatch):
    with batch_server.serving(version) as server:
        set_up(server, monkeypatch)
        table = photos(server, "a//b.jpg", "c\\d.jpg", "e//f.jpg")
        server.unreadable = {"alpha/e//f.jpg"}
        answers = run(table)
        assert answers.pop("alpha/e//f.jpg") in ("the batch API could not process it", "Failure image access")
        assert answers == {"alpha/a//b.jpg": [BOX], "alpha/c\\d.jpg": [BOX]} == run(table[:2])
    (request,) = server.submitted
    assert request["names"] == ["alpha/a//b.jpg", "alpha/c\\d.jpg", "alpha/e//f.jpg"]


def with_odd_entries(server, count):
    """Give another `BatchServer.finish` of a server, after which the first entries of results are odd."""
    finish = server.finish

    def odd(task):
        urls = finish(task)
        for path in [path for path in server.files if path.endswith("_detections.json")]:
            document = json.loads(server.files[path])
            for image in document["images"][:count]:
                image["detections"] = {"odd": 1}
            server.files[path] = json.dumps(document).encode()
        return urls

    return odd


def test_an_odd_entry_of_results_fails_alone(server, monkeypatch):
    monkeypatch.setattr(server, "finish", with_odd_entries(server, 1))
    table = photos(server, "a.jpg", "b.jpg", "c.jpg")
    assert run(table) == {"alpha/a.jpg": batch_api.ABSENT, "alpha/b.jpg": [BOX], "alpha/c.jpg": [BOX]}
    asked = dict(server.asked)
    assert run(table[1:]) == {"alpha/b.jpg": [BOX], "alpha/c.jpg": [BOX]}
    assert server.asked == asked


def test_results_without_a_usable_entry_are_not_used(server, monkeypatch):
    monkeypatch.setattr(server, "finish", with_odd_entries(server, 2))
    (reason,) = set(run(photos(server, "a.jpg", "b.jpg")).values())
    assert reason.startswith("results of the batch API not usable: ")
    assert "images[0].detections: expected a list" in reason
    (task,) = batch_tasks.read().values()
    assert task.status == "submitted"
