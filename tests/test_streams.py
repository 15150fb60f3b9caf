"""JSON element by element and CSV batch by batch: as the whole file would be read, and every error one line."""

import gzip
import json
import random
import resource
import time
import zipfile
from pathlib import Path
from typing import Any

import make
import pyarrow as pa
import pytest

from camtraps import streams
from camtraps.errors import CamtrapsError, InputError, MissingError
from camtraps.streams import batches, members

SMALL = {
    "info": {"version": 1.5, "note": 'é\n\\"😀'},
    "images": [{"id": "i1", "file_name": "a.jpg", "width": 20}, {"id": "i2", "file_name": "ß.jpg"}],
    "annotations": [{"id": 1, "image_id": "i1", "bbox": [1.5, -2e3, 3, 0.25], "corrupt": False}],
    "categories": [],
    "last": None,
}


def json_file(folder: Path, text: str | bytes) -> Path:
    path = folder / "a.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def message(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(members(path))
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def expected(document: dict[str, Any]) -> list[tuple[str, int | None, Any]]:
    """Give what `members` should say of a document, the slow way."""
    given: list[tuple[str, int | None, Any]] = []
    for key, value in document.items():
        if isinstance(value, list) and value:
            given += [(key, at, item) for at, item in enumerate(value)]
        else:
            given.append((key, None, value))
    return given


def test_lists_come_element_by_element_and_all_else_whole(tmp_path):
    assert list(members(make.write_json(tmp_path / "a.json", SMALL))) == [
        ("info", None, {"version": 1.5, "note": 'é\n\\"😀'}),
        ("images", 0, {"id": "i1", "file_name": "a.jpg", "width": 20}),
        ("images", 1, {"id": "i2", "file_name": "ß.jpg"}),
        ("annotations", 0, {"id": 1, "image_id": "i1", "bbox": [1.5, -2000.0, 3, 0.25], "corrupt": False}),
        ("categories", None, []),
        ("last", None, None),
    ]


def test_a_file_that_is_one_list_is_called_as_the_caller_says(tmp_path):
    path = json_file(tmp_path, "[1, [2]]")
    assert list(members(path)) == [(None, 0, 1), (None, 1, [2])]
    assert list(members(path, "photos")) == [("photos", 0, 1), ("photos", 1, [2])]
    assert list(members(json_file(tmp_path, " [ ] "), "photos")) == [("photos", None, [])]


@pytest.mark.parametrize("text", ["{}", " \r\n\t{ } \n", "\ufeff{}"])
def test_an_empty_object_gives_nothing(tmp_path, text):
    assert list(members(json_file(tmp_path, text))) == []


def test_a_byte_order_mark_is_passed_over(tmp_path):
    assert list(members(json_file(tmp_path, '\ufeff{"a": 1}'))) == [("a", None, 1)]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_what_is_no_number_is_none(tmp_path, monkeypatch, value, block):
    monkeypatch.setattr(streams, "BLOCK", block)
    path = json_file(tmp_path, f'{{"a": {value}, "b": [{value}, {{"c": [{value}]}}], "d": {value}}}')
    assert list(members(path)) == [("a", None, None), ("b", 0, None), ("b", 1, {"c": [None]}), ("d", None, None)]


@pytest.mark.parametrize("indent", [None, 1])
def test_every_beginning_of_a_document_is_refused_in_one_line(tmp_path, indent):
    whole = json.dumps(SMALL, indent=indent, ensure_ascii=False).encode()
    assert list(members(json_file(tmp_path, whole))) == expected(SMALL)
    for length in range(1, len(whole)):
        assert "the file ends in the middle; get it again whole" in message(json_file(tmp_path, whole[:length]))


