"""Deployment: a classifier as one TorchScript or ONNX file, with the preprocessing inside and the classes beside it."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from camtraps.errors import InputError, MissingError
from camtraps.files import replacing
from camtraps.models import TORCHSCRIPT, ModelInfo
from camtraps.outputs import write_classes

INPUT = "images: float32 (batch, 3, height, width), RGB, 0 to 1, crops of any size"
OUTPUT = "probabilities: float32 (batch, classes), calibrated"
OPSET = 17
LARGEST_DIFFERENCE = 0.05  # of a probability, where crops are resized


class Deployed(nn.Module):
    """From crops of any size to probabilities: what `transforms.eval_view`, `normalise` and calibration do, on tensors.

    Resizing is Pillow's bicubic filter written as two matrix products, since exporters know no such operation. It
    differs from Pillow by its fixed-point arithmetic: a grey level here and there.
    """

    mean: Tensor
    std: Tensor
    pixels: Tensor

    def __init__(self, network: nn.Module, info: ModelInfo) -> None:
        """Take a classifier from `models.load`."""
        super().__init__()
        self.network = network
        self.size = float(info.image_size)
        self.temperature = info.temperature
        self.register_buffer("mean", torch.tensor(info.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(info.std).view(1, 3, 1, 1))
        self.register_buffer("pixels", torch.arange(info.image_size, dtype=torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        """Give probabilities (batch, classes) of images (batch, 3, height, width), RGB, 0 to 1."""
        logits = self.network((self.views(images) - self.mean) / self.std)
        return torch.softmax(logits / self.temperature, dim=1)

    def views(self, images: Tensor) -> Tensor:
        """Resize the shorter side to the model's size and cut the middle: (batch, 3, size, size), 0 to 1."""
        # Counted by operations, since a tracer would take a length that Python sees for a constant.
        rows, columns = (torch.ones_like(line).cumsum(0) for line in (images[0, 0, :, 0], images[0, 0, 0, :]))
        shorter = torch.minimum(rows[-1], columns[-1])
        wide = _grey_levels(images @ self._resampling(columns, shorter).T)
        return _grey_levels(self._resampling(rows, shorter) @ wide)

    def _resampling(self, counted: Tensor, shorter: Tensor) -> Tensor:
        """Give the share (size, length) that each pixel of a line has in each pixel of the view.

        Args:
            counted: 1, 2, ... length.
            shorter: shorter side of the image.
        """
        length = counted[-1]
        resized = torch.floor(self.size * length / shorter)
        left = torch.round((resized - self.size) / 2)
        scale = length / resized
        centres = (self.pixels + left + 0.5) * scale
        distance = (counted - 0.5 - centres[:, None]).abs() / scale.clamp(min=1)
        shares = torch.where(distance < 1, (1.5 * distance - 2.5) * distance**2 + 1, _outer(distance))
        return shares / shares.sum(dim=1, keepdim=True)


def export_torchscript(network: nn.Module, info: ModelInfo, path: Path) -> None:
    """Write a TorchScript file, and ``label_index.json`` beside it.

    Raises:
        InputError: the file would not compute what the classifier does.
    """
    deployed, example = _prepared(network, info)
    with _written(path, info) as part, _quiet():
        traced = torch.jit.trace(deployed, example, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, part, _extra_files={name: text.encode() for name, text in _about(info).items()})
        _compare(deployed, torch.jit.load(part, map_location="cpu"), info)  # type: ignore[no-untyped-call]


def export_onnx(network: nn.Module, info: ModelInfo, path: Path) -> None:
    """Write an ONNX file with dynamic batch, height and width, and ``label_index.json`` beside it.

    Raises:
        MissingError: the packages of the extra ``onnx`` are not installed.
        InputError: the network cannot be written as ONNX, or the file would not compute what the classifier does.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise MissingError(
            f"writing ONNX needs a package that is not here ({error}); run `pip install '.[onnx]'`"
        ) from None
    if info.architecture == TORCHSCRIPT:
        raise InputError("a compiled model cannot be written as ONNX; it runs anywhere as TorchScript")
    deployed, example = _prepared(network, info)
    with _written(path, info) as part:
        with _quiet():
            torch.onnx.export(
                deployed,
                (example,),
                str(part),
                dynamo=False,
                opset_version=OPSET,
                input_names=["images"],
                output_names=["probabilities"],
                dynamic_axes={"images": {0: "batch", 2: "height", 3: "width"}, "probabilities": {0: "batch"}},
            )
        document = onnx.load(part)
        onnx.helper.set_model_props(document, _about(info))
        onnx.save(document, part)
        session = onnxruntime.InferenceSession(part, providers=["CPUExecutionProvider"])
        _compare(deployed, lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0]), info)


def _outer(distance: Tensor) -> Tensor:
    """Give the cubic filter between 1 and 2 pixels; 0 beyond."""
    near = distance.clamp(max=2)
    return ((-0.5 * near + 2.5) * near - 4) * near + 2


def _grey_levels(images: Tensor) -> Tensor:
    return torch.round(images.clamp(0, 1) * 255) / 255


def _about(info: ModelInfo) -> dict[str, str]:
    """Say in the file what it is."""
    sizes = {"image_size": str(info.image_size), "crop": json.dumps(info.crop), "input": INPUT, "output": OUTPUT}
    return {"classes": json.dumps(info.classes, ensure_ascii=False), "architecture": info.architecture} | sizes


def _prepared(network: nn.Module, info: ModelInfo) -> tuple[nn.Module, Tensor]:
    side = info.image_size
    return Deployed(network.cpu(), info).eval(), _noise((2, 3, side + 7, side + 20))


@contextmanager
def _written(path: Path, info: ModelInfo) -> Iterator[Path]:
    with replacing(path) as part:
        yield part
    write_classes(info.classes, path.parent / "label_index.json")


def _compare(deployed: nn.Module, written: Callable[[Tensor], Tensor], info: ModelInfo) -> None:
    """Run what was written on batches and sizes that the exporter has not seen."""
    side = info.image_size
    # Where nothing is resized, no grey level can be rounded another way.
    for shape, largest in (((3, 3, side, side), 1e-4), ((1, 3, side * 2, side // 2), LARGEST_DIFFERENCE)):
        images = _noise(shape)
        with torch.inference_mode():
            difference = float((deployed(images) - written(images)).abs().max())
        if not difference < largest:
            raise InputError(
                f"{info.architecture} cannot be exported: the file would give other probabilities, by {difference:.2g}"
            )


def _noise(shape: tuple[int, ...]) -> Tensor:
    return _grey_levels(torch.rand(shape, generator=torch.Generator().manual_seed(0)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' remarks to themselves: what they write is compared with what it was made of."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
