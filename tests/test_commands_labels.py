"""``camtraps labels`` as a user meets it."""

import argparse
import json
from pathlib import Path

import make
import pytest
from imports import ROOT

from camtraps import catalog, label_specs
from camtraps.commands import labels
from camtraps.errors import InputError

VULPES = {"taxa": [{"level": "genus", "name": "vulpes"}]}


@pytest.fixture
def top(tmp_path, monkeypatch) -> Path:
    """Give the top folder of a repository with a collection of three labels."""
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text().replace("name: demo", "name: mine"))
    folder = tmp_path / "data" / "mine"
    (folder / "catalog").mkdir(parents=True)
    lineages = {
        ("ds1", "fox"): [("species", "vulpes vulpes"), ("genus", "vulpes"), ("class", "mammalia")],
        ("ds1", "deer"): [("genus", "cervus"), ("class", "mammalia")],
        ("ds1", "empty"): [],
    }
    (folder / "taxonomy.csv").write_text(make.taxonomy_csv(lineages))
    (folder / "corrections.csv").write_text("dataset,file,correct_class\n")
    make.write_json(folder / "label_spec.json", {"fox": VULPES})
    names = ["fox", "fox", "fox", "deer", "empty"]
    rows = [make.row(f"ds1/{at}.jpg", name, location=f"00{at % 2}") for at, name in enumerate(names)]
    catalog.write(rows, catalog.dataset_path(folder / "catalog", "ds1"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    labels.add(parser.add_subparsers())
    options = parser.parse_args(["labels", *arguments])
    return options.run(options)


def test_a_specification_is_suggested_on_stdout_with_its_report_beside(top, capsys):
    assert run("suggest", "--min-photos", "2") == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {
        "species: vulpes vulpes": {"taxa": [{"level": "species", "name": "vulpes vulpes"}]}
    }
    assert printed.err.splitlines() == [
        "species: vulpes vulpes: 3 photos",
        "left out: other children of class mammalia, too few: 1 photo",
        "left out: labels in no taxon: 1 photo",
    ]


@pytest.mark.parametrize("name", ["spec.json", "spec.csv"])
def test_a_specification_is_suggested_into_a_file_with_caps(top, capsys, name):
    assert run("suggest", "--min-photos=2", "--total=10", f"--out={name}", "--name=mine") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{name}: 1 label"
    (rule,) = label_specs.read(Path(name))
    assert (rule.label, rule.max_count) == ("species: vulpes vulpes", 30)


def test_too_high_a_demand_is_one_line(top):
    with pytest.raises(InputError) as caught:
        run("suggest")
    assert str(caught.value) == "data/mine: no taxon has 2,000 photos; lower --min-photos"


@pytest.mark.parametrize("number", ["0", "-1", "x"])
def test_a_number_that_is_none_is_wrong_usage(top, capsys, number):
    with pytest.raises(SystemExit):
        run("suggest", f"--min-photos={number}")
    assert f"expected a whole number above 0, got '{number}'" in capsys.readouterr().err


def test_a_specification_is_converted_and_back(top, capsys):
    assert run("convert", "data/mine/label_spec.json", "spec.csv") == 0
    assert Path("spec.csv").read_text() == "output_label,type,content\nfox,genus,vulpes\n"
    assert run("convert", "spec.csv", "again.json") == 0
    assert json.loads(Path("again.json").read_text()) == {"fox": VULPES}
    assert capsys.readouterr().out == "spec.csv: 1 label\nagain.json: 1 label\n"


def test_a_specification_is_explained(top, capsys):
    assert run("explain") == 0
    assert capsys.readouterr().out.splitlines() == [
        "fox: 3 photos, in 2 locations",
        "  genus vulpes: 1 dataset label, 3 photos",
        "    ds1: fox, 3 photos",
        "  dataset ds1: 3 photos, 2 locations",
        "in no label: 2 dataset labels",
        "  ds1: deer, 1 photo",
        "  ds1: empty, 1 photo",
    ]


def test_locations_and_caps_are_explained_on_demand(top, capsys):
    Path("spec.csv").write_text("output_label,type,content\nfox,genus,vulpes\nfox,max_count,1\n")
    assert run("explain", "spec.csv", "--name", "mine", "--locations") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fox: 3 photos, 1 under its cap of 1, in 2 locations"
    assert [line.split(",")[0] for line in lines if line.startswith("    00")] == [
        "    000: 2 photos",
        "    001: 1 photo",
    ]
    assert "left out: 2 photos: over the cap of its label (max_count)" in lines


def test_problems_are_printed_after_what_can_be_explained(top, capsys):
    bird = {"taxa": [{"level": "class", "name": "aves"}]}
    make.write_json(Path("spec.json"), {"fox": VULPES, "again": VULPES, "bird": bird})
    assert run("explain", "spec.json") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fox: 3 photos, in 2 locations"
    assert lines[-2:] == [
        "problem: bird: data/mine/taxonomy.csv has no class 'aves'",
        "problem: again and fox both take 'fox' of dataset ds1",
    ]


def test_a_specification_that_takes_no_photo_is_a_problem_and_the_labels_are_listed(top, capsys):
    with (top / "data/mine/taxonomy.csv").open("a") as file:
        file.write("ds9,lynx,inat,genus,lynx,\"[(1,'genus','lynx',[])]\"\n")
    make.write_json(Path("spec.json"), {"lynx": {"taxa": [{"level": "genus", "name": "lynx"}]}})
    assert run("explain", "spec.json") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "in no label: 3 dataset labels"
    assert lines[-1].startswith("problem: the label specification chooses none of 5 photos; the catalog has: ")


def test_a_link_is_never_replaced(top):
    (top / "own.json").write_text("mine")
    (top / "link.json").symlink_to("own.json")
    said = "link.json: is a link or a device, which would be replaced; name a plain file"
    with pytest.raises(InputError, match=said):
        run("suggest", "--min-photos", "2", "--out", "link.json")
    with pytest.raises(InputError, match=said):
        run("convert", "data/mine/label_spec.json", "link.json")
    assert (top / "own.json").read_text() == "mine"
