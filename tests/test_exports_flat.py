import csv
from datetime import datetime

import duckdb
import make
import make_tables
import pytest

from camtraps import tables
from camtraps.errors import InputError
from camtraps.exports import flat
from camtraps.formats import flat as reader
from camtraps.schema import QUERIED

HEADER = "dataset,file,location,sequence,frame,datetime,width,height,corrupt,label,level,category,x,y,w,h"
PLACE = {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.25}
ODD = ('a"b\\c', "one,\ntwo", "Füchse ß🦊", "NA", "null", "007", " x ", "#1", "a;b\tc", "x\ry")


def box(name="deer", category="animal"):
    return {"category": category, "class": name, **PLACE}


def export(tmp_path, *rows, **choice):
    database = make.database(tmp_path / "catalog", *rows)
    flat.choose(database, **choice)
    text = flat.export(database, tmp_path / "flat.csv")
    with (tmp_path / "flat.csv").open(encoding="utf-8", newline="") as file:
        return text, [list(row.values()) for row in csv.DictReader(file)]


def marks(tmp_path, row):
    return [each[9:] for each in export(tmp_path, row)[1]]


def queried(database, tmp_path, *rows):
    given = [{"class": "deer", "label": "cervid", "labels": ["cervid"]} | row for row in rows]
    tables.write(make_tables.rows(QUERIED, *given), tmp_path / "queried.parquet", QUERIED)
    database.execute(f"create view queried as from read_parquet('{tmp_path}/queried.parquet')")


def test_the_header_is_the_one_that_csv_import_knows(tmp_path):
    export(tmp_path, make.row("d/1.jpg", "deer"))
    assert (tmp_path / "flat.csv").read_bytes().split(b"\n")[0].decode() == HEADER


def test_a_photo_with_a_label_has_one_row(tmp_path):
    known = {"location": "007", "sequence": "s", "frame": 0, "width": 640, "height": 480, "corrupt": True}
    row = make.row("d/a/1.jpg", "deer", datetime=datetime(2024, 4, 1, 5)) | known
    expected = ["d", "a/1.jpg", "007", "s", "0", "2024-04-01 05:00:00", "640", "480", "true", "deer", "image"]
    assert export(tmp_path, row)[1] == [expected + [""] * 5]


def test_a_photo_without_labels_and_boxes_has_one_row(tmp_path):
    row = make.row("d/1.jpg")
    assert export(tmp_path, row)[1] == [["d", "1.jpg", *[""] * 6, "false", *[""] * 7]]


def test_each_label_has_a_row_with_its_level(tmp_path):
    row = make.row("d/1.jpg", "deer", "fox", sequence=("deer",))
    assert [each[:2] for each in marks(tmp_path, row)] == [["deer", "image"], ["fox", "image"], ["deer", "sequence"]]


def test_a_box_carries_the_label_of_its_class(tmp_path):
    row = make.row("d/1.jpg", "deer", "fox", boxes=[box(), box()])
    place = ["animal", "0.1", "0.2", "0.3", "0.25"]
    expected = [["deer", "image", *place], ["deer", "image", *place], ["fox", "image", *[""] * 5]]
    assert marks(tmp_path, row) == expected


def test_a_box_of_a_class_of_the_sequence_has_its_level(tmp_path):
    row = make.row("d/1.jpg", sequence=("deer",), boxes=[box()])
    assert [each[:2] for each in marks(tmp_path, row)] == [["deer", "sequence"]]


def test_a_box_without_a_class_has_no_label(tmp_path):
    row = make.row("d/1.jpg", "deer", boxes=[box(None, "person")])
    assert [each[:3] for each in marks(tmp_path, row)] == [["", "", "person"], ["deer", "image", ""]]


def test_rows_are_sorted_by_dataset_and_file(tmp_path):
    rows = [make.row(image, "deer") for image in ("b/1.jpg", "a/2.jpg", "a/10.jpg", "a/É.jpg")]
    assert [row[:2] for row in export(tmp_path, *rows)[1]] == [
        ["a", "10.jpg"],
        ["a", "2.jpg"],
        ["a", "É.jpg"],
        ["b", "1.jpg"],
    ]


def test_one_dataset_can_be_chosen(tmp_path):
    _, rows = export(tmp_path, make.row("a/1.jpg"), make.row("b/1.jpg"), dataset="b")
    assert [row[0] for row in rows] == ["b"]


def test_an_unknown_dataset_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InputError) as error:
        export(tmp_path, make.row("a/1.jpg"), make.row("b/1.jpg"), dataset="it's")
    assert str(error.value) == '--dataset: no dataset "it\'s" in the catalog; it has a, b'


def test_queried_photos_keep_all_their_labels(tmp_path):
    database = make.database(tmp_path / "c", make.row("d/1.jpg", "deer", "cow", boxes=[]), make.row("d/2.jpg", "deer"))
    queried(database, tmp_path, {"image": "d/1.jpg", "level": "image"})
    flat.choose(database, queried=True)
    assert database.execute("select file, labels, boxes from chosen").fetchall() == [
        ("1.jpg", [{"class": "deer", "level": "image"}, {"class": "cow", "level": "image"}], [])
    ]


def test_a_correction_replaces_the_labels_and_the_classes_of_boxes(tmp_path):
    database = make.database(tmp_path / "c", make.row("d/1.jpg", "deer", boxes=[box()]))
    queried(database, tmp_path, {"image": "d/1.jpg", "level": "correction", "class": "fox"})
    flat.choose(database, queried=True)
    assert database.execute("select labels, boxes from chosen").fetchall() == [
        ([{"class": "fox", "level": "image"}], [{"category": "animal", "class": None, **PLACE}])
    ]


def test_photos_of_another_catalog_are_refused(tmp_path):
    database = make.database(tmp_path / "c", make.row("d/1.jpg", "deer"))
    queried(database, tmp_path, {"image": "d/1.jpg"}, {"image": "e/1.jpg"})
    with pytest.raises(InputError) as error:
        flat.choose(database, queried=True)
    assert str(error.value) == (
        "data/queried: 1 of its photos are not in this catalog, first e/1.jpg; name the collection that was queried "
        "with --name, or run `dvc repro`"
    )


def test_the_counts_say_what_is_lost(tmp_path):
    rows = [make.row("d/1.jpg", "deer", "fox", boxes=[box(), box()]), make.row("d/2.jpg", boxes=[])]
    assert export(tmp_path, *rows)[0] == (
        "2 photos, 4 rows, 2 boxes; 1 photos looked over without a box, which a table cannot say"
    )


def test_the_same_catalog_gives_the_same_bytes(tmp_path):
    rows = [make.row(f"d/{at}.jpg", "deer", "fox", boxes=[box()]) for at in range(50)]
    for name in ("one", "two"):
        export(tmp_path / name, *rows)
    assert (tmp_path / "one/flat.csv").read_bytes() == (tmp_path / "two/flat.csv").read_bytes()


def test_our_own_reader_takes_odd_names_back(tmp_path):
    given = [make.row(f"d/{at}.jpg", name, location=name, boxes=[box(name)]) for at, name in enumerate(ODD)]
    export(tmp_path, *given)
    photos, annotations = (duckdb.from_arrow(table) for table in reader.read(tmp_path / "flat.csv", {}))
    assert photos.project("dataset, location").fetchall() == [("d", name) for name in ODD]
    expected = [(name, "image", "animal", *PLACE.values()) for name in ODD]
    assert annotations.project("name, level, category, x, y, w, h").fetchall() == expected
