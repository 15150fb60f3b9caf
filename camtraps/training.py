"""Train the classifier: one loop, read top to bottom; killed at any moment, it continues to the same result."""

import json
import math
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from camtraps import inference, metrics, ranks
from camtraps.datasets import Batch, Loader, Pick, chunks, in_order
from camtraps.errors import CamtrapsError, FailuresError, InputError
from camtraps.files import code_digest, digest, work_dir
from camtraps.models import FORMAT, ModelInfo
from camtraps.optimizing import crop_weights, learning_rate, set_phase
from camtraps.processes import keep_buffers
from camtraps.progress import bar
from camtraps.recipes import TrainParams
from camtraps.results import prune
from camtraps.scoring import Scores, judge
from camtraps.starting import fingerprint
from camtraps.tasks import Part, Task
from camtraps.training_state import State, begun, resume, save
from camtraps.transforms import MEAN, STD, normalise, vary
from camtraps.weights import draw

MODULES = (
    "training training_state tasks recipes models networks starting checkpoints datasets transforms weights optimizing "
    "scoring metrics inference ranks images shards"
)
CODE = tuple(f"camtraps.{name}" for name in MODULES.split())
SPEED_ONLY = ("num_workers", "tensorboard", "max_failed")  # parameters that change no weight
CHECKPOINT_STEPS = 500  # of a long epoch: no more is lost when training is killed


@dataclass(frozen=True)
class Trained:
    """The network with the weights of its best epoch, its temperature, the scores of every epoch, and where it began.

    ``failed`` is that of `State`.
    """

    network: nn.Module
    temperature: float
    best_epoch: int
    history: list[Scores]
    start: str
    failed: dict[str, dict[int, str]]


@dataclass(frozen=True)
class _Job:
    """What stays the same all along."""

    task: Task
    params: TrainParams
    loaders: dict[str, Loader]
    checkpoint: Path
    progress: "tqdm[Any]"


def train(task: Task, params: TrainParams, log: Callable[[Scores], None]) -> Trained:
    """Train on the crops of train, choose the epoch by those of val (`scoring.is_kept`).

    Training ends early after ``patience`` epochs in a row that were clearly worse than the best. Under `torchrun` each
    rank calls this, takes its share of every step's crops, and comes to the same result.

    Args:
        task: from `prepare`.
        params: section ``train``.
        log: called with the scores of each epoch, also of those that an earlier, killed run has made.

    Raises:
        CamtrapsError: the loss is no number, or more crops than ``max_failed`` cannot be decoded.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    torch.use_deterministic_algorithms(True, warn_only=True)
    keep_buffers()
    checkpoint = work_dir("train") / f"{_fingerprint(task, params)}.pt"
    prune(checkpoint.parent, {checkpoint.name})
    state, start = begun(task.classes, params)
    if ranks.rank() == 0:
        sys.stderr.write(f"train: {start}\n")
    resume(checkpoint, state)
    for scores in state.history:
        log(scores)
    loaders = {
        name: Loader(part.crops, params.num_workers) for name, part in (("train", task.train), ("val", task.val))
    }
    num, label = len(task.train.labels), "train" if ranks.rank() == 0 else None
    with bar(label, params.epochs * num, "crops", initial=state.epoch * num) as progress:
        job = _Job(task, params, loaders, checkpoint, progress)
        forward: Callable[[Tensor], Tensor] | None = None
        while state.epoch < params.epochs and state.epoch - state.best_epoch <= params.patience:
            set_phase(state.network, only_head=state.epoch < params.head_epochs)
            if forward is None or state.epoch == params.head_epochs:
                wrapped = ranks.parallel(state.network)
                forward = torch.compile(wrapped) if params.compile else wrapped
            loss = _train_epoch(state, forward, job)
            scores = {"epoch": state.epoch, "train_loss": loss, **_validate(state, job)}
            state.advance(scores, params.metric)
            save(checkpoint, state)
            log(scores)
            shown = f"val_{params.metric}"
            progress.set_postfix({"loss": loss, shown: scores[shown]}, refresh=False)
    state.network.load_state_dict(state.best)
    found = _logits(state.network, job)
    good = ~np.isnan(found).any(axis=1)
    temperature = metrics.fit_temperature(task.val.labels[good], found[good])
    return Trained(state.network, temperature, state.best_epoch, state.history, start, state.failed)


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
        padding=params.padding,
        start=trained.start,
        params=_essential(params),
        data=task.data,
        best_epoch=trained.best_epoch,
    )


def _essential(params: TrainParams) -> dict[str, Any]:
    """Leave out what changes no weight."""
    return {name: value for name, value in asdict(params).items() if name not in SPEED_ONLY}


def _fingerprint(task: Task, params: TrainParams) -> str:
    given = [_essential(params), task.data, task.classes, ranks.world()]
    return digest(json.dumps(given), fingerprint(params.start), code_digest(CODE))


def _steps(part: Part, params: TrainParams, epoch: int) -> list[list[Pick]]:
    """Draw the crops of an epoch's steps, of all ranks together."""
    rows = draw(crop_weights(part, params), (params.seed, epoch))
    steps = chunks([Pick(int(row), (params.seed, epoch, at)) for at, row in enumerate(rows)], params.batch_size)
    # One crop alone has no batch statistics.
    least = 2 * ranks.world() * params.accumulate
    steps = steps if len(steps[-1]) >= least else steps[:-1]
    if not steps:
        raise InputError(f"data/splits: train has {len(rows)} crops; a step needs at least {least}")
    return steps


