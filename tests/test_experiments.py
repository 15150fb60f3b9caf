"""Experiments summed up: seeds, settings, and the same crops judged by each."""

import json
from dataclasses import replace

import make_tables
import numpy as np
import pandas as pd
import pytest
import yaml
from dvc.repo import Repo
from imports import ROOT
from team import Repository

from camtraps import cli, experiments, predictions
from camtraps.experiments import Run

pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:dvc\.")  # DVC's own, of pygtrie


def run(name, seed="1", top1=0.5, frozen="s", **params):
    return Run(name, {"train.recipe": "small"} | params, seed, {"test": {"top1": top1}}, frozen, name)


def judged(**rows):
    """Make predictions of crops named by letter: a capital one is right; ``a1`` is a crop at location 1."""
    given = [
        {"image": f"d/{name.lower()}", "location": name[1], "label": label, "prediction": label if right else "other"}
        for name, (label, right) in rows.items()
    ]
    table = make_tables.rows(predictions.PREDICTIONS, *({"dataset": "d", "split": "test"} | row for row in given))
    return table[experiments.COLUMNS].set_index(["image", "box"])


def test_a_setting_is_named_by_the_parameters_in_which_settings_differ():
    given = [run("a", epochs="3"), run("b", epochs="5"), run("c", seed="2", epochs="3")]
    assert [(each.name, each.group) for each in experiments.grouped(given)] == [
        ("a", "epochs=3"),
        ("c", "epochs=3"),
        ("b", "epochs=5"),
    ]
    assert [each.group for each in experiments.grouped([run("a"), run("b", seed="2")])] == ["all", "all"]


def test_of_two_runs_of_the_same_setting_and_seed_one_counts():
    assert [each.name for each in experiments.grouped([run("a"), run("b")])] == ["a"]


def test_a_parameter_that_one_run_lacks_is_a_difference():
    assert {each.group for each in experiments.grouped([run("a"), run("b", new="1")])} == {"new=None", "new=1"}


def test_runs_on_another_split_are_told_apart():
    given = [run("a"), run("b", frozen="t"), run("c", seed="2")]
    same, others = experiments.same_split(given)
    assert [each.name for each in same] == ["a", "c"]
    assert [each.name for each in others] == ["b"]


def test_a_score_is_the_mean_over_seeds_with_the_interval_of_student():
    """By hand: 0.6, 0.7, 0.8 have mean 0.7, deviation 0.1; t(0.975, 2) is 4.3027; 4.3027 * 0.1 / sqrt(3) = 0.2484."""
    given = experiments.grouped([run(str(at), str(at), top1) for at, top1 in enumerate((0.6, 0.7, 0.8))])
    row = experiments.summary(given, "test", ["top1"]).iloc[0]
    assert row[["setting", "seeds"]].tolist() == ["all", 3]
    assert row[["top1", "top1_low", "top1_high"]].tolist() == pytest.approx([0.7, 0.7 - 0.2484, 0.7 + 0.2484], abs=1e-4)


def test_one_seed_has_no_interval():
    row = experiments.summary(experiments.grouped([run("a", top1=0.6)]), "test", ["top1"]).iloc[0]
    assert row["top1"] == 0.6
    assert np.isnan(row["top1_low"])


def test_settings_are_compared_crop_by_crop():
    """By hand: of four crops the second setting has one more right; of the two deer one, of the two foxes none."""
    labels = {"a1": "deer", "b1": "deer", "c2": "fox", "d2": "fox"}
    first = judged(**{name: (label, name in ("a1", "c2")) for name, label in labels.items()})
    second = judged(**{name: (label, name in ("a1", "b1", "c2")) for name, label in labels.items()})
    row = experiments.paired({"first": [first], "second": [second]}).iloc[0]
    assert row[["setting", "minus", "crops", "locations"]].tolist() == ["second", "first", 4, 2]
    assert row["top1"] == 0.25
    assert row["macro_recall"] == 0.25
    # Both locations drawn from location 2 give 0, both from location 1 give 0.5.
    assert row[["top1_low", "top1_high"]].tolist() == [0, 0.5]


def test_a_setting_is_right_as_often_as_its_seeds_are():
    right, wrong = judged(a1=("deer", True)), judged(a1=("deer", False))
    row = experiments.paired({"x": [wrong, wrong], "y": [right, wrong]}).iloc[0]
    assert row[["top1", "top1_low", "top1_high"]].tolist() == [0.5, 0.5, 0.5]


def test_only_crops_that_all_have_judged_are_compared():
    one, two = judged(a1=("deer", True), b1=("fox", True)), judged(a1=("deer", False))
    assert experiments.paired({"x": [one], "y": [two]})["crops"].tolist() == [1]


