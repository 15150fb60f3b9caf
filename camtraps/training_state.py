"""The state of training: all that the next step depends on, kept so that a killed run goes on where it was."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from camtraps import ranks
from camtraps.files import replacing
from camtraps.networks import build, set_regularisation
from camtraps.optimizing import make_optimizer
from camtraps.recipes import TrainParams
from camtraps.scoring import Scores, is_kept
from camtraps.starting import Wanted, begin


@dataclass
class State:
    """All that the next step depends on, besides the data and the params.

    ``mean`` is the moving mean of the weights, if asked for; ``loss_sum`` is that of the steps done in this epoch;
    ``failed`` has the reason for each crop that could not be decoded, by split and row.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    mean: AveragedModel | None
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    history: list[Scores] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_epoch: int = -1
    failed: dict[str, dict[int, str]] = field(default_factory=lambda: {"train": {}, "val": {}})

    @property
    def judged(self) -> nn.Module:
        """The network whose weights count: the moving mean, or else the one that learns."""
        return self.mean.module if self.mean else self.network

    def advance(self, scores: Scores, metric: str) -> None:
        """End an epoch with its scores, and keep its weights if it is the one to keep so far."""
        self.history.append(scores)
        if is_kept(self.history, metric):
            self.best_epoch = self.epoch
            self.best = {name: value.detach().clone() for name, value in self.judged.state_dict().items()}
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0


def begun(classes: list[str], params: TrainParams) -> tuple[State, str]:
    """Make the state before the first step; say what it starts from."""
    torch.manual_seed(params.seed)
    wanted = Wanted(params.model, classes, params.image_size, params.padding)
    network = build(wanted.architecture, len(classes), wanted.image_size, wanted.padding)
    start = begin(network, wanted, params.start)
    set_regularisation(network, params.dropout, params.batch_norm_momentum)
    network = ranks.synchronised(network).to(ranks.device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = None
    if params.ema:
        rule = get_ema_multi_avg_fn(params.ema)  # type: ignore[no-untyped-call]
        mean = AveragedModel(network, multi_avg_fn=rule, use_buffers=True)
    return State(network, make_optimizer(network, params), mean), start


def save(path: Path, state: State) -> None:
    """Write a state, whole or not at all; of several ranks, the first one writes."""
    if ranks.rank() == 0:
        mean = state.mean.state_dict() if state.mean else None
        modules = {"network": state.network.state_dict(), "optimizer": state.optimizer.state_dict(), "mean": mean}
        with replacing(path) as part:
            torch.save(vars(state) | modules, part)


def resume(path: Path, state: State) -> None:
    """Take a state up where rank 0 has left it."""
    where = ranks.device()
    there = path.exists() and ranks.rank() == 0
    content = ranks.agreed(torch.load(path, map_location="cpu", weights_only=True) if there else None)
    if content is None:
        return
    state.network.load_state_dict(content.pop("network"))
    state.optimizer.load_state_dict(content.pop("optimizer"))
    mean = content.pop("mean")
    if state.mean:
        state.mean.load_state_dict(mean)
    content["best"] = {name: value.to(where) for name, value in content["best"].items()}
    vars(state).update(content)
