import argparse
import csv
import gzip
import json
import shlex
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import make
import make_tables
import pytest
from imports import ROOT

from camtraps import predictions, tables
from camtraps.commands import exports
from camtraps.errors import InputError, MissingError
from camtraps.schema import ASSIGNED, BOXES, CROPS, QUERIED, SPLITS

PIPELINE = "run `dvc repro`, or `dvc pull` if it was made elsewhere"
FORMATS = ["cct", "csv", "queried-images", "classification-ds", "splits", "label-index", "camtrap-dp", "crops"]
FORMATS += ["coco-crops", "tfrecords", "file-list", "outputs", "overall-metrics", "label-stats", "confusion"]
FORMATS += ["mislabeled"]
DOCUMENTS = FORMATS[:6]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Make a repository whose collection `demo` has the datasets a and b."""
    (tmp_path / "repository").mkdir()
    monkeypatch.chdir(tmp_path / "repository")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, name)
    rows = [
        make.row("a/1.jpg", "deer", location="007", datetime=datetime(2024, 4, 1, 5, 12, 9)),
        make.row("a/2.jpg", "fox", location="NA"),
        make.row("b/1.jpg", "deer", location="007"),
    ]
    make.database(Path("data/demo/catalog"), *rows)
    header = "dataset,images,photos,photos_digest,source,source_digest\n"
    Path("data/demo/datasets.csv").write_text(header + "a,images/a,2,x,s,y\nb,images/b,1,x,s,y\n")


def write_stages():
    """Write what the stages give for one photo with one crop."""
    queried = {"image": "a/1.jpg", "class": "deer", "label": "cervid", "labels": ["cervid"], "level": "image"}
    crop = {"image": "a/1.jpg", "dataset": "a", "location": "007", "label": "cervid", "detector": "human"}
    for path, table, given in (
        ("queried/queried", QUERIED, [queried]),
        ("queried/boxes", BOXES, []),
        ("crops/crops", CROPS, [crop]),
        ("splits/splits", SPLITS, [{"dataset": "a", "location": "007", "split": "val"}]),
        ("splits/assigned", ASSIGNED, [{"image": "a/1.jpg", "split": "val"}]),
    ):
        tables.write(make_tables.rows(table, *given), Path(f"data/{path}.parquet"), table)
    Path("data/queried/labels.json").write_text('{"cervid": {}}')


def run(*arguments):
    parser = argparse.ArgumentParser()
    exports.add(parser.add_subparsers(required=True))
    options = parser.parse_args(["export", *arguments])
    return options.run(options)


def test_each_export_ends_in_one_line_with_counts(repository, capsys):
    write_stages()
    for name in DOCUMENTS:
        assert run(name, "--out", f"out/{name}") == 0
    assert capsys.readouterr().out.splitlines() == [
        "out/cct: 3 photos, 3 annotations, 0 of them boxes, 3 categories",
        "out/csv: 3 photos, 3 rows, 0 boxes",
        "out/queried-images: 1 photos of 1 labels, 0 of them boxed by people, 0 boxes",
        "out/classification-ds: 1 crops",
        "out/splits: 1 locations: 0 in train, 1 in val, 0 in test",
        "out/label-index: 1 labels of data/queried/labels.json, for want of a classifier in models/classifier",
    ]
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(DOCUMENTS)


def test_cct_names_photos_by_dataset_if_there_are_several(repository):
    run("cct", "--out", "all.json")
    document = json.loads(Path("all.json").read_text())
    assert [image["id"] for image in document["images"]] == ["a/1.jpg", "a/2.jpg", "b/1.jpg"]
    assert document["info"] == {"version": "1.0", "description": "photos of a, b"}


def test_cct_names_photos_of_one_dataset_by_their_file(repository):
    run("cct", "--dataset", "a", "--out", "a.json")
    document = json.loads(Path("a.json").read_text())
    assert [image["id"] for image in document["images"]] == ["1.jpg", "2.jpg"]
    assert document["info"]["description"] == "photos of a"


def test_queried_photos_are_named_as_in_the_whole_collection(repository):
    write_stages()
    run("cct", "--queried", "--out", "queried.json")
    document = json.loads(Path("queried.json").read_text())
    assert [image["id"] for image in document["images"]] == ["a/1.jpg"]
    assert document["info"]["description"] == "photos chosen by the query of a, b"


def test_csv_of_queried_photos(repository):
    write_stages()
    run("csv", "--queried", "--out", "queried.csv")
    with Path("queried.csv").open(newline="") as file:
        assert [(row["dataset"], row["file"], row["location"]) for row in csv.DictReader(file)] == [
            ("a", "1.jpg", "007")
        ]


def test_a_camera_trap_data_package_states_the_time_zone(repository, capsys):
    Path("places.csv").write_text("dataset,location,latitude,longitude\na,007,50.5,8.5\n")
    arguments = ["--locations", "places.csv", "--contributor", "Alder Trust", "--timezone", "+02:00"]
    assert run("camtrap-dp", "--out", "package", *arguments) == 0
    package = json.loads(Path("package/datapackage.json").read_text())
    assert (package["name"], package["title"]) == ("demo", "Camera-trap photos of demo")
    assert package["contributors"][0]["title"] == "Alder Trust"
    assert capsys.readouterr().out == (
        "package: 1 photos, 1 observations, 1 deployments, clocks in time zone +02:00; 2 left out: no time\n"
    )


def test_a_package_needs_the_places_of_its_locations(repository):
    with pytest.raises(MissingError) as error:
        run("camtrap-dp", "--out", "package")
    assert str(error.value) == (
        "data/demo/locations.csv: not found; write it with the columns dataset,location,latitude,longitude, in degrees"
    )


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (["cct", "--queried"], "data/queried/queried.parquet"),
        (["queried-images"], "data/queried/queried.parquet"),
        (["classification-ds"], "data/crops/crops.parquet"),
        (["splits"], "data/splits/splits.parquet"),
        (["crops"], "data/crops/crops.parquet"),
        (["file-list", "--queried"], "data/queried/queried.parquet"),
        (["file-list", "--failed"], "data/queried/failures.parquet"),
        (["label-index"], "data/queried/labels.json"),
    ],
)
def test_without_outputs_of_the_pipeline_it_is_to_run(repository, arguments, path):
    with pytest.raises(MissingError) as error:
        run(*arguments, "--out", "out.json")
    assert str(error.value) == f"{path}: not found; {PIPELINE}"
    assert not Path("out.json").exists()


def test_an_unknown_collection_is_refused(repository):
    with pytest.raises(MissingError) as error:
        run("csv", "--name", "other", "--out", "out.csv")
    assert str(error.value) == "data/other: no such collection; there are: demo"


@pytest.mark.parametrize(
    ("out", "folder"),
    [
        ("data/queried/x.json", "data/queried"),
        ("out/../models/classifier/x", "models/classifier"),
        ("data/demo/catalog/a.parquet", "data/demo"),
        ("metrics/x.json", "metrics"),
    ],
)
@pytest.mark.parametrize("name", ["csv", "label-index", "camtrap-dp", "crops", "tfrecords", "file-list"])
def test_what_dvc_keeps_is_never_written_over(repository, name, out, folder):
    with pytest.raises(InputError) as error:
        run(name, "--out", out)
    assert str(error.value) == f"--out: {out} is in {folder}, which DVC keeps track of; write it elsewhere"


def test_a_folder_in_the_way_is_refused(repository):
    Path("out").mkdir()
    with pytest.raises(InputError, match=r"^--out: out is a folder; name the file to write$"):
        run("csv", "--out", "out")


def test_a_file_where_a_folder_should_be_is_refused(repository):
    Path("out").touch()
    with pytest.raises(InputError) as error:
        run("csv", "--out", "out/sub/x.csv")
    assert str(error.value) == f"--out: {Path.cwd()}/out is not a folder that you can write to"


def test_what_stood_there_is_replaced_whole(repository):
    Path("out.csv").write_text("old\n" * 100)
    run("csv", "--dataset", "b", "--out", "out.csv")
    assert Path("out.csv").read_text().splitlines()[1:] == ["b,1.jpg,007,,,,,,false,deer,image,,,,,"]


def write_crops():
    """Write four crops, of which the first and the last are of the test split."""
    crops = make_tables.colour_crops(Path("data/crops"), ["red", "green", "blue", "red"])
    crops.loc[3, "dataset"] = "e"
    tables.write(crops, Path("data/crops/crops.parquet"), CROPS)
    splits = ["test", "train", "val", "test"]
    assigned = crops[["image", "box", "dataset", "label"]].assign(location="-", split=splits)
    tables.write(assigned, Path("data/splits/assigned.parquet"), ASSIGNED)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], [0, 1, 2, 3]),
        (["--split", "test"], [0, 3]),
        (["--label", "red", "--dataset", "d"], [0]),
        (["--split", "val", "--label", "blue"], [2]),
    ],
)
def test_crops_of_a_part_are_unpacked(repository, capsys, options, found):
    write_crops()
    assert run("crops", "--out", "out", *options) == 0
    assert sorted(path.name for path in Path("out").rglob("*.jpg")) == [f"{at:03}.jpg___crop00_-.jpg" for at in found]
    assert capsys.readouterr().out.startswith(f"out: {len(found)} crops ")


def test_crops_go_to_other_trainers(repository, capsys):
    write_crops()
    assert run("coco-crops", "--out", "coco", "--exclude-categories", "green") == 0
    assert run("tfrecords", "--out", "records", "--per-file", "1") == 0
    assert capsys.readouterr().out.splitlines() == [
        "coco: 3 crops of 2 categories: 1 in val, 2 in test",
        "records: 4 crops of 3 categories: 1 in 1 file of train, 1 in 1 file of val, 2 in 2 files of test",
    ]


def test_no_crop_of_a_part_is_an_error(repository):
    write_crops()
    with pytest.raises(InputError, match=r"^data/crops: no crop of such a dataset, label and split$"):
        run("crops", "--out", "out", "--split", "train", "--label", "red")
    assert not Path("out").exists()


def test_a_list_of_files_comes_with_the_command_that_copies_them(repository, capsys):
    datasets = Path("data/demo/datasets.csv")
    datasets.write_text(datasets.read_text().replace("images/a", "s3://bucket/a"))
    assert run("file-list", "--dataset", "a", "--out", "a.txt") == 0
    assert Path("a.txt").read_text() == "1.jpg\n2.jpg\n"
    assert capsys.readouterr().out.splitlines() == [
        "a.txt: 2 files",
        "rclone copy :s3,provider=AWS,env_auth=true:bucket/a data/demo/images/a --files-from-raw a.txt --no-traverse",
    ]


def test_a_list_of_files_is_of_one_dataset(repository):
    with pytest.raises(InputError) as error:
        run("file-list", "--out", "list.txt")
    assert str(error.value) == (
        "photos of a, b: a list is relative to the images of one dataset; choose one with --dataset"
    )
    assert not Path("list.txt").exists()


def test_a_list_of_what_the_query_chose(repository):
    write_stages()
    assert run("file-list", "--queried", "--out", "list.txt") == 0
    assert Path("list.txt").read_text() == "1.jpg\n"


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_has_a_help(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        run(name, "--help")
    assert "--out PATH" in capsys.readouterr().out


def test_the_help_of_export_has_examples_that_are_understood(capsys):
    with pytest.raises(SystemExit, match="0"):
        run("--help")
    assert exports.EXAMPLES.strip() in capsys.readouterr().out
    parser = argparse.ArgumentParser()
    exports.add(parser.add_subparsers(required=True))
    commands = [shlex.split(line) for line in exports.EXAMPLES.splitlines() if line.startswith("  camtraps ")]
    assert {parser.parse_args(command[1:]).run.__name__ for command in commands} == {
        "_" + name.replace("-", "_") for name in FORMATS
    }


def test_the_command_loads_no_heavy_module():
    code = "import sys, camtraps.commands.exports; sys.exit(bool({'pandas', 'duckdb', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def write_predictions():
    """Write what evaluate gives for the crop of `write_stages`."""
    crop = {"image": "a/1.jpg", "split": "val", "label": "cervid", "prediction": "fox", "probabilities": [0.25, 0.75]}
    predictions.write(make_tables.predictions(crop), Path("data/predictions/predictions.parquet"))
    Path("data/predictions/classes.json").write_text('["cervid", "fox"]')


def test_scores_are_exported_as_cameratraps_writes_them(repository, capsys):
    write_stages()
    write_predictions()
    assert run("outputs", "--split", "val", "--out", "outputs_val.csv.gz") == 0
    for name in ("overall-metrics", "label-stats", "confusion"):
        assert run(name, "--out", name) == 0
    assert capsys.readouterr().out.splitlines() == [
        "outputs_val.csv.gz: 1 crops, 2 classes",
        "overall-metrics: 1 splits",
        "label-stats: 2 rows",
        "confusion: val: 2 x 2",
    ]
    header, row = gzip.decompress(Path("outputs_val.csv.gz").read_bytes()).decode().splitlines()
    assert header == "path,label,weight,cervid,fox"
    assert next(csv.reader([row])) == ["a/1.jpg___crop00.jpg", "cervid", "1", "0.25", "0.75"]


def test_outputs_of_a_split_without_crops_are_refused(repository):
    write_stages()
    write_predictions()
    with pytest.raises(InputError, match=r"^data/predictions: no crop is in split test$"):
        run("outputs", "--out", "outputs_test.csv.gz")


def test_outputs_of_crops_that_are_gone_are_refused(repository):
    write_stages()
    write_predictions()
    tables.write(make_tables.rows(CROPS), Path("data/crops/crops.parquet"), CROPS)
    with pytest.raises(InputError, match="some of its crops are not in data/crops; run `dvc repro`"):
        run("outputs", "--split", "val", "--out", "outputs_val.csv.gz")
