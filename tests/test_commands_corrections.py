"""``camtraps import corrections``, ``corrections conflicts`` and ``export mislabeled``, as a user runs them."""

import shutil
from pathlib import Path

import make
import pytest
from imports import ROOT
from make_tables import rows

from camtraps import cli, tables
from camtraps.schema import JUDGED

HEADER = "dataset,file,correct_class,reviewer,date,reason,source\n"


@pytest.fixture(autouse=True)
def repository(tmp_path, monkeypatch):
    """Make a repository with the tiny collection."""
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, name)
    make.write_collection(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    def attempt(*arguments):
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out.splitlines(), printed.err

    return attempt


def test_decisions_of_the_page_are_added_and_odd_ones_are_listed(run):
    Path("page.csv").write_text(
        "dataset,file,correct_class,reviewer,date,reason,decision,label,predicted\n"
        "tiny,007/deer.jpg,fox,ann,2024-05-01,,wrong,cervid,canid\n"
        "tiny,007/fox.jpg,canid,ann,2024-05-01,,right,canid,cervid\n"
        "tiny,NA/fox.jpg,wolf,ann,2024-05-01,,wrong,canid,cervid\n"
        "tiny,8/fox.jpg,,ann,2024-05-01,,unknown,canid,cervid\n"
    )
    code, printed, _ = run("import", "corrections", "page.csv", "--name", "tiny")
    assert code == 0
    assert printed == [
        "page.csv: 4 decisions, 3 new -> data/tiny/corrections.csv",
        "  tiny/NA/fox.jpg: neither class of tiny nor label: wolf",
        "  tiny/8/fox.jpg: the catalog has no such photo",
        "2 odd -> data/tiny/corrections_problems.csv",
    ]
    assert Path("data/tiny/corrections.csv").read_text() == HEADER + (
        "tiny,007/deer.jpg,fox,ann,2024-05-01,,page.csv\n"
        "tiny,007/fox.jpg,canid,ann,2024-05-01,,page.csv\n"
        "tiny,NA/fox.jpg,wolf,ann,2024-05-01,,page.csv\n"
    )


def test_timelapse_and_a_list_of_cameratraps_come_in_one_go_with_their_reviewer(run):
    Path("timelapse.csv").write_text("File,RelativePath,mislabeled,correct_class\nfox.jpg,tiny\\north,true,deer\n")
    Path("tiny.csv").write_text("file,correct_class\nNA/deer.jpg,\n")
    given = ("import", "corrections", "timelapse.csv", "tiny.csv", "--name", "tiny", "--reviewer", "bob")
    assert run(*given)[1] == [
        "timelapse.csv: 1 decision, 1 new -> data/tiny/corrections.csv",
        "tiny.csv: 1 decision, 1 new -> data/tiny/corrections.csv",
    ]
    assert [line.split(",")[:4] for line in Path("data/tiny/corrections.csv").read_text().splitlines()[1:]] == [
        ["tiny", "north/fox.jpg", "deer", "bob"],
        ["tiny", "NA/deer.jpg", "", "bob"],
    ]
    assert [line.split(", ")[1].split()[0] for line in run(*given)[1]] == ["0", "0"]
    assert not Path("data/tiny/corrections_problems.csv").exists()


def test_a_malformed_file_is_one_line_and_changes_nothing(run):
    Path("page.csv").write_text("dataset,file,correct_class\ntiny,../x,fox\n")
    before = Path("data/tiny/corrections.csv").read_bytes()
    code, _, error = run("import", "corrections", "page.csv", "--name", "tiny")
    assert (code, error) == (1, "camtraps: page.csv: no photo of a dataset: 'tiny', '../x'\n")
    assert Path("data/tiny/corrections.csv").read_bytes() == before


def test_conflicts_and_agreement_are_printed(run):
    Path("data/tiny/corrections.csv").write_text(
        HEADER + "tiny,a,fox,ann,1,,\ntiny,a,deer,bob,2,,\ntiny,b,fox,ann,1,,\ntiny,b,fox,bob,2,,\n"
    )
    assert run("corrections", "conflicts", "--name", "tiny")[1] == [
        "data/tiny/corrections.csv: reviewers differ on 1 photo",
        "dataset  file  ann  bob   counts",
        "tiny     a     fox  deer  deer",
        "",
        "reviewer  other  photos  agree  kappa",
        "ann       bob         2    0.5      0",
    ]
    csv = run("corrections", "conflicts", "--name", "tiny", "--format", "csv")[1]
    assert csv == ["dataset,file,ann,bob,counts", "tiny,a,fox,deer,deer"]


@pytest.fixture
def judged():
    """Write judged crops: a margin of 0.97 and of 0.5, one that agrees, one in another split and dataset."""
    given = [("b.jpg", "test", 0.97), ("a.jpg", "test", 0.97), ("c.jpg", "test", 0.5), ("d.jpg", "test", -0.9)]
    crops = [
        {"image": f"tiny/{file}", "dataset": "tiny", "split": split, "margin": margin} for file, split, margin in given
    ]
    crops += [crops[1] | {"box": 1, "margin": 0.99}]
    crops += [{"image": "other/a.jpg", "dataset": "other", "split": "val", "margin": 0.96}]
    tables.write(rows(JUDGED, *crops), Path("data/review/crops.parquet"), JUDGED)


def lists():
    return {path.name.removeprefix("mislabeled_candidates_"): path.read_text() for path in Path("lists").iterdir()}


@pytest.mark.usefixtures("judged")
def test_lists_of_suspected_photos_have_a_file_for_each_split_and_dataset(run):
    """Defects B1 and B3: the script of CameraTraps is dead under pandas 2, and must be told the splits."""
    assert run("export", "mislabeled", "--out", "lists")[1] == ["lists: 3 photos with a margin of 0.95 in 2 files"]
    assert lists() == {"test_tiny.txt": "a.jpg\nb.jpg\n", "val_other.txt": "a.jpg\n"}


@pytest.mark.usefixtures("judged")
def test_lists_may_name_the_dataset_and_some_splits_alone(run):
    run("export", "mislabeled", "--out", "lists", "-d", "--splits", "val")
    assert lists() == {"val_other.txt": "other/a.jpg\n"}


@pytest.mark.usefixtures("judged")
def test_at_margin_0_only_wrong_predictions_are_listed(run):
    """Defect B2: CameraTraps lists correct crops too."""
    run("export", "mislabeled", "--out", "lists", "--margin", "0")
    assert lists()["test_tiny.txt"] == "a.jpg\nb.jpg\nc.jpg\n"


@pytest.mark.usefixtures("judged")
def test_a_split_that_was_not_judged_is_refused(run):
    code, _, error = run("export", "mislabeled", "--out", "lists", "--splits", "train")
    assert code == 1
    assert error == (
        "camtraps: data/review: only crops of test, val were judged; mislabel.folds judges those of train too\n"
    )
