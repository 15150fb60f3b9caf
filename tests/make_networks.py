"""Networks to test with: those of the package that CameraTraps took its EfficientNet from, old and new."""

import warnings
from pathlib import Path
from typing import Any

import torch
from efficientnet_pytorch import EfficientNet
from torch import nn

from camtraps.models import ModelInfo

SMALL = "shufflenet_v2_x0_5"
INFO = ModelInfo(
    format=1,
    architecture=SMALL,
    classes=["fox", "NA", "<img>"],
    taxa={"fox": {"taxa": ["genus vulpes"], "dataset_labels": [["d", "fox"]]}},
    image_size=32,
    mean=[0.485, 0.456, 0.406],
    std=[0.229, 0.224, 0.225],
    crop={"rule": "camtraps", "shape": "square", "max_side": None},
    temperature=1.25,
    params={"epochs": 3},
    data={"crops": "0" * 64},
    best_epoch=2,
)


def efficientnet(architecture: str, num_classes: int, image_size: int) -> Any:
    """Make a network of efficientnet-pytorch 0.7.1 whose batch normalisation fits its random weights."""
    torch.manual_seed(0)
    return settled(EfficientNet.from_name(architecture, num_classes=num_classes, image_size=image_size), image_size)


def ancestral(architecture: str, num_classes: int, image_size: int) -> Any:
    """Make the same with the padding of 0.7.0: what 0.7.1 pads behind, on all four sides."""
    torch.manual_seed(0)
    network = EfficientNet.from_name(architecture, num_classes=num_classes, image_size=image_size)
    for module in network.modules():
        if isinstance(getattr(module, "static_padding", None), nn.ZeroPad2d):
            module.static_padding = nn.ZeroPad2d(module.static_padding.padding[1])
    return settled(network, image_size)


def settled(network: nn.Module, image_size: int) -> nn.Module:
    """Let batch normalisation see a batch, so that no layer's output explodes or dies; give evaluation mode."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(torch.randn(8 if image_size < 128 else 2, 3, image_size, image_size))
    return network.eval()


def compiled(network: nn.Module, path: Path | None = None) -> nn.Module:
    """Compile a network in evaluation mode, as people did who have such files; save it if asked to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(network.eval())
        if path:
            script.save(path)
    return script
