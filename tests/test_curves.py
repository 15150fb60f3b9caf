"""Learning curves: what DVC and TensorBoard get to see, and who writes it."""

import json
import sys

import pytest

from camtraps.curves import logging
from camtraps.errors import MissingError

SCORES = [{"epoch": 0, "train_loss": 1.5, "val_top1": 0.25}, {"epoch": 1, "train_loss": 1.0, "val_top1": 0.5}]


def log_all(folder, tensorboard=False):
    with logging(folder, tensorboard) as log:
        for scores in SCORES:
            log(scores)


def test_dvc_sees_the_last_epoch_and_the_curve(tmp_path):
    log_all(tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["train_loss"], metrics["val_top1"], metrics["step"]) == (1.0, 0.5, 1)
    lines = (tmp_path / "plots/metrics/val_top1.tsv").read_text().split()
    assert lines == ["step", "val_top1", "0", "0.25", "1", "0.5"]


def test_of_several_ranks_the_first_one_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    log_all(tmp_path)
    assert not list(tmp_path.iterdir())


def test_tensorboard_gets_the_scores_outside_of_dvcs_outputs(tmp_path, monkeypatch, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "kept"))
    log_all(tmp_path / "out", tensorboard=True)
    (run,) = (tmp_path / "kept/tensorboard").iterdir()
    events = EventAccumulator(str(run)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("val/top1")] == [(0, 0.25), (1, 0.5)]
    assert f"`tensorboard --logdir {tmp_path}/kept/tensorboard` shows this run" in capsys.readouterr().err


def test_without_tensorboard_there_is_one_line_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingError, match=r"^params.yaml: train.tensorboard: TensorBoard is not installed; run `pip"):
        log_all(tmp_path, tensorboard=True)
