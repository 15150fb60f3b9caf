"""Files: whole or not at all, read with clear errors, no way out of a folder."""

import hashlib
import threading
from pathlib import Path

import duckdb
import pytest

from camtraps.errors import CamtrapsError, InputError, MissingError
from camtraps.files import climbs, digest, link_or_copy, once_each, read_csv, read_json, replacing, work_dir, write_json


def write_half(path: Path) -> None:
    with replacing(path) as part:
        part.write_text("half")
        raise OSError("disk full")


def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "stale").write_text("")
    with replacing(folder) as part:
        part.mkdir()
        (part / "fresh").write_text("")
    assert [path.name for path in folder.iterdir()] == ["fresh"]
    assert list(tmp_path.iterdir()) == [folder]


def test_threads_that_write_the_same_file_do_not_write_into_each_other(tmp_path):
    path, met = tmp_path / "a.txt", threading.Barrier(2, timeout=60)

    def write(letter):
        with replacing(path) as part:
            met.wait()
            part.write_text(letter * 5)
            met.wait()
            seen.add(part.read_text())
            met.wait()

    seen: set[str] = set()
    threads = [threading.Thread(target=write, args=(letter,)) for letter in "xy"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"xxxxx", "yyyyy"}
    assert path.read_text() in seen
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, f"a{'ä' * 127}"])
def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path, name):
    with replacing(tmp_path / name) as part:
        part.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_what_duckdb_says_of_a_full_disk_is_one_line(tmp_path, form):
    with pytest.raises(CamtrapsError) as caught, replacing(tmp_path / "a"):
        duckdb.execute(f"copy (select range from range(9)) to '/dev/full' (format {form})")
    assert str(caught.value) == f"{tmp_path}/a: cannot be written: the disk is full; make room and run again"


def test_what_a_killed_replacing_left_does_not_stop_the_next_one(tmp_path):
    left = tmp_path / f".results.{threading.get_native_id()}.old"
    for folder in (tmp_path / "results", left):
        folder.mkdir()
        (folder / "old.txt").touch()
    with replacing(tmp_path / "results") as part:
        part.mkdir()
    assert list(tmp_path.iterdir()) == [tmp_path / "results"]
    assert not list((tmp_path / "results").iterdir())


def test_replacing_makes_the_folders_above(tmp_path):
    with replacing(tmp_path / "a" / "b.txt") as part:
        part.write_text("new")
    assert (tmp_path / "a" / "b.txt").read_text() == "new"


def test_json_is_written_with_indent_line_end_and_letters_as_they_are(tmp_path):
    write_json(tmp_path / "a.json", {"é": [1]})
    assert (tmp_path / "a.json").read_bytes() == '{\n "é": [\n  1\n ]\n}\n'.encode()


def test_json_is_never_written_with_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range float values"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not list(tmp_path.iterdir())


def test_json_is_read_past_a_byte_order_mark_and_nan(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"a": NaN, "b": "NaN", "c": -Infinity}')
    assert read_json(path) == {"a": None, "b": "NaN", "c": None}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": 1]', ":1:8: not valid JSON: expecting ',' delimiter, near '{\"a\": 1]'"),
        (b'{"a": 1,\n"b" 2}', ":2:5: not valid JSON: expecting ':' delimiter, near '{\"a\": 1, \"b\" 2}'"),
        (b"", ":1:1: not valid JSON: expecting value, near ''"),
        (b'{"a": "\xe9"}', ": byte 7 is not UTF-8; save the file as UTF-8"),
        ("{}".encode("utf-16"), ": byte 0 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_broken_json_is_one_line_with_its_place(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        read_json(path)
    assert str(caught.value) == f"{path}{said}"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' + "1" * 5000 + "}"])
def test_json_that_python_cannot_hold_is_one_line(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: not usable JSON: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_comes_with_its_remedy(tmp_path):
    with pytest.raises(MissingError) as caught:
        read_json(tmp_path / "a.json", "run `make`")
    assert str(caught.value) == f"{tmp_path}/a.json: not found; run `make`"


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError) as caught:
        read_json(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read as a file: is a directory"


def test_a_key_that_stands_twice_is_refused_where_asked(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": {"b": 1, "b": 2}}')
    assert read_json(path) == {"a": {"b": 2}}
    with pytest.raises(InputError) as caught:
        read_json(path, make_object=once_each)
    assert str(caught.value) == f"{path}: not usable JSON: key 'b' stands twice"


def test_a_csv_file_keeps_every_cell_as_text_with_its_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbflocation,label,more\r\n007,NA,x\r\n"a,b",null,"two\nlines"\r\n\r\n,"",\r\n')
    assert read_csv(path, ("location", "label"), "") == [
        (2, {"location": "007", "label": "NA", "more": "x"}),
        (4, {"location": "a,b", "label": "null", "more": "two\nlines"}),
        (6, {"location": "", "label": "", "more": ""}),
    ]


def test_cells_beyond_the_asked_columns_may_be_left_out_or_empty(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("location,more\nnorth\nsouth,x,,\n")
    assert read_csv(path, ("location",), "") == [
        (2, {"location": "north", "more": None}),
        (3, {"location": "south", "more": "x"}),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", ":1: column a, b is missing; it has nothing"),
        (b"a;b\n1;2\n", ":1: column a, b is missing; it has a;b"),
        (b"a,b\n1\n2,3\n4\n", ": line 2: expected a, b, got only 1; line 4: expected a, b, got only 4"),
        (b"a,b\n1,2,3\n", ": line 2: more cells than the header's 2; quote a cell that has a comma"),
        (b'a,b\n1,2\n3,"4\n5,6\n', ":3: not valid CSV: unexpected end of data; is a quote not closed?"),
        (b"a,b\n\xe9,2\n", ": byte 4 is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_malformed_csv_file_is_one_line_with_its_places(tmp_path, text, said):
    path = tmp_path / "a.csv"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        read_csv(path, ("a", "b"), "")
    assert str(caught.value) == f"{path}{said}"


@pytest.mark.parametrize(
    "file", ["../x", "a/../../x", "a/..", "/x", "\\x", "C:\\x", "c:x", "..\\x", "\\\\host\\x", "", ".", "./", "a\0b"]
)
def test_a_name_that_leads_out_of_its_folder_is_seen(file):
    assert climbs(file)


@pytest.mark.parametrize("file", ["x.jpg", "a/b.jpg", "..x", "a..b/c", "~x", "a b/é.jpg", "a\\b.jpg", "./a.jpg"])
def test_an_ordinary_name_leads_nowhere_else(file):
    assert not climbs(file)


def test_a_link_is_the_same_file(tmp_path):
    (tmp_path / "a").write_text("x")
    link_or_copy(tmp_path / "a", tmp_path / "deep" / "b")
    assert (tmp_path / "deep" / "b").samefile(tmp_path / "a")


def test_where_no_link_can_be_made_the_file_is_copied(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    (tmp_path / "a").write_text("x")
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "x"


def test_a_digest_tells_the_bounds_of_its_parts():
    assert digest("ab") == hashlib.sha256(b"\0\0\0\0\0\0\0\x02ab").hexdigest()
    assert digest("ab") == digest(b"ab")
    assert len({digest("ab"), digest("a", "b"), digest("b", "a"), digest("ab", "")}) == 4


def test_the_work_folder_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "w"))
    assert work_dir("locks") == tmp_path / "w" / "locks"
    monkeypatch.delenv("CAMTRAPS_WORK")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert work_dir("locks") == tmp_path / "cache" / "camtraps" / "locks"
    assert (tmp_path / "cache" / "camtraps" / "locks").is_dir()