def test_macro_recall_weighs_classes_and_not_crops():
    """By hand: three deer that both have right, one fox that only the second has: (0 + 1) / 2."""
    deer = {f"{name}1": ("deer", True) for name in "abc"}
    one, two = judged(**deer, f2=("fox", False)), judged(**deer, f2=("fox", True))
    row = experiments.paired({"x": [one], "y": [two]}).iloc[0]
    assert (row["top1"], row["macro_recall"]) == (0.25, 0.5)


# A stage that gives one test crop at each of two locations a prediction, and fails if asked to.
EVALUATE = """import json, pathlib, sys, yaml
import pandas as pd
params = yaml.safe_load(open("params.yaml"))["train"]
if params["epochs"] == 13:
    sys.exit("train: too many")
names = ["image", "box", "dataset", "location", "split", "label", "prediction"]
rows = [[f"d/{at}", 0, "d", str(at), "test", "deer", "deer" if params["epochs"] > at else "fox"] for at in range(2)]
for folder in ("data/predictions", "metrics"):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
pd.DataFrame(rows, columns=names).to_parquet("data/predictions/predictions.parquet")
top1 = min(params["epochs"], 2) / 2 + params["seed"] / 100
pathlib.Path("metrics/evaluate.json").write_text(json.dumps({"test": {"top1": top1, "macro_recall": top1}}))
"""
STAGE = {
    "cmd": "python evaluate.py",
    "deps": ["evaluate.py", "data/splits/assigned.parquet"],
    "params": ["train"],
    "outs": ["data/predictions", {"metrics": {"cache": False}}],
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Run one stage with two seeds of two settings, and with one that fails."""
    made = Repository.made(tmp_path_factory.mktemp("experiments"))
    (made.path / "evaluate.py").write_text(EVALUATE)
    (made.path / "data/splits").mkdir(parents=True)
    (made.path / "data/splits/assigned.parquet").write_text("frozen")
    (made.path / "params.yaml").write_text(yaml.safe_dump({"train": {"epochs": 1, "seed": 1}}))
    document = {"stages": {"evaluate": STAGE}, "metrics": ["metrics/evaluate.json"]}
    (made.path / "dvc.yaml").write_text(json.dumps(document))
    made.run("dvc", "repro", "-q")
    made.commit()
    for epochs, seed in ((1, 2), (2, 1), (2, 2)):
        made.run("dvc", "exp", "run", "-S", f"train.epochs={epochs}", "-S", f"train.seed={seed}")
    return made


@pytest.fixture
def inside(repository, monkeypatch):
    repository.enter(monkeypatch)
    return repository


def summary(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["exp-summary", *arguments])
    return ended.value.code


def test_experiments_of_dvc_are_summed_up_and_compared(inside, capsys):
    assert summary() == 0
    assert capsys.readouterr().out.splitlines() == [
        "setting         seeds   top1  top1_low  top1_high  macro_recall  macro_recall_low  macro_recall_high",
        "train.epochs=1      2  0.515    0.4515     0.5785         0.515            0.4515             0.5785",
        "train.epochs=2      2  1.015    0.9515     1.0785         1.015            0.9515             1.0785",
        "",
        "difference, crop by crop, with its 95% interval over locations",
        "setting         minus           crops  locations  top1  top1_low  top1_high"
        "  macro_recall  macro_recall_low  macro_recall_high",
        "train.epochs=2  train.epochs=1      2          2   0.5         0          1"
        "           0.5                 0                  1",
    ]


def test_predictions_that_are_not_in_the_cache_are_told(inside, capsys):
    with Repo() as opened:
        given = experiments.runs(opened, None, False)
        lost = replace(given[0], predictions="0" * 32 + ".dir")
        with pytest.raises(Exception, match=f"^{lost.name}: its predictions are not in DVC's cache$"):
            experiments.answers(opened, lost, "test")


def test_a_score_that_there_is_not_is_told(inside, capsys):
    assert summary("--metric", "top9") == 1
    assert capsys.readouterr().err == ("camtraps: --metric: 'top9' is no score of test; there are top1, macro_recall\n")


def test_after_an_experiment_that_failed_one_line_leads_back(inside):
    process = inside.start("dvc", "exp", "run", "-S", "train.epochs=13")
    assert "train: too many" in process.communicate()[0]
    assert process.returncode
    assert "13" in (inside.path / "params.yaml").read_text()
    readme = (ROOT / "README.md").read_text()
    [back] = [line for line in readme.splitlines() if line.startswith("touch -c params.yaml")]
    inside.run("sh", "-c", back)
    assert (inside.path / "dvc.lock").read_text() == inside.run("git", "show", "HEAD:dvc.lock")
    assert "up to date" in inside.run("dvc", "status")
    assert isinstance(pd.read_parquet(inside.path / "data/predictions/predictions.parquet"), pd.DataFrame)
