"""Foreign models made ours: a checkpoint or compiled network with the names of its classes becomes a model folder."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from camtraps import checkpoints, models
from camtraps.checkpoints import Checkpoint
from camtraps.crops import CropParams
from camtraps.errors import InputError
from camtraps.files import file_digest, read_json
from camtraps.models import FORMAT, TORCHSCRIPT, ModelInfo
from camtraps.networks import EFFICIENTNETS, Padding, build
from camtraps.transforms import MEAN, STD

# At which CameraTraps trains, for the message only: what a file does not say is never guessed.
NOMINAL = dict(zip(EFFICIENTNETS, (224, 240, 260, 300, 380, 456, 528, 600, 672), strict=True))


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a person says of a model, or its ``params.json``; None where neither does."""

    architecture: str | None
    image_size: int | None
    padding: Padding | None

    def completed(self, params: Path) -> "Given":
        """Fill in what the ``params.json`` of CameraTraps says, if it is there."""
        if not params.exists():
            return self
        said = read_json(params)
        if not isinstance(said, dict):
            raise InputError(f"{params}: expected an object with model_name, got {str(said)[:80]}")
        name, size = said.get("model_name"), said.get("image_size")
        if not isinstance(name, str | None) or not isinstance(size, int | None):
            raise InputError(f"{params}: expected model_name text and image_size a number, got {name!r}, {size!r}")
        return Given(architecture=self.architecture or name, image_size=self.image_size or size, padding=self.padding)


class _Form(NamedTuple):
    """What network it is."""

    architecture: str
    image_size: int
    padding: Padding


def crop_rule(rule: str, shape: str) -> dict[str, Any]:
    """Describe the crops that a foreign model wants, as ``rule.json`` does, in full size.

    Args:
        rule: ``crop.rule``.
        shape: ``crop.shape``.
    """
    own: dict[str, Any] = {"rule": rule, "shape": shape, "margin": 1.0, "min_side": 1, "max_side": None}
    own |= {"categories": ("animal",), "threshold": 0.65, "drop_repeats": False, "save_full_images": False}
    return asdict(CropParams(**own, quality=92, subsampling=420, max_failed=0.01)) | {"categories": ["animal"]}


def adopt(file: Path, classes: list[str], given: Given, crop: dict[str, Any]) -> tuple[nn.Module, ModelInfo]:
    """Make a model of ours of a checkpoint or a compiled network, ready for `models.save`.

    Args:
        file: a checkpoint as in `checkpoints.read`, or TorchScript, which is kept as it is.
        classes: names of its outputs.
        given: what is known of it.
        crop: from `crop_rule`.

    Raises:
        MissingError: no such file.
        InputError: the file cannot be used, does not fit the classes, or something must be said by hand.
    """
    if checkpoints.is_exported(file):
        raise InputError(f"{file}: written by `camtraps export-model`, with its preprocessing; use the model folder")
    if checkpoints.is_script(file):
        form = _Form(TORCHSCRIPT, _image_size(file, given, None), "same")
        network, epoch = _compiled(file, len(classes), form.image_size), None
    else:
        checkpoint = checkpoints.read(file)
        form = _form(file, given, checkpoint)
        network, epoch = _filled(file, checkpoint, len(classes), form), checkpoint.epoch
    return network.eval(), ModelInfo(
        format=FORMAT,
        architecture=form.architecture,
        classes=classes,
        taxa={name: {"taxa": [], "dataset_labels": []} for name in classes},
        image_size=form.image_size,
        mean=list(MEAN),
        std=list(STD),
        crop=crop,
        temperature=1.0,
        params={},
        data={"file": file_digest(file)},
        best_epoch=epoch or 0,
        padding=form.padding,
        start=file.name,
    )


def _form(file: Path, given: Given, checkpoint: Checkpoint) -> _Form:
    if not given.architecture:
        raise InputError(f"{file}: does not say what network it is; give --architecture or its params.json (--params)")
    size = _image_size(file, given, checkpoint.image_size)
    if given.architecture not in EFFICIENTNETS:
        return _Form(given.architecture, size, given.padding or "same")
    if padding := given.padding or checkpoint.padding:
        return _Form(given.architecture, size, padding)
    raise InputError(
        f"{file}: give --padding ancestor if CameraTraps trained it, same if efficientnet-pytorch 0.7.1 did: they "
        "pad otherwise, and nothing in the file tells which"
    )


def _image_size(file: Path, given: Given, found: int | None) -> int:
    if size := given.image_size or found:
        return size
    nominal = NOMINAL.get(given.architecture or "")
    hint = f"CameraTraps trains {given.architecture} at {nominal}" if nominal else "MegaClassifier v0.1 takes 300"
    raise InputError(f"{file}: does not say for which size of image it was made; give --image-size ({hint})")


def _filled(file: Path, checkpoint: Checkpoint, num_classes: int, form: _Form) -> nn.Module:
    network = build(form.architecture, num_classes, form.image_size, form.padding)
    num_outputs = checkpoints.num_classes(network, checkpoint)
    if num_outputs is not None and num_outputs != num_classes:
        raise InputError(f"{file}: has {num_outputs} classes, and the label index names {num_classes}")
    checkpoints.fill(network, checkpoint, {at: at for at in range(num_classes)}, str(file))
    return network


def _compiled(file: Path, num_classes: int, image_size: int) -> nn.Module:
    """Read a compiled network and try it on nothing."""
    network = models.load_script(file)
    if not any(True for _ in network.parameters()):
        raise InputError(f"{file}: a frozen model, which cannot be moved to a GPU; have its maker save it unfrozen")
    try:
        with torch.inference_mode():
            found = network(torch.zeros(1, 3, image_size, image_size))
    except RuntimeError as error:
        why = str(error).strip().splitlines()[-1][:200]
        raise InputError(f"{file}: does not run on an image of {image_size} px: {why}") from None
    shape = list(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
    if shape != [1, num_classes]:
        raise InputError(f"{file}: gives {shape} for one image, and the label index names {num_classes} classes")
    return network
