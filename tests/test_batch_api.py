"""The Batch Detection API as a detector: every photo gets its answer, and no work is paid twice."""

from pathlib import Path

import batch_server
import pandas as pd
import pytest
from batch_runs import BOX, PARAMS, Killed, photos, run, set_up
from batch_server import CALLER, DROP, KEY
from make_tables import detect_params

from camtraps.detectors import batch_api, batch_places, batch_tasks
from camtraps.detectors.batch_client import Refused, Unreachable
from camtraps.errors import InputError


@pytest.fixture
def server(monkeypatch):
    with batch_server.serving() as running:
        set_up(running, monkeypatch)
        yield running


@pytest.fixture
def old_server(monkeypatch):
    with batch_server.serving("v3") as running:
        set_up(running, monkeypatch)
        yield running


def statuses():
    return [task.status for task in batch_tasks.read().values()]


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_every_photo_gets_the_boxes_of_the_api(version, monkeypatch):
    with batch_server.serving(version) as server:
        set_up(server, monkeypatch)
        assert run(photos(server, "c1/a.jpg", "c 2/b.JPG")) == {"alpha/c1/a.jpg": [BOX], "alpha/c 2/b.JPG": [BOX]}
    (request,) = server.submitted
    assert request["names"] == ["alpha/c 2/b.JPG", "alpha/c1/a.jpg"]
    assert request["input_container_sas"] == f"{server.host}/photos?{KEY}"
    assert request["model_version"] == "4.1"
    assert request["request_name"].startswith("detect_for_classifier_alpha_2")
    assert request["request_name"].endswith("_task00")


def test_photos_without_a_key_are_named_by_their_addresses(server):
    assert run(photos(server, "a b.jpg", dataset="open")) == {"open/a b.jpg": [BOX]}
    (request,) = server.submitted
    assert request["names"] == [f"{server.host}/photos/open/a%20b.jpg"]
    assert (request["use_url"], "input_container_sas" in request) == (True, False)


def test_photos_of_a_private_container_are_named_by_their_paths(server, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "storage.yaml").write_text(f"az://photos:\n  endpoint: {server.host}\n  sas: KEY_OF_BETA\n")
    monkeypatch.setenv("KEY_OF_BETA", f"?{KEY}")
    row = {"image": "beta/a#1.jpg", "dataset": "beta", "file": "a#1.jpg", "source": "az://photos/x/a#1.jpg"}
    assert run(pd.DataFrame([row])) == {"beta/a#1.jpg": [BOX]}
    assert server.submitted[0]["names"] == ["x/a#1.jpg"]
    assert server.submitted[0]["input_container_sas"] == f"{server.host}/photos?{KEY}"


def test_a_kind_of_file_that_the_api_does_not_take_fails_with_the_reason(old_server):
    answers = run(photos(old_server, "a.jpg", "b.png", "c.tif"))
    assert answers["alpha/b.png"] == answers["alpha/c.tif"] == "the batch API v3 takes only .jpg, .jpeg"
    assert old_server.submitted[0]["names"] == ["alpha/a.jpg"]


def test_photos_that_fail_or_are_lost_with_their_shard_fail_here_with_the_reason(server, capsys):
    server.unreadable, server.lost, server.num_failed_shards = {"alpha/b.jpg"}, {"alpha/c.jpg"}, 1
    assert run(photos(server, "a.jpg", "b.jpg", "c.jpg")) == {
        "alpha/a.jpg": [BOX],
        "alpha/b.jpg": "Failure image access",
        "alpha/c.jpg": batch_api.ABSENT,
    }
    assert "1 shard failed at the API" in capsys.readouterr().err


def test_version_3_lists_failed_photos_apart(old_server):
    old_server.unreadable = {"alpha/b.jpg"}
    assert run(photos(old_server, "a.jpg", "b.jpg"))["alpha/b.jpg"] == "the batch API could not process it"


def test_a_task_is_journalled_before_the_next_request(server, monkeypatch):  # D1
    monkeypatch.setattr(batch_api, "MAX_PHOTOS", 2)
    table = photos(server, "a.jpg", "b.jpg", "c.jpg")
    server.trouble["submit"] = [None, 400]
    with pytest.raises(Refused):
        run(table)
    (first,) = batch_tasks.read().values()
    assert (first.task_id, first.status, first.num_photos) == (server.submitted[0]["task"], "submitted", 2)
    assert run(table) == {f"alpha/{name}.jpg": [BOX] for name in "abc"}
    assert [request["names"] for request in server.submitted] == [["alpha/a.jpg", "alpha/b.jpg"], ["alpha/c.jpg"]]


