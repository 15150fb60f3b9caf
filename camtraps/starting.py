"""What training starts from: nothing, the published ImageNet weights, or the weights of an earlier model."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from camtraps import checkpoints, downloads, layout, models
from camtraps.checkpoints import Checkpoint
from camtraps.errors import InputError, MissingError
from camtraps.files import digest, file_digest
from camtraps.networks import Padding, timm_name, timm_options
from camtraps.transforms import MEAN
from camtraps.words import num

NOTHING, IMAGENET = "none", "imagenet"


@dataclass(frozen=True)
class Wanted:
    """The network that is to be trained: as for `networks.build`, and the names of its outputs."""

    architecture: str
    classes: list[str]
    image_size: int
    padding: Padding


def begin(network: nn.Module, wanted: Wanted, start: str) -> str:
    """Put the weights that training starts from into a network.

    The last layer keeps the outputs of classes that an earlier model of ours knows by the same name. In other files
    classes have no names, so that the last layer stays as it is (`foreign_models.adopt` gives them names).

    Args:
        network: from `networks.build`.
        wanted: what it was built for.
        start: ``none``; ``imagenet``; or the path of a model folder or a checkpoint.

    Returns:
        What was done, in a line for the log.

    Raises:
        MissingError: the file, or a network to fetch the weights over, is not there.
        InputError: there are no such weights, or they are of another architecture.
    """
    if start == NOTHING:
        return "starts from random weights"
    if start == IMAGENET:
        name, checkpoint = _published(wanted.architecture, wanted.image_size)
        _check_padding("same", wanted, start)
        checkpoints.fill(network, checkpoint, {}, name)
        return f"starts from the ImageNet weights {name}, with a new last layer"
    path = _path(start)
    if not path.is_dir():
        checkpoint = checkpoints.read(path)
        _check_padding(checkpoint.padding, wanted, start)
        checkpoints.fill(network, checkpoint, {}, start)
        return f"starts from {start}, with a new last layer: the file names no classes (`camtraps import-model` would)"
    info = models.read_info(path)
    if info.architecture != wanted.architecture:
        raise InputError(
            f"train.start: {start} is {info.architecture}, and train.model asks for {wanted.architecture}; "
            "make them equal"
        )
    _check_padding(info.padding, wanted, start)
    previous, _ = models.load(path)
    rows = {at: info.classes.index(name) for at, name in enumerate(wanted.classes) if name in info.classes}
    checkpoints.fill(network, Checkpoint(previous.state_dict()), rows, start)
    if info.classes == wanted.classes:
        return f"starts from {start}, with its last layer"
    known = f"{num(len(rows), 'class', 'classes')} of {len(wanted.classes)} as in the old one"
    return f"starts from {start}, with a new last layer: {known if rows else 'no class is known'}"


def fingerprint(start: str) -> str:
    """Hash what `begin` would start from, so that a change of a file's content is seen.

    Raises:
        CamtrapsError: as in `begin`.
    """
    if start in (NOTHING, IMAGENET):
        return digest(start)
    path = _path(start)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return digest(*(file_digest(file) for file in files))


def _check_padding(trained_with: Padding | None, wanted: Wanted, start: str) -> None:
    """Refuse weights of another function; None where only a person can know what they were trained with."""
    if trained_with not in (None, wanted.padding):
        raise InputError(
            f"train.start: {start} was trained with padding {trained_with}, and train.padding is {wanted.padding}; "
            "make them equal"
        )


def _path(start: str) -> Path:
    path = Path(start)
    if path.resolve() == layout.CLASSIFIER.resolve():
        raise InputError(f"train.start: {start} is removed before training writes it anew; copy it and name the copy")
    if not path.exists():
        raise MissingError(f"train.start: {start} not found; expected none, imagenet, a model folder or a checkpoint")
    return path


def _published(architecture: str, image_size: int) -> tuple[str, Checkpoint]:
    """Fetch the ImageNet weights that the network's library publishes, once; give their name too."""
    name = timm_name(architecture)
    place, url = _at_timm(name) if name else _at_torchvision(architecture)
    try:
        path = downloads.fetch(url)
    except InputError as error:
        raise MissingError(
            f"train.start: the ImageNet weights {place} cannot be fetched here: {error}; fetch that file elsewhere "
            "and give its path as train.start"
        ) from None
    weights = checkpoints.read(path).weights
    if name:
        import timm

        given: dict[str, Any] = {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": weights}}
        # Some of timm's networks have to fit their weights to the size of image.
        weights = timm.create_model(name, **given, **timm_options(name, image_size)).state_dict()
    # Branches that only training on ImageNet has.
    own = {name: value for name, value in weights.items() if not name.startswith(("aux1.", "aux2.", "AuxLogits."))}
    return place, Checkpoint(own)


def _at_timm(name: str) -> tuple[str, str]:
    """Give the name and address of timm's weights, of those that were trained on views normalised as ours if it can."""
    import timm
    from timm.models import get_pretrained_cfg

    base = name.partition(".")[0]
    names = [name, *timm.list_pretrained(f"{base}.*")] if name == base else [name]
    configs = [config for config in map(get_pretrained_cfg, names) if config and config.hf_hub_id]
    if not configs:
        raise _unpublished(name)
    config = next((config for config in configs if config.mean == MEAN), configs[0])
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    file = config.hf_hub_filename or "model.safetensors"
    return f"{base}.{config.tag} of timm", f"{hub}/{config.hf_hub_id}/resolve/main/{file}"


def _at_torchvision(name: str) -> tuple[str, str]:
    import torchvision

    weights = torchvision.models.get_model_weights(name)
    if not list(weights):
        raise _unpublished(name)
    return f"{weights.DEFAULT} of torchvision", weights.DEFAULT.url


def _unpublished(name: str) -> InputError:
    return InputError(
        f"train.start: nobody has published ImageNet weights of {name}; set train.start to none or to a file of weights"
    )
