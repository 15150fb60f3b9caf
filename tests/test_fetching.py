"""Fetching photos from a server that fails in every way: each comes whole, or is a failure with its reason."""

import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest
from imports import ROOT
from photo_server import DROPPED, HANGS, photo_server

from camtraps import fetching, remote
from camtraps.errors import InputError
from camtraps.fetching import fetch
from camtraps.photo_lists import Listed
from camtraps.storage import Images

ODD = ["cam 1/a b.jpg", "a#c?d%20.jpg", "Füchse/ä+&=;@::b.jpg"]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(remote, "PAUSE", 0.0)
    with photo_server() as running:
        yield running


@pytest.fixture
def fetched(server, tmp_path):
    """Fetch files of the server's dataset a; give what came of it, as text, and the failures."""

    def run(*files, verify=False):
        images = Images({"a": server.address}, tmp_path)
        result = fetch([Listed(f"a/{file}", "a", file) for file in files], len(files), images, 4, verify)
        return str(result), result.failures

    return run


def serve(server, *files):
    for file in files:
        server.photos[f"/{file}"] = f"pixels of {file}".encode()


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_photos_of_any_name_come_to_their_places(server, fetched, tmp_path):
    serve(server, *ODD)
    total = sum(map(len, server.photos.values()))
    assert fetched(*ODD) == (f"3 fetched ({total} bytes), 0 there already", [])
    assert files_below(tmp_path / "a") == sorted(ODD)
    for file in ODD:
        assert (tmp_path / "a" / file).read_bytes() == server.photos[f"/{file}"]


def test_what_is_there_is_not_fetched_again(server, fetched):
    serve(server, "1.jpg", "2.jpg")
    fetched("1.jpg", "2.jpg")
    server.asked.clear()
    assert fetched("1.jpg", "2.jpg") == ("0 fetched (0 bytes), 2 there already", [])
    assert server.asked == []


def test_an_empty_file_is_not_a_photo_that_is_there(server, fetched, tmp_path):
    serve(server, "1.jpg")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jpg").touch()
    assert fetched("1.jpg") == ("1 fetched (15 bytes), 0 there already", [])


def test_a_photo_of_another_size_is_fetched_again_if_sizes_are_asked_for(server, fetched, tmp_path):
    serve(server, "1.jpg", "2.jpg")
    (tmp_path / "a").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / "a" / name).write_bytes(server.photos["/2.jpg"][: 15 if name == "2.jpg" else 7])
    assert fetched("1.jpg", "2.jpg") == ("0 fetched (0 bytes), 2 there already", [])
    assert fetched("1.jpg", "2.jpg", verify=True) == ("1 fetched (15 bytes), 1 there already", [])
    assert (tmp_path / "a/1.jpg").read_bytes() == b"pixels of 1.jpg"
    assert server.asked == ["/1.jpg"]


def test_what_passes_is_tried_again(server, fetched, tmp_path):
    serve(server, "busy.jpg", "dropped.jpg")
    server.answers = {"/busy.jpg": [503, 429], "/dropped.jpg": [DROPPED, DROPPED]}
    assert fetched("busy.jpg", "dropped.jpg") == ("2 fetched (39 bytes), 0 there already", [])
    assert (tmp_path / "a/dropped.jpg").read_bytes() == b"pixels of dropped.jpg"
    assert len(server.asked) == 6


def test_what_fails_is_told_and_the_others_come(server, fetched, tmp_path):
    serve(server, "1.jpg", "2.jpg", "dropped.jpg", "closed.jpg")
    server.photos |= {"/empty.jpg": b"", "/login.jpg": b"\n<!DOCTYPE html><p>Who are you?"}
    server.answers = {"/dropped.jpg": [DROPPED] * 9, "/closed.jpg": [403] * 9}
    counts, failures = fetched(
        "gone.jpg", "1.jpg", "dropped.jpg", "../up.jpg", "closed.jpg", "empty.jpg", "login.jpg", "2.jpg"
    )
    assert counts == "2 fetched (30 bytes), 0 there already, 6 failed"
    told = dict(failures)
    assert list(told) == ["a/../up.jpg", "a/closed.jpg", "a/dropped.jpg", "a/empty.jpg", "a/gone.jpg", "a/login.jpg"]
    assert told["a/../up.jpg"].startswith("'../up.jpg' leads out of the image folder ")
    assert told["a/gone.jpg"] == "photo not found"
    assert told["a/login.jpg"] == "a web page came instead of the photo"
    assert told["a/empty.jpg"] == "photo is an empty file"
    assert told["a/closed.jpg"].startswith("photo not readable: ")
    assert told["a/dropped.jpg"].startswith("photo not readable: ")
    assert files_below(tmp_path) == ["a/1.jpg", "a/2.jpg"]


def test_a_name_that_no_file_here_can_have_fails_alone(server, fetched, tmp_path):
    names = ["f" * 300 + ".jpg", "1.jpg", "1.jpg/2.jpg"]
    serve(server, *names)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jpg").write_bytes(b"pixels")
    counts, failures = fetched(*names)
    assert counts == "0 fetched (0 bytes), 1 there already, 2 failed"
    assert [reason for _, reason in failures] == [
        "photo cannot be written: File exists",
        "photo cannot be written: File name too long",
    ]


