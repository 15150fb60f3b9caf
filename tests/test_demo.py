"""The demo as a stranger runs it: good enough scores, and wrong labels found that no stage was told of."""

import json

import pandas as pd
import pytest
from conftest import Clone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    clone = Clone(tmp_path_factory.mktemp("demo"))
    clone.run("dvc", "repro")
    return clone


def test_the_classifier_is_good_and_surely_better_than_the_commonest_class(demo):
    test = json.loads((demo.path / "metrics/evaluate.json").read_text())["test"]
    assert test["top1"] >= 0.85
    assert test["top1_low"] > test["top1_majority"]


def test_the_demo_is_up_to_date_and_a_second_run_runs_no_stage(demo):
    assert "up to date" in demo.run("dvc", "status")
    assert "Running stage" not in demo.run("dvc", "repro")


def test_scores_and_places_are_printed(demo):
    printed = demo.run("camtraps", "scores")
    assert "top1 " in printed
    for line in printed.splitlines()[-4:]:
        assert (demo.path / line.split()[0]).exists()


def test_the_ranking_finds_wrong_labels_five_times_better_than_chance(demo):
    truth = pd.read_csv(demo.path / "data/demo/truth.csv", dtype=str)
    wrong = set((truth["dataset"] + "/" + truth["file"])[truth["wrong"] == "1"])
    predictions = pd.read_parquet(demo.path / "data/predictions/predictions.parquet")
    judged = set(predictions.loc[predictions["split"] != "train", "image"])
    ranked = pd.read_parquet(demo.path / "data/review/candidates.parquet").sort_values("rank")["image"]
    assert set(ranked) <= judged
    hits = [image in wrong for image in ranked]
    # Average precision; a wrong label that is not listed adds nothing.
    total = len(wrong & judged)
    precision = sum(sum(hits[: at + 1]) / (at + 1) for at, hit in enumerate(hits) if hit) / total
    assert precision >= 5 * total / len(judged)


def test_no_stage_reads_the_truth(demo):
    for path in (demo.path / "stages").glob("*.py"):
        assert "truth.csv" not in path.read_text()
