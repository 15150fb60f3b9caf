"""Tables: text stays text, the same rows are the same bytes, and a schema is kept both ways."""

from pathlib import Path

import duckdb
import make
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from camtraps import tables
from camtraps.errors import CamtrapsError, MissingError, TableError
from camtraps.schema import CATALOG, DETECTIONS, FAILURES, SPLITS, Table

ODD_TEXTS = ["007", "NA", "null", "nan", "None", "1e5", "true", " x ", ""]


def splits(locations: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"dataset": "d", "location": locations, "split": "train", "crops": range(len(locations))})


def message(rows: pd.DataFrame, path, table=SPLITS) -> str:
    with pytest.raises(TableError) as caught:
        tables.write(rows, path, table)
    assert not path.exists()
    return str(caught.value).removeprefix(f"{path}: ")


def test_text_that_looks_like_something_else_stays_text(tmp_path):
    tables.write(splits(ODD_TEXTS), tmp_path / "a.parquet", SPLITS)
    assert tables.read(tmp_path / "a.parquet", SPLITS)["location"].tolist() == sorted(ODD_TEXTS)


def test_shuffled_rows_are_the_same_bytes(tmp_path):
    rows = splits([str(number) for number in range(200)])
    tables.write(rows, tmp_path / "a.parquet", SPLITS)
    tables.write(rows.sample(frac=1, random_state=1), tmp_path / "b.parquet", SPLITS)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_rows_are_sorted_by_their_key_with_the_empty_first(tmp_path):
    keys = [("b", 0), ("a", 10), ("a", None), ("a", 9)]
    rows = pd.DataFrame(keys, columns=["image", "box"]).astype({"box": "Int32"})
    tables.write(rows.assign(stage="crop", kind="failed", reason="x"), tmp_path / "a.parquet", FAILURES)
    read = tables.read_arrow(tmp_path / "a.parquet", FAILURES).select(["image", "box"]).to_pylist()
    assert [tuple(row.values()) for row in read] == [("a", None), ("a", 9), ("a", 10), ("b", 0)]


def test_what_is_empty_comes_back_empty(tmp_path):
    row = {"image": "d/a", "box": 0, "category": "animal", "x": 0.0, "y": 0.0, "w": 1.0, "h": 1.0, "detector": "human"}
    empty = dict.fromkeys(["confidence", "class", "calibrated", "repeat"])
    tables.write(pd.DataFrame([row]).assign(**empty), tmp_path / "a.parquet", DETECTIONS)
    read = tables.read(tmp_path / "a.parquet", DETECTIONS)
    assert read[list(empty)].isna().all(axis=None)
    assert list(read.columns) == DETECTIONS.schema.names


def test_a_table_without_rows_keeps_its_columns(tmp_path):
    tables.write(tables.empty(SPLITS), tmp_path / "a.parquet", SPLITS)
    read = tables.read(tmp_path / "a.parquet", SPLITS)
    assert len(read) == 0
    assert list(read.columns) == ["dataset", "location", "split", "crops"]


def test_a_column_that_the_schema_does_not_name_is_left_out(tmp_path):
    tables.write(splits(["a"]).assign(more=1), tmp_path / "a.parquet", SPLITS)
    assert "more" not in tables.read(tmp_path / "a.parquet", SPLITS)


def test_a_missing_column_is_refused(tmp_path):
    rows = splits(["a"]).drop(columns=["split", "crops"])
    assert message(rows, tmp_path / "a.parquet") == "the splits table has no column split, crops"


def test_an_empty_value_where_none_may_be_is_refused(tmp_path):
    rows = splits(["a", "b"]).assign(split=["train", None])
    assert message(rows, tmp_path / "a.parquet") == "splits.split is empty in 1 rows"


def test_a_value_of_another_type_is_refused(tmp_path):
    said = message(splits(["a"]).assign(crops="many"), tmp_path / "a.parquet")
    assert said.startswith("splits.crops: expected int32: ")
    assert "\n" not in said


def test_a_key_that_stands_twice_is_refused(tmp_path):
    said = "splits: the key {'dataset': 'd', 'location': 'a'} stands twice"
    assert message(splits(["a", "b", "a"]), tmp_path / "a.parquet") == said


def test_a_missing_table_says_how_to_get_it(tmp_path):
    with pytest.raises(MissingError) as caught:
        tables.read(tmp_path / "a.parquet", SPLITS)
    hint = "run `dvc repro`, or `dvc pull` if it was made elsewhere"
    assert str(caught.value) == f"{tmp_path}/a.parquet: not found; {hint}"


