"""The command line as a user meets it: what it prints, one line for a mistake, the exit code."""

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import make
import pytest
from imports import ROOT

from camtraps import cli, corrections, tables
from camtraps.commands import common
from camtraps.schema import QUERIED


@pytest.fixture
def top(tmp_path, monkeypatch):
    """Give the top folder of a repository, with the tiny collection in ``source`` still to be imported."""
    make.write_source(tmp_path / "source")
    shutil.copyfile(ROOT / "dvc.yaml", tmp_path / "dvc.yaml")
    params = (ROOT / "params.yaml").read_text().replace("name: demo", "name: tiny")
    (tmp_path / "params.yaml").write_text(params)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, as a user would."""
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def import_cct(*more: str, name: str = "tiny") -> tuple[str, ...]:
    return ("import", "cct", "source/cct.json", "--images", "source/images", "--name", name, *more)


WHOLE = ("--taxonomy", "source/taxonomy.csv", "--label-spec", "source/label_spec.json")


def attempt(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command line in this process; give exit code, stdout, stderr."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    printed = capsys.readouterr()
    return ended.value.code or 0, printed.out, printed.err


def test_from_the_import_to_the_query_as_a_user_would_go(top):
    done = run("camtraps", *import_cct(*WHOLE))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "data/tiny/catalog/tiny.parquet: 12 of 12 photos, 6 boxes, 4 classes, 3 locations, from 2024-04-01 "
        "to 2024-04-01",
        "next: put `name: tiny` under `data:` in params.yaml, then `dvc repro`",
        "to version it: dvc add data/tiny/catalog data/tiny/detections, and git add data/tiny",
    ]
    done = run("python", "-m", "stages.query")
    assert done.returncode == 0
    assert done.stderr.startswith("query: 12 photos in, 9 out, 3 skipped; ")
    photos = tables.read(top / "data/queried/queried.parquet", QUERIED)
    assert set(photos["location"]) == {"007", "NA", "north"}
    assert photos["label"].value_counts().to_dict() == {"cervid": 3, "canid": 3, "NA": 3}
    assert json.loads((top / "data/queried/labels.json").read_text())["NA"]["dataset_labels"] == [["tiny", "null"]]


def test_a_stage_says_a_mistake_in_one_line_without_traceback(top):
    (top / "params.yaml").write_text("data: {name: tiny}\nquery: {seed: 1, max_failed: 1e-05, speed: 3}\n")
    done = run("python", "-m", "stages.query")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "query: params.yaml: query.speed: unknown key; did you mean seed?\n"


def test_a_command_says_a_mistake_in_one_line_without_traceback(top):
    (top / "source/cct.json").write_text('{"images": [],}')
    done = run("camtraps", *import_cct())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("camtraps: source/cct.json:1:")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", ".hidden", ""])
def test_a_collection_never_lies_outside_data(top, capsys, name):
    said = f"camtraps: --name: must be the name of a folder in data/, got {name!r}\n"
    assert attempt(capsys, *import_cct(name=name)) == (1, "", said)
    assert not (top / "data").exists()


@pytest.mark.parametrize("name", ["demo", "queried", "detections", "crops", "splits", "predictions", "review"])
def test_a_collection_never_lies_where_a_stage_writes(top, capsys, name):
    said = f"camtraps: --name: data/{name} is written by the pipeline itself; choose another name\n"
    assert attempt(capsys, *import_cct(name=name)) == (1, "", said)
    assert not (top / "data").exists()


def test_a_collection_never_takes_the_place_of_a_file(top, capsys):
    (top / "data").mkdir()
    (top / "data" / "tiny").touch()
    said = "camtraps: --name: data/tiny is a file; choose another name\n"
    assert attempt(capsys, *import_cct()) == (1, "", said)


def test_a_command_outside_the_repository_says_so(top, capsys):
    (top / "dvc.yaml").unlink()
    said = "camtraps: no dvc.yaml here; run the command in the top folder of the repository\n"
    assert attempt(capsys, *import_cct()) == (1, "", said)


@pytest.mark.parametrize("option", ["--taxonomy", "--label-spec"])
def test_nothing_is_imported_when_something_beside_the_photos_is_broken(top, capsys, option):
    (top / "broken").write_text("[]")
    code, _, err = attempt(capsys, *import_cct(option, "broken"))
    assert code == 1
    assert err.startswith("camtraps: broken")
    assert not (top / "data").exists()


def test_a_label_specification_can_be_brought_later(top, capsys):
    code, out, _ = attempt(capsys, *import_cct("--taxonomy", "source/taxonomy.csv"))
    assert code == 0
    assert out.splitlines()[-1] == (
        "still missing: data/tiny/label_spec.json; `camtraps labels suggest --name tiny --out "
        "data/tiny/label_spec.json` proposes one"
    )


def test_too_many_absent_photos_end_the_import_and_more_may_be_allowed(top, capsys):
    (top / "source/images/NA/fox.jpg").unlink()
    code, _, err = attempt(capsys, *import_cct())
    assert code == 1
    assert err == (
        "camtraps: source/cct.json: of 12 photos, 1 absent from source/images, more than 1.0%; first: "
        "source/images/NA/fox.jpg is not there; mend them or raise --max-failed\n"
    )
    assert attempt(capsys, *import_cct("--max-failed", "0.1"))[0] == 0


@pytest.mark.parametrize("share", ["5", "-0.1", "nan", "few"])
def test_a_share_out_of_range_is_wrong_usage(top, capsys, share):
    code, _, err = attempt(capsys, *import_cct(f"--max-failed={share}"))
    assert code == 2
    assert f"argument --max-failed: expected a share from 0 to 1, got '{share}'" in err


def test_detections_are_imported_for_the_dataset_of_the_collection(top, capsys):
    attempt(capsys, *import_cct())
    image = {"file": "007/deer.jpg", "detections": []}
    results = {"info": {"detector": "md"}, "detection_categories": {}, "images": [image]}
    make.write_json(top / "md.json", results)
    code, out, _ = attempt(capsys, "import", "detections", "md.json", "--name", "tiny")
    assert (code, out) == (0, "data/tiny/detections/md/tiny.parquet: results for 1 of 12 photos, 0 boxes\n")


def test_detections_of_a_collection_that_is_not_there_are_refused(top, capsys):
    attempt(capsys, *import_cct())
    said = "camtraps: data/other: no such collection; there are: tiny\n"
    assert attempt(capsys, "import", "detections", "md.json", "--name", "other") == (1, "", said)


def test_a_disk_that_cannot_be_written_is_said_in_one_line(top, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/tiny/corrections.csv")

    monkeypatch.setattr(corrections, "create", fail)
    said = "camtraps: data/tiny/corrections.csv: no space left on device\n"
    assert attempt(capsys, *import_cct()) == (1, "", said)


def test_an_error_of_our_own_shows_where_it_is(top, monkeypatch):
    def fail(*arguments, **options):
        raise FileNotFoundError(errno.ENOENT, "gone", "x")

    monkeypatch.setattr(corrections, "create", fail)
    with pytest.raises(FileNotFoundError):
        cli.main(list(import_cct()))


def test_a_mistake_is_one_line_whatever_a_file_is_called(top, capsys):
    code, _, err = attempt(capsys, "import", "cct", "a\nb", "--images", "source", "--name", "tiny")
    assert (code, err) == (1, "camtraps: a b: not found; check the path\n")


def test_characters_that_the_output_cannot_show_are_escaped(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", output)
    common.say("狐 für")
    output.seek(0)
    assert output.read() == "\\u72d0 für\n"


def test_scores_are_printed_with_where_the_results_are(top, capsys):
    (top / "metrics").mkdir()
    scores = {split: {"crops": 1200, "top1": 0.5} for split in ("val", "test")}
    make.write_json(top / "metrics/evaluate.json", scores)
    code, out, _ = attempt(capsys, "scores")
    assert code == 0
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["val", "test"],
        ["crops", "1,200", "1,200"],
        ["top1", "0.500", "0.500"],
    ]
    assert "reports/index.html" in out


def test_a_score_that_a_split_does_not_have_is_left_blank(top, capsys):
    (top / "metrics").mkdir()
    make.write_json(top / "metrics/evaluate.json", {"val": {"top1": 0.5, "night_top1": 0.25}, "test": {"top1": 0.5}})
    _, out, _ = attempt(capsys, "scores")
    assert out.splitlines()[2] == "night_top1             0.250          "


def test_a_foreign_classifier_is_imported_into_a_collection(top, capsys):
    attempt(capsys, *import_cct())
    assert (top / "data/tiny/foreign/README.txt").exists()
    (top / "f.csv").write_text("image,box,deer,fox\ntiny/007/deer.jpg,0,0.5,0.5\n")
    code, out, _ = attempt(capsys, "import", "foreign", "f.csv", "--name", "tiny")
    assert code == 0
    assert out.splitlines() == [
        "data/tiny/foreign/f.csv: 1 crop, 2 labels",
        "next: put `foreign: f.csv` under `evaluate:` in params.yaml, then `dvc repro`",
    ]
    (top / "m.json").write_text('{"cervid": ["deer"]}')
    said = "camtraps: m.json: its label 'fox' is under no target; put it under 'other' if it is none of ours\n"
    assert attempt(capsys, "import", "foreign", "f.csv", "--mapping", "m.json", "--name", "tiny") == (1, "", said)


def test_scores_before_the_first_run_say_what_to_run(top, capsys):
    said = "camtraps: metrics/evaluate.json: not found; run `dvc repro` first\n"
    assert attempt(capsys, "scores") == (1, "", said)


@pytest.mark.parametrize("arguments", [(), ("import",), ("import", "cct"), ("fly",)])
def test_wrong_usage_is_exit_code_2(capsys, arguments):
    code, _, err = attempt(capsys, *arguments)
    assert code == 2
    assert err.startswith("usage: camtraps")
