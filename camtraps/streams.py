"""Large files read a piece at a time: JSON element by element, CSV batch by batch; gzipped or alone in a zip too."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from camtraps.archives import BLOCK, opened
from camtraps.errors import MAX_SHOWN, InputError

__all__ = ["batches", "members", "opened"]

_CUT = "the file ends in the middle; get it again whole"
_BLANK = re.compile(r"[ \t\n\r]*")
# What can stand at the end of a file that is cut: nothing, part of a number, of a word, of an escape.
_BEGUN = re.compile(r"[.eE]?[-+]?[A-Za-z]*\s*|\\u?[0-9A-Fa-f]*")
_NEAR = 15  # characters on both sides of an error that are shown


def members(path: Path, key: str | None = None) -> Iterator[tuple[str | None, int | None, Any]]:
    """Read a JSON file element by element, in memory for one element only.

    The standard library's decoder parses each element; a byte order mark is passed over and a bare NaN becomes None.

    Args:
        path: the file; also gzipped, or the only ``.json`` of a zip.
        key: for a file that is one list, what to call it.

    Yields:
        (key, index, element) for each element of each list of the top-level object, (key, None, value) for its other
        values, and (key, None, []) for an empty list, in the order of the file. A file that is one list gives
        (``key``, index, element).

    Raises:
        MissingError: no such file.
        InputError: not UTF-8 or not JSON, or it ends in the middle; the message gives line and column. It is raised
            where the reading meets it, after the elements before.
    """
    with opened(path, ".json") as file:
        text = _Text(path, file)
        if text.peek() == "[":
            yield from text.elements(key)
        elif text.peek() == "{":
            yield from _of_object(text)
        else:
            text.fail("expected an object or a list")
        if text.peek():
            text.fail("something stands behind its end")


def _of_object(text: "_Text") -> Iterator[tuple[str | None, int | None, Any]]:
    lists: set[str] = set()
    for at, name in enumerate(text.separated("{", "}")):
        key = text.value()
        if not isinstance(key, str):
            text.fail(f"expected a key in quotes as number {at + 1}, got {key!r}"[:100])
        name(":")
        if text.peek() != "[":
            yield key, None, text.value()
            continue
        if key in lists:
            text.fail(f"the list {key!r} stands twice")
        lists.add(key)
        yield from text.elements(key)


class _Text:
    """The text of a JSON file from where the reading is."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(parse_constant=lambda name: None)
        self._buffer, self._at, self._ended = "", 0, False
        self._line, self._column, self._num_bytes = 1, 1, 0

    def peek(self) -> str:
        """Give the next character that is not blank; nothing at the end."""
        while True:
            match = _BLANK.match(self._buffer, self._at)
            assert match
            self._at = match.end()
            if self._at < len(self._buffer) or self._ended:
                return self._buffer[self._at : self._at + 1]
            self._fill(BLOCK)

    def take(self, wanted: str) -> None:
        """Step over a character that must come."""
        if self.peek() != wanted:
            self.fail(f"expected {wanted!r}" if self.peek() else _CUT)
        self._at += 1

    def separated(self, start: str, end: str) -> Iterator[Any]:
        """Step through what stands between brackets, separated by commas; gives `take` each time."""
        self.take(start)
        while self.peek() != end:
            yield self.take
            if self.peek() == end:
                break
            self.take(",")
            if self.peek() == end:
                self.fail(f"there is a comma before {end!r}; remove it")
        self._at += 1

    def elements(self, key: str | None) -> Iterator[tuple[str | None, int | None, Any]]:
        """Give the elements of a list."""
        index = None
        for index, _ in enumerate(self.separated("[", "]")):
            yield key, index, self.value()
        if index is None:
            yield key, None, []

    def value(self) -> Any:
        """Read one value of any kind."""
        self.peek()
        more = BLOCK
        while True:
            try:
                value, end = self._json.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._ended or not _may_be_cut(error, len(self._buffer)):
                    self._at = min(error.pos, len(self._buffer))
                    cut = error.msg.startswith("Unterminated") or _BEGUN.fullmatch(self._buffer, self._at)
                    self.fail(_CUT if cut else error.msg.lower())
            except RecursionError:
                self.fail("nested too deeply")
            except ValueError:
                self.fail("a number has too many digits")
            else:
                # A number at the end of the buffer may go on behind it: 1.|5, 1e+|5.
                if end < len(self._buffer) - 2 or self._ended:
                    self._at = end
                    return value
            self._fill(more)
            more *= 2

    def fail(self, problem: str) -> None:
        """Raise the error of this place."""
        line, column = self._place(self._at)
        near = self._buffer[max(0, self._at - _NEAR) : self._at + _NEAR].replace("\n", " ")
        raise InputError(f"{self._path}:{line}:{column}: not valid JSON: {problem}, near {near!r}")

    def _place(self, at: int) -> tuple[int, int]:
        num_lines = self._buffer.count("\n", 0, at)
        if not num_lines:
            return self._line, self._column + at
        return self._line + num_lines, at - self._buffer.rfind("\n", 0, at)

    def _fill(self, num_bytes: int) -> None:
        start = max(0, self._at - _NEAR)
        self._line, self._column = self._place(start)
        block = self._file.read(num_bytes)
        self._ended = not block
        try:
            text = self._decoder.decode(block, final=self._ended)
        except UnicodeDecodeError as error:
            if self._ended:
                self.fail(_CUT)
            place = self._num_bytes + error.start
            raise InputError(f"{self._path}: byte {place} is not UTF-8; save the file as UTF-8") from None
        # What the decoder holds back of a character that is cut has been read, but counts with the next block.
        self._num_bytes += len(block) - len(self._decoder.getstate()[0])
        self._buffer, self._at = self._buffer[start:] + text, self._at - start