@pytest.mark.parametrize("read", [tables.read, tables.check_schema])
def test_a_file_that_is_not_parquet_is_one_line(tmp_path, read):
    (tmp_path / "a.parquet").write_text("dataset,location\n" * 10)
    with pytest.raises(TableError) as caught:
        read(tmp_path / "a.parquet", SPLITS)
    assert str(caught.value).startswith(f"{tmp_path}/a.parquet: not a readable Parquet file: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [tables.read, tables.check_schema])
def test_a_table_of_another_version_is_named_with_the_difference(tmp_path, read):
    path = tmp_path / "a.parquet"
    fields = [pa.field("dataset", pa.string(), False), ("location", pa.int64()), pa.field("split", pa.string(), False)]
    pq.write_table(pa.table([["d"], [7], ["train"]], schema=pa.schema(fields)), path)
    with pytest.raises(TableError) as caught:
        read(path, SPLITS)
    assert str(caught.value) == (
        f"{path}: not a splits table of this version: lacks ['crops: int32', 'location: string'], "
        "has ['location: int64']; import the dataset or run `dvc repro` again"
    )


def queried(rows: str, path: Path, table: Table = SPLITS) -> int:
    """Write what a select of rows gives, in an empty database."""
    return tables.write_query(duckdb.connect(), f"select * from (values {rows}) as t({COLUMNS})", path, table)


COLUMNS = "dataset, location, split, crops"


def refused(sql: str, path: Path, table: Table = SPLITS) -> str:
    with pytest.raises(TableError) as caught:
        tables.write_query(duckdb.connect(), sql, path, table)
    assert list(path.parent.iterdir()) == []
    return str(caught.value).removeprefix(f"{path}: ")


def test_a_query_is_written_as_it_comes_and_counted(tmp_path):
    path = tmp_path / "it's.parquet"
    assert queried("('d', '007', 'train', 1::int), ('d', 'NA', 'test', 2::int)", path) == 2
    read = tables.read(path, SPLITS)
    assert read["location"].tolist() == ["007", "NA"]
    assert read["crops"].tolist() == [1, 2]
    assert [each.name for each in tmp_path.iterdir()] == ["it's.parquet"]


def test_a_query_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path):
    sql = "select 'd' as dataset, hash(i)::varchar as location, 'train' as split, i::int as crops from range(9999) t(i)"
    with pytest.raises(CamtrapsError) as caught, make.small_files(1000):
        tables.write_query(duckdb.connect(), sql, tmp_path / "a.parquet", SPLITS)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("the database cannot go on, is the disk full? IO Error: ")
    assert list(tmp_path.iterdir()) == []


def test_a_query_without_rows_is_written_with_its_columns(tmp_path):
    path = tmp_path / "a.parquet"
    sql = "select ''::varchar as dataset, '' as location, '' as split, 0::int as crops where false"
    assert tables.write_query(duckdb.connect(), sql, path, SPLITS) == 0
    assert list(tables.read(path, SPLITS).columns) == ["dataset", "location", "split", "crops"]


def test_a_query_replaces_what_was_there(tmp_path):
    queried("('d', 'a', 'train', 1::int)", tmp_path / "a.parquet")
    queried("('d', 'b', 'train', 1::int)", tmp_path / "a.parquet")
    assert tables.read(tmp_path / "a.parquet", SPLITS)["location"].tolist() == ["b"]


def test_the_same_query_is_the_same_bytes_with_any_number_of_threads(tmp_path):
    sql = """select 'd' as dataset, printf('%07d', i) as location, 'train' as split, i::int as crops
             from range(300000) as t(i) order by location"""
    for threads in (1, 4):
        database = duckdb.connect()
        database.execute(f"set threads = {threads}")
        tables.write_query(database, sql, tmp_path / f"{threads}.parquet", SPLITS)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "4.parquet").read_bytes()


def test_a_query_that_gives_an_empty_value_where_none_may_be_is_refused(tmp_path):
    sql = f"select * from (values ('d', 'a', null, 1), ('d', null, null, 2)) as t({COLUMNS})"
    sql = f"select dataset, location, split::varchar as split, crops::int as crops from ({sql})"
    assert refused(sql, tmp_path / "a.parquet") == "splits.location is empty in 1 rows"


def test_an_empty_list_may_stand_where_no_empty_value_may(tmp_path):
    columns = ", ".join(
        f"{value}::{kind} as {name}"
        for name, value, kind in [
            *(("image", "'d/a'", "varchar"), ("dataset", "'d'", "varchar"), ("file", "'a'", "varchar")),
            *((name, "null", "varchar") for name in ("location", "sequence")),
            *(("frame", "null", "int"), ("datetime", "null", "timestamp_ms")),
            *(("width", "null", "int"), ("height", "null", "int"), ("corrupt", "false", "boolean")),
        ]
    )
    boxes = "null::struct(category varchar, class varchar, x double, y double, w double, h double)[] as boxes"
    label = "struct(class varchar, level varchar)[]"
    path = tmp_path / "a.parquet"
    said = refused(f"select {columns}, null::{label} as labels, {boxes}", path, CATALOG)
    assert said == "catalog.labels is empty in 1 rows"
    assert tables.write_query(duckdb.connect(), f"select {columns}, []::{label} as labels, {boxes}", path, CATALOG) == 1


def test_a_query_of_other_columns_or_types_is_refused_with_the_difference(tmp_path):
    sql = "select 'd' as dataset, 'a' as location, 'train' as split, 1::bigint as crops"
    assert refused(sql, tmp_path / "a.parquet") == (
        "not a splits table of this version: lacks ['crops: int32'], has ['crops: int64']; "
        "import the dataset or run `dvc repro` again"
    )
    sql = "select 'd' as dataset, 'a' as place, 'train' as split, 1::int as crops"
    assert refused(sql, tmp_path / "a.parquet").startswith("not a splits table of this version: lacks ['location: ")


def test_columns_in_another_order_are_refused_with_a_reason(tmp_path):
    sql = "select 'a' as location, 'd' as dataset, 'train' as split, 1::int as crops"
    assert refused(sql, tmp_path / "a.parquet") == (
        "not a splits table of this version: has its columns in another order; "
        "import the dataset or run `dvc repro` again"
    )
