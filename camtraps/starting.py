"""What training starts from: nothing, the published ImageNet weights, or the weights of an earlier model."""

import os
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

IMAGENET = "imagenet"


def begin(network: nn.Module, start: str | None, architecture: str, classes: list[str], image_size: int) -> str | None:
    """Put the weights that training starts from into a network.

    The last layer keeps the outputs of classes that an earlier model of ours knows by the same name. In other files
    classes have no names, so that the last layer stays as it is (`foreign_models.adopt` gives them names).

    Args:
        network: from `networks.build`, with the padding of `padding`.
        start: None; ``imagenet``; or the path of a model folder or a checkpoint.
        architecture: of the network.
        classes: names of its outputs.
        image_size: for which it was built.

    Returns:
        What was done, in a line for the log; None if nothing.

    Raises:
        MissingError: the file, or a network to fetch the weights over, is not there.
        InputError: there are no such weights, or they are of another architecture.
    """
    if start is None:
        return None
    if start == IMAGENET:
        name, checkpoint = _published(architecture, image_size)
        checkpoints.fill(network, checkpoint, {}, name)
        return f"starts from the ImageNet weights {name}, with a new last layer"
    path = _path(start)
    if not path.is_dir():
        checkpoints.fill(network, checkpoints.read(path), {}, start)
        return f"starts from {start}, with a new last layer: the file names no classes (`camtraps import-model` would)"
    previous, info = models.load(path)
    if info.architecture != architecture:
        raise InputError(f"{start}: is {info.architecture}, and train.model asks for {architecture}; make them equal")
    rows = {at: info.classes.index(name) for at, name in enumerate(classes) if name in info.classes}
    checkpoints.fill(network, Checkpoint(previous.state_dict()), rows, start)
    if info.classes == classes:
        return f"starts from {start}, with its last layer"
    kept = f"{num(len(rows), 'class', 'classes')} of {len(classes)} as in the old one" if rows else "no class is known"
    return f"starts from {start}, with a new last layer: {kept}"


def padding(start: str | None) -> Padding:
    """Give the padding that the network must be built with, to be the function whose weights it starts from.

    Raises:
        CamtrapsError: as in `begin`.
    """
    if start is None or start == IMAGENET:
        return "same"
    path = _path(start)
    return models.read_info(path).padding if path.is_dir() else checkpoints.read(path).padding or "same"


def fingerprint(start: str | None) -> str:
    """Hash what `begin` would start from, so that a change of a file's content is seen.

    Raises:
        CamtrapsError: as in `begin`.
    """
    if start is None or start == IMAGENET:
        return digest(start or "")
    path = _path(start)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return digest(*(file_digest(file) for file in files))


def _path(start: str) -> Path:
    path = Path(start)
    if path.resolve() == layout.CLASSIFIER.resolve():
        raise InputError(f"train.start: {start} is removed before training writes it anew; copy it and name the copy")
    if not path.exists():
        raise MissingError(f"train.start: {start} not found; expected null, imagenet, a model folder or a checkpoint")
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
        f"train.start: nobody has published ImageNet weights of {name}; set train.start to null or to a file of weights"
    )
