"""Recipes: what the section ``train`` of params.yaml may say, and the values that a name stands for."""

from dataclasses import dataclass
from typing import Any, Literal

from camtraps.params import check_range

# What stands for null in params.yaml. The ancestor's are those with which MegaClassifier was trained (B1, B3), and what
# CameraTraps did with ResNets; its learning rate of 0.016 for a batch of 256 is for training from scratch.
_OURS = {
    "model": "efficientnet-b0",
    "padding": "same",
    "start": "imagenet",
    "image_size": 224,
    "augmentation": "camtraps",
    "epochs": 30,
    "head_epochs": 1,
    "batch_size": 64,
    "optimizer": "adamw",
    "learning_rate": 0.0005,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "label_smoothing": 0.05,
    "label_weighted": True,
    "weight_by_detection_conf": False,
    "dropout": 0.2,
    "batch_norm_momentum": 0.05,
    "clip_norm": 1.0,
    "ema": 0.0,
    "patience": 8,
}
_FROM_NOTHING = {
    "start": "none",
    "image_size": 96,
    "epochs": 13,
    "head_epochs": 0,
    "batch_size": 16,
    "learning_rate": 0.0015,
    "dropout": 0.0,  # short runs do best without
    "batch_norm_momentum": 0.1,  # 0.01 is EfficientNet's own, for long runs
    "clip_norm": 0.0,
    "ema": 0.95,  # of a few hundred steps; val macro recall after 4 epochs of the demo .78, without .58
}
_ANCESTOR = {
    "padding": "same",
    "start": "imagenet",
    "augmentation": "ancestor",
    "epochs": 50,
    "head_epochs": 0,
    "optimizer": "rmsprop",
    "learning_rate": 0.00003,
    "weight_decay": 0.000001,
    "schedule": "exponential",
    "warmup_epochs": 0,
    "label_smoothing": 0.0,
    "label_weighted": True,
    "weight_by_detection_conf": True,
    "batch_norm_momentum": 0.01,
    "clip_norm": 0.0,
    "ema": 0.0,
    "patience": 8,
}
RECIPES: dict[str, dict[str, Any]] = {
    "camtraps": _OURS,
    "camtraps-small": _OURS | _FROM_NOTHING,
    "ancestor-b1": _ANCESTOR | {"model": "efficientnet-b1", "image_size": 240, "batch_size": 192, "dropout": 0.2},
    "ancestor-b3": _ANCESTOR | {"model": "efficientnet-b3", "image_size": 300, "batch_size": 160, "dropout": 0.3},
    "ancestor-resnet": _ANCESTOR
    | {"model": "resnet50", "image_size": 224, "batch_size": 256, "dropout": 0.0, "batch_norm_momentum": 0.1}
    | {"optimizer": "sgd", "schedule": "step", "weight_by_detection_conf": False},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainParams:
    """Section ``train`` of params.yaml; where it says null, the recipe's value counts."""

    recipe: Literal["camtraps", "camtraps-small", "ancestor-b1", "ancestor-b3", "ancestor-resnet"]
    """camtraps starts from ImageNet's weights, camtraps-small from nothing, in minutes on a CPU; the others are those
    of CameraTraps."""
    model: str
    """efficientnet-b0 to b8, or a classifier of torchvision or timm by name."""
    padding: Literal["same", "ancestor"]
    """Of EfficientNet: TensorFlow's, or that of CameraTraps, which its checkpoints were trained with."""
    start: str
    """Weights to begin with: none, imagenet, or a path: a model of ours, or a checkpoint."""
    image_size: int
    """Side of the square view, in pixels."""
    augmentation: Literal["camtraps", "ancestor"]
    """How the views of training vary (`transforms.AUGMENTATIONS`)."""
    epochs: int
    """At most so many passes over the training crops."""
    head_epochs: int
    """So many of them at the beginning train the last layer alone, and the rest of the network stays as it is."""
    batch_size: int
    """Crops a step, of all devices together."""
    accumulate: int
    """A step's crops go through the network in so many parts, for less memory."""
    optimizer: Literal["adamw", "rmsprop", "sgd"]
    """AdamW decays neither biases nor normalisation; the others, as in CameraTraps, decay all, with momentum 0.9."""
    learning_rate: float
    """The highest one, after the warm-up."""
    weight_decay: float
    """Of the optimizer."""
    schedule: Literal["cosine", "exponential", "step"]
    """Of the learning rate: half a cosine to a hundredth; times 0.97 every 2.4 epochs; times 0.1 every 8 epochs."""
    warmup_epochs: int
    """Epochs in which the learning rate rises to the highest."""
    label_smoothing: float
    """Probability that the target gives to the other classes, 0 to 0.5; helps against wrong labels."""
    label_weighted: bool
    """Draw all labels equally often."""
    weight_by_detection_conf: bool
    """Draw crops by the chance that their box is right (`weights.by_confidence`)."""
    dropout: float
    """Share of features left out in a step; in EfficientNet also of residual branches."""
    batch_norm_momentum: float
    """How fast batch normalisation's running statistics follow, 0 to 1."""
    clip_norm: float
    """Longest gradient of a step (its 2-norm); 0 leaves gradients as they are."""
    ema: float
    """Decay a step of the mean of the weights that is judged and kept in place of the weights; 0 for none."""
    metric: Literal["macro_recall", "top1", "log_loss"]
    """Of val: which epoch is kept, and when to stop."""
    patience: int
    """Stop after so many epochs that were clearly worse than the best."""
    compile: bool
    """Compile the network (`torch.compile`): minutes to begin with, faster steps."""
    devices: int
    """GPUs to use, or processes on a CPU, by `torchrun`; 0 takes every GPU."""
    tensorboard: bool
    """Write what TensorBoard shows, too."""
    seed: int
    """Of weights, order and views."""
    num_workers: int
    """Processes that decode crops, of each device; the result does not depend on it."""
    max_failed: float
    """Highest share of crops that may be unreadable, 0 to 1."""

    @staticmethod
    def filled(section: dict[str, Any]) -> dict[str, Any]:
        """Put the recipe's value in the place of every null of the section."""
        values = RECIPES.get(str(section.get("recipe")), {})
        return {key: values.get(key) if value is None else value for key, value in section.items()}

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, image_size=(32, 2048), epochs=(1, None), batch_size=(2, None), learning_rate=(1e-9, 10.0))
        check_range(self, weight_decay=(0.0, 10.0), warmup_epochs=(0, None), label_smoothing=(0.0, 0.5))
        check_range(self, head_epochs=(0, None), accumulate=(1, None), clip_norm=(0.0, None), ema=(0.0, 0.99999))
        check_range(self, dropout=(0.0, 0.9), batch_norm_momentum=(0.0001, 1.0), patience=(1, None))
        check_range(self, devices=(0, 1024), seed=(0, None), num_workers=(0, 256), max_failed=(0.0, 1.0))
        if self.batch_size < 2 * self.accumulate:
            raise ValueError(f"accumulate: must leave two crops a part of batch_size {self.batch_size}")
        if not self.start:
            raise ValueError("start: must be none, imagenet or a path, got an empty text")