def _train_epoch(state: State, forward: Callable[[Tensor], Tensor], job: _Job) -> float:
    """Make the steps of an epoch that are not made yet; give the mean loss of all of them."""
    params, where = job.params, ranks.device()
    steps = _steps(job.task.train, params, state.epoch)
    mine = [step[ranks.rank() :: ranks.world()] for step in steps[state.step :]]
    parts = [step[at :: params.accumulate] for step in mine for at in range(params.accumulate)]
    batches = job.loaders["train"].batches(parts)
    losses, failed = torch.zeros((), device=where), []
    for step in steps[state.step :]:
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(state.epoch * len(steps) + state.step, len(steps), params)
        state.optimizer.zero_grad(set_to_none=True)
        for at in range(params.accumulate):
            batch = next(batches)
            _seed(params.seed, state.epoch, state.step, at, ranks.rank())
            is_last = at == params.accumulate - 1
            with nullcontext() if is_last or ranks.world() == 1 else forward.no_sync():  # type: ignore[attr-defined]
                loss = _loss_sum(forward, batch, job.task.train, params) / len(step)
                (loss * ranks.world()).backward()  # type: ignore[no-untyped-call]  # the ranks' gradients are averaged
            losses += loss.detach() * len(step)
            failed += batch.failed
        if params.clip_norm:
            nn.utils.clip_grad_norm_(state.network.parameters(), params.clip_norm)
        state.optimizer.step()
        if state.mean:
            state.mean.update_parameters(state.network)
        state.step += 1
        job.progress.update(len(step))
        if state.step % CHECKPOINT_STEPS == 0 or state.step == len(steps):
            _note(state, losses, failed, job)
            losses, failed = torch.zeros((), device=where), []
            if state.step < len(steps):
                save(job.checkpoint, state)
    return round(state.loss_sum / sum(map(len, steps)), 6)


def _seed(*numbers: int) -> None:
    """Seed what dropout draws from, for each part of a step: so a resumed run is equal to a whole one."""
    torch.manual_seed(int(digest(*map(str, numbers))[:15], 16))


def _loss_sum(forward: Callable[[Tensor], Tensor], batch: Batch, part: Part, params: TrainParams) -> Tensor:
    """Add up the losses of a batch's crops; those that could not be decoded have none."""
    where, augmentation = ranks.device(), part.crops.augmentation
    assert augmentation is not None
    levels = vary(batch.views.to(where, non_blocking=True), batch.looks, augmentation)
    views = normalise(levels).contiguous(memory_format=torch.channels_last)
    with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
        predicted = forward(views)  # (batch, classes) logits
    targets, good = batch.labels.to(where, non_blocking=True), batch.good.to(where, non_blocking=True)
    losses = functional.cross_entropy(
        predicted.float(), targets, label_smoothing=params.label_smoothing, reduction="none"
    )
    return torch.where(good, losses, 0).sum()


def _note(state: State, losses: Tensor, failed: list[tuple[int, str]], job: _Job) -> None:
    """Add the ranks' losses and failures up, and stop where going on makes no sense."""
    for loss, rows in ranks.gathered((float(losses), failed)):
        state.loss_sum += loss
        state.failed["train"].update(rows)
    if not math.isfinite(state.loss_sum):
        raise CamtrapsError(f"params.yaml: train.learning_rate: the loss became {state.loss_sum}; try a tenth of it")
    _check_failed(state, "train", job.task.train, job.params)


def _check_failed(state: State, split: str, part: Part, params: TrainParams) -> None:
    failed = state.failed[split]
    if len(failed) > params.max_failed * len(part.labels):
        raise FailuresError(
            f"data/crops: {len(failed)} of {len(part.labels)} crops of {split} cannot be read, over train.max_failed "
            f"{params.max_failed:.1%}; first: {failed[min(failed)]}"
        )


def _validate(state: State, job: _Job) -> Scores:
    ranks.same_buffers(state.judged)
    found, part = _logits(state.judged, job, state.failed["val"]), job.task.val
    _check_failed(state, "val", part, job.params)
    good = ~np.isnan(found).any(axis=1)
    return ranks.agreed(judge(part.labels[good], found[good], part.locations[good], job.params.metric))


def _logits(network: nn.Module, job: _Job, failed: dict[int, str] | None = None) -> NDArray[np.float64]:
    """Compute the logits of val, each rank a share; add the crops that cannot be decoded, NaN there, to ``failed``."""
    picks = in_order(len(job.task.val.labels))[ranks.rank() :: ranks.world()]
    mine = inference.run(network, job.loaders["val"], picks, job.params.batch_size)
    reasons = {pick.row: reason for pick, reason in zip(picks, mine.reasons, strict=True) if reason}
    every = ranks.gathered((mine.logits, reasons))
    found = np.zeros((len(job.task.val.labels), every[0][0].shape[1]))
    for at, (logits, rows) in enumerate(every):
        found[at :: ranks.world()] = logits
        if failed is not None:
            failed.update(rows)
    return found