def test_the_next_run_fetches_what_failed(server, fetched):
    serve(server, "1.jpg", "2.jpg")
    server.answers = {"/2.jpg": [403]}
    assert fetched("1.jpg", "2.jpg")[0] == "1 fetched (15 bytes), 0 there already, 1 failed"
    assert fetched("1.jpg", "2.jpg") == ("1 fetched (15 bytes), 1 there already", [])


def test_a_store_that_refuses_all_is_not_asked_for_ever(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "GIVE_UP", 3)
    serve(server, *map(str, range(99)))
    server.answers = {path: [403] for path in server.photos}
    photos = [Listed(f"a/{at}", "a", str(at)) for at in range(99)]
    result = fetch(photos, 99, Images({"a": server.address}, tmp_path), 1)
    assert 3 <= len(result.failures) < 20
    assert result.last["a"] in result.failures
    assert len(server.asked) < 20


def test_the_photos_of_other_stores_are_fetched_though_one_refuses(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "GIVE_UP", 3)
    serve(server, *map(str, range(99)))
    with photo_server() as closed:
        closed.answers = {f"/{at}": [403] for at in range(99)}
        closed.photos = dict(server.photos)
        images = Images({"a": closed.address, "b": server.address}, tmp_path)
        photos = [Listed(f"{dataset}/{at}", dataset, str(at)) for at in range(99) for dataset in "ab"]
        result = fetch(photos, len(photos), images, 4)
    assert (result.num_fetched, list(result.last)) == (99, ["a"])
    assert len(closed.asked) < 50


def test_a_mistake_in_the_settings_is_no_failure_of_the_photos(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jpg").write_bytes(b"pixels")
    (tmp_path / "storage.yaml").write_text("s3://: {tries: 0}")
    with pytest.raises(InputError, match=r"^storage.yaml: "):
        fetch([Listed("a/1.jpg", "a", "1.jpg")], 1, Images({"a": server.address}, tmp_path), 1, verify=True)


def test_a_name_that_cannot_be_opened_fails_alone(server, tmp_path, monkeypatch):
    monkeypatch.setattr("camtraps.storage.replacing", nullcontext)
    names = ["f" * 300, "1.jpg"]
    serve(server, *names)
    (tmp_path / "a").mkdir()
    result = fetch([Listed(f"a/{name}", "a", name) for name in names], 2, Images({"a": server.address}, tmp_path), 1)
    assert result.num_fetched == 1
    assert result.failures == [(f"a/{names[0]}", "photo cannot be written: File name too long")]


def test_absences_are_no_reason_to_stop(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "GIVE_UP", 3)
    photos = [Listed(f"a/{at}", "a", str(at)) for at in range(20)]
    result = fetch(photos, 20, Images({"a": server.address}, tmp_path), 2)
    assert (len(result.failures), result.last) == (20, {})


def test_few_of_many_photos_are_in_memory(server, tmp_path):
    taken, waiting = [], []

    def photos():
        for at in range(300):
            taken.append(at)
            waiting.append(len(taken) - len(server.asked))
            yield Listed(f"a/{at}.jpg", "a", f"{at}.jpg")

    result = fetch(photos(), 300, Images({"a": server.address}, tmp_path), 2)
    assert len(result.failures) == len(taken) == 300
    assert max(waiting) <= fetching.AT_ONCE * 2


CODE = """
import sys
from pathlib import Path
from camtraps.fetching import fetch
from camtraps.photo_lists import Listed
from camtraps.storage import Images
photos = [Listed(f"a/{at}.jpg", "a", f"{at}.jpg") for at in range(20)]
print(fetch(photos, 20, Images({"a": sys.argv[1]}, Path(sys.argv[2])), 2))
"""


def whole_files(folder, server):
    """Give the photos in a folder, all of which must be whole."""
    names = [name for name in files_below(folder) if not name.startswith(".")]
    assert all((folder / name).read_bytes() == server.photos[f"/{name}"] for name in names)
    return names


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_leaves_no_half_photo_and_the_next_one_goes_on(server, tmp_path, how):
    serve(server, *(f"{at}.jpg" for at in range(20)))
    server.answers = {"/7.jpg": [HANGS]}
    command = [sys.executable, "-c", CODE, server.address, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while len(list((tmp_path / "a").glob("[!.]*"))) < 9 or "/7.jpg" not in server.asked:
            time.sleep(0.01)
        process.send_signal(how)
        if how == signal.SIGINT:
            server.go.set()  # what is on its way comes to its end
    there = whole_files(tmp_path / "a", server)
    assert len(there) >= 9
    if how == signal.SIGINT:
        assert there == files_below(tmp_path / "a")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(f", {len(there)} there already\n")
    assert len(whole_files(tmp_path / "a", server)) == 20


def test_a_full_disk_stops_the_run_with_one_line(server, tmp_path):
    serve(server, *(f"{at}.jpg" for at in range(20)))
    # A process may be given a limit for its files, which it meets as it would the end of a disk.
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))\n" + CODE
    command = [sys.executable, "-c", limited, server.address, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("camtraps.remote.NotWritten: ")
    assert last.endswith(": File too large")
    assert files_below(tmp_path) == []


@pytest.mark.parametrize(
    ("num_bytes", "told"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (2_149_000_000, "2.1 GB"),
        (3e15, "3000.0 TB"),
    ],
)
def test_sizes_are_told_for_people(num_bytes, told):
    assert fetching.size(int(num_bytes)) == told
