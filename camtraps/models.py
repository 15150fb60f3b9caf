"""The classifier: a network by name, and the folder in which it is kept, self-contained and safe to load."""

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from camtraps.errors import InputError, MissingError
from camtraps.files import read_json, replacing, write_json
from camtraps.networks import Padding, build

FORMAT = 1
TORCHSCRIPT = "torchscript"  # the architecture of a compiled network, kept as it came


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What a classifier must know of itself besides its weights: the content of ``model.json``.

    Views are RGB, ``image_size`` px square, scaled to 0-1 and normalised by ``mean`` and ``std``; logits are divided by
    ``temperature`` before the softmax. ``taxa`` gives the taxa and dataset labels that make up each class, ``padding``
    that of `networks.build`, ``start`` what its training started from, ``thresholds`` may say from which probability a
    class is to be believed.
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
    padding: Padding = "same"
    start: str | None = None
    thresholds: dict[str, float] = field(default_factory=dict)


def head(network: nn.Module) -> nn.Module:
    """Give the last linear layer."""
    return [m for m in network.modules() if isinstance(m, nn.Linear)][-1]


def save(folder: Path, network: nn.Module, info: ModelInfo) -> None:
    """Write the weights and ``model.json``, whole or not at all."""
    with replacing(folder) as part:
        part.mkdir()
        if isinstance(network, torch.jit.ScriptModule):
            with _jit():
                torch.jit.save(network, part / "model.pt")
        else:
            weights = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
            save_file(weights, part / "weights.safetensors")
        write_json(part / "model.json", asdict(info))


def load(folder: Path) -> tuple[nn.Module, ModelInfo]:
    """Read a classifier, in evaluation mode on the CPU.

    Nothing in the folder can execute code, unless its architecture is ``torchscript``: that is a program, of PyTorch's
    operations only, so load such folders from people you trust.

    Raises:
        MissingError: the folder or one of its files is missing.
        InputError: it is of another version, or weights and architecture do not fit.
    """
    info = read_info(folder)
    if info.architecture == TORCHSCRIPT:
        return load_script(folder / "model.pt"), info
    network = build(info.architecture, len(info.classes), info.image_size, info.padding)
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


def load_script(path: Path) -> nn.Module:
    """Read a compiled network in evaluation mode on the CPU, wherever it was saved.

    Raises:
        MissingError: no such file.
        InputError: it is damaged or no TorchScript.
    """
    if not path.is_file():
        raise MissingError(f"{path}: not found; check the path, or run `dvc pull {path.parent}`")
    try:
        with _jit():
            network: nn.Module = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: damaged, or no TorchScript: {why}") from None
    return network.eval()


def read_info(folder: Path) -> ModelInfo:
    """Read ``model.json`` alone; errors as in `load`."""
    path = folder / "model.json"
    document = read_json(path)
    wanted = {field.name for field in fields(ModelInfo)}
    if not isinstance(document, dict) or document.get("format") != FORMAT or set(document) != wanted:
        got = json.dumps(document)[:80]
        raise InputError(f"{path}: not a model of format {FORMAT} with {', '.join(sorted(wanted))}; got {got}")
    return ModelInfo(**document)


@contextmanager
def _jit() -> Iterator[None]:
    """Keep torch from telling users that TorchScript is on its way out: the files are what they have."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", "`torch.jit", category=DeprecationWarning)
        yield
