"""The existence check: there, certainly not there, or not to be told, in the order of the question."""

import pytest
import servers

from camtraps import existence


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    servers.alone(monkeypatch, tmp_path)


def test_what_is_there_and_what_is_not_is_told_in_order(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"1")
    uris = [str(tmp_path / name) for name in ("no.jpg", "a.jpg", "a.jpg/b.jpg", "no/b.jpg", "a.jpg")]
    assert existence.check(uris) == [False, True, False, False, True]


def test_a_folder_is_no_photo(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    assert existence.check([str(tmp_path / "a.jpg")]) == [False]


def test_an_error_is_not_an_absence():
    with servers.web() as server:
        uris = [server.photo(200), server.photo(403), server.photo(404), server.photo(500)]
        assert existence.check(uris) == [True, None, False, None]


def test_an_error_that_passes_is_tried_again():
    with servers.web() as server:
        assert existence.check([server.photo(503, "drop", 200)]) == [True]


def test_an_address_of_an_unknown_kind_is_no_absence():
    assert existence.check(["nosuch://bucket/a.jpg"]) == [None]


def test_more_photos_than_wait_at_once_are_all_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_THREADS", "2")
    for number in range(0, 10, 2):
        (tmp_path / f"{number}.jpg").write_bytes(b"1")
    uris = [str(tmp_path / f"{number}.jpg") for number in range(10)]
    assert existence.check(uris) == [True, False] * 5


def test_no_photos_are_no_answers():
    assert existence.check([]) == []
