import csv
import json
import subprocess
import sys
from datetime import datetime

import duckdb
import make_tables
import pytest

from camtraps import tables
from camtraps.errors import InputError, MissingError
from camtraps.exports import training_files
from camtraps.schema import ASSIGNED, CROPS, QUERIED, SPLITS
from camtraps.shards import member_name

HEADER = "path,dataset,location,dataset_class,confidence,label"
MORE = "image,box,split,sequence,datetime,detector,x,y,w,h"


@pytest.fixture
def export(tmp_path):
    def write(crops, assigned=None, queried=None):
        images = dict.fromkeys(crop["image"] for crop in crops)
        queried = [{"image": each} for each in images] if queried is None else queried
        assigned = (
            [{"image": each["image"], "box": each.get("box", 0)} for each in crops] if assigned is None else assigned
        )
        given = {
            "crops": (CROPS, [{"detector": "human", "label": "cervid", "dataset": "d"} | crop for crop in crops]),
            "assigned": (ASSIGNED, [{"split": "train"} | each for each in assigned]),
            "queried": (QUERIED, [{"class": "roe deer", "labels": ["cervid"]} | each for each in queried]),
        }
        database = duckdb.connect()
        for name, (table, rows) in given.items():
            tables.write(make_tables.rows(table, *rows), tmp_path / f"{name}.parquet", table)
            database.execute(f"create view {name} as from read_parquet('{tmp_path}/{name}.parquet')")
        text = training_files.export_crops(database, tmp_path / "ds.csv")
        with (tmp_path / "ds.csv").open(encoding="utf-8", newline="") as file:
            return text, list(csv.DictReader(file))

    return write


def test_the_six_columns_of_cameratraps_come_first(export, tmp_path):
    export([{"image": "d/1.jpg"}])
    assert (tmp_path / "ds.csv").read_text().splitlines()[0] == f"{HEADER},{MORE}"


def test_a_crop_of_a_human_box(export):
    crop = {"image": "d/cam3/1.jpg", "box": 1, "location": "007", "sequence": "s", "x": 0.1, "y": 0.2}
    _, rows = export([crop | {"datetime": datetime(2024, 4, 1, 5, 12, 9)}])
    assert list(rows[0].values()) == [
        *("d/cam3/1.jpg___crop01.jpg", "d", "007", "roe deer", "1.0", "cervid"),
        *("d/cam3/1.jpg", "1", "train", "s", "2024-04-01 05:12:09", "human", "0.1", "0.2", "0.25", "0.25"),
    ]


def test_a_crop_of_a_detector_is_named_by_it_and_keeps_its_confidence(export):
    _, rows = export([{"image": "d/1.jpg", "confidence": 0.953, "detector": "mdv4.1"}])
    assert (rows[0]["path"], rows[0]["confidence"]) == ("d/1.jpg___crop00_mdv4.1.jpg", "0.953")


def test_a_path_is_the_name_in_the_shards(export):
    crops = [
        {"image": 'd/ü,".jpg', "box": at, "detector": name} for at, name in enumerate(("human", "md_v5a", "motion"))
    ]
    _, rows = export([*crops, {"image": 'd/ü,".jpg', "box": 100}])
    assert [row["path"] for row in rows] == [
        member_name(row["image"], int(row["box"]), row["detector"]) for row in rows
    ]


def test_a_crop_without_location_is_at_the_unknown_one(export):
    text, rows = export([{"image": "d/1.jpg"}, {"image": "d/2.jpg", "location": "NA"}])
    assert [row["location"] for row in rows] == ["unknown_location", "NA"]
    assert text == "2 crops; 1 at unknown_location, which is in no split of splits.json: see column split"


def test_crops_that_the_split_left_out_are_not_in_it(export):
    crops = [{"image": f"d/{at}.jpg", "location": "1"} for at in range(3)]
    text, rows = export(crops, assigned=[{"image": "d/1.jpg", "split": "val"}])
    assert [(row["image"], row["split"]) for row in rows] == [("d/1.jpg", "val")]
    assert text == "1 crops; 2 left out by the split"


@pytest.mark.parametrize("name", ["NA", "null", "007", 'a"b\\c', "a,\nb", "ß🦊", "#1"])
def test_odd_names_survive(export, name):
    image = f"d/{name}.jpg"
    crop = {"image": image, "location": name, "sequence": name, "label": name}
    (row,) = export([crop], queried=[{"image": image, "class": name, "labels": [name]}])[1]
    columns = ("location", "sequence", "label", "dataset_class", "path")
    assert [row[each] for each in columns] == [name, name, name, name, f"{image}___crop00.jpg"]