def test_a_run_that_is_killed_while_it_waits_goes_on_with_its_tasks(server, monkeypatch, work):  # D1
    table = photos(server, "a.jpg", "b.jpg")

    def die(seconds):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(batch_api.time, "sleep", die)
        with pytest.raises(Killed):
            run(table)
    journal = work / "batch_api/tasks.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"dataset": "al')
    assert run(table, photos(server, "d.jpg")) == {f"alpha/{name}.jpg": [BOX] for name in "abd"}
    assert [request["names"] for request in server.submitted] == [["alpha/a.jpg", "alpha/b.jpg"], ["alpha/d.jpg"]]
    assert statuses() == ["handed on", "handed on"]


def test_results_that_are_here_are_not_asked_for_again(server):
    table = photos(server, "a.jpg", "b.jpg")

    def die(rows):
        raise Killed

    with pytest.raises(Killed):
        batch_api.detect(table, PARAMS, die, interval=0)
    asked = dict(server.asked)
    assert run(table[1:]) == {"alpha/b.jpg": [BOX]}
    assert run(table) == {"alpha/a.jpg": [BOX], "alpha/b.jpg": [BOX]}
    assert server.asked == asked


def test_what_failed_in_a_task_that_is_over_is_asked_for_again(server):
    table = photos(server, "a.jpg", "b.jpg")
    server.unreadable = {"alpha/b.jpg"}
    assert run(table)["alpha/b.jpg"] == "Failure image access"
    server.unreadable = set()
    assert run(table) == {"alpha/a.jpg": [BOX], "alpha/b.jpg": [BOX]}
    assert [request["names"] for request in server.submitted] == [["alpha/a.jpg", "alpha/b.jpg"], ["alpha/b.jpg"]]


@pytest.mark.parametrize("trouble", [[DROP], [500, 503, DROP], [429]])
def test_trouble_while_waiting_drops_no_task(server, trouble, capsys):  # D2
    server.trouble["task"] = trouble
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert "it is asked again" in capsys.readouterr().err


def test_an_api_that_stays_silent_ends_the_run_and_loses_nothing(server):  # D2
    server.trouble["task"] = [503] * 4
    with pytest.raises(Unreachable, match=r"nothing heard in 4 rounds; 1 task in the journal: run again"):
        run(photos(server, "a.jpg"))
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert len(server.submitted) == 1


def test_a_dropped_download_is_done_again(server):
    server.trouble["result"] = [DROP, 503]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}


def test_results_that_cannot_be_downloaded_are_asked_for_by_the_next_run(server):
    server.trouble["result"] = [503] * 3
    (reason,) = run(photos(server, "a.jpg")).values()
    assert reason.startswith(f"results of the batch API not downloaded: {server.host}/batch-api/api_test/job_")
    assert "sig" not in reason
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert len(server.submitted) == 1


def test_a_damaged_list_of_failed_photos_is_told(old_server, monkeypatch):
    finish = old_server.finish

    def damaged(task):
        urls = finish(task)
        old_server.files |= {path: b"5" for path in old_server.files if "failed" in path}
        return urls

    monkeypatch.setattr(old_server, "finish", damaged)
    (reason,) = run(photos(old_server, "a.jpg")).values()
    assert reason.endswith("failed_images.json: expected a list of photos, got 5")


def test_results_that_are_no_results_are_downloaded_again(server, monkeypatch):
    finish = server.finish

    def damaged(task):
        urls = finish(task)
        for path in server.files:
            server.files[path] = server.files[path].replace(b'"images"', b'"pictures"')
        return urls

    monkeypatch.setattr(server, "finish", damaged)
    (reason,) = run(photos(server, "a.jpg")).values()
    assert reason.startswith("results of the batch API not usable: ")
    assert "key 'images' is missing" in reason
    monkeypatch.setattr(server, "finish", finish)
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert len(server.submitted) == 1


