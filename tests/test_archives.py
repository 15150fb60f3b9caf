"""Files as they come: plain, gzipped or alone in a zip; each thing that can be wrong with them is one line."""

import gzip
import io
import struct
import zipfile
from pathlib import Path

import pytest

from camtraps import archives
from camtraps.archives import opened
from camtraps.errors import CamtrapsError, InputError, MissingError


def zipped(path: Path, *names: str, text: str = "[1]") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, text)
    return path


def content(path: Path, suffix: str = ".json") -> bytes:
    with opened(path, suffix) as file:
        return file.read()


def message(path: Path) -> str:
    with pytest.raises(CamtrapsError) as caught:
        content(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_file_is_given_as_it_is(tmp_path):
    (tmp_path / "a.json").write_bytes(b"[1]")
    assert content(tmp_path / "a.json") == b"[1]"


def test_a_gzipped_file_is_known_by_its_first_bytes(tmp_path):
    (tmp_path / "a.json").write_bytes(gzip.compress(b"[1]"))
    assert content(tmp_path / "a.json") == b"[1]"


@pytest.mark.parametrize("name", ["a.json", "folder/A.JSON", "a b.json"])
def test_the_one_member_of_a_zip_is_found(tmp_path, name):
    path = zipped(tmp_path / "a.zip", name, "readme.txt", "__MACOSX/._a.json")
    assert content(path) == b"[1]"


class Bar:
    """A progress bar that remembers where it was."""

    disable = False

    def __init__(self, label: str | None, total: int, *_: object, **__: object) -> None:
        self.label, self.total, self.n = label, total, 0
        self.seen: list[int] = []

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, step: int) -> None:
        self.n += step
        self.seen.append(self.n)


@pytest.fixture
def bars(monkeypatch) -> list[Bar]:
    """Let every file be a large one."""
    made: list[Bar] = []
    monkeypatch.setattr(archives, "LARGE", 10)
    monkeypatch.setattr(archives, "bar", lambda *given, **more: made.append(Bar(*given, **more)) or made[-1])
    return made


def test_a_large_file_moves_a_bar_to_its_end(tmp_path, bars):
    (tmp_path / "a.json").write_bytes(b"[1]" * 1000)
    with opened(tmp_path / "a.json", ".json") as file:
        while file.read(1000):
            pass
    assert (bars[0].label, bars[0].total, bars[0].seen) == ("reading a.json", 3000, [1000, 2000, 3000, 3000])


def test_a_large_zip_moves_its_bar_back_after_its_end_was_read(tmp_path, bars):
    path = zipped(tmp_path / "a.zip", "a.json", text="[1]" * 1000)
    assert content(path) == b"[1]" * 1000
    assert bars[0].seen[0] == bars[0].total == path.stat().st_size
    assert bars[0].n < bars[0].total


def test_a_zip_without_such_a_member_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", "readme.txt")
    assert message(path) == "expected one file *.json in it, found none; unpack it and name the file"


def test_a_zip_without_members_is_refused(tmp_path):
    said = "expected one file *.json in it, found none; unpack it and name the file"
    assert message(zipped(tmp_path / "a.zip")) == said


def test_a_zip_with_several_such_members_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", "a.json", "b.json")
    assert message(path) == "expected one file *.json in it, found a.json, b.json; unpack it and name the file"


@pytest.mark.parametrize("name", ["../a.json", "/a.json", "x/../../a.json", "C:\\a.json"])
def test_a_zip_whose_member_leads_out_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "[]")
    said = f"its member {name!r} leads out of the folder; this is no archive to trust"
    assert message(tmp_path / "a.zip") == said


def test_a_zip_with_a_password_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", "a.json")
    data = bytearray(path.read_bytes())
    # Bit 0 of the flags, in the member's own header and in the list at the end.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    said = "cannot be read as a file: File 'a.json' is encrypted, password required for extraction"
    assert message(path) == said


def test_a_zip_in_a_compression_that_we_do_not_have_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", "a.json")
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, 8, 9)
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + 10, 9)  # Deflate64, as Windows makes them above 2 GB
    path.write_bytes(data)
    said = "cannot be read as a file: That compression method is not supported"
    assert message(path) == said


def test_a_zip_is_refused_wherever_it_is_cut_off(tmp_path):
    whole = zipped(tmp_path / "a.zip", "a.json", text="[1, 2, 3]").read_bytes()
    for length in range(4, len(whole)):
        (tmp_path / "a.zip").write_bytes(whole[:length])
        assert message(tmp_path / "a.zip").startswith("cannot be unpacked: ")


def test_a_gzipped_file_is_refused_wherever_it_is_cut_off(tmp_path):
    whole = gzip.compress(b"[1, 2, 3]" * 10)
    for length in range(2, len(whole)):
        (tmp_path / "a.json").write_bytes(whole[:length])
        assert message(tmp_path / "a.json").startswith("cannot be ")


def test_damage_in_a_zip_is_one_line(tmp_path):
    path = zipped(tmp_path / "a.zip", "a.json")
    data = bytearray(path.read_bytes())
    data[data.index(b"a.json") + len("a.json") + 2] ^= 0xFF
    path.write_bytes(data)
    assert message(path).startswith("cannot be unpacked: ")


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(MissingError) as caught, opened(tmp_path / "a.csv", ".csv", "get it from there"):
        pass
    assert str(caught.value) == f"{tmp_path}/a.csv: not found; get it from there"


def test_a_folder_is_refused(tmp_path):
    assert message(tmp_path) == "cannot be read as a file: Is a directory"


def test_a_name_below_a_file_is_refused(tmp_path):
    (tmp_path / "a").write_text("x")
    assert message(tmp_path / "a" / "b.json") == "cannot be read as a file: Not a directory"


def test_an_error_of_the_one_who_reads_is_not_taken_for_one_of_the_file(tmp_path):
    (tmp_path / "a.json").write_bytes(b"[1]")
    with pytest.raises(InputError, match=r"^mine$"), opened(tmp_path / "a.json", ".json"):
        raise InputError("mine")


def test_text_can_be_read_from_any_of_them(tmp_path):
    path = zipped(tmp_path / "a.zip", "a.csv", text="file\nä.jpg\n")
    with opened(path, ".csv") as file:
        assert io.TextIOWrapper(file, "utf-8").read() == "file\nä.jpg\n"
