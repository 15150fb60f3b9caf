"""The client of the Batch Detection API against a server of the protocol, in both versions."""

import batch_server
import pytest
from batch_server import CALLER, DROP, KEY

from camtraps.detectors import batch_client
from camtraps.detectors.batch_client import Client, Refused, Unreachable, Unsure, read_status
from camtraps.errors import InputError


@pytest.fixture(params=["v3", "v4"])
def server(request, monkeypatch):
    monkeypatch.setattr(batch_client, "PAUSES", (0.0, 0.0))
    with batch_server.serving(request.param) as running:
        running.files["/lists/a.json"] = b'["a.jpg"]'
        yield running


@pytest.fixture
def client(server):
    return Client(server.url, CALLER)


def request(server, **changes):
    address = f"{server.host}/lists/a.json?{KEY}"
    return {"input_container_sas": f"{server.host}/photos?{KEY}", "images_requested_json_sas": address} | changes


def test_a_task_is_submitted_and_its_status_told(server, client):
    task = client.submit(request(server, model_version="4.1", request_name="a-b_1"))
    assert task == server.submitted[0]["task"]
    assert read_status(client.task(task)).state == {"v3": "running", "v4": "created"}[server.version]
    half = read_status(client.task(task))
    assert (half.state, half.done) == ("running", 0.5)
    done = read_status(client.task(task))
    assert (done.state, done.done, done.failed_shards) == ("completed", 1.0, 0)
    assert set(done.urls) == {"v3": {"detections", "failed_images"}, "v4": {"detections"}}[server.version]


def test_a_full_queue_is_asked_again(server, client):
    server.trouble["submit"] = [503, 503]
    assert client.submit(request(server)) == server.submitted[0]["task"]
    assert server.asked["submit"] == 3


def test_a_queue_that_stays_full_is_one_line(server, client):
    server.trouble["submit"] = [503, 503, 503]
    with pytest.raises(Unreachable) as caught:
        client.submit(request(server))
    text = "HTTP 503: Too many active jobs, please try again later"
    assert str(caught.value) == f"{server.url}/request_detections: {text}"


@pytest.mark.parametrize("trouble", [DROP, 504])
def test_work_that_may_have_been_accepted_is_not_asked_for_twice(server, client, trouble):
    server.trouble["submit"] = [trouble]
    with pytest.raises(Unsure, match=r"may have been accepted all the same$"):
        client.submit(request(server))
    assert server.asked["submit"] == 1


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model_version": "9"}, "HTTP 400: model_version 9 is not supported."),
        ({"request_name": "a b"}, "HTTP 400: request_name a b is not allowed"),
        ({"input_container_sas": ""}, "HTTP 400: input_container_sas with read and list access is a required field"),
    ],
)
def test_a_refusal_is_one_line_with_the_servers_text(server, client, changes, text):
    with pytest.raises(Refused) as caught:
        client.submit(request(server, **changes))
    assert str(caught.value) == f"{server.url}/request_detections: {text}"
    assert server.asked["submit"] == 1


def test_a_wrong_caller_is_refused_and_not_named(server):
    with pytest.raises(Refused, match=r"HTTP 401: Parameter caller is not supplied") as caught:
        Client(server.url, "nobody").submit(request(server))
    assert "nobody" not in str(caught.value)


def test_an_unknown_task_is_refused(client):
    with pytest.raises(Refused, match=r"HTTP 404: Task is not found\.$"):
        client.task("0f3c")


def test_an_answer_that_breaks_off_is_told_without_keys(server, client):
    task = client.submit(request(server))
    server.trouble["task"] = [DROP]
    with pytest.raises(Unreachable) as caught:
        client.task(task)
    assert str(caught.value) == f"{server.url}/task/{task}: the connection broke off"
    assert read_status(client.task(task)).state == "running"


def test_models_are_listed(client):
    assert client.models() == ["3", "4.1"]
    assert client.default_model() == "4.1"


def test_version_4_cancels_and_version_3_says_that_it_cannot(server, client):
    server.states = [("running", "")]
    task = client.submit(request(server))
    if server.version == "v3":
        with pytest.raises(InputError, match="version 3 of the API cannot cancel a task"):
            client.cancel(task)
        assert server.asked["cancel"] == 0
    else:
        assert client.cancel(task) == "Canceling signal has been sent."
        assert read_status(client.task(task)).state == "canceled"
        with pytest.raises(Refused, match="HTTP 400: Task has canceled and cannot be canceled"):
            client.cancel(task)


def test_nobody_at_the_address_is_one_line_without_keys(server):
    with batch_server.BatchServer() as closed:
        url = f"{closed.host}/v4/x?sig=s3cr3t"
    with pytest.raises(Unreachable) as caught:
        batch_client.put(url, b"")
    assert str(caught.value) == f"{url.partition('?')[0]}: out of reach"


def test_a_download_that_breaks_off_is_done_again_and_whole(server, tmp_path):
    server.files["/x.json"] = b"x" * 3_000_000
    server.trouble["result"] = [DROP, 500]
    batch_client.download(f"{server.host}/x.json?{KEY}", tmp_path / "x.json")
    assert (tmp_path / "x.json").read_bytes() == server.files["/x.json"]
    assert server.asked["result"] == 3


def test_a_download_that_never_comes_leaves_nothing(server, tmp_path):
    server.files["/x.json"] = b"x" * 1000
    server.trouble["result"] = [DROP, DROP, DROP]
    with pytest.raises(Unreachable, match=r"x\.json: the connection broke off$"):
        batch_client.download(f"{server.host}/x.json?{KEY}", tmp_path / "x.json")
    with pytest.raises(Refused, match=r"x\.json: HTTP 404: Not Found$"):
        batch_client.download(f"{server.host}/x.json?sig=0ld", tmp_path / "x.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["", "api.org/v4/x", "https://api.org", "https://api.org/v5/x", "https://v4.org/x"])
def test_an_address_without_a_known_version_is_refused(url):
    with pytest.raises(InputError, match="BATCH_DETECTION_API_URL: expected an address such as"):
        Client(url)


@pytest.mark.parametrize("answer", [None, [], {}, {"Status": None}, {"Status": {}}, {"Status": {"message": 5}}])
def test_an_odd_answer_is_an_unknown_state(answer):
    assert read_status(answer).state == "None"


def test_a_bare_text_of_version_3_for_an_unknown_task_is_a_problem():
    assert read_status({"TaskId": "0f3c", "Status": "Not found."}).state == "problem"


def test_a_completed_task_without_result_files_has_a_problem():
    status = {"request_status": "completed", "message": {"num_failed_shards": 0}}
    assert read_status({"Status": status}).state == "problem"


def test_zero_photos_complete_with_a_text():  # D11
    answer = {"Status": {"request_status": "completed", "message": "Zero images found in container"}}
    status = read_status(answer)
    assert (status.state, status.message, dict(status.urls)) == ("completed", "Zero images found in container", {})


def test_keys_in_a_servers_text_are_not_repeated():
    answer = {"Status": {"request_status": "failed", "message": "cannot list https://a.org/c?sv=1&sig=s3cr3t today"}}
    assert read_status(answer).message == "cannot list https://a.org/c today"
    assert "s3cr3t" not in repr(Client("https://api.org/v4/x", "s3cr3t"))


@pytest.mark.parametrize("task", ["../x", "", None, "a/b", "x" * 65])
def test_an_id_that_could_lead_out_of_a_folder_is_refused(task):
    with pytest.raises(InputError, match="is no id of a task"):
        batch_client.check_id(task, "here")
