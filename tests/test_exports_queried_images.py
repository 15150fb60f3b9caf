import json
from datetime import datetime

import duckdb
import make_tables
import pytest

from camtraps import tables
from camtraps.exports import queried_images
from camtraps.schema import BOXES, QUERIED

ODD = ('a"b\\c.jpg', "tab\tand\nline.jpg", "Füchse/ß\u2028🦊.jpg", "NA", "it's, 007.jpg")


@pytest.fixture
def export(tmp_path):
    def write(queried, boxes=()):
        database = duckdb.connect()
        for name, table, given in (("queried", QUERIED, queried), ("boxes", BOXES, boxes)):
            tables.write(make_tables.rows(table, *given), tmp_path / f"{name}.parquet", table)
            database.execute(f"create view {name} as from read_parquet('{tmp_path}/{name}.parquet')")
        text = queried_images.export(database, tmp_path / "queried_images.json")
        return text, json.loads((tmp_path / "queried_images.json").read_bytes())

    return write


def photo(image="d/1.jpg", **more):
    return {"image": image, "class": "roe deer", "label": "cervid", "labels": ["cervid"], "level": "image"} | more


def test_a_photo_has_dataset_class_and_a_list_of_labels(export):
    assert export([photo()])[1] == {
        "d/1.jpg": {"dataset": "d", "class": "roe deer", "label": ["cervid"], "label_source": "image"}
    }


def test_what_is_known_of_a_photo_stands_there(export):
    known = {"location": "007", "sequence": "s", "frame": 2, "width": 640, "height": 480, "level": "sequence"}
    _, found = export([photo(datetime=datetime(2024, 4, 1, 5, 12, 9), **known)])
    assert found["d/1.jpg"] == {
        "dataset": "d",
        "location": "007",
        "class": "roe deer",
        "label": ["cervid"],
        "seq_id": "s",
        "frame_num": 2,
        "datetime": "2024-04-01 05:12:09",
        "width": 640,
        "height": 480,
        "label_source": "sequence",
    }


def test_a_correction_speaks_of_the_image(export):
    assert export([photo(level="correction")])[1]["d/1.jpg"]["label_source"] == "image"


def test_several_labels_keep_their_order(export):
    assert export([photo(labels=["fox", "NA", "cervid"])])[1]["d/1.jpg"]["label"] == ["fox", "NA", "cervid"]


def test_boxes_stand_in_their_order_with_their_class(export):
    place = {"x": 0.1, "y": 0.2, "w": 1e-7, "h": 0.25}
    boxes = [
        {"image": "d/1.jpg", "box": 10, "category": "person", **place},
        {"image": "d/1.jpg", "box": 9, "category": "animal", "class": "roe deer", **place},
    ]
    assert export([photo(has_truth_boxes=True)], boxes)[1]["d/1.jpg"]["bbox"] == [
        {"category": "animal", "class": "roe deer", "bbox": [0.1, 0.2, 1e-7, 0.25]},
        {"category": "person", "bbox": [0.1, 0.2, 1e-7, 0.25]},
    ]


def test_a_photo_that_a_person_found_empty_has_an_empty_list_of_boxes(export):
    _, found = export([photo(has_truth_boxes=True), photo("d/2.jpg")])
    assert found["d/1.jpg"]["bbox"] == []
    assert "bbox" not in found["d/2.jpg"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_survive(export, name):
    odd = photo(f"d/{name}", location=name, sequence=name, label=name, labels=[name]) | {"class": name}
    _, found = export([odd])
    own = found[f"d/{name}"]
    assert [own["location"], own["seq_id"], own["class"], own["label"]] == [name, name, name, [name]]


def test_photos_are_sorted_and_stand_on_a_line_each(export, tmp_path):
    export([photo("d/b.jpg"), photo("d/B.jpg"), photo("c/z.jpg"), photo("d/é.jpg")])
    lines = (tmp_path / "queried_images.json").read_text(encoding="utf-8").splitlines()
    assert [line.split(":")[0] for line in lines] == ["{", '"c/z.jpg"', '"d/B.jpg"', '"d/b.jpg"', '"d/é.jpg"', "}"]


def test_photos_beyond_one_part_follow_without_a_gap(export, monkeypatch):
    images = [f"d/it's {at:02}.jpg" for at in range(7)]
    boxes = [{"image": image, "box": 0} for image in images]
    given = [photo(image, has_truth_boxes=True) for image in images]
    whole = export(given, boxes)
    for size in (2, 3, 7):
        monkeypatch.setattr(queried_images, "PART", size)
        assert export(given, boxes) == whole
    assert list(whole[1]) == images


def test_no_photos_are_an_empty_object(export):
    assert export([])[1] == {}


def test_the_counts_are_given(export):
    given = [photo(has_truth_boxes=True), photo("d/2.jpg", labels=["fox", "cervid"])]
    boxes = [{"image": "d/1.jpg", "box": at} for at in range(2)]
    assert export(given, boxes)[0] == "2 photos of 2 labels, 1 of them boxed by people, 2 boxes"


def test_the_same_photos_give_the_same_bytes(export, tmp_path):
    written = []
    for given in ([photo("d/1.jpg"), photo("d/2.jpg")], [photo("d/2.jpg"), photo("d/1.jpg")]):
        export(given)
        written.append((tmp_path / "queried_images.json").read_bytes())
    assert written[0] == written[1]
    assert not list(tmp_path.glob(".*"))


def test_our_own_reader_takes_it_back(export, tmp_path):
    from camtraps.formats import queried_images as reader
    from camtraps.formats.rows import Annotation, Photo

    name = ODD[0]
    place = {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.25}
    given = photo(f"d/{name}", location="007", has_truth_boxes=True, level="correction")
    export([given], [{"image": f"d/{name}", "box": 0, "category": "animal", **place}])
    read = list(reader.read(tmp_path / "queried_images.json"))
    (taken,) = [row for row in read if isinstance(row, Photo)]
    assert (taken.dataset, taken.file, taken.location) == ("d", name, "007")
    said = [row for row in read if isinstance(row, Annotation)]
    assert said[0].name == "roe deer"
    assert [(row.x, row.y, row.w, row.h) for row in said if row.x is not None] == [(0.1, 0.2, 0.3, 0.25)]
