"""The existence check: there, certainly not there, or not to be told, in the order of the question."""

import pytest

from camtraps import existence, storage


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(storage, "PAUSES", (0.0, 0.0))


def test_what_is_there_and_what_is_not_is_told_in_order(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"1")
    uris = [str(tmp_path / name) for name in ("no.jpg", "a.jpg", "a.jpg/b.jpg", "no/b.jpg", "a.jpg")]
    assert existence.check(uris) == [False, True, False, False, True]


def test_a_folder_is_no_photo(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    assert existence.check([str(tmp_path / "a.jpg")]) == [False]


def test_an_error_is_not_an_absence(tmp_path, monkeypatch):
    def broken(uri: str) -> bool:
        raise TimeoutError if "slow" in uri else PermissionError

    monkeypatch.setattr(storage, "_is_file", broken)
    assert existence.check(["slow.jpg", "closed.jpg"]) == [None, None]


def test_an_error_that_passes_is_tried_again(tmp_path, monkeypatch):
    answers = iter([TimeoutError, ConnectionResetError, None])

    def at_last(uri: str) -> bool:
        if error := next(answers):
            raise error
        return True

    monkeypatch.setattr(storage, "_is_file", at_last)
    assert existence.check(["a.jpg"]) == [True]


def test_an_address_of_an_unknown_kind_is_no_absence():
    assert existence.check(["nosuch://bucket/a.jpg"]) == [None]


def test_more_photos_than_wait_at_once_are_all_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(existence, "AT_ONCE", 3)
    for number in range(0, 10, 2):
        (tmp_path / f"{number}.jpg").write_bytes(b"1")
    uris = [str(tmp_path / f"{number}.jpg") for number in range(10)]
    assert existence.check(uris) == [True, False] * 5


def test_no_photos_are_no_answers():
    assert existence.check([]) == []
