"""SQL on a catalog: statements of a user, which read its tables and those of the last run and reach nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset

from camtraps import catalog, layout
from camtraps.errors import InputError, TableError


@dataclass(frozen=True)
class Rows:
    """What a statement gave: its columns, whose names may stand twice, and its rows, read as they are asked for."""

    names: list[str]
    values: Iterator[tuple[Any, ...]]


# What a statement of a user sees beside `photos`. `counts` says whether the label is one of the photo's classes.
_VIEWS = (
    """create view labels as
       select image, dataset, file, location, sequence, datetime, l.class as class, l.level as level,
           l.level = 'image' or not own as counts
       from (select *, unnest(labels) as l, len([each for each in labels if each.level = 'image']) > 0 as own
             from photos)""",
    """create view boxes as
       select image, dataset, file, location, sequence, datetime, number::int as box, b.category as category,
           b.class as class, b.x as x, b.y as y, b.w as w, b.h as h
       from (select *, unnest(boxes) as b, unnest(range(len(boxes))) as number from photos)""",
)


def tables_of_run() -> dict[str, list[Path]]:
    """Find the tables that the pipeline has written, by the name that statements know them by; those that are there."""
    queried, detections = layout.QUERIED / "queried.parquet", layout.DETECTIONS / "detections.parquet"
    crops, predictions = layout.CROPS / "crops.parquet", layout.PREDICTIONS / "predictions.parquet"
    found = {path.stem: [path] for path in (queried, detections, crops, predictions)}
    found["candidates"] = [layout.REVIEW / "candidates.parquet"]
    stages = [layout.QUERIED, layout.DETECTIONS, layout.CROPS, layout.SPLITS, layout.EVALUATION, layout.RESULTS]
    found["failures"] = [folder / "failures.parquet" for folder in (*stages, layout.REVIEW)]
    there = {name: [path for path in paths if path.is_file()] for name, paths in found.items()}
    return {name: paths for name, paths in there.items() if paths}


def locked(folder: Path, others: Mapping[str, list[Path]]) -> duckdb.DuckDBPyConnection:
    """Open a catalog folder and other tables for the statements of a user, which can reach no file and no setting.

    DuckDB itself may open nothing: pyarrow reads the tables for it. A file that DuckDB may read it may also write, and
    since version 2 a SELECT can do that (``with x as (copy ... to ...)``).

    Args:
        folder: the catalog; the views ``photos``, ``labels`` (a row a photo and label) and ``boxes``.
        others: Parquet files by the name of their view.

    Raises:
        MissingError: the folder holds no dataset.
        TableError: a file is no catalog table, or cannot be read.
    """
    catalog.connect(folder).close()
    off = ("autoinstall_known_extensions", "autoload_known_extensions", "allow_persistent_secrets")
    config = dict.fromkeys((*off, "python_enable_replacements"), "false") | {"temp_directory": ""}
    database = duckdb.connect(config={**config})
    database.execute("set enable_progress_bar = false")
    for name, paths in {"photos": sorted(folder.glob("*.parquet")), **others}.items():
        try:
            database.register(name, pyarrow.dataset.dataset([str(path) for path in paths], format="parquet"))
        except (pa.ArrowInvalid, OSError) as error:
            raise TableError(f"{paths[0]}: not a readable Parquet file: {error}".splitlines()[0]) from None
    for view in _VIEWS:
        database.execute(view)
    database.execute("set enable_external_access = false")
    database.execute("set lock_configuration = true")
    return database


def select(database: duckdb.DuckDBPyConnection, statement: str) -> Rows:
    """Run one SELECT of a user.

    Args:
        database: from `locked`.
        statement: SQL; ``from photos``, ``describe photos`` and ``show tables`` count as SELECT.

    Raises:
        InputError: not exactly one statement, not a SELECT, or DuckDB cannot run it; the rows may raise it too.
    """
    try:
        statements = database.extract_statements(statement)
        kinds = [each.type.name for each in statements]
        if kinds != ["SELECT"]:
            raise InputError(f"expected one SELECT, which reads and changes nothing; got {', '.join(kinds) or 'none'}")
        cursor = database.execute(statements[0])
        names = [str(column[0]) for column in cursor.description or []]
    except duckdb.Error as error:
        raise InputError(_line(error) + _known_tables(database, error)) from None
    return Rows(names, _values(cursor))


def count(database: duckdb.DuckDBPyConnection, statement: str) -> int:
    """Count the rows that a SELECT gives, without fetching them; errors as in `select`."""
    quoted = statement.replace("'", "''")
    rows = select(database, f"select count(*) from query('{quoted}')")
    return int(next(rows.values)[0])


def _values(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    try:
        while rows := cursor.fetchmany(2048):
            yield from rows
    except duckdb.Error as error:
        raise InputError(_line(error)) from None


def _line(error: duckdb.Error) -> str:
    # Behind a blank line DuckDB repeats the statement; behind "due to" stands a traceback.
    lines = str(error).split("\n\n")[0].split(", due to")[0].splitlines()
    return " ".join(line.strip() for line in lines if line.strip())


def _known_tables(database: duckdb.DuckDBPyConnection, error: duckdb.Error) -> str:
    if not isinstance(error, duckdb.CatalogException) or "Table with name" not in str(error):
        return ""
    return "; there are: " + ", ".join(sorted(name for (name,) in database.execute("show tables").fetchall()))
