"""The service over HTTP, on this machine, with a worker that answers at once."""

import io
import json
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool

import pytest
import requests
import servers
from service_runs import BATCH, FRAME, FakeWorker, serving

from camtraps.detectors import batch_client
from camtraps.service.limits import Limits

LIMITS = Limits(allow=("http://",), allow_private=True, max_bytes=5000, max_photos=2, max_tasks=2, timeout=2.0)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("tasks"), limits=LIMITS) as given:
        yield given


def post(address, path="/classify", **options):
    answer = requests.post(f"{address}{path}", timeout=10, **options)
    assert answer.headers["content-type"] in ("application/json", "text/plain; charset=utf-8")
    return answer


def refused(answer, status):
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    return answer.json()["error"]


def over(address, task):
    """Wait for the end of a task."""
    for _ in range(200):
        status = requests.get(f"{address}{BATCH}/task/{task}", timeout=10).json()["Status"]
        if status["request_status"] not in ("created", "running"):
            return status
        time.sleep(0.02)
    raise AssertionError(status)


def test_a_photo_is_answered_with_a_document_of_megadetector(service):
    address, worker, _ = service
    answer = post(address, data=b"pixels", headers={"Content-Type": "image/jpeg"}).json()
    assert answer["images"] == worker.found([worker.seen[-1][0]])
    assert (worker.seen[-1][0].name, worker.seen[-1][0].data) == ("photo", b"pixels")
    assert {**answer, "images": []} == FRAME


def test_several_photos_come_as_a_form_and_lose_their_folders(service):
    address, worker, _ = service
    files = [("photo", ("../../etc/a.jpg", io.BytesIO(b"1"))), ("photo", ("C:\\x\\b.jpg", io.BytesIO(b"2")))]
    answer = post(address, files=files).json()
    assert [each["file"] for each in answer["images"]] == ["a.jpg", "b.jpg"]
    assert [item.data for item in worker.seen[-1]] == [b"1", b"2"]


def test_a_list_of_uris_is_handed_on_without_keys_in_the_names(service):
    address, worker, _ = service
    answer = post(address, json=["http://127.0.0.1/a.jpg?sig=secret"]).json()
    assert answer["images"][0]["file"] == "http://127.0.0.1/a.jpg"
    assert worker.seen[-1][0].uri == "http://127.0.0.1/a.jpg?sig=secret"


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"data": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "expected image/..., multipart/form-data or"),
        ({"data": b"x"}, 415, "expected image/..., multipart/form-data or application/json"),
        ({"data": b"", "headers": {"Content-Type": "image/jpeg"}}, 400, "the body is empty; expected a photo"),
        ({"data": b"x" * 6000, "headers": {"Content-Type": "image/jpeg"}}, 400, "the body is larger than 5,000 bytes"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "the body is no JSON"),
        ({"data": b"[" * 4000, "headers": {"Content-Type": "application/json"}}, 400, "the body is no JSON"),
        ({"json": {"a": 1}}, 400, "expected a JSON list of URIs"),
        ({"json": []}, 400, "expected 1 to 2 photos, got 0"),
        ({"json": ["http://127.0.0.1/a"] * 3}, 400, "expected 1 to 2 photos, got 3"),
        ({"json": ["file:///etc/passwd"]}, 400, "'file:///etc/passwd': the address must begin with"),
        ({"json": ["/etc/passwd"]}, 400, "'/etc/passwd': the address must begin with"),
        ({"json": ["https://h/a.jpg"]}, 400, "'https://h/a.jpg': the address is not among the addresses"),
        ({"files": [("p", ("a", b"1"))] * 3}, 400, "the multipart body cannot be read: Too many files"),
        ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "the multipart body cannot be read"),
    ],
)
def test_a_bad_request_gets_one_clear_error(service, options, status, said):
    assert refused(post(service[0], **options), status).startswith(said)


def test_a_body_whose_length_is_not_announced_is_cut_off_too(service):
    def stream():
        yield from [b"x" * 1000] * 9

    answer = post(service[0], data=stream(), headers={"Content-Type": "image/jpeg"})
    assert refused(answer, 400) == "the body is larger than 5,000 bytes"


def test_other_paths_are_not_found(service):
    assert refused(requests.get(f"{service[0]}/etc/passwd", timeout=10), 404) == "no such endpoint"
    assert refused(requests.get(f"{service[0]}/classify", timeout=10), 405) == "Method Not Allowed"


