"""Kills at random moments change no byte, and the benchmark of carriers can be tried out."""

import json
import sys

import pytest
import torch

from benchmarks import kills, scale

KILLS, SEED = 10, 4
# Stages that start quickly have more of the turns.
TURNS = ("crop", "detect", "evaluate", "crop", "detect", "train", "crop", "detect")


@pytest.mark.skipif(sys.platform != "linux", reason="worker processes are found by /proc")
def test_stages_killed_at_random_moments_and_run_again_give_the_bytes_of_an_undisturbed_run(tmp_path, capsys):
    project = kills.Project(tmp_path)
    done = [project.kill(plan) for plan in kills.draw(KILLS, SEED, TURNS)]
    kills.say(done)
    assert [kill.wrong for kill in done if kill.wrong] == []
    assert {kill.stage for kill in done} == set(kills.KILLED)
    assert sum(kill.came for kill in done) >= KILLS // 2
    assert capsys.readouterr().out.splitlines()[-1].split()[:2] == ["all", "10"]


def test_the_same_seed_draws_the_same_kills():
    assert kills.draw(20, 1, kills.KILLED) == kills.draw(20, 1, kills.KILLED)
    assert kills.draw(20, 1, kills.KILLED) != kills.draw(20, 2, kills.KILLED)
    plans = kills.draw(200, 1, kills.KILLED)
    assert {plan.stage for plan in plans} == set(kills.KILLED)
    assert 60 < sum(plan.in_writing for plan in plans) < 140


def test_overheads_and_gains_are_those_of_the_seconds():
    best = {"pool1": {"cut": 60.0, "classify": 40.0}, "pool2": {"cut": 30.0, "classify": 20.0}}
    best |= {"ray": {"cut": 35.0, "classify": 25.0}, "ranks": {"cut": 40.0, "classify": 40.0}}
    values = scale._compared(best, scale.FULL)
    assert values["workers2_speedup"] == 2.0
    assert values["ray_overhead_12000"] == 0.2
    assert values["ray_overhead_12000_seconds"] == 10.0
    assert values["ranks2_speedup"] == 1.25


def test_carriers_can_be_tried_out(tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "CARRIERS", {name: scale.CARRIERS[name] for name in ("pool2", "ranks")})
    monkeypatch.setattr(scale, "_compared", lambda best, sizes: best)
    best = scale.measure_carriers(tmp_path, scale.SMALL)
    assert [(name, list(of_step)) for name, of_step in best.items()] == [
        ("pool2", ["cut", "classify"]), ("ranks", ["cut", "classify"]),
    ]  # fmt: skip


def test_what_the_allocator_gains_is_the_least_of_cutting_and_inference(tmp_path, monkeypatch):
    said = iter([[1.0, 2.0], [1.9, 2.5], [1.1, 2.0], [1.8, 2.4]])  # in turns with its setting and without
    monkeypatch.setattr(scale, "_together", lambda step, folder, processes: json.dumps(next(said)))
    values = scale.measure_allocator(tmp_path, scale.SMALL)
    assert values == {"allocator_gain_cut": 1.8, "allocator_gain_inference": 1.2, "allocator_gain": 1.2}


def test_cutting_and_inference_are_timed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KEEP_BUFFERS", "")
    (tmp_path / "sizes.json").write_text("[1, 1]")
    threads = torch.get_num_threads()
    scale.allocate(tmp_path)
    torch.set_num_threads(threads)
    assert all(seconds > 0 for seconds in json.loads(capsys.readouterr().out))
