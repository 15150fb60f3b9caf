"""A classifier of any origin, ready to run: a model folder of ours, a TorchScript or an ONNX file."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from camtraps import checkpoints, foreign_models, models
from camtraps.classifier import Classifier
from camtraps.errors import InputError, MissingError
from camtraps.files import digest, file_digest
from camtraps.foreign_models import Given
from camtraps.models import FORMAT, ModelInfo
from camtraps.transforms import MEAN, STD

SMALLEST = 1e-30  # probability whose logarithm is taken for a logit
UNNAMED = "class "  # how classes are called that nobody has named, before they are numbered


def load(path: Path, names: Sequence[str] | None, image_size: int | None, device: torch.device) -> Classifier:
    """Read a classifier and put it on a device.

    A TorchScript or ONNX file of `export-model` has its preprocessing inside and knows its classes and image size.
    Others take normalised images and give logits, or probabilities, which are told by their sum. Nothing but PyTorch's
    and ONNX's operations can be in such files; run those of people you trust.

    Args:
        path: the model folder or file.
        names: of the classes; None: those that the model has, or their numbers.
        image_size: side of the images that it was made for, in pixels; needed where nothing else says it.
        device: where to run.

    Raises:
        MissingError: no such file, or onnxruntime is not installed.
        InputError: it cannot be used, or does not fit the names or the size.
    """
    if path.is_dir():
        network, info = models.load(path)
    elif path.suffix == ".onnx":
        network, info = _onnx(path, image_size)
    elif checkpoints.is_exported(path):
        network, info = _Whole(models.load_script(path)), _exported(_extra(path), path)
    elif not path.is_file():
        raise MissingError(f"{path}: not found; check the path")
    elif checkpoints.is_script(path):
        network, info = _script(path, image_size)
    else:
        raise InputError(f"{path}: neither TorchScript nor ONNX; make a model folder of a checkpoint by `import-model`")
    if image_size not in (None, info.image_size):
        raise InputError(f"--image-size: {path} was made for {info.image_size} px; leave it out")
    if names is not None:
        if len(names) != len(info.classes):
            raise InputError(f"{path}: gives {len(info.classes)} classes, and the label index names {len(names)}")
        info = replace(info, classes=list(names))
    return Classifier(network.eval().to(device), info)


def fingerprint(path: Path) -> str:
    """Hash a model folder or file."""
    files = [path] if path.is_file() else sorted(each for each in path.iterdir() if each.is_file())
    return digest(*map(file_digest, files))


def numbered(classes: Sequence[str]) -> list[str]:
    """Name classes for a file of outputs: those without names by their numbers alone, as CameraTraps does."""
    return [str(at) if name == f"{UNNAMED}{at}" else name for at, name in enumerate(classes)]


class _Whole(nn.Module):
    """A function from images, 0 to 1, to probabilities, made one from normalised images to logits."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, views: Tensor) -> Tensor:
        # In full precision: resizing inside would lose grey levels.
        with torch.autocast(views.device.type, enabled=False):
            found: Tensor = self.network((views.float() * self.std + self.mean).clamp(0, 1))
        return found.clamp_min(SMALLEST).log()


class _Session(nn.Module):
    """An ONNX file as a network; it runs where onnxruntime can, whatever device it is asked on."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ImportError:
            raise MissingError(f"{path}: running ONNX needs onnxruntime; run `pip install '.[onnx]'`") from None
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        there = [name for name in wanted if name in onnxruntime.get_available_providers()]
        try:
            self.session = onnxruntime.InferenceSession(path, providers=there)
        except Exception as error:  # noqa: BLE001  # its own classes of errors, of which it exports none
            raise InputError(f"{path}: damaged, or no ONNX: {str(error).splitlines()[0][:200]}") from None
        self.about: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        self.input = self.session.get_inputs()[0]
        self.device = nn.Parameter(torch.empty(0))

    def forward(self, views: Tensor) -> Tensor:
        (found, *_) = self.session.run(None, {self.input.name: views.float().cpu().contiguous().numpy()})
        return torch.from_numpy(found)


class _Logarithm(nn.Module):
    """A network that gives probabilities, made one that gives logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, views: Tensor) -> Tensor:
        found: Tensor = self.network(views)
        return found.float().clamp_min(SMALLEST).log()


def _onnx(path: Path, image_size: int | None) -> tuple[nn.Module, ModelInfo]:
    if not path.is_file():
        raise MissingError(f"{path}: not found; check the path")
    session = _Session(path)
    if {"classes", "image_size"} <= set(session.about):
        return _Whole(session), _exported(session.about, path)
    shape = session.input.shape
    fixed = shape[2] if len(shape) == 4 and isinstance(shape[2], int) else None
    return _told(session, path, _needed(path, fixed or image_size))


def _script(path: Path, image_size: int | None) -> tuple[nn.Module, ModelInfo]:
    given = Given(architecture=None, image_size=image_size, padding=None)
    size = _needed(path, given.completed(path.parent / "params.json").image_size)
    return _told(models.load_script(path), path, size)


def _needed(path: Path, size: int | None) -> int:
    if size is None:
        raise InputError(
            f"{path}: does not say for which size of image it was made; give --image-size (MegaClassifier takes 300)"
        )
    return size


def _told(network: nn.Module, path: Path, size: int) -> tuple[nn.Module, ModelInfo]:
    """Try a network on noise, to see that it runs and what it gives."""
    views = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            found = network(views)
    except Exception as error:  # noqa: BLE001  # of whatever runs it
        why = str(error).strip().splitlines()[-1][:200]
        raise InputError(f"{path}: does not run on images of {size} px: {why}") from None
    if not isinstance(found, Tensor) or found.ndim != 2 or len(found) != 2:
        shape = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise InputError(f"{path}: gives {shape} for two images of {size} px, and should give [2, classes]")
    is_probable = bool((found >= 0).all() and ((found.sum(1) - 1).abs() < 1e-4).all())
    classes = [f"{UNNAMED}{at}" for at in range(found.shape[1])]
    return _Logarithm(network) if is_probable else network, _info(classes, size, path)


def _extra(path: Path) -> dict[str, str]:
    """Read what `export-model` says in a TorchScript file."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if "/extra/" in name]
        return {name.rpartition("/")[2]: archive.read(name).decode() for name in names}


def _exported(about: dict[str, str], path: Path) -> ModelInfo:
    try:
        info = _info([str(name) for name in json.loads(about["classes"])], int(about["image_size"]), path)
        # Files exported by earlier versions do not say how their crops are cut.
        return replace(info, crop=json.loads(about["crop"])) if "crop" in about else info
    except (KeyError, ValueError, TypeError):
        raise InputError(f"{path}: does not name its classes and image size; export it anew") from None


def _info(classes: list[str], size: int, path: Path) -> ModelInfo:
    return ModelInfo(
        format=FORMAT,
        architecture=models.TORCHSCRIPT,
        classes=classes,
        taxa={},
        image_size=size,
        mean=list(MEAN),
        std=list(STD),
        crop=foreign_models.crop_rule("ancestor", "square"),
        temperature=1.0,
        params={},
        data={},
        best_epoch=0,
        start=path.name,
    )
