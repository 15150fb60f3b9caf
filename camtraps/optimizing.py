"""What a step of training does to the weights: optimizer, learning rate, and which crops it sees."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from camtraps import weights
from camtraps.networks import head
from camtraps.recipes import TrainParams
from camtraps.tasks import Part


def make_optimizer(network: nn.Module, params: TrainParams) -> torch.optim.Optimizer:
    """Make the optimizer that ``train.optimizer`` names.

    RMSprop and SGD are those of CameraTraps: momentum 0.9, and every parameter decays.
    """
    if params.optimizer == "adamw":
        decayed = [value for value in network.parameters() if value.ndim > 1]
        plain = [value for value in network.parameters() if value.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": params.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=params.learning_rate)
    every, rate, decay = network.parameters(), params.learning_rate, params.weight_decay
    if params.optimizer == "rmsprop":
        return torch.optim.RMSprop(every, rate, alpha=0.9, eps=1e-8, weight_decay=decay, momentum=0.9)
    return torch.optim.SGD(every, rate, momentum=0.9, weight_decay=decay)


def learning_rate(step: int, steps_per_epoch: int, params: TrainParams) -> float:
    """Give the learning rate of a step: a linear warm-up, then the schedule.

    ``cosine`` goes down to a hundredth; ``exponential`` (times 0.97 every 2.4 epochs) and ``step`` (times 0.1 every 8
    epochs) change between epochs and count the warm-up.
    """
    warmup, total, epoch = (
        params.warmup_epochs * steps_per_epoch,
        params.epochs * steps_per_epoch,
        step // steps_per_epoch,
    )
    if step < warmup:
        return params.learning_rate * (step + 1) / warmup
    if params.schedule == "exponential":
        return float(params.learning_rate * 0.97 ** (epoch / 2.4))
    if params.schedule == "step":
        return float(params.learning_rate * 0.1 ** (epoch // 8))
    progress = (step - warmup) / max(1, total - warmup)
    return params.learning_rate * (0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2)


def crop_weights(part: Part, params: TrainParams) -> NDArray[np.float64]:
    """Give each training crop's weight in the draw."""
    chosen = part.sureness if params.weight_by_detection_conf else np.ones(len(part.labels))
    return weights.by_label(chosen, part.labels) if params.label_weighted else chosen


def set_phase(network: nn.Module, only_head: bool) -> None:
    """Put a network into training: all of it, or its last layer alone.

    The rest is then as in use, its batch statistics and dropout too, as in CameraTraps' first epochs of fine-tuning.
    """
    network.requires_grad_(not only_head)
    network.train(not only_head)
    if only_head:
        head(network).requires_grad_(True).train()
