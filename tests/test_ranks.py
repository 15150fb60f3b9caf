"""Several ranks: two processes under torchrun come to what one comes to; one that is launched becomes torchrun."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rank_training import train_here

from camtraps import ranks
from camtraps.errors import CamtrapsError

TESTS = Path(__file__).parent


def torchrun(folder, *options):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *options]
    path = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "CAMTRAPS_WORK": str(folder / "work")}
    subprocess.run([*command, str(TESTS / "rank_training.py"), str(folder)], check=True, env=environment, timeout=600)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Results of one process, and of two ranks."""
    alone, together = (tmp_path_factory.mktemp(name) for name in ("alone", "together"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMTRAPS_WORK", str(alone / "work"))
        train_here(alone)
    torchrun(together)
    paths = [alone / "rank0.json", together / "rank0.json", together / "rank1.json"]
    return [json.loads(path.read_text()) for path in paths]


def test_two_ranks_come_to_the_scores_of_one_process(both):
    alone, first, _ = both
    assert len(alone["history"]) == len(first["history"]) == 3
    for one, two in zip(alone["history"], first["history"], strict=True):
        assert two == pytest.approx(one, abs=2e-3)
    assert first["weights"] == pytest.approx(alone["weights"], rel=1e-4)


def test_ranks_agree_on_scores_and_weights(both):
    _, first, second = both
    assert first == second


def test_a_rank_that_is_killed_is_started_again_and_changes_nothing(both, tmp_path):
    (tmp_path / "trap").touch()
    torchrun(tmp_path, "--max-restarts=1")
    assert not (tmp_path / "trap").exists()
    assert [json.loads((tmp_path / f"rank{at}.json").read_text()) for at in range(2)] == both[1:]


def launched(monkeypatch, devices, gpus):
    """Ask for devices where there are so many GPUs; give the command that the process became."""
    commands = []
    monkeypatch.setattr(os, "execv", lambda path, given: commands.append(given[1:]))
    monkeypatch.setattr(ranks.torch.cuda, "device_count", lambda: gpus)
    ranks.launch(devices, "stages.train")
    return commands[0]


def test_one_device_launches_nothing(monkeypatch):
    monkeypatch.setattr(os, "execv", lambda *given: pytest.fail(f"launched {given}"))
    ranks.launch(1, "stages.train")


def test_several_devices_become_torchrun(monkeypatch):
    command = "-m torch.distributed.run --standalone --nproc-per-node=2 -m stages.train"
    assert " ".join(launched(monkeypatch, devices=2, gpus=0)) == command


def test_the_environment_can_join_machines(monkeypatch):
    monkeypatch.setenv("CAMTRAPS_TORCHRUN", "--nnodes=2 --node-rank=0 --rdzv-endpoint=head:29500 --nproc-per-node=4")
    given = "--nnodes=2 --node-rank=0 --rdzv-endpoint=head:29500 --nproc-per-node=4"
    assert " ".join(launched(monkeypatch, 1, gpus=4)) == f"-m torch.distributed.run {given} -m stages.train"


def test_within_torchrun_nothing_is_launched_again(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(os, "execv", lambda *given: pytest.fail(f"launched {given}"))
    ranks.launch(2, "stages.train")


def test_ranks_of_slurm_alone_are_refused(monkeypatch):
    for name, value in (("CAMTRAPS_ENGINE", "ranks"), ("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")):
        monkeypatch.setenv(name, value)
    with pytest.raises(CamtrapsError, match=r"^CAMTRAPS_ENGINE: ranks alone do not train together; use `srun torchrun"):
        ranks.launch(1, "stages.train")


def test_more_gpus_than_there_are_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(ranks.torch.cuda, "device_count", lambda: 2)
    with pytest.raises(CamtrapsError, match=r"^params.yaml: train.devices: 4 GPUs asked for, 2 here$"):
        ranks.launch(4, "stages.train")


def test_every_gpu_is_used_when_none_is_named(monkeypatch):
    assert "--nproc-per-node=4" in launched(monkeypatch, devices=0, gpus=4)


def test_alone_there_is_nothing_to_agree_on():
    assert (ranks.rank(), ranks.world(), ranks.agreed("x"), ranks.gathered("x")) == (0, 1, "x", ["x"])