@pytest.mark.parametrize("version", ["v3", "v4"])
def test_running_may_follow_a_problem(version, monkeypatch):  # D3
    with batch_server.serving(version) as server:
        set_up(server, monkeypatch)
        trouble = [("problem", "Error occurred while monitoring"), ("running", "Check number 1")]
        server.states = [("running", ""), *trouble, *trouble, ("completed", None)]
        assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}


def test_a_lasting_problem_is_told_and_not_submitted_again_until_it_is_forgotten(server, capsys):  # D3, D4
    server.states = [("problem", "Please contact us")]
    for _ in range(2):
        assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": "the batch API says problem: Please contact us"}
    assert statuses() == ["problem"]
    assert "camtraps import detections RESPONSE.json --format response" in capsys.readouterr().err
    (task,) = batch_tasks.read().values()
    batch_tasks.note(task, batch_tasks.FORGOTTEN)
    server.states = [("completed", None)]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert len(server.submitted) == 2


@pytest.mark.parametrize("state", ["failed", "canceled"])
def test_a_failed_or_canceled_task_is_told_and_submitted_again_by_the_next_run(server, state):  # D3, D4
    server.states = [("created", ""), (state, "for a reason")]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": f"the batch API says {state}: for a reason"}
    assert statuses() == [state]
    server.states = [("completed", None)]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert len(server.submitted) == 2


def test_one_failed_task_leaves_the_others_alone(server, monkeypatch):  # D3
    monkeypatch.setattr(batch_api, "MAX_PHOTOS", 1)
    submit = server.submit

    def differently(body):
        answer = submit(body)
        server.states = [("failed", "no")]
        return answer

    monkeypatch.setattr(server, "submit", differently)
    answers = run(photos(server, "a.jpg", "b.jpg"))
    assert answers == {"alpha/a.jpg": [BOX], "alpha/b.jpg": "the batch API says failed: no"}


def test_an_unknown_state_is_waited_on_with_a_warning(server, capsys):  # D3
    server.states = [("pondering", "hm"), ("pondering", "hm"), ("completed", None)]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert capsys.readouterr().err.count("unknown state 'pondering': hm; waiting on") == 1


def test_a_task_that_the_api_does_not_know_for_a_while_is_not_submitted_again(server):  # D2
    server.trouble["task"] = [404, 404]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert len(server.submitted) == 1


def test_a_task_that_runs_again_is_given_time_again(server):
    server.states = [("problem", "")]
    run(photos(server, "a.jpg"))
    (task,) = server.tasks
    server.tasks[task] = [("running", ""), ("problem", ""), ("problem", ""), ("running", ""), ("completed", None)]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}


def test_a_task_whose_list_has_changed_is_not_reused(server):  # D4
    server.states = [("problem", "")]
    run(photos(server, "a.jpg"))
    (task,) = batch_tasks.read().values()
    Path(task.local_images_list_path).write_text('["alpha/a.jpg", "alpha/other.jpg"]')
    server.states = [("completed", None)]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert len(server.submitted) == 2


def test_new_photos_are_submitted_beside_a_task_that_runs(server):  # D4
    server.states = [("problem", "")]
    run(photos(server, "a.jpg"))
    server.states = [("completed", None)]
    answers = run(photos(server, "a.jpg", "b.jpg"))
    assert answers == {"alpha/a.jpg": "the batch API says problem: ", "alpha/b.jpg": [BOX]}
    assert [request["names"] for request in server.submitted] == [["alpha/a.jpg"], ["alpha/b.jpg"]]


def test_a_task_of_another_model_is_not_reused(server):
    run(photos(server, "a.jpg"))
    assert run(photos(server, "a.jpg"), params=detect_params(model="3")) == {"alpha/a.jpg": [BOX]}
    assert [request["model_version"] for request in server.submitted] == ["4.1", "3"]


def test_zero_photos_with_a_text_are_failures_with_the_text(server):  # D11
    server.states = [("completed", "Zero images found in container or in provided list of images")]
    reason = "the batch API says completed: Zero images found in container or in provided list of images"
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": reason}


def test_a_full_queue_is_waited_for(server):
    server.trouble["submit"] = [503, 503]
    assert run(photos(server, "a.jpg")) == {"alpha/a.jpg": [BOX]}
    assert len(server.submitted) == 1


