"""The service as a user runs it: `camtraps serve` in a process of its own, and clients of the Batch Detection API."""

import hashlib
import io
import json
import signal
import socket
import time
from pathlib import Path

import batch_runs
import make_classifier
import pytest
import requests
from batch_server import BatchServer
from batch_server import serving as storage
from imports import ROOT
from make_classifier import jpeg
from make_megadetector import GREEN, RED, checkpoint
from PIL import Image
from service_runs import BATCH, started

from camtraps.detectors import batch_api, batch_client
from camtraps.errors import CamtrapsError
from camtraps.formats import megadetector as results
from camtraps.service import running
from camtraps.service.eyes import Eyes
from camtraps.service.limits import Limits
from camtraps.service.setup import Item, Setup

BOX = (94, 24, 130, 60)
OPTIONS = ["--detector", "whole", "--allow", "http://", "--allow-private", "--accept-model", "4.1", "--timeout", "30"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_classifier.save(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def service(model, work):
    """Run a service, kill it in the middle of a task, and run it again; give the new one, and the task."""
    arguments = [*OPTIONS, "--model", str(model), "--folder", str(work / "tasks")]
    with storage() as store:
        store.files |= {f"/photos/{at:03}.jpg": jpeg(BOX) for at in range(80)}
        names = [f"{at:03}.jpg" for at in range(80)]
        with started(*arguments) as (address, process):
            task = submit(address, store, names)
            while "1 out of" not in str(task_status(address, task)):
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
        with started(*arguments) as (address, _):
            yield address, store, task


def submit(address, store: BatchServer, names, version="4.1"):
    client = batch_client.Client(f"{address}{BATCH}", "me")
    store.files["/lists/l.json"] = json.dumps(names).encode()
    key = store.environment()["BATCH_DETECTION_API_SAS_ALPHA"]
    lists = f"{store.host}/lists/l.json?{key}"
    container = f"{store.host}/photos?{key}"
    return client.submit(
        {"input_container_sas": container, "images_requested_json_sas": lists, "model_version": version}
    )


def task_status(address, task):
    return requests.get(f"{address}{BATCH}/task/{task}", timeout=10).json()["Status"]


def finished(address, task):
    for _ in range(1000):
        status = task_status(address, task)
        if status["request_status"] not in ("created", "running"):
            return status
        time.sleep(0.03)
    raise AssertionError(status)


def test_a_task_survives_the_death_of_the_service(service):
    address, _, task = service
    status = finished(address, task)
    assert status["request_status"] == "completed"
    document = requests.get(status["message"]["output_file_urls"]["detections"], timeout=10).json()
    assert [image["file"] for image in document["images"]] == [f"{at:03}.jpg" for at in range(80)]
    assert all(len(image["detections"][0]["classifications"]) == 3 for image in document["images"])
    assert (document["info"]["format_version"], document["info"]["detector"]) == ("1.6", "whole")


def test_our_own_client_gets_its_photos_looked_at(service, work, monkeypatch):
    """Submit, status, fetch: the whole protocol of the stage detect, against this server."""
    address, store, _ = service
    for name, value in (store.environment() | {"BATCH_DETECTION_API_URL": f"{address}{BATCH}"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CAMTRAPS_WORK", str(work / "client"))
    monkeypatch.setattr(batch_client, "PAUSES", (0.05,))
    store.files |= {"/photos/alpha/cam%201/a.jpg": jpeg(BOX), "/photos/alpha/b.JPG": b"no photo"}
    kept = []
    photos = batch_runs.photos(store, "cam 1/a.jpg", "b.JPG", "gone.jpg", "c.tif")
    batch_api.detect(photos, batch_runs.PARAMS, kept.extend, interval=0.1)
    found = {row["file"]: row["failure"] or row["boxes"] for row in kept}
    assert found["cam 1/a.jpg"] == [{"x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0, "confidence": 1.0, "category": "animal"}]
    assert found["b.JPG"] == "Failure image access: photo is not an image"
    assert found["gone.jpg"] == "Failure image access: photo not found"
    assert found["c.tif"].startswith("the batch API v4 takes only")


def test_a_task_can_be_cancelled_and_its_answer_fetched(service, tmp_path, monkeypatch, capsys):
    """`camtraps batch-api` against this server."""
    from camtraps.cli import main

    address, store, _ = service
    monkeypatch.setenv("BATCH_DETECTION_API_URL", f"{address}{BATCH}")
    monkeypatch.setenv("DETECTION_API_CALLER", "me")
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path))
    task = submit(address, store, [f"{at:03}.jpg" for at in range(80)] * 50)
    for arguments in (["cancel", task], ["fetch", task, "--out", str(tmp_path / "r.json")], ["models"]):
        with pytest.raises(SystemExit, match="0"):
            main(["batch-api", *arguments])
    assert capsys.readouterr().out.splitlines() == [
        "Canceling signal has been sent.",
        f"{tmp_path}/r.json: canceled; it holds keys to the results: keep it to yourself",
        "4.1",
        "whole (default)",
    ]


def test_an_answer_can_be_imported_as_results(service, tmp_path):
    address, _, task = service
    finished(address, task)
    (tmp_path / "response.json").write_text(requests.get(f"{address}{BATCH}/task/{task}", timeout=10).text)
    found = results.read_response(tmp_path / "response.json")
    batch_client.download(found.url, tmp_path / "results.json")
    read = [each for each in results.read(tmp_path / "results.json") if isinstance(each, results.Result)]
    assert (len(read), found.num_failed_shards) == (80, 0)


def test_the_document_passes_the_validator_of_megadetector(service, tmp_path):
    validate = pytest.importorskip("megadetector.postprocessing.validate_batch_results")
    address, store, _ = service
    store.files["/photos/a.jpg"] = jpeg(BOX)
    files = [("photo", ("a.jpg", jpeg(BOX))), ("photo", ("bad.jpg", jpeg(BOX)[:200]))]
    answer = requests.post(f"{address}/classify", files=files, timeout=30)
    (tmp_path / "r.json").write_text(answer.text)
    options = validate.ValidateBatchResultsOptions()
    options.raise_errors = True
    validate.validate_batch_results(str(tmp_path / "r.json"), options)
    assert [image["file"] for image in answer.json()["images"]] == ["a.jpg", "bad.jpg"]
    assert answer.json()["images"][1]["failure"].startswith("Failure image access: photo cannot be decoded")


def test_photos_are_fetched_from_uris(service):
    address, store, _ = service
    store.files["/photos/a.jpg"] = jpeg(BOX)
    key = store.environment()["BATCH_DETECTION_API_SAS_ALPHA"]
    answer = requests.post(f"{address}/classify", json=[f"{store.host}/photos/a.jpg?{key}"], timeout=30).json()
    assert answer["images"][0]["file"] == f"{store.host}/photos/a.jpg"
    assert answer["images"][0]["detections"][0]["bbox"] == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("setup", "place", "said"),
    [
        ({}, {"host": "0.0.0.0"}, "--host: 0.0.0.0 lets other machines in; say who may ask: CAMTRAPS_CALLERS="),
        ({"model": Path("no")}, {}, "no/model.json: not found; check the path"),
    ],
)
def test_a_service_that_cannot_be_is_told_at_once(model, tmp_path, setup, place, said):
    made = Setup(**{"model": model, "detector": "whole", "limits": Limits()} | setup)
    where = running.Place(**{"host": "127.0.0.1", "port": 0, "folder": tmp_path / "tasks"} | place)
    with pytest.raises(CamtrapsError) as error:
        running.serve(made, where, lambda address: None)
    assert str(error.value).startswith(said)


def test_a_port_that_is_taken_is_told(model, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = running.Place(host="127.0.0.1", port=taken.getsockname()[1], folder=tmp_path)
        with pytest.raises(CamtrapsError, match=r"^--port: 127\.0\.0\.1:\d+: address already in use$"):
            running.serve(Setup(model=model, detector="whole", limits=Limits()), where, lambda address: None)


@pytest.fixture(scope="module")
def eyes(model, tmp_path_factory):
    """Load MegaDetector's own way to look at photos, with a tiny model."""
    file = checkpoint(tmp_path_factory.mktemp("detector") / "tiny.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tests/megadetector_shim"))
        patch.setenv("CAMTRAPS_TRUST_MODEL", hashlib.sha256(file.read_bytes()).hexdigest())
        yield Eyes(Setup(model=model, detector_model=str(file), limits=Limits(max_pixels=50_000)))


def test_animals_get_classes_and_people_do_not(eyes):
    photo = Image.new("RGB", (160, 120), "grey")
    photo.paste(RED, BOX)
    photo.paste(GREEN, (10, 60, 30, 110))
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=98)
    (entry,) = eyes.look([Item("a.jpg", buffer.getvalue())])
    by_category = {found["category"]: found for found in entry["detections"]}
    assert set(by_category) == {"1", "2"}
    assert len(by_category["1"]["classifications"]) == 3
    assert "classifications" not in by_category["2"]


def test_a_photo_of_too_many_pixels_is_a_failure(eyes):
    (entry,) = eyes.look([Item("a.jpg", jpeg(BOX, size=(400, 300)))])
    assert entry["failure"] == "Failure image access: photo has more than 50,000 pixels"
    assert entry["detections"] is None