def test_a_page_of_the_web_cannot_talk_to_a_local_service(service):
    """DNS rebinding: a name that leads here is not ours."""
    answer = requests.get(service[0], headers={"Host": "evil.example.org"}, timeout=10)
    assert refused(answer, 400) == "this service answers to localhost only"


def test_what_takes_too_long_and_what_fails_is_told(tmp_path):
    worker = FakeWorker()
    limits = Limits(timeout=0.2)
    with serving(tmp_path, worker, limits=limits) as (address, _, _):
        photo = {"data": b"x", "headers": {"Content-Type": "image/png"}}
        worker.trouble = [BrokenProcessPool(), RuntimeError("a bug")]
        assert refused(post(address, **photo), 500) == "the process that looked at the photos died"
        assert refused(post(address, **photo), 500) == "the service has failed; see its log"
        worker.delay = threading.Event()
        assert refused(post(address, **photo), 503).startswith("the answer took too long")
        worker.delay.set()


def test_callers_must_be_known_where_there_is_a_list(tmp_path):
    with serving(tmp_path, callers=("me",)) as (address, _, _):
        photo = {"data": b"x", "headers": {"Content-Type": "image/png"}}
        refused(post(address, **photo), 401)
        photo["headers"]["caller"] = "me"
        assert post(address, **photo).status_code == 200
        body = {"caller": "you", "use_url": True, "images_requested_json_sas": "http://127.0.0.1/l"}
        refused(post(address, f"{BATCH}/request_detections", json=body), 401)
        refused(post(address, f"{BATCH}/cancel_request", json={"caller": "you", "request_id": "0" * 32}), 401)


@pytest.mark.parametrize("path", ["request_detections", "cancel_request"])
def test_batch_requests_are_json_objects(service, path):
    address = f"{BATCH}/{path}"
    assert refused(post(service[0], address, data=b"{}"), 415).startswith("Body needs to have a JSON mimetype")
    assert refused(post(service[0], address, json=[]), 400) == "expected a JSON object, got list"
    refused(post(service[0], address, json={}), 401)


def test_lists_and_containers_must_be_at_allowed_addresses(service):
    body = {"caller": "me", "use_url": True, "images_requested_json_sas": "https://169.254.169.254/meta"}
    said = refused(post(service[0], f"{BATCH}/request_detections", json=body), 400)
    assert said.startswith("images_requested_json_sas: the address is not among")


@pytest.mark.parametrize("task", ["x", "0" * 32, "..%2f..%2fetc", "0" * 31 + "/"])
def test_an_unknown_task_is_not_found(service, task):
    refused(requests.get(f"{service[0]}{BATCH}/task/{task}", timeout=10), 404)
    refused(post(service[0], f"{BATCH}/cancel_request", json={"caller": "me", "request_id": task}), 404)


def test_model_versions_are_listed_the_default_first(service):
    client = batch_client.Client(f"{service[0]}{BATCH}", "me")
    assert (client.models(), client.default_model()) == (["4.1", "5a"], "5a")


@pytest.fixture
def photos():
    """Serve a list of photos."""

    class Lists(servers.Web):
        def put(self, content):
            path = f"/lists/{len(self.answers)}.json"
            self.answers[path] = {"GET": [200]}
            servers.PIXELS = json.dumps(content).encode()
            return f"{self.address}{path}"

    kept = servers.PIXELS
    with Lists() as server, servers.serving(server):
        yield server
    servers.PIXELS = kept


def submit(address, photos, names, **more):
    body = {"caller": "me", "use_url": True, "images_requested_json_sas": photos.put(names)} | more
    return post(address, f"{BATCH}/request_detections", json=body).json()["request_id"]


def test_a_task_goes_from_request_to_results(service, photos):  # spec 11.5
    address, _, queue = service
    names = [f"http://127.0.0.1/{at:02}.jpg" for at in range(40)]
    task = submit(address, photos, [[name, {"n": at}] for at, name in enumerate(names)], request_name="mine")
    status = over(address, task)
    assert status["request_status"] == "completed"
    url = status["message"]["output_file_urls"]["detections"]
    assert url.startswith(f"{address}{BATCH}/results/job_{task}/{task}_detections_mine_20")
    document = requests.get(url, timeout=10).json()
    assert [image["file"] for image in document["images"]] == names
    assert [image["meta"] for image in document["images"]] == [{"n": at} for at in range(40)]
    assert (document["info"]["format_version"], status["message"]["num_failed_shards"]) == ("1.6", 0)
    assert sorted(path.name for path in queue.folder(task).iterdir()) == sorted(["state.json", url.rpartition("/")[2]])