def test_a_wrong_caller_ends_the_run_at_once(server, monkeypatch):
    monkeypatch.setenv("DETECTION_API_CALLER", "nobody")
    with pytest.raises(Refused, match="HTTP 401: Parameter caller is not supplied"):
        run(photos(server, "a.jpg"))
    assert not batch_tasks.read()


def test_a_wrong_key_for_the_lists_ends_the_run_before_anything_is_submitted(server, monkeypatch):
    monkeypatch.setenv("CLASSIFICATION_BLOB_CONTAINER_WRITE_SAS", "?sig=0ld")
    with pytest.raises(Refused, match=r"/lists/task_list_alpha_[0-9a-f]{16}\.json: HTTP 403: Forbidden$"):
        run(photos(server, "a.jpg"))
    assert server.asked["submit"] == 0


def test_missing_variables_are_named_in_one_line(server, monkeypatch):
    for name in ("DETECTION_API_CALLER", "CLASSIFICATION_BLOB_CONTAINER"):
        monkeypatch.delenv(name)
    with pytest.raises(InputError) as caught:
        run(photos(server, "a.jpg"))
    names = "DETECTION_API_CALLER, CLASSIFICATION_BLOB_CONTAINER"
    assert str(caught.value) == f"the environment lacks {names}, which the batch API needs"


def test_photos_that_the_api_cannot_reach_are_told_before_anything_is_submitted(server, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_SAS_TOKEN", raising=False)
    given = [
        {"image": "b-1/a.jpg", "dataset": "b-1", "file": "a.jpg", "source": "az://photos/a.jpg"},
        {"image": "c/a.jpg", "dataset": "c", "file": "a.jpg", "source": "/data/a.jpg"},
    ]
    with pytest.raises(InputError) as caught:
        run(photos(server, "a.jpg"), pd.DataFrame(given))
    assert str(caught.value) == (
        "dataset 'b-1': the environment lacks BATCH_DETECTION_API_SAS_B_1, AZURE_STORAGE_ACCOUNT_NAME; "
        "dataset 'c': the batch API cannot read /data/a.jpg, only az:// and https://; "
        "choose another detect.detector, or put the photos there"
    )
    assert not server.asked


def test_a_public_container_needs_no_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "storage.yaml").write_text("az://photos:\n  account: lila\n  anonymous: true\n")
    reach = batch_places.reaches({"d": "az://photos/x/a 1.jpg"})["d"]
    assert reach.name("az://photos/x/a 1.jpg") == "https://lila.blob.core.windows.net/photos/x/a%201.jpg"
    assert reach.request() == {"use_url": True}


def test_an_account_can_stand_in_the_uri(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "?sig=1")
    reach = batch_places.reaches({"d": "abfs://photos@acct.dfs.core.windows.net/a.jpg"})["d"]
    assert reach.request() == {"input_container_sas": "https://acct.blob.core.windows.net/photos?sig=1"}
    assert reach.name("abfs://photos@acct.dfs.core.windows.net/x/a.jpg") == "x/a.jpg"


def test_a_long_name_of_a_dataset_is_cut_and_its_signs_replaced(server):
    dataset = "größe " * 20
    run(photos(server, "a.jpg", dataset=dataset))
    name = server.submitted[0]["request_name"]
    assert (len(name), name[:29]) == (92, "detect_for_classifier_gr__e_g")


def test_no_key_is_written_or_printed(server, capsys, work):
    server.trouble |= {"task": [DROP], "result": [DROP]}
    run(photos(server, "a.jpg"), photos(server, "a.jpg", dataset="open"))
    written = [work / "batch_api/tasks.jsonl", *(work / "batch_api/lists").iterdir()]
    texts = [path.read_text() for path in written] + list(capsys.readouterr())
    assert not [text for text in texts if "s3cr3t" in text or CALLER in text]
    folder = next(iter(batch_tasks.read().values())).folder
    assert folder.stat().st_mode & 0o077 == 0  # what the API has answered is there, with its keys


def test_the_version_is_that_of_the_model(server):
    assert batch_api.version(detect_params(model="3")) == "megadetector_v3"
    assert batch_api.version(detect_params()) == "megadetector_v4.1"
    with pytest.raises(InputError, match=r"detect\.model: expected a model version .* got '\.\./x'"):
        batch_api.version(detect_params(model="../x"))
