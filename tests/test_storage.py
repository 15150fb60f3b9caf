"""Photos where they lie: local files and URIs, each failure with its reason."""

import fsspec
import pytest

from camtraps import storage
from camtraps.errors import InputError
from camtraps.storage import PhotoError


def reason(uri: str) -> str:
    with pytest.raises(PhotoError) as caught:
        storage.read_photo(uri)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_local_photo_is_read(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"pixels")
    assert storage.read_photo(storage.photo_uri(f"{tmp_path}/", "a.jpg")) == b"pixels"


def test_a_remote_photo_is_read():
    fsspec.filesystem("memory").pipe("/bucket/cam 1/a.jpg", b"pixels")
    assert storage.read_photo(storage.photo_uri("memory://bucket", "cam 1/a.jpg")) == b"pixels"


@pytest.mark.parametrize("file", ["../a.jpg", "/a.jpg", "C:\\a.jpg", ""])
def test_a_name_never_leads_out_of_its_folder(file):
    with pytest.raises(InputError) as caught:
        storage.photo_uri("s3://bucket", file)
    assert str(caught.value) == f"{file!r} leads out of the image folder s3://bucket"


@pytest.mark.parametrize("uri", ["/nowhere/a.jpg", "memory://nowhere/a.jpg"])
def test_an_absent_photo_has_that_reason(uri):
    assert reason(uri) == "photo not found"


def test_an_empty_photo_has_that_reason(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert reason(str(tmp_path / "a.jpg")) == "photo is an empty file"


def test_a_folder_in_the_place_of_a_photo_has_that_reason(tmp_path):
    assert reason(str(tmp_path)) == "photo not readable: Is a directory"


def test_a_protocol_that_nobody_knows_has_that_reason():
    assert reason("zz://bucket/a.jpg") == "photo not readable: Protocol not known: zz"


def test_an_error_that_only_a_back_end_knows_is_the_reason(monkeypatch):
    class NoCredentialsError(Exception):
        """As botocore's, which is no OSError."""

    def refuse(*_: object) -> None:
        raise NoCredentialsError("Unable to locate credentials")

    monkeypatch.setattr(fsspec, "open", refuse)
    assert reason("s3://bucket/a.jpg") == "photo not readable: Unable to locate credentials"


@pytest.mark.parametrize(("uri", "local"), [("/data/a.jpg", True), ("a.jpg", True), ("s3://b/a.jpg", False)])
def test_a_uri_with_a_protocol_is_not_local(uri, local):
    assert storage.is_local(uri) is local


def test_the_stamp_of_a_photo_changes_with_its_bytes(tmp_path):
    path = tmp_path / "a.jpg"
    assert storage.stamp(str(path)) == "absent"
    path.write_bytes(b"one")
    before = storage.stamp(str(path))
    path.write_bytes(b"three")
    assert storage.stamp(str(path)) != before
    assert before.startswith("3:")
    assert storage.stamp("s3://bucket/a.jpg") == ""