def _may_be_cut(error: json.JSONDecodeError, length: int) -> bool:
    return error.msg.startswith("Unterminated string") or error.pos > length - 16


def batches(path: Path, columns: Sequence[str], remedy: str = "check the path") -> Iterator[pa.Table]:
    """Read a CSV file with a header batch by batch; every cell is text, an empty one is ``""``.

    The separator is a comma, or a semicolon or tab if the header has those instead. Rows without any text are left out.

    Args:
        path: the file, UTF-8; also gzipped, or the only ``.csv`` of a zip.
        columns: those that it must have; all others come as well.
        remedy: what to do where the file is not there, for the message.

    Yields:
        Tables of the file's columns and, as the last, ``line_number``: the line of the row, blank lines counted, if
        no cell before it has a line end.

    Raises:
        MissingError: no such file.
        InputError: not UTF-8, a column is missing, or rows have more or fewer cells than the header.
    """
    with opened(path, ".csv", remedy) as file:
        header, rest = _header(path, file, columns)
        yield from _batches(path, rest, header)


@dataclass(frozen=True)
class _Header:
    names: list[str]
    delimiter: str


def _header(path: Path, file: BinaryIO, columns: Sequence[str]) -> tuple[_Header, "_Joined"]:
    first = file.read(BLOCK).removeprefix(codecs.BOM_UTF8)
    start, _, rest = re.split(rb"(\r?\n|\r|\Z)", first, maxsplit=1)
    try:
        line = start.decode().strip()
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8; save the file as UTF-8") from None
    delimiter = max(",;\t", key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    if not any(names) and rest.strip():
        raise InputError(f"{path}:1: expected the names of columns, got an empty line")
    if line.count('"') % 2:
        raise InputError(f"{path}:1: the name of a column has a line end in it; write it on one line")
    if lacking := [name for name in columns if name not in names]:
        raise InputError(f"{path}:1: column {', '.join(lacking)} is missing; it has {', '.join(names) or 'nothing'}")
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise InputError(f"{path}:1: column {', '.join(twice)} stands twice")
    return _Header(names, delimiter), _Joined(rest, file)


def _batches(path: Path, file: "_Joined", header: _Header) -> Iterator[pa.Table]:
    lines = _Lines()
    tail = ""
    try:
        reader = pyarrow.csv.open_csv(
            file,
            read_options=pyarrow.csv.ReadOptions(column_names=header.names, block_size=8 * BLOCK, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=header.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=lines.pass_over,
            ),
            convert_options=_all_text(header.names),
        )
        for batch in reader:
            tail = batch.column(batch.num_columns - 1)[-1].as_py() if batch.num_rows else tail
            rows = pa.Table.from_batches([batch])
            yield _without_blank(rows.append_column("line_number", lines.take(batch.num_rows)))
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise InputError(f"{path}: {_reason(str(error))}") from None
    if file.num_quotes % 2 and "\n" in tail:
        lines.wrong.append("the last row has a cell that begins with a quote and never ends")
    if lines.wrong:
        more = f"; and {lines.num_wrong - MAX_SHOWN} more" if lines.num_wrong > MAX_SHOWN else ""
        raise InputError(f"{path}: {'; '.join(lines.wrong)}{more}; quote cells that have a separator in them")


class _Lines:
    """The lines that rows stand on, and what is wrong with the rows that pyarrow must pass over."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.num_wrong = 0
        self._next, self._passed_over = 2, [0]

    def pass_over(self, row: Any) -> str:
        """Note a row whose number of cells is not the header's; one of blanks only is nothing."""
        self._passed_over.append(row.number + 1)
        if row.text.strip():
            self.num_wrong += 1
            if self.num_wrong <= MAX_SHOWN:
                expected = f"the header's {row.expected_columns}"
                self.wrong.append(f"line {row.number + 1}: {row.actual_columns} cells, not {expected}")
        return "skip"

    def take(self, num_rows: int) -> pa.Array:
        """Number the next rows."""
        numbers = np.arange(self._next, self._next + num_rows + len(self._passed_over))
        numbers = np.setdiff1d(numbers, self._passed_over, assume_unique=True)[:num_rows]
        if num_rows:
            self._next = int(numbers[-1]) + 1
            self._passed_over = [0, *(number for number in self._passed_over if number >= self._next)]
        return pa.array(numbers, pa.int64())


def _without_blank(rows: pa.Table) -> pa.Table:
    """Leave out the rows that have no text at all, as spreadsheets write below their tables."""
    is_blank = pc.equal(rows.column(0), "")
    for column in rows.columns[1:-1]:
        if not pc.any(is_blank).as_py():
            return rows
        is_blank = pc.and_(is_blank, pc.equal(column, ""))
    return rows.filter(pc.invert(is_blank))


def _all_text(names: list[str]) -> pyarrow.csv.ConvertOptions:
    return pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)


def _reason(error: str) -> str:
    if "UTF8" in error:
        return "not UTF-8; save the file as UTF-8"
    if "straddl" in error:
        return "a cell begins with a quote and never ends; close it"
    return f"not valid CSV: {error}".splitlines()[0]


class _Joined(io.RawIOBase):
    """A first block that was read already, and the file behind it."""

    def __init__(self, first: bytes, file: BinaryIO) -> None:
        self._first, self._file = first, file
        self.num_quotes = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._first:
            given, self._first = (self._first, b"") if size < 0 else (self._first[:size], self._first[size:])
        else:
            given = self._file.read(size)
        self.num_quotes += given.count(b'"')
        return given
