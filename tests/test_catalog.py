"""The catalog: what is written is read back, numbered as images sort, and counted."""

from datetime import datetime
from typing import Any

import make
import pyarrow.parquet as pq
import pytest

from camtraps import catalog, tables
from camtraps.errors import MissingError, TableError
from camtraps.schema import CATALOG


def test_a_catalog_without_a_dataset_says_how_to_bring_one_in(tmp_path):
    with pytest.raises(MissingError) as caught:
        catalog.connect(tmp_path)
    assert str(caught.value) == f"{tmp_path}: no dataset in this catalog; bring one in with `camtraps import`"


def test_a_file_in_the_catalog_that_is_no_table_is_named(tmp_path):
    (tmp_path / "notes.parquet").write_text("not a table")
    with pytest.raises(TableError) as caught:
        catalog.connect(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/notes.parquet: not a readable Parquet file: ")


def test_a_table_of_other_columns_is_named_with_what_it_lacks(tmp_path):
    catalog.write([make.row("d/a.jpg", "deer")], tmp_path / "d.parquet")
    pq.write_table(pq.read_table(tmp_path / "d.parquet").drop_columns(["frame"]), tmp_path / "e.parquet")
    with pytest.raises(TableError) as caught:
        catalog.connect(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/e.parquet: not a catalog table of this version: lacks ['frame: int32'], has []; "
        "import the dataset or run `dvc repro` again"
    )


def test_a_folder_with_a_quote_in_its_name_can_hold_a_catalog(tmp_path):
    database = make.database(tmp_path / "it's", make.row("d/a.jpg", "Deer"), make.row("E/a.jpg", " fox "))
    assert catalog.pairs(database) == {("d", "deer"), ("e", "fox")}
    assert catalog.spelled(database) == [("E", " fox "), ("d", "Deer")]


def test_a_written_catalog_is_read_back_whole(tmp_path):
    boxes = [{"category": "animal", "class": None, **make.BOX}]
    row = make.row("d/NA/1.jpg", "null", sequence=("007",), location="NA", frame=0, width=64, boxes=boxes)
    catalog.write([row], tmp_path / "d.parquet")
    assert tables.read_arrow(tmp_path / "d.parquet", CATALOG).to_pylist() == [row]


def test_numbers_rise_with_the_image_and_hold_the_dataset(tmp_path):
    images = [f"{dataset}/{file}.jpg" for dataset in ("a-b", "a.b", "a", "B") for file in ("1", "1-2", "1/2", "10")]
    database = make.database(tmp_path, *(make.row(image) for image in images))
    sql = "select image, dataset_at.dataset from placed join dataset_at on number = id >> 32 order by id"
    rows = database.execute(sql).fetchall()
    assert [image for image, _ in rows] == sorted(images)
    assert [dataset for _, dataset in rows] == [image.split("/")[0] for image in sorted(images)]


def test_a_dataset_without_photos_takes_no_number_of_another(tmp_path):
    catalog.write([], tmp_path / "b.parquet")
    database = make.database(tmp_path, make.row("a/1.jpg"), make.row("c/1.jpg"), make.row("c/2.jpg"))
    sql = "select image, dataset_at.dataset from placed join dataset_at on number = id >> 32 order by id"
    assert database.execute(sql).fetchall() == [("a/1.jpg", "a"), ("c/1.jpg", "c"), ("c/2.jpg", "c")]


def test_photos_are_counted_by_class_with_the_labels_of_the_image_before_those_of_its_sequence(tmp_path):
    rows = [
        make.row("d/1.jpg", "deer"),
        make.row("d/2.jpg", sequence=("deer",)),
        make.row("d/3.jpg", "fox", sequence=("deer",)),
        make.row("d/4.jpg", "deer", "fox"),
        make.row("d/5.jpg", "deer", sequence=("deer",)),
        make.row("d/6.jpg"),
        make.row("e/1.jpg", sequence=("deer", "Deer")),
    ]
    counts = catalog.label_counts(make.database(tmp_path, *rows))
    assert counts.to_dict("split")["data"] == [["d", "deer", 4], ["d", "fox", 2], ["e", "Deer", 1], ["e", "deer", 1]]


def test_all_photos_of_a_place_come_in_the_order_they_were_taken(tmp_path):
    def shot(file: str, location: str | None, burst: str | None, frame: int | None, hour: int | None) -> dict[str, Any]:
        taken = None if hour is None else datetime(2024, 4, 1, hour)
        return make.row(f"d/{file}", location=location, frame=frame, datetime=taken) | {"sequence": burst}

    rows = [
        shot("1.jpg", "north", "late", 0, 9),
        shot("2.jpg", "north", "early", 1, None),
        shot("3.jpg", "north", "early", 0, 5),
        shot("4.jpg", "south", "other", 0, 1),
        shot("5.jpg", None, "burst", 0, 3),
        shot("6.jpg", None, "burst", 1, 4),
        shot("7.jpg", None, None, None, None),
        shot("8.jpg", None, None, None, None),
    ]
    photos = catalog.photos_at(make.database(tmp_path, *rows), {"d/1.jpg", "d/5.jpg", "d/8.jpg"})
    files = photos.groupby("place")["file"].agg(list).to_dict()
    assert files == {
        "location north": ["3.jpg", "2.jpg", "1.jpg"],
        "sequence burst": ["5.jpg", "6.jpg"],
        "photo 8.jpg": ["8.jpg"],
    }
