import json
from datetime import datetime

import duckdb
import make
import pytest

from camtraps import catalog, intake
from camtraps.exports import cct, flat
from camtraps.formats import coco
from camtraps.formats.rows import Annotation, Category, Photo

PLACE = {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.25}
ODD = ('a"b\\c', "one,\ntwo", "Füchse ß\u2028🦊", "NA", "null", "007", " x ", "#1", "it's {key}")


def box(name="deer", category="animal"):
    return {"category": category, "class": name, **PLACE}


def export(tmp_path, *rows, names="file", **choice):
    database = make.database(tmp_path / "catalog", *rows)
    flat.choose(database, **choice)
    text = cct.export(database, tmp_path / "cct.json", "two words", names)
    return text, json.loads((tmp_path / "cct.json").read_bytes())


def annotations(tmp_path, row):
    """Give (class, level, whether it is a box) of each annotation."""
    _, document = export(tmp_path, row)
    names = {each["id"]: each["name"] for each in document["categories"]}
    levels = {None: "image", True: "sequence"}
    return [
        (names[each["category_id"]], levels[each.get("sequence_level_annotation")], "bbox_relative" in each)
        for each in document["annotations"]
    ]


def test_an_image_of_one_dataset_is_named_by_its_file(tmp_path):
    _, document = export(tmp_path, make.row("d/a/1.jpg"))
    assert document["images"] == [{"id": "a/1.jpg", "file_name": "a/1.jpg"}]


def test_what_is_known_of_an_image_stands_there(tmp_path):
    known = {"location": "007", "sequence": "s", "frame": 0, "width": 640, "height": 480, "corrupt": True}
    row = make.row("d/1.jpg", datetime=datetime(2024, 4, 1, 5, 12, 9)) | known
    assert export(tmp_path, row)[1]["images"] == [
        {
            "id": "1.jpg",
            "file_name": "1.jpg",
            "width": 640,
            "height": 480,
            "datetime": "2024-04-01 05:12:09",
            "location": "007",
            "seq_id": "s",
            "seq_num_frames": 1,
            "frame_num": 0,
            "corrupt": True,
        }
    ]


def test_several_datasets_stand_before_all_names(tmp_path):
    rows = [make.row(image, location="1") | {"sequence": "s"} for image in ("a/1.jpg", "b/1.jpg")]
    _, document = export(tmp_path, *rows, names="image")
    assert [(each["id"], each["file_name"], each["location"], each["seq_id"]) for each in document["images"]] == [
        ("a/1.jpg", "a/1.jpg", "a/1", "a/s"),
        ("b/1.jpg", "b/1.jpg", "b/1", "b/s"),
    ]


def test_frames_are_counted_in_the_whole_catalog(tmp_path):
    rows = [make.row(f"d/{at}.jpg") | {"sequence": "s", "frame": at} for at in range(3)]
    database = make.database(tmp_path, *rows)
    database.execute("create view queried as select 'd/1.jpg' as image, 'deer' as class, 'image' as level")
    flat.choose(database, queried=True)
    cct.export(database, tmp_path / "cct.json", "", "file")
    (image,) = json.loads((tmp_path / "cct.json").read_bytes())["images"]
    assert (image["seq_num_frames"], image["frame_num"]) == (3, 1)


def test_category_0_is_empty_and_the_others_follow_in_the_alphabet(tmp_path):
    rows = [make.row("d/1.jpg", "fox", "Empty"), make.row("d/2.jpg", "deer", "blank")]
    assert export(tmp_path, *rows)[1]["categories"] == [
        {"id": 0, "name": "empty"},
        {"id": 1, "name": "blank"},
        {"id": 2, "name": "deer"},
        {"id": 3, "name": "fox"},
    ]


def test_empty_is_a_category_even_if_no_photo_has_it(tmp_path):
    _, document = export(tmp_path, make.row("d/1.jpg"))
    assert (document["categories"], document["annotations"]) == ([{"id": 0, "name": "empty"}], [])


def test_a_label_without_a_box_is_an_annotation(tmp_path):
    _, document = export(tmp_path, make.row("d/1.jpg", "empty"))
    assert document["annotations"] == [{"id": "1.jpg#1", "image_id": "1.jpg", "category_id": 0}]


def test_a_label_of_the_sequence_says_so(tmp_path):
    row = make.row("d/1.jpg", "deer", sequence=("fox",))
    assert annotations(tmp_path, row) == [("deer", "image", False), ("fox", "sequence", False)]


def test_a_box_is_in_pixels_where_the_size_is_known(tmp_path):
    row = make.row("d/1.jpg", "deer", boxes=[box()], width=2048, height=1536)
    assert export(tmp_path, row)[1]["annotations"] == [
        {"id": "1.jpg#1", "image_id": "1.jpg", "category_id": 1, "bbox": [204.8, 307.2, 614.4, 384.0]}
    ]


def test_a_box_is_relative_where_the_size_is_unknown(tmp_path):
    row = make.row("d/1.jpg", "deer", boxes=[box()], width=2048)
    assert export(tmp_path, row)[1]["annotations"] == [
        {"id": "1.jpg#1", "image_id": "1.jpg", "category_id": 1, "bbox_relative": [0.1, 0.2, 0.3, 0.25]}
    ]


def test_a_box_carries_the_label_of_its_class(tmp_path):
    row = make.row("d/1.jpg", "deer", "cow", boxes=[box("cow"), box("fox")])
    assert annotations(tmp_path, row) == [("cow", "image", True), ("fox", "image", True), ("deer", "image", False)]


