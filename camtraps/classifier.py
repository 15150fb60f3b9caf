"""The classifier in use: pictures in memory in, logits and calibrated probabilities out; boxes cut from a photo."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from camtraps import images, metrics, models, networks
from camtraps.crops import CropParams, plan
from camtraps.errors import InputError
from camtraps.inference import BATCH_SIZE, forward
from camtraps.models import ModelInfo
from camtraps.ranks import device
from camtraps.transforms import eval_view

Picture = Image.Image | NDArray[np.uint8]  # in any size: a PIL image, or RGB pixels (height, width, 3)
Place = tuple[float, float, float, float]  # of a box: x, y, w, h, relative to the upright photo


@dataclass(frozen=True)
class Classifier:
    """A network, ready on the device where it computes, and what it must know of itself."""

    network: nn.Module
    info: ModelInfo

    def logits(self, pictures: Iterable[Picture]) -> NDArray[np.float64]:
        """Classify crops, seen as `inference.run` sees those of the pipeline.

        Returns:
            (pictures, classes), in the order of ``info.classes``.
        """
        seen = [view(picture, self.info.image_size) for picture in pictures]
        return self.of_views(torch.stack(seen) if seen else torch.empty(0))

    def of_views(self, views: Tensor) -> NDArray[np.float64]:
        """Classify what `view` has made of crops, `inference.BATCH_SIZE` at a time.

        Args:
            views: (crops, 3, size, size) uint8.

        Returns:
            As `logits`.
        """
        with torch.inference_mode():
            steps = range(0, len(views), BATCH_SIZE)
            found = [forward(self.network, views[at : at + BATCH_SIZE]) for at in steps]
        return np.concatenate([np.empty((0, len(self.info.classes))), *found])

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Make logits, (crops, classes), calibrated probabilities."""
        return metrics.calibrated(logits, self.info.temperature)


def load(folder: Path) -> Classifier:
    """Read a model folder and put the network on the GPU if there is one; errors as `models.load`."""
    network, info = models.load(folder)
    if info.architecture in networks.EFFICIENTNETS and device().type == "cpu":
        network = folded(network)
    return Classifier(network.to(device(), memory_format=torch.channels_last), info)  # type: ignore[call-overload]


def folded(network: nn.Module) -> nn.Module:
    """Put each batch normalisation of an EfficientNet into the convolution before it.

    In use it only scales and shifts: the logits are the same but for 1e-6, in three quarters of the time on a CPU. In
    timm's EfficientNets every normalisation stands behind its convolution, which is not so in all networks.
    """
    network = copy.deepcopy(network)
    for module in network.modules():
        for (name, before), (own, after) in pairwise(list(module.named_children())):
            if isinstance(before, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(before, after))
                setattr(module, own, getattr(after, "act", nn.Identity()))
    return network


def view(picture: Picture, size: int) -> Tensor:
    """Make of a crop what the network sees: (3, size, size) uint8."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    # As decoding shrinks a stored crop: libjpeg's scaling by 1/2, 1/4 or 1/8 is a mean over pixels too.
    factor = next((each for each in (8, 4, 2) if min(image.size) >= each * size), 1)
    return eval_view(image.convert("RGB").reduce(factor), size)


def crop_params(info: ModelInfo) -> CropParams:
    """Give the crop rule of a model.

    Raises:
        InputError: ``model.json`` has one of another version.
    """
    try:
        return CropParams(**info.crop | {"categories": tuple(info.crop["categories"])})
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"model.json: crop: not a crop rule of this version ({error}); train or import anew") from None


def cut(photo: images.Photo, boxes: Sequence[Place], params: CropParams) -> list[Image.Image | None]:
    """Cut boxes out of one photo, which is decoded once, as the stage crop does.

    The pixels are those that the stage encodes: what is missing is the loss of its JPEG at quality 92. Of the demo's
    208 test crops one gets another most probable class; probabilities differ by 0.001 in the mean, by 0.07 at most.

    Args:
        photo: from `images.opened`.
        boxes: of the photo.
        params: from `crop_params`; boxes below ``min_side`` are cut, too.

    Returns:
        One for each box; None for one without a pixel (rule ancestor), or of more pixels than fit in memory.

    Raises:
        PhotoError: the photo is cut off or damaged.
    """
    plans = [plan(box, photo.size, params) for box in boxes]
    good = [each if each and each.num_pixels <= images.MAX_CROP_PIXELS else None for each in plans]
    photo.expect(each.rectangle for each in good if each)
    return [photo.cut(each.rectangle, params.max_side, each.pad_to) if each else None for each in good]
