"""Train on drawn crops under torchrun: python -m torch.distributed.run ... tests/rank_training.py FOLDER."""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from test_training import PARAMS, TRAIN, VAL, learn

from camtraps import ranks
from camtraps.processes import die_with_parent
from camtraps.training import train

# Without batch normalisation, whose statistics are each rank's own on a CPU; without dropout, which each rank draws.
PARAMS_OF_RANKS = replace(PARAMS, model="squeezenet1_1", image_size=48, batch_size=6, epochs=3, dropout=0.0)


def train_here(folder: Path) -> None:
    """Write the scores of every epoch, and a digest of the weights, into the folder; each rank its own file."""
    torch.set_num_threads(1)
    task = learn(folder / f"crops{ranks.rank()}", [*TRAIN, "red"], VAL * 2, PARAMS_OF_RANKS)
    with ranks.joined():
        trained = train(task, PARAMS_OF_RANKS, lambda scores: _fall(folder / "trap", scores["epoch"]))
    weights = sum(float(value.double().abs().sum()) for value in trained.network.state_dict().values())
    result = {"history": trained.history, "best_epoch": trained.best_epoch, "weights": weights}
    (folder / f"rank{ranks.rank()}.json").write_text(json.dumps(result))


def _fall(trap: Path, epoch: float) -> None:
    """Kill the second rank after its second epoch, once, if there is a trap."""
    if ranks.rank() == 1 and epoch == 1 and trap.exists():
        trap.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_with_parent()  # a test that is stopped leaves nothing behind
    train_here(Path(sys.argv[1]))
