"""The intake: given rows of any format are checked, joined and written as datasets of a catalog, with their problems.

Rows go batch by batch into an embedded database that spills to disk, so a source may be larger than memory. Every photo
ends in the catalog or in the problems, with a reason.
"""

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import dateutil.parser
import duckdb
import pyarrow as pa

from camtraps import intake_rules, tables
from camtraps.errors import MAX_SHOWN, InputError, raise_all
from camtraps.files import work_dir
from camtraps.formats.rows import (
    ANNOTATIONS,
    CATEGORIES,
    PHOTOS,
    PROBLEMS,
    SURROGATE,
    Annotation,
    Category,
    Fault,
    Given,
    Location,
    Photo,
    Problem,
    escaped,
)
from camtraps.schema import CATALOG

BATCH = 50_000  # rows that are turned into columns at once
MEMORY = "700MB"  # of the database, beyond which it spills
DATASET_NAME = intake_rules.DATASET_NAME


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How to read what a source leaves open.

    ``sequence_gap`` is the longest pause in seconds within a sequence that is built from times; 0 builds none.
    ``repeats``: a photo stands on several rows, as in tables of photos and labels, and they are merged.
    ``day_first`` says what comes first in a date like 03/04/2024; None: what the other dates of the dataset show.
    """

    dataset: str
    sequence_gap: float = 30.0
    repeats: bool = False
    day_first: bool | None = None


@dataclass(frozen=True)
class Gathered:
    """What came out of a source: an open database with the table ``photos`` (as the catalog's) and ``problems``."""

    database: duckdb.DuckDBPyConnection
    num_given: int
    num_photos: int
    datasets: tuple[str, ...]
    locations: tuple[Location, ...] = field(default=())

    def problems(self) -> Iterator[tuple[str, str, str, str]]:
        """Give item, kind, reason and value of every problem, in the order they were found."""
        return read_problems(self.database)

    def problem_counts(self) -> list[tuple[str, str, int, str]]:
        """Count the problems: kind, reason, number, and the first with its value."""
        return count_problems(self.database)

    def write(self, folder: Path) -> list[Path]:
        """Write each dataset's Parquet file into a folder; give their paths."""
        columns = ", ".join(f'"{name}"' for name in CATALOG.schema.names)
        paths = [folder / f"{dataset}.parquet" for dataset in self.datasets]
        for path in paths:
            # Names of datasets have no quotes: they were checked.
            sql = f"select {columns} from photos where dataset = '{path.stem}' order by file"
            tables.write_query(self.database, sql, path, CATALOG)
        return paths


def read_problems(database: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str, str]]:
    """Give the rows of the table ``problems``, in the order they were found."""
    result = database.execute("select item, kind, reason, found from problems order by rowid")
    while rows := result.fetchmany(BATCH):
        yield from rows


def count_problems(database: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int, str]]:
    """Count the rows of the table ``problems``: kind, reason, number, and the first with its value."""
    sql = """select kind, reason, count(*), arg_min(concat_ws(': ', item, nullif(found, '')), rowid)
             from problems group by all order by all"""
    return database.execute(sql).fetchall()


class Opened:
    """A database in a folder of its own that goes when it is closed; use it in a ``with`` block.

    Raises:
        CamtrapsError: at the end of the block, where the disk was full.
    """

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._folder = TemporaryDirectory(dir=work_dir("intake"), ignore_cleanup_errors=True)
        self._database = duckdb.connect()
        settings = {"memory_limit": MEMORY, "temp_directory": self._folder.name, "preserve_insertion_order": "true"}
        for name, value in settings.items():
            escaped = value.replace("'", "''")
            self._database.execute(f"set {name} = '{escaped}'")
        self._database.execute("set enable_progress_bar = false")
        return self._database

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._database.close()
        self._folder.cleanup()
        if isinstance(error, tables.NOT_WRITTEN):
            raise tables.not_written(error) from None


