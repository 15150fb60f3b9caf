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


HEADER = "dataset,file,correct_class,reviewer,date,reason,decision,label,predicted\n"


def decide(clone, candidates):
    """Play a reviewer who knows the truth: give the rows of the review page's CSV."""
    truth = pd.read_csv(clone.path / "data/demo/truth.csv", dtype=str).set_index(["dataset", "file"])
    rules = json.loads((clone.path / "data/queried/labels.json").read_text())
    labels = {tuple(pair): name for name, rule in rules.items() for pair in rule["dataset_labels"]}
    rows = []
    for row in candidates.itertuples():
        right = labels[row.dataset, truth.loc[(row.dataset, row.file), "true_class"].lower()]
        kind = "right" if right == row.label else "wrong"
        rows.append(f"{row.dataset},{row.file},{right},ann,2024-11-02T10:00:00,,{kind},{row.label},{row.predicted}\n")
    return rows


def bring_home(clone, rows):
    """Import decisions, twice, and run the pipeline again; give what it printed."""
    (clone.path / "page.csv").write_text(HEADER + "".join(rows))
    first, again = (clone.run("camtraps", "import", "corrections", "page.csv", "--name", "demo") for _ in range(2))
    assert f"{len(rows)} new" in first.replace("decision, ", "decisions, ")
    assert " 0 new" in again
    return clone.run("dvc", "repro")


def read_labels(clone):
    return pd.read_parquet(clone.path / "data/queried/queried.parquet").set_index("image")["label"]


@pytest.fixture(scope="module")
def corrected(demo):
    """Close the loop: candidates, decisions by a scripted reviewer, import, repro."""
    judged = pd.read_parquet(demo.path / "data/review/crops.parquet").sort_values("score")
    judged = judged.assign(
        file=[i.removeprefix(f"{d}/") for i, d in zip(judged["image"], judged["dataset"], strict=True)]
    )
    confirmed = bring_home(demo, decide(demo, judged.drop_duplicates("image").head(1)))
    candidates = pd.read_parquet(demo.path / "data/review/candidates.parquet")
    rows = decide(demo, candidates)
    unknown = candidates.iloc[-1]
    rows[-1] = f"{unknown.dataset},{unknown.file},,ann,2024-11-02T10:00:00,,unknown,,\n"
    before = {"scores": json.loads((demo.path / "metrics/evaluate.json").read_text()), "labels": read_labels(demo)}
    return {"confirmed": confirmed, "candidates": candidates, "rows": rows, "printed": bring_home(demo, rows)} | before


def test_a_confirmed_label_trains_nothing_again(corrected):
    assert "Running stage 'query'" in corrected["confirmed"]
    assert "Running stage 'train'" not in corrected["confirmed"]


def test_corrected_photos_carry_their_new_labels_and_no_other_label_changes(demo, corrected):
    after, wanted = read_labels(demo), corrected["labels"].copy()
    for image, row in zip(corrected["candidates"]["image"], corrected["rows"], strict=True):
        wanted[image] = row.split(",")[2]
    assert (wanted != corrected["labels"]).sum() > 1
    # A capped label may give its place to another photo.
    both = after.index.intersection(wanted.index)
    assert (after[both] == wanted[both]).all()
    assert set(wanted.index[wanted == ""]).isdisjoint(after.index)
    assert (wanted != "")[wanted.index.difference(after.index)].sum() <= len(corrected["rows"])


def test_the_classifier_is_trained_again_because_labels_have_changed_and_only_once(demo, corrected):
    assert "Running stage 'train'" in corrected["printed"]
    assert "Running stage 'demo'" not in corrected["printed"]
    assert "Running stage" not in demo.run("dvc", "repro")


def test_photos_that_were_decided_are_no_candidates_again(demo, corrected):
    again = pd.read_parquet(demo.path / "data/review/candidates.parquet")["image"]
    assert set(again).isdisjoint(corrected["candidates"]["image"])


def test_with_corrected_labels_test_top1_does_not_fall(demo, corrected):
    after = json.loads((demo.path / "metrics/evaluate.json").read_text())
    assert after["test"]["top1"] >= corrected["scores"]["test"]["top1"]
