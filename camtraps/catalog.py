"""The catalog: one Parquet file a dataset, labels and human boxes nested in the photo's row, queried by DuckDB."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from camtraps import tables
from camtraps.errors import MissingError
from camtraps.schema import CATALOG
from camtraps.taxonomy import Pair


def dataset_path(folder: Path, dataset: str) -> Path:
    """Give the file of a dataset in a catalog folder."""
    return folder / f"{dataset}.parquet"


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """Write one dataset's photos, which must be sorted by file."""
    tables.write_arrow(pa.Table.from_pylist(rows, schema=CATALOG.schema), path, CATALOG)


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open a catalog folder as the view ``photos`` of an in-memory database; nothing can be written back.

    Raises:
        MissingError: the folder holds no dataset.
        TableError: a file in it is no catalog table.
    """
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise MissingError(f"{folder}: no dataset in this catalog; bring one in with `camtraps import cct`")
    for path in paths:
        tables.check_schema(path, CATALOG)
    database = duckdb.connect()
    database.execute("set enable_progress_bar = false")
    names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    database.execute(f"create view photos as select * from read_parquet([{names}])")
    return database


def pairs(database: duckdb.DuckDBPyConnection) -> set[Pair]:
    """Give every dataset and label that occurs, both folded."""
    sql = """select distinct lower(trim(dataset)), lower(trim(l.class))
             from (select dataset, unnest(labels) as l from photos)"""
    return {(dataset, label) for dataset, label in database.execute(sql).fetchall()}


def photos_at(database: duckdb.DuckDBPyConnection, images: set[str]) -> pd.DataFrame:
    """Give all photos, whatever their label, of the places of some images, in the order they were taken.

    A place is a location, or a sequence where the location is unknown, or the photo alone.

    Returns:
        dataset, place, image, file, sequence, datetime; sequences in the order of their first known time (often only
        the first frame of a burst has one), frames within them in order.
    """
    database.register("wanted", pa.table({"image": pa.array(sorted(images), pa.string())}))
    sql = f"""with placed as (select *, {PLACE} as place from photos)
              select dataset, place, image, file, sequence, datetime from placed
              where (dataset, place) in (select (dataset, place) from placed where image in (from wanted))
              order by dataset, place,
                  min(datetime) over (partition by dataset, place, coalesce(sequence, file)) nulls last,
                  sequence, frame, datetime, file"""
    return database.sql(sql).to_arrow_table().to_pandas()


PLACE = "coalesce('location ' || location, 'sequence ' || sequence, 'photo ' || file)"