def gather(given: Iterable[Given], path: Path, rules: Rules, database: duckdb.DuckDBPyConnection) -> Gathered:
    """Take in all rows of a source.

    Args:
        given: from a reader.
        path: the source, for messages.
        rules: how to read what it leaves open.
        database: an empty one, from `Opened`.

    Raises:
        InputError: the source has faults, or none of its annotations names a photo and a class of it.
    """
    store = _Store(database)
    with _no_search_for_cycles():
        for row in given:
            store.add(row)
        store.close()
    num_lost = _number(database, "problems where kind = 'dropped'")
    if store.num_faults > MAX_SHOWN:
        store.faults[-1] += f"; and {store.num_faults - MAX_SHOWN} more"
    raise_all(path, store.faults)
    _check_categories(database, path)
    _run(database, intake_rules.MACROS)
    _run(database, intake_rules.TIDY_MERGED if rules.repeats else intake_rules.TIDY, dataset=rules.dataset)
    _run(database, intake_rules.JUDGED + ";\n" + intake_rules.KEPT)
    _read_times(database, rules.day_first)
    num_named = _number(database, "given_annotations where name is not null")
    _run(database, intake_rules.SAID)
    _check_annotations(database, path, num_named)
    for sql in (intake_rules.DRAWN, intake_rules.FRAMED, intake_rules.SEQUENCES, intake_rules.PHOTOS):
        _run(database, sql, gap=rules.sequence_gap)
    num_given = _number(database, "tidy") + num_lost
    names = database.execute("select distinct dataset from photos order by all").fetchall()
    datasets = tuple(name for (name,) in names)
    return Gathered(database, num_given, _number(database, "photos"), datasets, tuple(store.locations))