def test_every_beginning_is_refused_with_small_blocks_too(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 5)
    whole = json.dumps(SMALL, ensure_ascii=False).encode()
    for length in range(1, len(whole)):
        assert "the file ends in the middle; get it again whole" in message(json_file(tmp_path, whole[:length]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1:1: not valid JSON: expected an object or a list, near ''"),
        ("7", ":1:1: not valid JSON: expected an object or a list, near '7'"),
        ("\n<html>", ":2:1: not valid JSON: expected an object or a list, near ' <html>'"),
        ('{"a": 1} x', ":1:10: not valid JSON: something stands behind its end, near '{\"a\": 1} x'"),
        ('{"a": [1, 2],\n}', ":2:1: not valid JSON: there is a comma before '}'; remove it, near '{\"a\": [1, 2], }'"),
        ('{"a": [1,\n2,]}', ":2:3: not valid JSON: there is a comma before ']'; remove it, near '{\"a\": [1, 2,]}'"),
        ('{"a": [1 2]}', ":1:10: not valid JSON: expected ',', near '{\"a\": [1 2]}'"),
        ('{"a" 1}', ":1:6: not valid JSON: expected ':', near '{\"a\" 1}'"),
        ("{a: 1}", ":1:2: not valid JSON: expecting value, near '{a: 1}'"),
        ("{1: 1}", ":1:3: not valid JSON: expected a key in quotes as number 1, got 1, near '{1: 1}'"),
        ('{"a": 01}', ":1:8: not valid JSON: expected ',', near '{\"a\": 01}'"),
        ('{"a": "\t"}', ':1:8: not valid JSON: invalid control character at, near \'{"a": "\\t"}\''),
        ('{"a": "\\x"}', ':1:8: not valid JSON: invalid \\escape, near \'{"a": "\\\\x"}\''),
        ('{"a": [],\n "a": []}', ":2:7: not valid JSON: the list 'a' stands twice, near '\"a\": [],  \"a\": []}'"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_column(tmp_path, text, said):
    assert message(json_file(tmp_path, text)) == said


def test_the_place_is_right_far_behind_the_first_block(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 16)
    text = '{"a": [\n' + '  {"id": 1},\n' * 100 + '  {"id": 1}\n  {"id": 2}]}'
    assert message(json_file(tmp_path, text)).startswith(":103:3: not valid JSON: expected ','")


def test_an_element_that_is_wrong_inside_is_placed_there(tmp_path):
    text = '{"a": [{"id": 1},\n{"id": 2, "b": }' + ' {"id": 3},' * 10 + "]}"
    assert message(json_file(tmp_path, text)).startswith(':2:16: not valid JSON: expecting value, near \'{"id": 2,')


def test_elements_before_an_error_are_given(tmp_path):
    given = members(json_file(tmp_path, '{"a": [1, 2, }'))
    assert [next(given), next(given)] == [("a", 0, 1), ("a", 1, 2)]
    with pytest.raises(InputError):
        next(given)


def test_text_in_latin_1_is_refused(tmp_path):
    path = json_file(tmp_path, '{"a": "Häher"}'.encode("latin-1"))
    assert message(path) == ": byte 8 is not UTF-8; save the file as UTF-8"


def test_the_place_of_what_is_not_utf_8_counts_earlier_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK", 7)
    whole = '{"a": ["ää", "ß", "'.encode()
    said = f": byte {len(whole)} is not UTF-8; save the file as UTF-8"
    assert message(json_file(tmp_path, whole + b'\xff"]}')) == said


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": [' + "[" * 100_000])
def test_what_is_nested_too_deeply_is_refused(tmp_path, text):
    assert ": not valid JSON: nested too deeply, near " in message(json_file(tmp_path, text))


@pytest.mark.parametrize("text", ['{"a": 1%s}', "[1, 1%s]", '{"a": [{"b": 1%s'])
def test_a_number_that_python_cannot_hold_is_refused(tmp_path, text):
    assert ": not valid JSON: a number has too many digits, near " in message(json_file(tmp_path, text % ("0" * 5000)))


def test_one_line_of_fifty_megabytes_is_read_fast_and_in_little_memory(tmp_path):
    element = json.dumps({"id": "x" * 30, "file_name": "y" * 60, "bbox": [1.5, 2.5, 3.5, 4.5]})
    num_elements = 50_000_000 // len(element)
    path = json_file(tmp_path, '{"images": [' + ",".join([element] * num_elements) + "]}")
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert sum(1 for _ in members(path)) == num_elements
    assert time.process_time() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000  # kB


def test_one_element_of_fifty_megabytes_is_read_in_reasonable_time(tmp_path):
    value = {"text": "x" * 50_000_000}
    start = time.process_time()
    assert list(members(make.write_json(tmp_path / "a.json", {"a": [value]}))) == [("a", 0, value)]
    assert time.process_time() - start < 20


def drawn(choose: random.Random, depth: int = 0) -> Any:
    """Draw a value of any kind, with all that is hard to cut."""
    texts = ['quote " and \\', "é😀", "\n\t", "", "a" * 20, "]", "}, {"]
    plain = [None, True, False, 0, -1.5, 1e300, 12345678901234567890, 5e-324, choose.random(), choose.choice(texts)]
    kind = choose.random() if depth < 3 else 1.0
    if kind < 0.25:
        return [drawn(choose, depth + 1) for _ in range(choose.randrange(4))]
    if kind < 0.5:
        return {choose.choice(texts) + str(at): drawn(choose, depth + 1) for at in range(choose.randrange(4))}
    return choose.choice(plain)


@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
def test_small_blocks_give_what_the_standard_library_reads(tmp_path, monkeypatch, block):
    monkeypatch.setattr(streams, "BLOCK", block)
    choose = random.Random(block)
    for _ in range(150):
        document = {f"k{at}": drawn(choose) for at in range(choose.randrange(5))}
        text = json.dumps(document, ensure_ascii=choose.random() < 0.5, indent=choose.choice([None, 1]))
        assert list(members(json_file(tmp_path, text))) == expected(json.loads(text))


def test_json_may_be_gzipped_or_in_a_zip(tmp_path):
    json_file(tmp_path, gzip.compress(b'{"a": 1}'))
    assert list(members(tmp_path / "a.json")) == [("a", None, 1)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/a.json", '{"a": 2}')
    assert list(members(tmp_path / "a.zip")) == [("a", None, 2)]


def test_a_missing_json_file_is_said(tmp_path):
    with pytest.raises(MissingError, match="not found; check the path"):
        list(members(tmp_path / "a.json"))


def csv_file(folder: Path, text: str | bytes) -> Path:
    path = folder / "a.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def rows(path: Path, *columns: str) -> list[dict[str, Any]]:
    return [row for batch in batches(path, columns) for row in batch.to_pylist()]


def refusal(path: Path, *columns: str) -> str:
    with pytest.raises(CamtrapsError) as caught:
        rows(path, *columns)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def test_every_cell_is_text_and_every_row_has_its_line(tmp_path):
    path = csv_file(tmp_path, "file,location\na.jpg,007\nb.jpg,NA\nc.jpg,\nnull,1e5\n")
    assert rows(path, "file") == [
        {"file": "a.jpg", "location": "007", "line_number": 2},
        {"file": "b.jpg", "location": "NA", "line_number": 3},
        {"file": "c.jpg", "location": "", "line_number": 4},
        {"file": "null", "location": "1e5", "line_number": 5},
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_separator_is_that_of_the_header(tmp_path, separator):
    path = csv_file(tmp_path, f'a{separator}b\n1{separator}"x,y;z\t"\n')
    assert rows(path) == [{"a": "1", "b": "x,y;z\t", "line_number": 2}]


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_and_byte_order_marks_of_all_systems_are_read(tmp_path, start, end, last):
    path = csv_file(tmp_path, start + f"a,b{end}1,2{end}3,4" + end * last)
    assert rows(path, "a") == [{"a": "1", "b": "2", "line_number": 2}, {"a": "3", "b": "4", "line_number": 3}]


def test_quotes_are_taken_off_and_blanks_are_kept(tmp_path):
    path = csv_file(tmp_path, '"a" , b\n"say ""hi""", x \n5" lens,\n')
    given = [(row["a"], row["b"]) for row in rows(path)]
    assert given == [('say "hi"', " x "), ('5" lens', "")]


def test_a_cell_may_have_a_line_end(tmp_path):
    path = csv_file(tmp_path, 'a,b\n1,"x\ny"\n2,z\n')
    assert [(row["a"], row["b"]) for row in rows(path)] == [("1", "x\ny"), ("2", "z")]


def test_rows_without_any_text_are_left_out_and_counted_as_lines(tmp_path):
    path = csv_file(tmp_path, "a,b\n\n1,2\n\n  \n,\n,4\n\t\n5,6\n\n\n")
    assert [(row["a"], row["b"], row["line_number"]) for row in rows(path)] == [
        ("1", "2", 3),
        ("", "4", 7),
        ("5", "6", 9),
    ]


def test_blank_lines_are_counted_over_many_batches(tmp_path):
    lines = [f"{at},{'x' * 90}" if at % 3 else "   "[: at % 4] for at in range(2, 300_000)]
    path = csv_file(tmp_path, "a,b\n" + "\n".join(lines) + "\n")
    given = list(batches(path, ["a"]))
    assert len(given) > 1
    table = pa.concat_tables(given)
    assert table["a"].cast(pa.int64()).equals(table["line_number"])
    assert table.num_rows == sum(1 for at in range(2, 300_000) if at % 3)


def test_one_column_is_a_table_too(tmp_path):
    path = csv_file(tmp_path, "file\na.jpg\n\nb.jpg\n")
    given = [(row["file"], row["line_number"]) for row in rows(path, "file")]
    assert given == [("a.jpg", 2), ("b.jpg", 4)]


@pytest.mark.parametrize("text", ["a,b", "a,b\n", "a,b\r\n\r\n", "\ufeffa,b\n"])
def test_a_table_without_rows_gives_none(tmp_path, text):
    assert rows(csv_file(tmp_path, text), "a") == []


def test_a_column_called_line_number_is_kept_before_ours(tmp_path):
    (batch,) = batches(csv_file(tmp_path, "line_number,a\n7,x\n"), ["a"])
    assert batch.column_names == ["line_number", "a", "line_number"]
    assert (batch.column(0).to_pylist(), batch.column(2).to_pylist()) == (["7"], [2])


def test_columns_without_a_name_may_be_several(tmp_path):
    (batch,) = batches(csv_file(tmp_path, "a,,\n1,2,3\n"), ["a"])
    assert [column.to_pylist() for column in batch.columns] == [["1"], ["2"], ["3"], [2]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: column a is missing; it has nothing"),
        ("\n\na,b\n1,2\n", ":1: expected the names of columns, got an empty line"),
        ("x,y\n1,2\n", ":1: column a is missing; it has x, y"),
        ("A,a \n1,2\n", None),
        ("a,b,b,a\n1,2,3,4\n", ":1: column a, b stands twice"),
        ('a,"b\nc"\n1,2\n', ":1: the name of a column has a line end in it; write it on one line"),
        (
            "a,b\n1\n1,2,3\n1,2\n",
            ": line 2: 1 cells, not the header's 2; line 3: 3 cells, not the header's 2; "
            "quote cells that have a separator in them",
        ),
        (
            'a,b\n1,2\n3,"4\n5,6\n',
            ": the last row has a cell that begins with a quote and never ends; "
            "quote cells that have a separator in them",
        ),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, text, said):
    path = csv_file(tmp_path, text)
    assert (refusal(path, "a") if said else rows(path, "a") and None) == said


def test_of_many_wrong_rows_the_first_twenty_are_said(tmp_path):
    said = refusal(csv_file(tmp_path, "a,b\n" + "1\n" * 25))
    assert said.count("1 cells, not the header's 2") == 20
    assert said.endswith("; and 5 more; quote cells that have a separator in them")


def test_a_quote_that_never_ends_is_refused_before_it_fills_the_memory(tmp_path):
    said = refusal(csv_file(tmp_path, 'a,b\n1,"2\n' + "3,4\n" * 5_000_000))
    assert said == ": a cell begins with a quote and never ends; close it"


@pytest.mark.parametrize("text", ["Säbel,b\n1,2\n", "a,b\n1,Säbel\n"])
def test_a_table_in_latin_1_is_refused(tmp_path, text):
    assert refusal(csv_file(tmp_path, text.encode("latin-1"))) == ": not UTF-8; save the file as UTF-8"


def test_a_table_in_utf_16_is_refused(tmp_path):
    assert refusal(csv_file(tmp_path, "a,b\n1,2\n".encode("utf-16"))) == ": not UTF-8; save the file as UTF-8"


def test_a_missing_table_says_what_to_do(tmp_path):
    with pytest.raises(MissingError) as caught:
        list(batches(tmp_path / "a.csv", ["a"], "get it from there"))
    assert str(caught.value) == f"{tmp_path}/a.csv: not found; get it from there"


def test_a_table_may_be_gzipped_or_in_a_zip(tmp_path):
    path = csv_file(tmp_path, gzip.compress(b"a,b\n1,2\n"))
    assert rows(path, "a") == [{"a": "1", "b": "2", "line_number": 2}]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("folder/A.CSV", "a,b\n3,4\n")
    assert rows(tmp_path / "a.zip", "a") == [{"a": "3", "b": "4", "line_number": 2}]