def test_ids_may_have_dashes_in_them(service, photos):
    address, _, _ = service
    task = submit(address, photos, ["http://127.0.0.1/a.jpg"])
    over(address, task)
    dashed = f"{task[:8]}-{task[8:12]}-{task[12:16]}-{task[16:20]}-{task[20:]}"
    assert requests.get(f"{address}{BATCH}/task/{dashed}", timeout=10).json()["TaskId"] == task


def test_results_are_the_only_file_of_a_task_that_is_served(service, photos):
    address, _, _ = service
    task = submit(address, photos, ["http://127.0.0.1/a.jpg"])
    over(address, task)
    for name in ("state.json", "../lock", "..%2flock"):
        refused(requests.get(f"{address}{BATCH}/results/job_{task}/{name}", timeout=10), 404)


def test_a_task_without_photos_is_completed_with_a_text(service, photos):
    address, _, _ = service
    status = over(address, submit(address, photos, ["a.txt"]))
    assert status["request_status"] == "completed"
    assert status["message"].startswith("zero images found")


@pytest.mark.parametrize(("given", "said"), [({"a": 1}, "no JSON list but dict"), (5, "no JSON list but int")])
def test_a_list_that_is_none_makes_the_task_fail(service, photos, given, said):
    address, _, _ = service
    status = over(address, submit(address, photos, given))
    assert status["request_status"] == "failed"
    assert said in status["message"]


def test_a_list_that_cannot_be_read_makes_the_task_fail(service):
    address, _, _ = service
    body = {"caller": "me", "use_url": True, "images_requested_json_sas": "http://127.0.0.1:1/l.json"}
    task = post(address, f"{BATCH}/request_detections", json=body).json()["request_id"]
    status = over(address, task)
    assert status == {
        "request_status": "failed",
        "message": "the photos cannot be listed: the list is not readable: out of reach",
    }


def test_a_worker_that_dies_twice_over_a_shard_costs_that_shard_only(tmp_path, photos):
    worker = FakeWorker()
    worker.trouble = [None, BrokenProcessPool(), BrokenProcessPool()]
    with serving(tmp_path, worker, limits=LIMITS) as (address, _, _):
        status = over(address, submit(address, photos, [f"http://127.0.0.1/{at}.jpg" for at in range(40)]))
        document = requests.get(status["message"]["output_file_urls"]["detections"], timeout=10).json()
    assert status["message"]["num_failed_shards"] == 1
    failed = [image["detections"] is None for image in document["images"]]
    assert failed == [False] * 16 + [True] * 16 + [False] * 8
    assert document["images"][16]["failure"].startswith("Failure TF inference: ")


def test_a_cancelled_task_ends_and_the_next_one_is_done(tmp_path, photos):
    worker = FakeWorker()
    worker.delay = threading.Event()
    with serving(tmp_path, worker, limits=LIMITS) as (address, _, queue):
        client = batch_client.Client(f"{address}{BATCH}", "me")
        first, second = (submit(address, photos, ["http://127.0.0.1/a.jpg"]) for _ in range(2))
        while not worker.seen:
            time.sleep(0.01)
        assert batch_client.read_status(client.task(first)).state == "running"
        body = {"caller": "me", "use_url": True, "images_requested_json_sas": "http://127.0.0.1/l"}
        refused(post(address, f"{BATCH}/request_detections", json=body), 503)
        assert client.cancel(first) == "Canceling signal has been sent."
        worker.delay.set()
        assert over(address, second)["request_status"] == "completed"
        assert batch_client.read_status(client.task(first)).state == "canceled"
        with pytest.raises(batch_client.Refused, match="HTTP 400: Task is canceled and cannot be canceled"):
            client.cancel(first)
        assert not (queue.folder(first) / "shards").exists()


def test_a_service_goes_on_after_a_restart_with_the_shards_that_are_done(tmp_path, photos):
    worker = FakeWorker()
    worker.trouble = [None, CancelledError()]  # as when the service ends meanwhile
    with serving(tmp_path, worker, limits=LIMITS) as (address, _, queue):
        task = submit(address, photos, [f"http://127.0.0.1/{at}.jpg" for at in range(40)])
        while len(worker.seen) < 2:
            time.sleep(0.01)
        assert queue.state(task).message == "1 out of 3 shards have completed"
    with serving(tmp_path, limits=LIMITS) as (address, again, _):
        assert over(address, task)["request_status"] == "completed"
    assert [len(items) for items in again.seen] == [16, 8]
