"""The catalog: one Parquet file a dataset, labels and human boxes nested in the photo's row, queried by DuckDB."""

import os
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from camtraps import tables
from camtraps.errors import MissingError
from camtraps.files import work_dir
from camtraps.schema import CATALOG
from camtraps.taxonomy import Pair, fold, fold_dataset

MEMORY = "1400MB"  # beyond which DuckDB writes to disk; the Python around it needs 0.3 GB more


def dataset_path(folder: Path, dataset: str) -> Path:
    """Give the file of a dataset in a catalog folder."""
    return folder / f"{dataset}.parquet"


def write(rows: list[dict[str, Any]], path: Path) -> None:
    """Write one dataset's photos, which must be sorted by file."""
    tables.write_arrow(pa.Table.from_pylist(rows, schema=CATALOG.schema), path, CATALOG)


def connect(folder: Path) -> duckdb.DuckDBPyConnection:
    """Open a catalog folder as the view ``photos`` of an in-memory database; nothing can be written back.

    The view ``placed`` has one column more: ``id``, a number that rises with ``image`` and holds as long as the files
    of the catalog stay as they are. Its upper 32 bits are the dataset's number in the table ``dataset_at``.

    Raises:
        MissingError: the folder holds no dataset.
        TableError: a file in it is no catalog table.
    """
    paths = _paths(folder)
    if not paths:
        raise MissingError(f"{folder}: no dataset in this catalog; bring one in with `camtraps import`")
    for path in paths:
        tables.check_schema(path, CATALOG)
    database = duckdb.connect()
    database.execute("set enable_progress_bar = false")
    # Where DuckDB spills to; it makes this folder only then, and removes it. Its own choice is the current folder.
    spill = str(work_dir("duckdb") / f"{os.getpid()}-{id(database)}").replace("'", "''")
    database.execute(f"set memory_limit = '{MEMORY}'; set temp_directory = '{spill}'")
    names = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    source = f"read_parquet([{names}])"
    database.execute(f"create view photos as select * from {source}")
    number = "cast(file_index * 4294967296 + file_row_number as bigint)"
    database.execute(f"create view placed as select *, {number} as id from {source}")
    numbered = pa.table({"number": range(len(paths)), "dataset": [path.stem for path in paths]})
    database.register("dataset_at", numbered)
    return database


def pairs(database: duckdb.DuckDBPyConnection) -> set[Pair]:
    """Give every dataset and label that occurs, both folded."""
    return {(fold_dataset(dataset), fold(name)) for dataset, name in spelled(database)}


def spelled(database: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Give every dataset and class that occurs, as they are spelled, sorted."""
    database.execute(
        """create temp table if not exists spelled as
           select distinct dataset, label.class from (select dataset, unnest(labels) as label from photos)"""
    )
    return database.execute("from spelled order by all").fetchall()


def label_counts(database: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Count the photos of each class that occurs.

    Returns:
        dataset, class (as spelled), photos: those that carry the class at image level, or at the level of their
        sequence where the image itself has no label.
    """
    own = "list_filter(labels, lambda label: label.level = 'image')"
    sql = f"""with said as (
                  select dataset, labels[1].class as class, count(*) as photos
                  from photos where len(labels) = 1 group by all
                  union all
                  select dataset, class, count(*) from (
                      select distinct dataset, file, label.class from (
                          select dataset, file, unnest(case when len({own}) > 0 then {own} else labels end) as label
                          from photos where len(labels) > 1
                      )
                  ) group by all
              ) select dataset, class, cast(sum(photos) as bigint) as photos from said group by all order by all"""
    return database.sql(sql).to_arrow_table().to_pandas()


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


def _paths(folder: Path) -> list[Path]:
    # As images sort: the dataset and the slash behind it.
    return sorted(folder.glob("*.parquet"), key=lambda path: f"{path.stem}/")