def test_a_label_with_a_comma_is_pointed_out(export):
    text, _ = export([{"image": "d/1.jpg", "location": "1", "label": "a,b"}])
    assert text == "1 crops; 1 of a label with a comma, at which CameraTraps takes it apart"


def test_rows_are_sorted_by_image_and_box(export):
    crops = [{"image": image, "box": box} for image, box in (("e/1.jpg", 0), ("d/2.jpg", 10), ("d/2.jpg", 9))]
    assert [(row["image"], row["box"]) for row in export(crops)[1]] == [
        ("d/2.jpg", "9"),
        ("d/2.jpg", "10"),
        ("e/1.jpg", "0"),
    ]


@pytest.mark.parametrize(
    ("lacking", "folder"), [({"queried": []}, "queried"), ({"assigned": [{"image": "d/2.jpg"}]}, "crops")]
)
def test_tables_of_different_runs_are_refused(export, lacking, folder):
    with pytest.raises(InputError) as error:
        export([{"image": "d/1.jpg"}], **lacking)
    assert str(error.value) == f"data/splits: 1 of its crops are not in data/{folder}; run `dvc repro`"


def splits(tmp_path, *rows):
    given = [dict(zip(("dataset", "location", "split"), row, strict=True)) for row in rows]
    text = training_files.export_splits(make_tables.rows(SPLITS, *given), tmp_path / "splits.json")
    return text, (tmp_path / "splits.json").read_text(encoding="utf-8")


def test_splits_list_their_locations_sorted_as_text(tmp_path):
    rows = [("a", "10", "train"), ("a", "007", "train"), ("b", 'NA"\\', "test"), ("a", "9", "val"), ("a", "é", "train")]
    text, written = splits(tmp_path, *rows)
    assert written == (
        '{"train": [["a", "007"], ["a", "10"], ["a", "é"]],\n "val": [["a", "9"]],\n "test": [["b", "NA\\"\\\\"]]}\n'
    )
    assert text == "5 locations: 3 in train, 1 in val, 1 in test"


def test_all_three_splits_are_always_there(tmp_path):
    assert json.loads(splits(tmp_path, ("a", "1", "test"))[1]) == {"train": [], "val": [], "test": [["a", "1"]]}


def index(tmp_path, model=None, labels=None):
    for name, value in (("model.json", model), ("labels.json", labels)):
        if value is not None:
            (tmp_path / name).write_text(json.dumps(value))
    out = tmp_path / "label_index.json"
    text = training_files.export_label_index(tmp_path / "model.json", tmp_path / "labels.json", out)
    return text, json.loads(out.read_text(encoding="utf-8"))


def test_the_classifier_says_which_output_is_which_label(tmp_path):
    text, found = index(tmp_path, {"classes": ["fox", "NA"]}, {"other": {}})
    assert found == {"0": "fox", "1": "NA"}
    assert text == f"2 labels of the classifier {tmp_path}"


def test_without_a_classifier_the_specification_does_in_the_alphabet(tmp_path):
    text, found = index(tmp_path, None, {"fox": {}, "NA": {}, 'ß"': {}})
    assert found == {"0": "NA", "1": "fox", "2": 'ß"'}
    assert text == f"3 labels of {tmp_path}/labels.json, for want of a classifier in {tmp_path}"


def test_without_both_the_pipeline_is_to_run(tmp_path):
    with pytest.raises(MissingError) as error:
        index(tmp_path)
    remedy = "run `dvc repro`, or `dvc pull` if it was made elsewhere"
    assert str(error.value) == f"{tmp_path}/labels.json: not found; {remedy}"


def test_a_classifier_without_classes_is_refused(tmp_path):
    with pytest.raises(InputError) as error:
        index(tmp_path, {"classes": [1]})
    assert str(error.value) == f"{tmp_path}/model.json: classes: expected a list of names, got [1]; run `dvc repro`"


def test_labels_that_are_no_object_are_refused(tmp_path):
    with pytest.raises(InputError) as error:
        index(tmp_path, None, ["fox"])
    assert str(error.value) == f"{tmp_path}/labels.json: expected {{label: ...}}, got a list; run `dvc repro`"


def test_torch_is_not_loaded():
    code = "import sys, camtraps.exports.training_files; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
