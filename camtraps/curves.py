"""Learning curves as training goes on: for DVC's experiments, and for TensorBoard."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from camtraps import ranks
from camtraps.errors import MissingError
from camtraps.files import work_dir
from camtraps.scoring import Scores


@contextmanager
def logging(folder: Path, tensorboard: bool) -> Iterator[Callable[[Scores], None]]:
    """Give what takes the scores of each epoch; of several ranks, the first one writes.

    Args:
        folder: where DVCLive writes.
        tensorboard: write event files, too: below the work folder, since their bytes differ from run to run.
    """
    if ranks.rank() > 0:
        yield lambda scores: None
        return
    from dvclive.live import Live

    board = _board() if tensorboard else None
    with Live(str(folder), dvcyaml=False, save_dvc_exp=False) as live:

        def log(scores: Scores) -> None:
            for name, value in scores.items():
                live.log_metric(name, value)
                if board:
                    board(name, value, int(scores["epoch"]))
            live.next_step()

        yield log


def _board() -> Callable[[str, float, int], None]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MissingError(
            "params.yaml: train.tensorboard: TensorBoard is not installed; run `pip install tensorboard`"
        ) from None
    folder = work_dir("tensorboard")
    sys.stderr.write(f"train: `tensorboard --logdir {folder}` shows this run and earlier ones\n")
    writer = SummaryWriter(str(folder / time.strftime("%Y%m%d-%H%M%S")))

    def add(name: str, value: float, epoch: int) -> None:
        writer.add_scalar(name.replace("_", "/", 1), value, epoch)
        writer.flush()

    return add
