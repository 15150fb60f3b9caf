"""camtraps detect: a detector's answers are kept with the collection."""

import argparse
import shutil
from datetime import datetime
from pathlib import Path

import make
import make_tables
import numpy as np
import pytest
from imports import ROOT
from PIL import Image

from camtraps import recorded, tables
from camtraps.commands import detect
from camtraps.detectors import megadetector
from camtraps.detectors.answers import Answer, Box
from camtraps.errors import InputError, MissingError
from camtraps.schema import QUERIED, RECORDED

HUMAN = {"category": "animal", "class": None, "x": 0.25, "y": 0.25, "w": 0.25, "h": 0.25}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Draw a collection of one place with an animal in the photos 2.png and 4.png; people have boxed the latter."""
    folder = tmp_path_factory.mktemp("drawn")
    mine = folder / "data" / "mine"
    (mine / "images").mkdir(parents=True)
    ground = np.kron(np.random.default_rng(0).uniform(60, 160, (20, 20)), np.ones((8, 8)))
    for number in range(7):
        pixels = ground + np.random.default_rng(number).normal(0, 3, ground.shape)
        if number in (2, 4):
            pixels[40:80, 40:80] = 230
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(mine / "images" / f"{number}.png")
    rows = [
        make.row(
            f"d/{number}.png",
            location="007",
            datetime=datetime(2024, 4, 1, number),
            boxes=[HUMAN] if number == 4 else None,
        )
        for number in range(7)
    ]
    make.database(mine / "catalog", *rows).close()
    header = "dataset,images,photos,photos_digest,source,source_digest\n"
    (mine / "datasets.csv").write_text(header + "d,images,7,x,s,y\n")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture
def repository(drawn, tmp_path, monkeypatch):
    shutil.copytree(drawn, tmp_path / "repository")
    monkeypatch.chdir(tmp_path / "repository")
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    return tmp_path / "repository"


@pytest.fixture
def ask(repository, capsys):
    """Run the command as on the command line; give the lines of the answer."""

    def run(*arguments, detector="motion"):
        parser = argparse.ArgumentParser()
        detect.add(parser.add_subparsers())
        options = parser.parse_args(["detect", "--name", "mine", "--detector", detector, *arguments])
        assert options.run(options) == 0
        return capsys.readouterr().out.splitlines()

    return run


def boxes(version="motion"):
    """Read how many boxes are recorded, by photo."""
    results = recorded.read(Path("data/mine"), version)
    numbers = results["boxes"].list.len().fillna(-1)  # of a failure -1
    return {image[2:-4]: int(number) for image, number in zip(results["image"], numbers, strict=True)}


def test_photos_without_human_boxes_are_detected_and_recorded(ask):
    path = "data/mine/detections/motion/d.parquet"
    assert ask() == [f"{path}: 6 photos, 1 animal box", "to version them: dvc add data/mine/detections"]
    assert boxes() == {"0": 0, "1": 0, "2": 1, "3": 0, "5": 0, "6": 0}


def test_what_is_recorded_is_not_detected_again(ask):
    ask()
    assert ask() == ["every photo has human boxes or a result of motion; --all detects in all of them"]


def test_all_photos_are_those_with_human_boxes_too_as_a_calibration_needs_them(ask):
    ask()
    assert ask("--all")[0] == "data/mine/detections/motion/d.parquet: 7 photos, 2 animal boxes"
    assert boxes()["4"] == 1


def test_queried_photos_alone_are_detected(ask):
    queried = make_tables.rows(QUERIED, *({"image": f"d/{number}.png"} for number in (2, 3, 4)))
    tables.write(queried, Path("data/queried/queried.parquet"), QUERIED)
    ask("--queried")
    assert boxes() == {"2": 1, "3": 0}
    ask()
    assert boxes() == {"0": 0, "1": 0, "2": 1, "3": 0, "5": 0, "6": 0}


def test_a_failure_is_recorded_said_and_tried_again(ask):  # D5
    photo = Path("data/mine/images/5.png")
    content = photo.read_bytes()
    photo.write_bytes(content[:1000])
    (line, _) = ask()
    path = "data/mine/detections/motion/d.parquet"
    assert line.startswith(f"{path}: 6 photos, 1 animal box, 1 failed (first: d/5.png: photo cannot be decoded")
    assert boxes()["5"] == -1
    photo.write_bytes(content)
    assert ask()[0] == "data/mine/detections/motion/d.parquet: 1 photo, no box"
    assert boxes() == {"0": 0, "1": 0, "2": 1, "3": 0, "5": 0, "6": 0}


@pytest.fixture
def local(monkeypatch):
    """Stand in for MegaDetector: finds a person and a vehicle in each photo."""
    found = Answer([Box(0, 0, 0.5, 0.5, 0.9, "person"), Box(0, 0, 0.5, 0.5, 0.8, "vehicle")])
    asked = []

    def look(photos, params, keep):
        asked.append((params.model, params.image_size, params.batch_size, len(photos)))
        keep([found.row(row.image, row.dataset, row.file) for row in photos.itertuples()])

    monkeypatch.setattr(megadetector, "version", lambda params: f"md_{params.model}")
    monkeypatch.setattr(megadetector, "detect", look)
    return asked


def test_megadetector_is_told_what_the_options_say(ask, local):  # D10
    lines = ask("--model", "v9", "--image-size", "640", "--batch-size", "3", detector="megadetector")
    assert lines[0] == "data/mine/detections/md_v9/d.parquet: 6 photos, 6 person boxes, 6 vehicle boxes"
    assert local == [("v9", 640, 3, 6)]


def test_a_run_that_could_not_be_recorded_is_not_lost(ask, local, monkeypatch):
    def full(*_):
        raise InputError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(tables, "write_arrow", full)
        with pytest.raises(InputError, match="disk full"):
            ask(detector="megadetector")
    assert not Path("data/mine/detections").exists()
    ask(detector="megadetector")
    assert len(local) == 1
    assert len(boxes("md_None")) == 6


def test_recorded_results_of_another_file_format_are_left_alone(ask):
    path = Path("data/mine/detections/motion/d.parquet")
    path.parent.mkdir(parents=True)
    path.write_text("not Parquet")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        ask()
    assert path.read_text() == "not Parquet"


def test_a_file_of_another_dataset_and_a_calibration_stay_as_they_are(ask):
    folder = Path("data/mine/detections/motion")
    folder.mkdir(parents=True)
    (folder / "calibration.npz").write_bytes(b"curve")
    tables.write(make_tables.rows(RECORDED, {"image": "e/1.png", "boxes": []}), folder / "e.parquet", RECORDED)
    before = (folder / "e.parquet").read_bytes()
    ask()
    assert (folder / "e.parquet").read_bytes() == before
    assert (folder / "calibration.npz").read_bytes() == b"curve"
    assert (folder / "d.parquet").exists()


def test_a_corrupt_photo_is_not_looked_at(ask, repository):
    rows = [make.row("d/0.png", corrupt=True), make.row("d/1.png")]
    make.database(repository / "data/mine/catalog", *rows).close()
    ask()
    assert set(boxes()) == {"1"}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--image-size", "9"], InputError, "--image-size: must be from 32 to 8192, got 9"),
        (["--dataset", "x"], InputError, "the catalog has no dataset 'x'; the nearest: 'd'"),
        (["--name", "other"], MissingError, "data/other: no such collection; there are: mine"),
        (["--name", "demo"], InputError, "--name: data/demo is written by the pipeline itself; choose another name"),
    ],
)
def test_a_wrong_option_is_one_clear_line(ask, repository, arguments, error, message):
    (repository / "data/demo").mkdir()
    with pytest.raises(error) as raised:
        ask(*arguments)
    assert str(raised.value) == message
    assert not (repository / "data/mine/detections").exists()
