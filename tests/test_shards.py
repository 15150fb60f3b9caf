"""Shards: ZIP files of the same bytes for the same crops, read by offset and length."""

import pickle
import zipfile

import pytest

from camtraps import shards
from camtraps.errors import MissingError
from camtraps.shards import Reader, write

MEMBERS = [
    ("d/a.jpg___crop00.jpg", b"first"),
    ("d/b.jpg___crop00.jpg", b""),
    ("d/f\xfcchs.jpg___crop01.jpg", b"x" * 900),
]


def test_the_same_members_give_the_same_bytes(tmp_path):
    for name in ("one.zip", "two.zip"):
        write(tmp_path / name, MEMBERS)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_bytes_do_not_depend_on_the_day(tmp_path, monkeypatch):
    write(tmp_path / "today.zip", MEMBERS)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write(tmp_path / "later.zip", MEMBERS)
    assert (tmp_path / "today.zip").read_bytes() == (tmp_path / "later.zip").read_bytes()


def test_any_zip_program_opens_a_shard(tmp_path):
    write(tmp_path / "s.zip", MEMBERS)
    with zipfile.ZipFile(tmp_path / "s.zip") as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == dict(MEMBERS)
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_offset_and_length_point_at_the_bytes_of_a_member(tmp_path):
    places = write(tmp_path / "s.zip", MEMBERS)
    content = (tmp_path / "s.zip").read_bytes()
    assert [content[offset : offset + length] for offset, length in places] == [data for _, data in MEMBERS]


def test_the_reader_gives_each_member(tmp_path):
    places = write(tmp_path / "s.zip", MEMBERS)
    reader = Reader(tmp_path)
    assert [reader.read("s.zip", *place) for place in reversed(places)] == [data for _, data in reversed(MEMBERS)]


def test_more_shards_than_may_be_open_are_all_read(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "MAX_OPEN", 2)
    places = {f"{n}.zip": write(tmp_path / f"{n}.zip", [("a", bytes([n]))])[0] for n in range(5)}
    reader = Reader(tmp_path)
    assert [reader.read(name, *place) for name, place in [*places.items()] * 2] == [bytes([n]) for n in range(5)] * 2


def test_a_copy_for_another_process_opens_its_own_files(tmp_path):
    ((offset, length),) = write(tmp_path / "s.zip", [("a", b"data")])
    reader = Reader(tmp_path)
    reader.read("s.zip", offset, length)
    assert pickle.loads(pickle.dumps(reader)).read("s.zip", offset, length) == b"data"


def test_a_truncated_shard_is_a_clear_error(tmp_path):
    offset, length = write(tmp_path / "s.zip", MEMBERS)[2]
    (tmp_path / "s.zip").write_bytes((tmp_path / "s.zip").read_bytes()[: offset + length - 1])
    with pytest.raises(MissingError) as error:
        Reader(tmp_path).read("s.zip", offset, length)
    assert str(error.value) == f"{tmp_path}/s.zip: shorter than its crops table says; run `dvc checkout`"


def test_an_absent_shard_is_a_clear_error(tmp_path):
    with pytest.raises(MissingError) as error:
        Reader(tmp_path).read("s.zip", 0, 1)
    assert str(error.value) == f"{tmp_path}/s.zip: not found; run `dvc pull` or `dvc repro`"