class _Store:
    """Rows on their way into the database, a batch at a time."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database
        self._waiting: dict[type, list[Any]] = {Photo: [], Annotation: [], Category: [], Problem: []}
        self._tables = {Photo: "given_photos", Annotation: "given_annotations", Category: "given_categories"}
        self._tables[Problem] = "problems"
        self._schemas = {Photo: PHOTOS, Annotation: ANNOTATIONS, Category: CATEGORIES, Problem: PROBLEMS}
        for kind, name in self._tables.items():
            self._insert(self._schemas[kind].empty_table(), f"create table {name} as")
        self.faults: list[str] = []
        self.num_faults = 0
        self.locations: list[Location] = []

    def add(self, row: Given) -> None:
        waiting = self._waiting.get(type(row))
        if waiting is not None:
            waiting.append(row)
            if len(waiting) == BATCH:
                self._flush(type(row))
        elif isinstance(row, pa.Table):
            self._insert(row, f"insert into {'given_photos' if row.schema.equals(PHOTOS) else 'given_annotations'}")
        elif isinstance(row, Fault):
            self.num_faults += 1
            self.faults += [escaped(row.text)] if len(self.faults) < MAX_SHOWN else []
        elif isinstance(row, Location):
            self.locations.append(row._replace(location=escaped(row.location)))

    def close(self) -> None:
        for kind in self._waiting:
            self._flush(kind)

    def _flush(self, kind: type) -> None:
        rows, self._waiting[kind] = self._waiting[kind], []
        if rows:
            try:
                batch = _columns(rows, self._schemas[kind])
            except UnicodeEncodeError:
                batch = _columns([self._mended(row) for row in rows], self._schemas[kind])
            self._insert(batch, f"insert into {self._tables[kind]}")

    def _mended(self, row: Any) -> Any:
        """Write half characters, which JSON can hold and UTF-8 cannot, as their escapes; say so where it is kept."""
        broken = {
            name: escaped(value)
            for name, value in row._asdict().items()
            if isinstance(value, str) and SURROGATE.search(value)
        }
        mended = row._replace(**broken)
        if isinstance(row, Photo) and "file" in broken:
            # A file of such a name cannot be found again; the NUL makes the rules drop it.
            return mended._replace(file=f"\0{mended.file}")
        for name in sorted(broken.keys() & _SHOWN):
            reason = f"{name} is not Unicode text; half characters escaped"
            self.add(Problem(mended.place, "mended", reason, broken[name]))
        return mended

    def _insert(self, batch: pa.Table, sql: str) -> None:
        self._database.register("batch", batch)
        self._database.execute(f"{sql} select * from batch")
        self._database.unregister("batch")


def _columns(rows: list[NamedTuple], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(values, type=kind.type) for values, kind in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


# What rows hold that ends in the catalog as it is, and that no later rule complains of.
_SHOWN = frozenset({"location", "sequence", "name", "category"})


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    # Rows that wait for their batch have no cycles, and looking for some takes a fifth of the time of the reading.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _run(database: duckdb.DuckDBPyConnection, sql: str, **settings: Any) -> None:
    for statement in sql.split(";\n"):
        used = {name: value for name, value in settings.items() if f"${name}" in statement}
        database.execute(statement, used)


def _number(database: duckdb.DuckDBPyConnection, rows: str) -> int:
    return int(database.execute(f"select count(*) from {rows}").fetchall()[0][0])


def _check_categories(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    sql = """select any_value(id), string_agg(distinct name, ' and ' order by name), min(place) from given_categories
             group by id having count(distinct name) > 1 order by 1"""
    clashes = database.execute(sql).fetchall()
    raise_all(path, [f"{place}: category id {number} is {names}" for number, names, place in clashes])


def _check_annotations(database: duckdb.DuckDBPyConnection, path: Path, num_named: int) -> None:
    """Refuse a source all of whose labels lead nowhere: it is the wrong file, or read the wrong way."""
    first = database.execute(
        "select place, reason, found from lost where id is not null order by nr limit 1"
    ).fetchall()
    if first and num_named == _number(database, "lost where id is not null") and _number(database, "kept"):
        said = ": ".join(first[0])
        raise InputError(f"{path}: none of its annotations names a photo and a class of it: {said}")


def _read_times(database: duckdb.DuckDBPyConnection, day_first: bool | None) -> None:
    _run(database, intake_rules.TIMES, day_first=day_first)
    sql = "select distinct dataset, taken, clean, is_day_first from read_times where time is null order by all"
    odd = database.execute(sql).fetchall()
    columns = {
        "dataset": pa.array([row[0] for row in odd], pa.string()),
        "taken": pa.array([row[1] for row in odd], pa.string()),
        "time": pa.array([_parsed(clean, is_day_first) for _, _, clean, is_day_first in odd], pa.timestamp("us")),
    }
    database.register("odd", pa.table(columns))
    _run(database, intake_rules.ODD_TIMES)
    database.unregister("odd")


def _parsed(text: str, day_first: bool) -> datetime | None:
    """Read a date in any other form, such as ``1 April 2024 05:12``, if it names its year, month and day."""
    if _NO_DATE.match(text):
        return None
    numbers = _YEAR_FIRST.match(text)
    try:
        # What a text does not name is taken from the default: two of them must agree.
        one, other = (
            dateutil.parser.parse(text, default=default, dayfirst=day_first and not numbers, ignoretz=True)
            for default in _DEFAULTS
        )
    except (ValueError, OverflowError):
        return None
    # Where the month is above 12, the parser takes it for the day.
    numbers = numbers or (_DAY_MONTH if day_first else _MONTH_DAY).match(text)
    wanted = (int(numbers["month"]), int(numbers["day"])) if numbers else (one.month, one.day)
    return one.replace(microsecond=0) if one == other and (one.month, one.day) == wanted else None


_DEFAULTS = (datetime(2001, 1, 1), datetime(2002, 2, 2))
_YEAR_FIRST = re.compile(r"\d{4}[-/.:](?P<month>\d\d?)[-/.:](?P<day>\d\d?)(?!\d)")
_DAY_MONTH = re.compile(r"(?P<day>\d\d?)[-/.](?P<month>\d\d?)[-/.](\d{4}|\d\d)(?!\d)")
_MONTH_DAY = re.compile(r"(?P<month>\d\d?)[-/.](?P<day>\d\d?)[-/.](\d{4}|\d\d)(?!\d)")
# Seconds since 1970 are none of its numbers (8, 12 or 14 digits); 24-12-31 may begin with its year or its day.
_NO_DATE = re.compile(r"(?!(\d{8}|\d{12}|\d{14})$)\d+$|\d\d?-\d\d?-\d\d(?!\d)")
