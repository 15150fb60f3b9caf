"""The classifier: a network by name, and the folder in which it is kept, self-contained and safe to load."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from camtraps.errors import InputError, MissingError
from camtraps.files import read_json, replacing, write_json

FORMAT = 1
EFFICIENTNETS = tuple(f"efficientnet-b{number}" for number in range(9))


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a classifier must know of itself besides its weights: the content of ``model.json``.

    Views are RGB, ``image_size`` px square, scaled to 0-1 and normalised by ``mean`` and ``std``; logits are divided by
    ``temperature`` before the softmax. ``taxa`` gives the taxa and dataset labels that make up each class.
    """

    format: int
    architecture: str
    classes: list[str]
    taxa: dict[str, Any]
    image_size: int
    mean: list[float]
    std: list[float]
    crop: dict[str, Any]
    temperature: float
    params: dict[str, Any]
    data: dict[str, str]
    best_epoch: int


def build(architecture: str, num_classes: int, image_size: int) -> nn.Module:
    """Make a network with random weights.

    Args:
        architecture: ``efficientnet-b0`` to ``b8``, or a classifier of torchvision such as ``resnet50``.
        num_classes: length of its output.
        image_size: side of the square input in pixels; EfficientNet pads for it.

    Raises:
        InputError: no such network.
    """
    if architecture in EFFICIENTNETS:
        from efficientnet_pytorch import EfficientNet

        network = EfficientNet.from_name(architecture, num_classes=num_classes, image_size=image_size)
        network.set_swish(memory_efficient=False)  # a third faster; costs memory in training
        return network  # type: ignore[no-any-return]
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    if architecture not in names:
        raise InputError(
            f"no network is called {architecture!r} (train.model in params.yaml); choose {EFFICIENTNETS[0]} to "
            f"{EFFICIENTNETS[-1]}, or of torchvision {', '.join(names[:8])} ..."
        )
    return torchvision.models.get_model(architecture, weights=None, num_classes=num_classes)  # type: ignore[no-any-return]


def set_regularisation(network: nn.Module, dropout: float, batch_norm_momentum: float) -> None:
    """Set what only training sees.

    Args:
        network: from `build`.
        dropout: share of features dropped before the last layer; in EfficientNet also of residual branches.
        batch_norm_momentum: how fast running statistics follow; 0.01 lags on runs of a few hundred steps.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = batch_norm_momentum
        if isinstance(module, nn.Dropout):
            module.p = dropout
    settings: Any = getattr(network, "_global_params", None)
    if settings is not None:  # of efficientnet-pytorch
        network._global_params = settings._replace(drop_connect_rate=dropout)


def head(network: nn.Module) -> nn.Module:
    """Give the last linear layer."""
    return [m for m in network.modules() if isinstance(m, nn.Linear)][-1]


def save(folder: Path, network: nn.Module, info: ModelInfo) -> None:
    """Write ``weights.safetensors`` and ``model.json``, whole or not at all."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    with replacing(folder) as part:
        part.mkdir()
        save_file(weights, part / "weights.safetensors")
        write_json(part / "model.json", asdict(info))


def load(folder: Path) -> tuple[nn.Module, ModelInfo]:
    """Read a classifier, in evaluation mode on the CPU. Nothing in the folder can execute code.

    Raises:
        MissingError: the folder or one of its files is missing.
        InputError: it is of another version, or weights and architecture do not fit.
    """
    info = read_info(folder)
    network = build(info.architecture, len(info.classes), info.image_size)
    path = folder / "weights.safetensors"
    try:
        network.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise MissingError(f"{path}: not found; run `dvc pull {folder}`") from None
    except (SafetensorError, RuntimeError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: damaged, or not of {info.architecture}; run `dvc checkout {folder}`: {why}"
        ) from None
    return network.eval(), info


def read_info(folder: Path) -> ModelInfo:
    """Read ``model.json`` alone; errors as in `load`."""
    path = folder / "model.json"
    document = read_json(path)
    wanted = {field.name for field in fields(ModelInfo)}
    if not isinstance(document, dict) or document.get("format") != FORMAT or set(document) != wanted:
        got = json.dumps(document)[:80]
        raise InputError(f"{path}: not a model of format {FORMAT} with {', '.join(sorted(wanted))}; got {got}")
    return ModelInfo(**document)


def device() -> torch.device:
    """Give the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
