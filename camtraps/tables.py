"""Tables on disk: Parquet, checked against their schema on the way in and out, the same bytes for the same rows."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from camtraps.errors import CamtrapsError, MissingError, TableError
from camtraps.files import replacing
from camtraps.schema import Table

NOT_WRITTEN = (duckdb.IOException, duckdb.OutOfMemoryException)  # what DuckDB raises where a disk is full


def write(rows: pd.DataFrame, path: Path, table: Table) -> None:
    """Write a table sorted by its key, whole or not at all; columns that the schema does not name are left out.

    Raises:
        TableError: a column is missing, has values of another type or empty ones where none may be, or a key stands
            twice.
    """
    _has_columns(rows, path, table)
    ordered = rows.sort_values(list(table.key), kind="stable", na_position="first")
    write_arrow(arrow(ordered, path, table), path, table)


def arrow(rows: pd.DataFrame, path: Path, table: Table) -> pa.Table:
    """Make an Arrow table of rows, in their order, with the checks of `write`; ``path`` is for the messages."""
    _has_columns(rows, path, table)
    arrays = [_array(rows[field.name], field, f"{path}: {table.name}") for field in table.schema]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def write_arrow(rows: pa.Table, path: Path, table: Table) -> None:
    """Write an Arrow table that is sorted by the key already; checks as in `write`."""
    if rows.schema.names != table.schema.names:
        raise TableError(f"{path}: the {table.name} table needs columns {table.schema.names}, got {rows.schema.names}")
    _check(rows, path, table)
    rows = rows.cast(table.schema).replace_schema_metadata(None)
    with replacing(path) as part:
        pq.write_table(rows, part, compression="zstd", **_encodings(table))


def write_query(database: duckdb.DuckDBPyConnection, sql: str, path: Path, table: Table) -> int:
    """Write the rows of a query, which must come out sorted by the key, without holding them; give their number.

    Raises:
        TableError: a column is missing, is of another type, or is empty where it may not be.
        CamtrapsError: the disk is full.
    """
    try:
        with replacing(path) as part:
            return _copy(database, sql, part, path, table)
    except NOT_WRITTEN as error:
        raise not_written(error) from None


def not_written(error: Exception) -> CamtrapsError:
    """Tell an error of `NOT_WRITTEN` in one line."""
    return CamtrapsError(f"the database cannot go on, is the disk full? {str(error).splitlines()[0]}")


def read(path: Path, table: Table) -> pd.DataFrame:
    """Read a table and check it against its schema.

    Returns:
        One column for each of the schema, in its order; text as ``str``, times as ``datetime64[ms]``, whole numbers
        that may be empty as ``Int32``; nested columns as objects.

    Raises:
        MissingError: the file is not there.
        TableError: it is not Parquet, or its columns are not those of the schema.
    """
    return frame(read_arrow(path, table), table)


def frame(rows: pa.Table, table: Table) -> pd.DataFrame:
    """Turn an Arrow table into columns as `read` gives them."""
    frame = rows.to_pandas(integer_object_nulls=True)
    for field in table.schema:
        if field.nullable and pa.types.is_integer(field.type):
            frame[field.name] = pd.array(frame[field.name], dtype="Int32")
        elif pa.types.is_string(field.type):
            frame[field.name] = frame[field.name].astype("str")
    return frame


def read_arrow(path: Path, table: Table) -> pa.Table:
    """Read a table as Arrow, with the checks of `read`."""
    try:
        rows = pq.read_table(path, partitioning=None)
    except FileNotFoundError:
        raise MissingError(f"{path}: not found; run `dvc repro`, or `dvc pull` if it was made elsewhere") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a readable Parquet file: {error}".splitlines()[0]) from None
    _same(rows.schema, path, table)
    return rows


def check_schema(path: Path, table: Table) -> None:
    """Check a file's columns and types without reading its rows; errors as in `read`."""
    try:
        _same(pq.read_schema(path), path, table)
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a readable Parquet file: {error}".splitlines()[0]) from None


