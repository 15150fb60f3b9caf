"""The command that compares two classifiers: what it reads, what it prints, and how it refuses."""

import json
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from test_pages import EVIL, parsed

from camtraps import cli, layout, predictions
from camtraps.predictions import Predictions


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def compare(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(["compare", *arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return compare


def write_json(path, *photos, names=("fox", EVIL)):
    images = [
        {"file": file, "detections": [{"category": "1", "conf": 0.9, "bbox": [0, 0, 1, 1], "classifications": pairs}]}
        for file, pairs in photos
    ]
    document = {"info": {}, "images": images, "classification_categories": dict(enumerate(names))}
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def other(drawn, folder):
    """Write the predictions of a classifier that always says fox."""
    found = predictions.read(drawn / layout.PREDICTIONS / "predictions.parquet")
    crops = found.crops.assign(prediction=pd.array(["fox"] * len(found.crops), dtype="str"))
    predictions.write(Predictions(crops, found.probabilities), folder / "predictions.parquet")
    return str(folder)


def test_two_folders_are_compared_and_written_as_a_page(compare, drawn, tmp_path):
    code, out, err = compare(str(drawn), other(drawn, tmp_path / "b"), "--html", "both.html")
    assert (code, err) == (0, "")
    headings = ["Agreement", "Labels", "Locations, those where they differ most first", "Equivalent thresholds"]
    places = [out.index(heading) for heading in headings]
    assert places == sorted(places)
    page = parsed(Path("both.html").read_text(encoding="utf-8"))
    assert EVIL in "".join(page.text)
    assert not page.depth


def test_result_files_are_compared_by_photo(compare, tmp_path):
    a = write_json(tmp_path / "a.json", ("d/1.jpg", [["0", 0.6], ["1", 0.4]]), ("d/2.jpg", [["1", 0.9]]))
    b = write_json(tmp_path / "b.json", ("d\\1.jpg", [["1", 0.7]]), ("d/2.jpg", [["1", 0.8]]), ("d/3.jpg", []))
    code, out, _ = compare(a, b)
    assert code == 0
    assert "photos that both have            2 (A 2, B 2)" in out
    assert "same prediction                  50.0%" in out
    assert "Labels" not in out


def test_revisions_of_git_are_compared(compare, drawn, tmp_path, monkeypatch):
    def run(*command):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    def commit(name):
        run("git", "add", "-A")
        run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", name)

    for name in ("site", "global", "system"):
        variable = {"site": "DVC_SITE_CACHE_DIR", "global": "DVC_GLOBAL_CONFIG_DIR", "system": "DVC_SYSTEM_CONFIG_DIR"}
        monkeypatch.setenv(variable[name], str(tmp_path.parent / name))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    run("git", "init", "-q")
    run("dvc", "init", "-q")
    target = layout.PREDICTIONS / "predictions.parquet"
    predictions.write(predictions.read(drawn / target), tmp_path / target)
    run("dvc", "add", "-q", str(target))
    commit("one")
    other(drawn, tmp_path / layout.PREDICTIONS)
    run("dvc", "add", "-q", str(target))
    commit("two")
    code, out, err = compare("HEAD~1", "HEAD", "--split", "all")
    assert (code, err) == (0, "")
    assert "crops that both have             400 (A 400, B 400)" in out
    for path in (tmp_path / ".dvc/cache").rglob("*"):
        if path.is_file():
            path.unlink()
    code, _, err = compare("HEAD~1", "HEAD")
    assert code == 1
    assert err.startswith("camtraps: HEAD~1: its data/predictions/predictions.parquet cannot be had (")
    assert len(err.splitlines()) == 1
    missing = "camtraps: nothing: neither a file or folder here nor a revision of git\n"
    assert compare("nothing", "HEAD")[::2] == (1, missing)


def test_what_cannot_be_compared_is_one_line(compare, drawn, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = compare("empty", "empty")
    assert (code, err) == (
        1, "camtraps: empty: no predictions.parquet in it; run `dvc repro` there, or name another folder\n",
    )  # fmt: skip
    detections = write_json(tmp_path / "md.json", ("d/1.jpg", []))
    assert "no photo has classifications; give a result file with classifications" in compare(detections, "empty")[2]
    unnamed = write_json(tmp_path / "odd.json", ("d/1.jpg", [["7", 0.5]]))
    assert "category '7' has no name" in compare(unnamed, "empty")[2]
    twice = write_json(tmp_path / "twice.json", ("d/1.jpg", [["0", 0.5]]), ("d/1.jpg", [["1", 0.5]]))
    assert "photo 'd/1.jpg' stands twice; keep one of them" in compare(twice, "empty")[2]
    other_photos = write_json(tmp_path / "other.json", ("e/1.jpg", [["0", 0.5]]))
    code, _, err = compare(str(drawn), other_photos)
    assert err.endswith("they have no photos of split test in common\n")
    (tmp_path / "no.parquet").write_text("x")
    assert "no.parquet: not a readable Parquet file" in compare("no.parquet", "empty")[2]
