"""Aggregation: files of probabilities made those of targets, as they are and as evaluations write them."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from camtraps import mapping, outputs
from camtraps.aggregation import aggregate_file
from camtraps.cli import main
from camtraps.errors import InputError

POOLS = {"canid": ["red fox", "wolf"], "deer": ["elk"], "horse": [], "other": ["moose"]}
HEADER = "path,red fox,wolf,elk,moose"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def aggregated(text, pools=POOLS):
    Path("in.csv").write_text(text)
    return aggregate_file(Path("in.csv"), pools, Path("mapping.json"), Path("out.csv"))


def test_probabilities_are_added_up_as_in_the_example_of_the_specification():
    assert aggregated(f"{HEADER}\na.jpg___crop00.jpg,0.4,0.3,0.2,0.1\n") == ["out.csv: 1 crops, 4 classes in 4 targets"]
    assert Path("out.csv").read_text() == 'path,canid,deer,horse,other\n"a.jpg___crop00.jpg",0.7,0.2,0,0.1\n'


def test_evaluation_files_keep_their_labels_as_targets_and_their_weights():
    # M13: files with label and weight were refused.
    text = "path,label,weight,red fox,wolf,elk,moose\na,wolf,0.5,0.4,0.3,0.2,0.1\nb,deer,1,0,0,1,0\nc,,1,0,0,1,0\n"
    aggregated(text)
    assert Path("out.csv").read_text().splitlines() == [
        "path,label,weight,canid,deer,horse,other",
        '"a","canid","0.5",0.7,0.2,0,0.1',
        '"b","deer","1",0,1,0,0',
        '"c","","1",0,1,0,0',
    ]
    with pytest.raises(InputError, match=r"^in.csv: labels lion are neither classes nor targets of the mapping$"):
        aggregated(text.replace("a,wolf", "a,lion"))


def test_classes_too_many_or_too_few_are_told():
    # M13: both were an assertion without a word.
    text = "path,red fox,wolf,elk,lion\na,0.4,0.3,0.2,0.1\n"
    with pytest.raises(InputError) as caught:
        aggregated(text)
    said = "class 'lion' of the file is in no target; put it under 'other' if it is none of them"
    assert str(caught.value) == f"mapping.json: {said}"
    lines = aggregated(text, POOLS | {"other": ["moose", "lion"]})
    assert lines[0] == "warning: mapping.json: class 'moose' is not in the file"
    assert Path("out.csv").read_text().splitlines()[1] == '"a",0.7,0.2,0,0.1'


def test_nothing_is_left_behind_by_a_file_that_cannot_be_used():
    with pytest.raises(InputError, match=r"^in.csv:3: expected probabilities from 0 to 1, got 0.1 to 2$"):
        aggregated(f"{HEADER}\na,0.4,0.3,0.2,0.1\nb,2,0.1,0.1,0.1\n")
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["in.csv"]
    with pytest.raises(InputError, match=r"^in.csv: there is no crop in it$"):
        aggregated(f"{HEADER}\n")


def test_many_crops_are_added_up_in_batches_as_a_loop_over_them_does():
    # M14: it took minutes for a million crops.
    generator = np.random.default_rng(1)
    classes = [f"c{at}" for at in range(12)]
    given = generator.dirichlet(np.ones(12), 3000).astype(np.float32)
    with outputs.writing(Path("in.csv"), ["path"], classes) as writer:
        writer.write([pa.array([str(at) for at in range(3000)])], given)
    pools = {"x": classes[::2], "y": classes[1:6:2], "z": classes[7::2]}
    aggregate_file(Path("in.csv"), pools, Path("m.json"), Path("out.csv.gz"))
    found = np.concatenate([rows.probabilities for rows in outputs.batches(Path("out.csv.gz"))])
    expected = [[sum(row[classes.index(name)] for name in names) for names in pools.values()] for row in given]
    assert found == pytest.approx(np.array(expected), abs=1e-6)
    assert mapping.aggregate(given, classes, pools) == pytest.approx(found, abs=1e-6)


def run(command):
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    return ended.value.code


def test_the_commands_lead_from_specifications_to_probabilities_of_targets(capsys):
    table = "dataset_name,query,family,genus,species\nd,fox,canidae,vulpes,vulpes vulpes\nd,elk,cervidae,cervus,\n"
    Path("taxonomy.csv").write_text(table)
    specs = {
        "wanted": {"canid": ("family", "canidae")},
        "had": {"fox": ("genus", "vulpes"), "elk": ("genus", "cervus")},
    }
    for name, labels in specs.items():
        rules = {label: {"taxa": [{"level": level, "name": taxon}]} for label, (level, taxon) in labels.items()}
        Path(f"{name}.json").write_text(json.dumps(rules))
    Path("in.csv").write_text("path,fox,elk\na.jpg___crop00.jpg,0.75,0.25\n")
    assert run("map-categories wanted.json had.json taxonomy.csv -o mapping.json") == 0
    assert json.loads(Path("mapping.json").read_text()) == {"canid": ["fox"], "other": ["elk"]}
    assert run("aggregate in.csv -t mapping.json -o out.csv -i index.json") == 0
    assert json.loads(Path("index.json").read_text()) == {"0": "canid", "1": "other"}
    assert Path("out.csv").read_text() == 'path,canid,other\n"a.jpg___crop00.jpg",0.75,0.25\n'
    assert capsys.readouterr().out.splitlines() == [
        "mapping.json: 2 classes in 2 targets",
        "out.csv: 1 crops, 2 classes in 2 targets",
    ]
    Path("had.json").write_text(json.dumps({"all": {"taxa": [{"level": "family", "name": "canidae"}]}} | rules))
    assert run("map-categories wanted.json had.json taxonomy.csv -o mapping.json") == 1
    assert "had.json: classes 'all' and 'fox' both have genus vulpes" in capsys.readouterr().err
