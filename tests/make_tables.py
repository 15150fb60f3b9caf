"""Rows of the tables that cross a stage, written down in a test: what it does not say is filled in."""

from typing import Any

import pandas as pd
import pyarrow as pa

from camtraps.schema import Table

FILLED = {"string": "-", "double": 0.25, "int32": 0, "int64": 0, "bool": False}


def rows(table: Table, *given: dict[str, Any]) -> pd.DataFrame:
    """Make rows of a table with the types that `tables.read` gives; ``image`` follows from dataset and file."""
    full = [_fill(table, row) for row in given]
    frame = pa.Table.from_pylist(full, schema=table.schema).to_pandas(integer_object_nulls=True)
    for field in table.schema:
        if field.nullable and pa.types.is_integer(field.type):
            frame[field.name] = pd.array(frame[field.name], dtype="Int32")
        elif pa.types.is_string(field.type):
            frame[field.name] = frame[field.name].astype("str")
    return frame


def _fill(table: Table, given: dict[str, Any]) -> dict[str, Any]:
    assert set(given) <= set(table.schema.names), set(given) - set(table.schema.names)
    row = {f.name: None if f.nullable else FILLED.get(str(f.type)) for f in table.schema} | given
    if "image" in row and "image" not in given:
        row["image"] = f"{row['dataset']}/{row['file']}"
    if "file" in row and "image" in given:
        row["dataset"], row["file"] = given["image"].split("/", 1)
    return row
