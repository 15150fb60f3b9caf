from datetime import datetime

import duckdb
import make
import pandas as pd
import pytest

from camtraps import catalog_sql
from camtraps.errors import InputError, TableError

DEER_BOX = {"category": "animal", "class": "Deer", **make.BOX}
GROUP_BOX = {"category": "group", "class": None, **make.BOX}


def in_sequence(row, sequence):
    return row | {"sequence": sequence}


@pytest.fixture
def photos(tmp_path):
    """Two datasets: labels of images and of sequences, a class in three spellings, a photo without any."""
    boxes, spring, winter = [DEER_BOX, GROUP_BOX], datetime(2024, 4, 1, 5), datetime(2023, 1, 2)
    return make.database(
        tmp_path / "catalog",
        in_sequence(make.row("a/x.JPG", "Deer", "fox", sequence=("cow",), boxes=boxes, location="007"), "s1"),
        in_sequence(make.row("a/y.jpg", sequence=("deer ", "cow"), boxes=[], location="NA", corrupt=True), "s1"),
        make.row("b/v.png"),
        make.row("b/w", "deer", location="007", datetime=winter),
        make.row("b/x.jpg", "fox", location="007", datetime=spring),
    )


@pytest.fixture
def opened(photos, tmp_path):
    """The same photos for statements of a user."""
    return catalog_sql.locked(tmp_path / "catalog", {})


def answer(database, statement):
    return list(catalog_sql.select(database, statement).values)


def test_labels_and_boxes_are_tables(opened):
    statement = "select image, class, level, counts from labels where dataset = 'a' order by all"
    assert answer(opened, statement) == [
        ("a/x.JPG", "Deer", "image", True),
        ("a/x.JPG", "cow", "sequence", False),
        ("a/x.JPG", "fox", "image", True),
        ("a/y.jpg", "cow", "sequence", True),
        ("a/y.jpg", "deer ", "sequence", True),
    ]
    assert answer(opened, "select image, box, category, class, w from boxes") == [
        ("a/x.JPG", 0, "animal", "Deer", 0.5),
        ("a/x.JPG", 1, "group", None, 0.5),
    ]


def test_a_statement_may_describe_and_end_in_a_comment(opened):
    assert sorted(answer(opened, "show tables")) == [("boxes",), ("labels",), ("photos",)]
    assert ("location", "VARCHAR") in [row[:2] for row in answer(opened, "describe photos")]
    assert answer(opened, "select count(*) from photos; -- all of them") == [(5,)]


def test_rows_are_counted_without_fetching_them(opened):
    assert catalog_sql.count(opened, "select 'it''s' from photos; -- all") == 5


def test_columns_may_stand_twice(opened):
    assert catalog_sql.select(opened, "select 1 as a, 2 as a").names == ["a", "a"]


@pytest.mark.parametrize(
    ("statement", "kinds"),
    [
        ("", "none"),
        ("-- nothing", "none"),
        ("select 1; select 2", "SELECT, SELECT"),
        ("copy photos to 'x.csv'", "COPY"),
        ("attach ':memory:' as m", "ATTACH"),
        ("set threads = 1", "SET"),
        ("reset enable_external_access", "SET"),
        ("pragma version", "PRAGMA"),
        ("call pragma_version()", "CALL"),
        ("install httpfs", "LOAD"),
        ("export database 'x'", "EXPORT"),
        ("create table t as select 1", "CREATE"),
        ("insert into photos select * from photos", "INSERT"),
        ("explain analyze select 1", "EXPLAIN"),
    ],
)
def test_anything_but_one_select_is_refused(opened, statement, kinds):
    with pytest.raises(InputError) as error:
        catalog_sql.select(opened, statement)
    assert str(error.value) == f"expected one SELECT, which reads and changes nothing; got {kinds}"


@pytest.mark.parametrize("options", ["", "(use_tmp_file false)"])
def test_a_select_cannot_write_a_file_of_the_catalog(opened, tmp_path, options):
    path = tmp_path / "catalog/a.parquet"
    before = path.read_bytes()
    with pytest.raises(InputError):
        answer(opened, f"with x as (copy (select 1 as a) to '{path}' {options}) from x")
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize("reader", ["read_csv('{}')", "read_text('{}')", "glob('{}')", "read_blob('{}')", "'{}'"])
def test_a_select_cannot_open_a_file(opened, tmp_path, reader):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with pytest.raises(InputError, match=r"^(Permission|Catalog) Error: [^\n]*$"):
        answer(opened, f"from {reader.format(secret)}")


@pytest.mark.parametrize("statement", ["copy photos to '{}/x.csv'", "attach '{}/x.db'", "install httpfs"])
def test_the_database_itself_is_locked_too(opened, tmp_path, statement):
    with pytest.raises(duckdb.PermissionException, match="disabled by configuration"):
        opened.execute(statement.format(tmp_path))


def test_the_lock_cannot_be_opened(opened):
    with pytest.raises(duckdb.InvalidInputException, match="the configuration has been locked"):
        opened.execute("set enable_external_access = true")


def test_variables_of_python_are_no_tables(opened):
    frame = pd.DataFrame({"a": [1]})
    assert len(frame)
    with pytest.raises(InputError, match="Table with name frame does not exist"):
        answer(opened, "from frame")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("selec 1", 'Parser Error: syntax error at or near "selec"'),
        ("select error('no\n\nsuch')", "Invalid Input Error: no"),
    ],
)
def test_an_error_of_sql_is_one_line(opened, statement, message):
    with pytest.raises(InputError) as error:
        answer(opened, statement)
    assert str(error.value) == message


def test_a_table_that_is_not_there_is_answered_with_those_that_are(opened):
    with pytest.raises(
        InputError, match=r"^Catalog Error: Table with name crops .*; there are: boxes, labels, photos$"
    ):
        answer(opened, "from crops")


def test_an_error_in_the_middle_of_the_rows_is_one_line(opened):
    rows = catalog_sql.select(opened, "select case when range = 90000 then error('boom') else 1 end from range(100000)")
    with pytest.raises(InputError) as error:
        list(rows.values)
    assert str(error.value) == "Invalid Input Error: boom"


def test_tables_of_a_run_are_found_where_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert catalog_sql.tables_of_run() == {}
    for name in ("crops/crops", "crops/failures", "queried/failures", "review/candidates"):
        path = tmp_path / f"data/{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = {name: [str(path) for path in paths] for name, paths in catalog_sql.tables_of_run().items()}
    assert found == {
        "crops": ["data/crops/crops.parquet"],
        "candidates": ["data/review/candidates.parquet"],
        "failures": ["data/queried/failures.parquet", "data/crops/failures.parquet"],
    }


def test_other_tables_have_their_view(photos, tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "one.parquet")
    pd.DataFrame({"a": [2]}).to_parquet(tmp_path / "two.parquet")
    others = {"failures": [tmp_path / "one.parquet", tmp_path / "two.parquet"]}
    database = catalog_sql.locked(tmp_path / "catalog", others)
    assert answer(database, "from failures order by a") == [(1,), (2,)]


def test_a_table_that_is_not_parquet_is_named(photos, tmp_path):
    path = tmp_path / "crops.parquet"
    path.write_text("no")
    with pytest.raises(TableError) as error:
        catalog_sql.locked(tmp_path / "catalog", {"crops": [path]})
    assert str(error.value).startswith(f"{path}: not a readable Parquet file: ")
    assert "\n" not in str(error.value)
