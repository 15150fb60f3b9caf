"""Train the classifier: one loop, read top to bottom; killed at any moment, it continues to the same result."""

import json
import math
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from camtraps import metrics, weights
from camtraps.datasets import Pick, batches
from camtraps.errors import CamtrapsError
from camtraps.files import code_digest, digest, replacing, work_dir
from camtraps.inference import logits
from camtraps.models import FORMAT, ModelInfo, device
from camtraps.networks import build, set_regularisation
from camtraps.params import check_range
from camtraps.progress import bar
from camtraps.tasks import Part, Task
from camtraps.transforms import MEAN, STD, normalise
from camtraps.units import prune

CLEARLY = 1.96  # standard errors
MODULES = "training tasks models networks datasets transforms weights metrics inference images shards"
CODE = tuple(f"camtraps.{name}" for name in MODULES.split())


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainParams:
    """Section ``train`` of params.yaml."""

    model: str
    """efficientnet-b0 to b8, or a classifier of torchvision by name."""
    image_size: int
    """Side of the square view, in pixels."""
    epochs: int
    """At most so many passes over the training crops."""
    batch_size: int
    """Crops a step."""
    learning_rate: float
    """Highest learning rate of AdamW; a linear warm-up leads to it, a cosine away from it."""
    weight_decay: float
    """Of AdamW; not on biases and normalisation."""
    warmup_epochs: int
    """Epochs of the warm-up."""
    label_smoothing: float
    """Probability that the target gives to the other classes, 0 to 0.5; helps against wrong labels."""
    label_weighted: bool
    """Draw all labels equally often."""
    weight_by_detection_conf: bool
    """Draw crops by the chance that their box is right (`weights.by_confidence`)."""
    dropout: float
    """Share of features, and of EfficientNet's residual branches, left out in a step; short runs do best without."""
    batch_norm_momentum: float
    """How fast batch normalisation's running statistics follow, 0 to 1."""
    patience: int
    """Stop after so many epochs whose val macro recall was clearly below the best."""
    seed: int
    """Of weights, order and views."""
    num_workers: int
    """Processes that decode crops; the result does not depend on it."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, image_size=(32, 2048), epochs=(1, None), batch_size=(2, None), learning_rate=(1e-9, 10.0))
        check_range(self, weight_decay=(0.0, 10.0), warmup_epochs=(0, None), label_smoothing=(0.0, 0.5))
        check_range(
            self,
            dropout=(0.0, 0.9),
            batch_norm_momentum=(0.0001, 1.0),
            patience=(1, None),
            seed=(0, None),
            num_workers=(0, 256),
        )


@dataclass
class State:
    """All that the next epoch depends on, besides the data and the params."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    epoch: int
    history: list[dict[str, float]]
    best: dict[str, torch.Tensor]
    best_epoch: int


@dataclass(frozen=True)
class Trained:
    """The network with the weights of its best epoch, its temperature, and the scores of every epoch."""

    network: nn.Module
    temperature: float
    best_epoch: int
    history: list[dict[str, float]]


def train(task: Task, params: TrainParams, log: Callable[[dict[str, float]], None]) -> Trained:
    """Train on the crops of train, choose the epoch by those of val.

    Epochs are judged by macro recall on val: every species counts the same, however common. The chosen epoch is the
    latest that is not clearly worse than the best, by the 95% interval over locations: what differs less is noise
    where val has few locations, and later epochs have had the lower learning rate. (In the spirit of the
    one-standard-error rule of Breiman et al. 1984.) Training ends early after ``patience`` clearly worse epochs.

    Args:
        task: from `prepare`.
        params: section ``train``.
        log: called with the scores of each epoch, also of those that an earlier, killed run has made.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    checkpoint = work_dir("train") / f"{_fingerprint(task, params)}.pt"
    prune(checkpoint.parent, {checkpoint.name})
    state = _resume(checkpoint, _start(len(task.classes), params))
    for scores in state.history:
        log(scores)
    num = len(task.train.labels)
    with bar("train", params.epochs * num, "crops", initial=state.epoch * num) as progress:
        while state.epoch < params.epochs and state.epoch - state.best_epoch <= params.patience:
            loss = _train_epoch(state, task.train, params, progress)
            scores = {"epoch": state.epoch, "train_loss": loss, **_validate(state.network, task.val, params)}
            _advance(state, scores)
            _save_checkpoint(checkpoint, state)
            log(scores)
            progress.set_postfix(loss=loss, val_macro_recall=scores["val_macro_recall"], refresh=False)
    state.network.load_state_dict(state.best)
    found = logits(state.network, task.val.crops, params.batch_size, params.num_workers)
    temperature = metrics.fit_temperature(task.val.labels, found)
    return Trained(state.network, temperature, state.best_epoch, state.history)


def describe(
    task: Task, trained: Trained, params: TrainParams, taxa: dict[str, Any], rule: dict[str, Any]
) -> ModelInfo:
    """Write down what a trained classifier must know of itself.

    Args:
        task: what it learned.
        trained: the result.
        params: section ``train``.
        taxa: the taxa and dataset labels of each label (data/queried/labels.json).
        rule: how its crops were cut (data/crops/rule.json).
    """
    return ModelInfo(
        format=FORMAT,
        architecture=params.model,
        classes=task.classes,
        taxa={name: taxa[name] for name in task.classes},
        image_size=params.image_size,
        mean=list(MEAN),
        std=list(STD),
        crop=rule,
        temperature=trained.temperature,
        params=_essential(params),
        data=task.data,
        best_epoch=trained.best_epoch,
    )


def learning_rate(step: int, steps_per_epoch: int, params: TrainParams) -> float:
    """Give the learning rate of a step: linear warm-up, then a half cosine down to a hundredth."""
    warmup, total = params.warmup_epochs * steps_per_epoch, params.epochs * steps_per_epoch
    if step < warmup:
        return params.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return params.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


def crop_weights(part: Part, params: TrainParams) -> NDArray[np.float64]:
    """Give each training crop's weight in the draw."""
    chosen = part.sureness if params.weight_by_detection_conf else np.ones(len(part.labels))
    return weights.by_label(chosen, part.labels) if params.label_weighted else chosen


