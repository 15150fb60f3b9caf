"""stats and samples, as a user calls them."""

import argparse
import shlex
from pathlib import Path

import make_classifier
import make_tables
import pytest

from camtraps import tables
from camtraps.commands import tutorial
from camtraps.errors import InputError, MissingError
from camtraps.schema import ASSIGNED, CROPS


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    crops = make_tables.colour_crops(Path("data/crops"), ["red", "green", "blue", "red"])
    tables.write(crops, Path("data/crops/crops.parquet"), CROPS)
    splits = ["test", "train", "test", "test"]
    assigned = crops[["image", "box", "dataset", "label"]].assign(location="007", split=splits)
    tables.write(assigned, Path("data/splits/assigned.parquet"), ASSIGNED)


def run(*arguments):
    parser = argparse.ArgumentParser()
    tutorial.add(parser.add_subparsers(required=True))
    options = parser.parse_args([*arguments])
    return options.run(options)


def test_stats_prints_each_split_and_writes_what_is_asked_for(repository, capsys):
    assert run("stats", "--classlist", "c.txt", "--csv", "c.csv", "--plot", "c.svg") == 0
    said = capsys.readouterr().out
    assert "Statistics of the testing split:\nLocations used:\n['007']\nIn total  3  classes and  3  images.\n" in said
    assert "    2 red                       2\n" in said
    assert Path("c.txt").read_text() == "blue\ngreen\nred\n"
    assert Path("c.csv").read_text().splitlines()[:3] == ["split,id,name,images", "train,0,blue,0", "train,1,green,1"]
    assert Path("c.svg").read_text().startswith("<svg xmlns=")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--plot", "c.png"], "--plot: c.png: the chart is an SVG; give it a name that ends in .svg"),
        (["--photos", "ct.json"], "--photos: is of use with COCO files alone; name them, or leave it out"),
        (["--csv", "data/splits/x.csv"], "--out: data/splits/x.csv is in data/splits, which DVC keeps track of; write"),
    ],
)
def test_options_without_use_are_refused(repository, arguments, said):
    with pytest.raises(InputError) as error:
        run("stats", *arguments)
    assert str(error.value).startswith(said)


def test_samples_are_of_the_test_split_unless_another_is_named(repository, capsys):
    make_classifier.save(Path("models/classifier"))
    assert run("samples", "--num", "9") == 0
    said = "sample_output: 3 crops of 2 labels, each with its text; there are no more in test\n"
    assert capsys.readouterr().out == said
    assert len(list(Path("sample_output").glob("*.txt"))) == 3


def test_a_split_without_crops_has_no_samples(repository):
    with pytest.raises(MissingError, match=r"^data/splits: no crop is in split val; choose another --split$"):
        run("samples", "--split", "val")


def test_the_examples_of_the_help_are_understood():
    parser = argparse.ArgumentParser()
    tutorial.add(parser.add_subparsers(required=True))
    for text in (tutorial.STATS, tutorial.SAMPLES):
        for line in text.splitlines():
            if line.startswith("  camtraps "):
                parser.parse_args(shlex.split(line)[1:])