def test_a_box_without_a_class_takes_the_only_label_and_its_level(tmp_path):
    row = make.row("d/1.jpg", sequence=("deer",), boxes=[box(None)])
    assert annotations(tmp_path, row) == [("deer", "sequence", True), ("deer", "sequence", False)]


@pytest.mark.parametrize(
    ("labels", "category"), [((), "animal"), (("deer", "fox"), "animal"), (("empty",), "animal"), (("deer",), "person")]
)
def test_another_box_without_a_class_stands_under_its_category(tmp_path, labels, category):
    found = annotations(tmp_path, make.row("d/1.jpg", *labels, boxes=[box(None, category)]))
    assert found == [(category, "image", True), *((name, "image", False) for name in labels)]


def test_a_photo_that_a_person_found_empty_is_told_from_one_that_nobody_boxed(tmp_path):
    rows = [make.row("d/1.jpg", boxes=[]), make.row("d/2.jpg"), make.row("d/3.jpg", boxes=[box()])]
    assert [each.get("boxed") for each in export(tmp_path, *rows)[1]["images"]] == [True, None, None]


def test_one_dataset_can_be_exported(tmp_path):
    _, document = export(tmp_path, make.row("a/1.jpg", "fox"), make.row("b/2.jpg", "deer"), dataset="b")
    assert document["images"] == [{"id": "2.jpg", "file_name": "2.jpg"}]
    assert [each["name"] for each in document["categories"]] == ["empty", "deer"]


def test_a_record_stands_on_each_line(tmp_path):
    export(tmp_path, make.row("d/1.jpg", "deer"), make.row("d/2.jpg"))
    assert (tmp_path / "cct.json").read_text(encoding="utf-8") == (
        '{"info": {"version": "1.0", "description": "two words"},\n'
        '"images": [\n'
        '{"id": "1.jpg", "file_name": "1.jpg"},\n'
        '{"id": "2.jpg", "file_name": "2.jpg"}\n'
        "],\n"
        '"categories": [\n'
        '{"id": 0, "name": "empty"},\n'
        '{"id": 1, "name": "deer"}\n'
        "],\n"
        '"annotations": [\n'
        '{"id": "1.jpg#1", "image_id": "1.jpg", "category_id": 1}\n'
        "]}\n"
    )


def test_the_counts_say_what_was_settled(tmp_path):
    rows = [make.row("d/1.jpg", "deer", boxes=[box(), box(None), box(None, "person")]), make.row("d/2.jpg", boxes=[])]
    assert export(tmp_path, *rows)[0] == (
        "2 photos, 3 annotations, 3 of them boxes, 3 categories; 1 boxes without a class took the photo's only label; "
        "1 boxes without a class stand under their category; 1 photos looked over without a box carry boxed: true"
    )


def test_the_same_catalog_gives_the_same_bytes_and_nothing_else(tmp_path):
    rows = [make.row(f"d/{at}.jpg", "deer", "fox", boxes=[box()]) for at in range(50)]
    for name in ("one", "two"):
        export(tmp_path / name, *rows)
    assert (tmp_path / "one/cct.json").read_bytes() == (tmp_path / "two/cct.json").read_bytes()
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == ["catalog", "cct.json"]


def test_after_an_error_the_old_file_stands(tmp_path):
    database = make.database(tmp_path / "catalog", make.row("d/1.jpg"))
    (tmp_path / "cct.json").write_text("old")
    with pytest.raises(duckdb.CatalogException, match="chosen"):
        cct.export(database, tmp_path / "cct.json", "")
    assert (tmp_path / "cct.json").read_text() == "old"


def test_our_own_reader_takes_odd_names_back(tmp_path):
    rows = [
        make.row(f"d/{at} {name}.jpg", name, location=name, boxes=[box(name)]) | {"sequence": name}
        for at, name in enumerate(ODD)
    ]
    export(tmp_path, *rows)
    read = list(coco.read(tmp_path / "cct.json"))
    photos = [row for row in read if isinstance(row, Photo)]
    assert [(row.file, row.location, row.sequence) for row in photos] == [
        (f"{at} {name}.jpg", name, name) for at, name in enumerate(ODD)
    ]
    names = {row.id: row.name for row in read if isinstance(row, Category)}
    said = [row for row in read if isinstance(row, Annotation)]
    assert [(names[row.name], row.x, row.y, row.w, row.h) for row in said] == [(name, *PLACE.values()) for name in ODD]


def contents(folder):
    return catalog.connect(folder).sql("from photos").to_arrow_table().to_pylist()


def test_the_intake_makes_the_same_catalog_of_it(tmp_path):
    rows = [
        make.row(
            "d/1.jpg",
            "deer",
            sequence=("fox",),
            boxes=[box("cow"), box() | {"x": 0.125, "y": 0.5}],
            width=2048,
            height=1536,
        ),
        make.row("d/2.jpg", "cow", location="NA", datetime=datetime(2024, 4, 1, 5)) | {"sequence": "s", "frame": 3},
    ]
    rows[0]["boxes"][0] |= {"x": 0.25, "y": 0.375, "w": 0.5, "h": 0.25}
    rows[0]["boxes"][1] |= {"w": 0.25}
    rows[0]["labels"].insert(0, {"class": "cow", "level": "image"})
    export(tmp_path, *rows)
    with intake.Opened() as database:
        path = tmp_path / "cct.json"
        taken = intake.gather(coco.read(path), path, intake.Rules(dataset="d"), database)
        (tmp_path / "again").mkdir()
        taken.write(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "catalog")