def _essential(params: TrainParams) -> dict[str, Any]:
    """Leave out what changes the speed only."""
    return {name: value for name, value in asdict(params).items() if name != "num_workers"}


def _fingerprint(task: Task, params: TrainParams) -> str:
    return digest(json.dumps([_essential(params), task.data, task.classes]), code_digest(CODE))


def _start(num_classes: int, params: TrainParams) -> State:
    torch.manual_seed(params.seed)
    network = build(params.model, num_classes, params.image_size)
    set_regularisation(network, params.dropout, params.batch_norm_momentum)
    network = network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    decayed = [value for value in network.parameters() if value.ndim > 1]
    plain = [value for value in network.parameters() if value.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": params.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=params.learning_rate)
    return State(network, optimizer, epoch=0, history=[], best={}, best_epoch=-1)


def _advance(state: State, scores: dict[str, float]) -> None:
    state.history.append(scores)
    top = max(state.history, key=lambda past: past["val_macro_recall"])
    if scores["val_macro_recall"] >= top["val_macro_recall"] - CLEARLY * top["val_macro_recall_error"]:
        state.best_epoch = state.epoch
        state.best = {name: value.detach().clone() for name, value in state.network.state_dict().items()}
    state.epoch += 1


def _train_epoch(state: State, part: Part, params: TrainParams, progress: "tqdm[Any]") -> float:
    where = device()
    state.network.train()
    # Dropout draws from torch's own generator: seeding it an epoch makes a resumed run equal to a whole one.
    torch.manual_seed(params.seed * 1_000_003 + state.epoch)
    rows = weights.draw(crop_weights(part, params), (params.seed, state.epoch))
    # A last batch of one crop has no batch statistics.
    rows = rows[: len(rows) - 1] if len(rows) % params.batch_size == 1 else rows
    picks = [Pick(int(row), (params.seed, state.epoch, at)) for at, row in enumerate(rows)]
    steps = math.ceil(len(picks) / params.batch_size)
    total, step = 0.0, state.epoch * steps
    for batch in batches(part.crops, picks, params.batch_size, params.num_workers):
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, params)
        views = normalise(batch.views.to(where, non_blocking=True)).contiguous(memory_format=torch.channels_last)
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            predicted = state.network(views)  # (batch, classes) logits
        targets = batch.labels.to(where, non_blocking=True)
        loss = functional.cross_entropy(predicted.float(), targets, label_smoothing=params.label_smoothing)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        total, step = total + loss.item() * len(targets), step + 1
        progress.update(len(targets))
    if not math.isfinite(total):
        raise CamtrapsError(f"params.yaml: train.learning_rate: the loss became {total}; try a tenth of it")
    return round(total / len(picks), 6)


def _validate(network: nn.Module, part: Part, params: TrainParams) -> dict[str, float]:
    found = metrics.calibrated(logits(network, part.crops, params.batch_size, params.num_workers), 1.0)
    table = metrics.scores(part.labels, found, part.locations, majority=0)
    error = metrics.macro_recall_error(part.labels, found, part.locations)
    chosen = {f"val_{name}": table[name] for name in ("log_loss", "top1", "macro_recall")}
    return chosen | {"val_macro_recall_error": round(error, 4)}


def _save_checkpoint(path: Path, state: State) -> None:
    content = vars(state) | {"network": state.network.state_dict(), "optimizer": state.optimizer.state_dict()}
    with replacing(path) as part:
        torch.save(content, part)


def _resume(path: Path, state: State) -> State:
    if not path.exists():
        return state
    content = torch.load(path, map_location=device(), weights_only=True)
    state.network.load_state_dict(content.pop("network"))
    state.optimizer.load_state_dict(content.pop("optimizer"))
    return State(state.network, state.optimizer, **content)