def empty(table: Table) -> pd.DataFrame:
    """Make a table without rows."""
    return table.schema.empty_table().to_pandas()


def _copy(database: duckdb.DuckDBPyConnection, sql: str, part: Path, path: Path, table: Table) -> int:
    target = "'" + str(part).replace("'", "''") + "'"
    # Columns of many different texts, such as file names, gain nothing from a dictionary, whose making costs most.
    options = "format parquet, compression zstd, dictionary_size_limit 8192"
    database.execute(f"copy ({sql}) to {target} ({options})")
    _same(pq.read_schema(part), path, table)
    with pq.ParquetFile(part) as written:
        empty = _num_empty(written.metadata)
        num_rows = written.metadata.num_rows
    # The statistics of a list count its elements, not itself.
    nested = [field.name for field in table.schema if pa.types.is_nested(field.type) and not field.nullable]
    counts = ", ".join(f'count(*) - count("{name}")' for name in nested)
    if nested:
        missing = database.execute(f"select {counts} from read_parquet({target})").fetchall()[0]
        empty |= dict(zip(nested, missing, strict=True))
    for field in table.schema:
        if not field.nullable and empty.get(field.name):
            raise TableError(f"{path}: {table.name}.{field.name} is empty in {empty[field.name]} rows")
    return int(num_rows)


def _num_empty(metadata: pq.FileMetaData) -> dict[str, int]:
    empty: dict[str, int] = {}
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    for column in (group.column(at) for group in groups for at in range(group.num_columns)):
        empty[column.path_in_schema] = empty.get(column.path_in_schema, 0) + column.statistics.null_count
    return empty


def _encodings(table: Table) -> dict[str, Any]:
    if not table.floats:
        return {}
    # A column has byte planes or a dictionary, so those with a dictionary are named.
    others = [name for name in table.schema.names if name not in {each.split(".")[0] for each in table.floats}]
    return {"use_dictionary": others, "column_encoding": dict.fromkeys(table.floats, "BYTE_STREAM_SPLIT")}


def _has_columns(rows: pd.DataFrame, path: Path, table: Table) -> None:
    missing = [name for name in table.schema.names if name not in rows.columns]
    if missing:
        raise TableError(f"{path}: the {table.name} table has no column {', '.join(missing)}")


def _array(column: pd.Series, field: pa.Field, place: str) -> pa.Array:
    try:
        return pa.Array.from_pandas(column, type=field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TableError(f"{place}.{field.name}: expected {field.type}: {error}".splitlines()[0]) from None


def _same(schema: pa.Schema, path: Path, table: Table) -> None:
    # Whether a column may be empty is checked where it is written; DuckDB's files do not say it.
    wanted, got = ([f"{field.name}: {field.type}" for field in each] for each in (table.schema, schema))
    if wanted != got:
        lacks, has = sorted(set(wanted) - set(got)), sorted(set(got) - set(wanted))
        difference = f"lacks {lacks}, has {has}" if lacks or has else "has its columns in another order"
        raise TableError(
            f"{path}: not a {table.name} table of this version: {difference}; "
            "import the dataset or run `dvc repro` again"
        )


def _check(rows: pa.Table, path: Path, table: Table) -> None:
    for field in table.schema:
        if not field.nullable and rows[field.name].null_count:
            raise TableError(f"{path}: {table.name}.{field.name} is empty in {rows[field.name].null_count} rows")
    keys = rows.select(list(table.key)).group_by(list(table.key)).aggregate([([], "count_all")])
    if keys.num_rows != rows.num_rows and table.name != "failures":
        twice = keys.filter(pc.greater(keys["count_all"], 1)).slice(0, 1).to_pylist()[0]
        twice.pop("count_all")
        raise TableError(f"{path}: {table.name}: the key {twice} stands twice")
