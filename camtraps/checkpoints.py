"""Foreign checkpoints: weights of other programs, read without running anything in the file, and put into a network."""

import pickle
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from camtraps.errors import InputError, MissingError
from camtraps.networks import Padding, head_name

CONTAINERS = ("model", "state_dict", "model_state_dict")  # keys under which training loops keep the weights
# The names of efficientnet-pytorch, and what timm calls the same.
OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
BLOCK = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2", "_bn2": "bn3"}
BLOCK |= {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand", "_project_conv": "conv_pwl"}
FIRST_BLOCKS = BLOCK | {"_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}  # which do not expand


@dataclass(frozen=True)
class Checkpoint:
    """Weights by name; whether the file has the form that CameraTraps writes; epoch and image size if it says them."""

    weights: dict[str, Tensor]
    is_ancestor: bool = False
    epoch: int | None = None
    image_size: int | None = None

    @property
    def padding(self) -> Padding | None:
        """The padding that the weights were trained with; None where only a person can know."""
        if "_conv_stem.weight" not in self.weights:  # its names; CameraTraps' networks have them too
            return "same"
        return "ancestor" if self.is_ancestor else None


def read(path: Path) -> Checkpoint:
    """Read the weights in a file: ``.safetensors``, or what ``torch.save`` made of a state dict, bare or among others.

    Raises:
        MissingError: no such file.
        InputError: it is damaged, has no weights, or could not be read without unpickling other things.
    """
    if not path.is_file():
        raise MissingError(f"{path}: not found; check the path")
    if is_script(path):
        raise InputError(f"{path}: a compiled model (TorchScript), which can be imported but not trained further")
    content = _tensors(path) if path.suffix == ".safetensors" else _pickled_tensors(path)
    inner = next((content[key] for key in CONTAINERS if isinstance(content.get(key), dict)), content)
    weights = {str(name).removeprefix("module."): value for name, value in inner.items() if isinstance(value, Tensor)}
    if not weights:
        raise InputError(f"{path}: no weights in it; it has {', '.join(map(str, content))[:200] or 'nothing'}")
    epoch, size = (value if isinstance(value, int) else None for value in map(content.get, ("epoch", "image_size")))
    return Checkpoint(weights, "model" in content and "val/acc" in content, epoch, size)


def is_script(path: Path) -> bool:
    """Say whether a file is a compiled network (TorchScript)."""
    return zipfile.is_zipfile(path) and _has_member(path, "/constants.pkl")


def is_exported(path: Path) -> bool:
    """Say whether a compiled network was written by `deploying`, with the preprocessing inside."""
    return is_script(path) and _has_member(path, "/extra/classes")


def fill(network: nn.Module, checkpoint: Checkpoint, rows: dict[int, int], place: str) -> None:
    """Put weights into a network.

    Args:
        network: from `networks.build`.
        checkpoint: all its weights but those of the last layer must fit.
        rows: which output of the network gets the weights of which output of the checkpoint; others stay as they are.
        place: the file, for messages.

    Raises:
        InputError: weights are missing, left over or of another shape.
    """
    weights = _named_as_in(network, checkpoint.weights)
    own, top = network.state_dict(), head_name(network)
    for name in (name for name in own if name.rpartition(".")[0] == top):
        if rows and (name not in weights or weights[name].shape[1:] != own[name].shape[1:]):
            continue  # a problem, told below
        merged = own[name].clone()
        for new, old in rows.items():
            merged[new] = weights[name][old]
        weights[name] = merged
    # Files older than these counters do not have them, and nothing needs them.
    weights = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")} | weights
    problems = [f"{name} is missing" for name in own if name not in weights]
    problems += [f"{name} is left over" for name in weights if name not in own]
    problems += [
        f"{name} is {list(value.shape)} instead of {list(own[name].shape)}"
        for name, value in weights.items()
        if name in own and value.shape != own[name].shape
    ]
    if problems:
        raise InputError(
            f"{place}: its weights are of another network: {problems[0]}, and {len(problems) - 1} more do not fit; "
            "give the architecture it was trained as"
        )
    network.load_state_dict(weights)


def num_classes(network: nn.Module, checkpoint: Checkpoint) -> int | None:
    """Count the outputs of a checkpoint that was trained as such a network; None if it has no such last layer."""
    last = _named_as_in(network, checkpoint.weights).get(f"{head_name(network)}.weight")
    return None if last is None else len(last)


def _tensors(path: Path) -> dict[str, Any]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: damaged, or no safetensors file: {error}") from None


def _pickled_tensors(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unusual pickles: they are read or refused
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError):
        raise InputError(
            f"{path}: damaged, or it holds more than weights, whose loading could run any code; have its maker save "
            "the state dict alone, or as safetensors"
        ) from None
    return content if isinstance(content, dict) else {}


def _has_member(path: Path, ending: str) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(ending) for name in archive.namelist())


def _named_as_in(network: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights that bear the names of efficientnet-pytorch."""
    stages: Any = getattr(network, "blocks", None)
    if "_conv_stem.weight" not in weights or stages is None:
        return dict(weights)
    blocks = [f"blocks.{at}.{inner}" for at, stage in enumerate(stages) for inner in range(len(stage))]
    renamed = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        if layer.startswith("_blocks."):
            _, number, part = layer.split(".", 2)
            names = BLOCK if f"_blocks.{number}._expand_conv.weight" in weights else FIRST_BLOCKS
            known = part in names and int(number) < len(blocks)
            layer = f"{blocks[int(number)]}.{names[part]}" if known else layer
        renamed[f"{OUTER.get(layer, layer)}.{kind}"] = value
    return renamed
