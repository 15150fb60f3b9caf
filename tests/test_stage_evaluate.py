"""The stage evaluate on a few coloured crops: damaged ones, a foreign classifier, a model that was trained anew."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import make_tables
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from imports import ROOT
from test_models import INFO, SMALL

from camtraps import layout, models, predictions, tables
from camtraps.errors import FailuresError, InputError
from camtraps.networks import build
from camtraps.schema import ASSIGNED, CROPS, FAILURES
from stages import evaluate

torch.set_num_threads(1)
LABELS = ["blue", "red"] * 6
CLASSES = ["blue", "red"]
SPLITS = ["train"] * 4 + ["val"] * 4 + ["test"] * 4


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make the inputs of the stage: twelve crops of two colours, a network without training."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMTRAPS_WORKERS", "1")
    shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    crops = make_tables.colour_crops(layout.CROPS, LABELS).assign(detector="human", sequence="s", location="007")
    tables.write(crops, layout.CROPS / "crops.parquet", CROPS)
    tables.write(crops.assign(split=SPLITS), layout.SPLITS / "assigned.parquet", ASSIGNED)
    save_model(seed=0)


def save_model(seed):
    torch.manual_seed(seed)
    info = replace(INFO, classes=CLASSES, taxa={name: {} for name in CLASSES})
    models.save(layout.CLASSIFIER, build(SMALL, 2, 32), info)


def set_params(**values):
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["evaluate"] |= values
    Path("params.yaml").write_text(yaml.safe_dump(params))


def damage(row):
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    make_tables.damage(layout.CROPS, crops["offset"][row])


def scores():
    return json.loads((layout.EVALUATION / "evaluate.json").read_text())


def files():
    folders = (layout.EVALUATION, layout.PREDICTIONS)
    return {path: path.read_bytes() for folder in folders for path in folder.iterdir()}


@pytest.mark.usefixtures("project")
def test_every_crop_has_a_prediction_and_every_table_is_there():
    counts = evaluate.main()
    assert (counts.rows_in, counts.rows_out, counts.failed) == (12, 12, 0)
    found = predictions.read(layout.PREDICTIONS / "predictions.parquet")
    assert found.crops["label"].tolist() == LABELS
    assert not found.crops["night"].any()
    assert np.abs(found.probabilities.sum(axis=1) - 1).max() < 1e-5
    names = {path.name for path in layout.EVALUATION.iterdir()}
    assert {"evaluate.json", "per_class.csv", "confusion.csv", "levels.csv", "accept.csv", "examples.zip"} <= names
    # E1, R1: a run without label weighting could not be evaluated; the parameters of the training are not asked for.
    assert set(scores()) == {"train", "val", "test"}


@pytest.mark.usefixtures("project")
def test_the_same_inputs_give_the_same_bytes():
    evaluate.main()
    before = files()
    evaluate.main()
    assert files() == before


@pytest.mark.usefixtures("project")
def test_a_model_that_was_trained_anew_is_the_one_that_is_judged():
    # E3: a compiled model beside the checkpoint was used again, however old it was.
    evaluate.main()
    before = predictions.read(layout.PREDICTIONS / "predictions.parquet").probabilities
    save_model(seed=1)
    evaluate.main()
    after = predictions.read(layout.PREDICTIONS / "predictions.parquet").probabilities
    assert np.abs(before - after).max() > 0.001
    assert {path.name for path in layout.CLASSIFIER.iterdir()} == {"weights.safetensors", "model.json"}


@pytest.mark.usefixtures("project")
def test_damaged_crops_are_left_out_and_listed_with_their_reason():
    damage(1)
    set_params(max_failed=0.1)
    counts = evaluate.main()
    assert (counts.rows_in, counts.rows_out, counts.failed) == (12, 11, 1)
    failed = tables.read(layout.EVALUATION / "failures.parquet", FAILURES)
    assert failed[["image", "box"]].to_numpy().tolist() == [["d/001.jpg", 0]]
    assert failed["reason"][0].startswith("data/crops: a crop is damaged; ")
    assert "d/001.jpg" not in set(predictions.read(layout.PREDICTIONS / "predictions.parquet").crops["image"])
    assert scores()["train"]["crops"] == 3


@pytest.mark.usefixtures("project")
def test_too_many_damaged_crops_end_the_stage():
    damage(0)
    with pytest.raises(
        FailuresError, match=r"1 of 12 crops failed, over max_failed 1.0%; first: d/000.jpg: data/crops: a"
    ):
        evaluate.main()


@pytest.mark.usefixtures("project")
def test_a_foreign_classifier_is_scored_beside_ours():
    # E5: a target without labels made the evaluation fail.
    folder = layout.collection() / "foreign"
    folder.mkdir(parents=True)
    lines = ["path,label,weight,sky,sea,stone"]
    lines += [f"d/{at:03}.jpg___crop00.jpg,{label},1.0,0.25,0.5,0.25" for at, label in enumerate(LABELS)]
    (folder / "f.csv").write_text("\n".join(lines) + "\n")
    (folder / "m.json").write_text(json.dumps({"blue": ["sky", "sea"], "red": [], "other": ["stone"]}))
    set_params(foreign="f.csv", foreign_mapping="m.json")
    evaluate.main()
    assert scores()["test"]["top1_foreign"] == 0.5
    assert scores()["test"]["log_loss_foreign"] == round((-np.log(0.75) - np.log(1e-7)) / 2, 4)
    per_class = pd.read_csv(layout.EVALUATION / "per_class_foreign.csv")
    assert per_class["label"].unique().tolist() == ["blue", "red", "other"]
    (folder / "m.json").write_text(json.dumps({"azure": ["sky", "sea", "stone"]}))
    with pytest.raises(InputError, match=r"evaluate.foreign: azure is no label of our classifier, which has blue, red"):
        evaluate.main()
