"""Reading ahead: in order, a few at a time, in threads only where there is something to wait for."""

import subprocess
import sys
import threading

import pytest
import servers
from imports import ROOT
from servers import PIXELS

from camtraps import reading
from camtraps.errors import CamtrapsError, InputError
from camtraps.reading import ahead, in_order
from camtraps.storage import PhotoError


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    servers.alone(monkeypatch, tmp_path)


@pytest.fixture
def server():
    with servers.web() as running:
        yield running


def told(found) -> list[bytes | str]:
    return [str(each) if isinstance(each, PhotoError) else each for each in found]


def test_photos_come_in_order_and_failures_in_their_place(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_THREADS", "3")
    (tmp_path / "here.jpg").write_bytes(b"local")
    uris = [server.photo(200), server.photo(404), str(tmp_path / "here.jpg"), server.photo(503, 200), "no.jpg"]
    expected = [PIXELS, "photo not found", b"local", PIXELS, "photo not found"]
    assert told(ahead(iter(uris * 4))) == expected * 4


def test_a_store_that_refuses_photo_after_photo_is_not_asked_for_all_of_them(server, monkeypatch):
    monkeypatch.setattr(reading, "GIVE_UP", 3)
    absent_do_not_count = [server.photo(403), server.photo(403), *(server.photo(404) for _ in range(5))]
    assert len(list(ahead([*absent_do_not_count, server.photo(200), server.photo(403), server.photo(403)]))) == 10
    photos = ahead([server.photo(200), *(server.photo(403) for _ in range(9))])
    assert told([next(photos) for _ in range(2)])[0] == PIXELS
    with pytest.raises(CamtrapsError, match=r"^3 photos in a row could not be read, the last one: photo not readable"):
        list(photos)


def test_no_photos_are_no_answers():
    assert list(ahead([])) == []


def test_local_photos_are_read_one_by_one_and_in_no_thread(tmp_path, monkeypatch):
    for number in range(50):
        (tmp_path / f"{number}.jpg").write_bytes(b"%d" % number)
    readers = []
    read = reading.read_photo
    monkeypatch.setattr(reading, "read_photo", lambda uri: readers.append(threading.current_thread()) or read(uri))
    photos = ahead(str(tmp_path / f"{number}.jpg") for number in range(50))
    assert next(photos) == b"0"
    assert readers == [threading.current_thread()]
    assert list(photos) == [b"%d" % number for number in range(1, 50)]
    assert set(readers) == {threading.current_thread()}


def test_only_a_few_are_begun_before_the_first_is_taken(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_THREADS", "3")
    asked = []
    results = in_order(
        str.upper, (asked.append(name) or name for name in "abcdefghijklmnopqrstuvwxyz"), lambda uri: True
    )
    assert next(results) == "A"
    assert len(asked) == 6
    assert next(results) == "B"
    assert len(asked) == 7


def test_no_more_threads_run_than_were_asked_for(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_THREADS", "3")
    together = threading.Barrier(3)
    names = set()

    def meet(uri: str) -> str:
        names.add(threading.current_thread().name)
        together.wait(10)  # breaks, and so raises, where fewer than three are at work
        return uri

    assert list(in_order(meet, ["a"] * 30, lambda uri: True)) == ["a"] * 30
    assert len(names) == 3


def test_who_stops_early_does_not_wait_and_nothing_more_is_begun(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_THREADS", "2")
    begun, go_on = [], threading.Event()

    def slow(uri: str) -> str:
        begun.append(uri)
        if uri != "first":
            go_on.wait(10)
        return uri

    results = in_order(slow, ["first", *"bcdefgh"], lambda uri: True)
    assert next(results) == "first"
    results.close()
    assert not go_on.is_set()
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join()
    assert len(begun) <= 4
    assert "h" not in begun


def test_what_is_no_failure_of_a_photo_is_raised(server):
    servers.settings(f"{server.address}: {{sas: NOT_SET}}")
    with pytest.raises(InputError, match="NOT_SET"):
        list(ahead([server.photo(200)] * 100))


@pytest.mark.parametrize("given", ["0", "many", "-1", "1.5"])
def test_a_wrong_number_of_threads_is_refused(given, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_THREADS", given)
    with pytest.raises(InputError) as caught:
        list(ahead([]))
    assert str(caught.value) == f"CAMTRAPS_THREADS: must be a number from 1, got {given!r}"


def test_worker_processes_read_too(server):
    uris = [server.photo(200) for _ in range(4)]
    code = f"""
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from camtraps.storage import read_photo
if __name__ == "__main__":
    read_photo({uris[0]!r})
    for method in ("spawn", "fork"):
        with ProcessPoolExecutor(2, mp_context=get_context(method)) as pool:
            print(list(pool.map(read_photo, {uris})))
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{[PIXELS] * 4}\n" * 2
