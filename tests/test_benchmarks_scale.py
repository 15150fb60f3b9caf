"""Kills at random moments change no byte, and the benchmark of carriers can be tried out."""

import shutil
import sys

import pytest

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


@pytest.mark.parametrize("name", ["pool2", "ranks"])
def test_a_carrier_can_be_tried_out(tmp_path, name, monkeypatch):
    monkeypatch.setattr(scale, "CARRIERS", {"pool1": scale.CARRIERS["pool1"], name: scale.CARRIERS[name]})
    monkeypatch.setattr(scale, "_compared", lambda best, sizes: best)
    best = scale.measure_carriers(tmp_path, scale.SMALL)
    assert list(best) == ["pool1", name]
    shutil.rmtree(tmp_path)


def test_the_allocator_is_measured_in_processes_of_its_own(tmp_path):
    values = scale.measure_allocator(tmp_path, scale.SMALL)
    assert list(values) == ["allocator_gain_cut", "allocator_gain_inference", "allocator_gain"]
    assert values["allocator_gain"] == min(values["allocator_gain_cut"], values["allocator_gain_inference"]) > 0
