"""Views of a crop: what the network sees in training and in use. uint8 in, uint8 out; `normalise` comes last."""

import math

import numpy as np
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image
from torch import Tensor

# Of ImageNet, as all pretrained weights expect.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

MIN_AREA, MAX_RATIO = 0.6, 4 / 3  # a crop is tight around the animal already: keep most of it
MAX_DEGREES = 12.0
JITTER = 0.3
GREY_SHARE = 0.2  # infrared photos are grey: colour alone must not decide


def eval_view(crop: Image.Image, size: int) -> Tensor:
    """Resize the shorter side to ``size`` px and cut the middle: (3, size, size) uint8."""
    resized = tv.resize(crop, [size], interpolation=tv.InterpolationMode.BICUBIC)
    return _tensor(tv.center_crop(resized, [size, size]))


def train_view(crop: Image.Image, size: int, generator: np.random.Generator) -> Tensor:
    """Draw a random view: a part of the crop, perhaps mirrored, turned a little, of other light or grey.

    All chance comes from ``generator``, so that the number of worker processes changes nothing.

    Returns:
        (3, size, size) uint8.
    """
    top, left, height, width = _part(crop.size, generator)
    view = tv.resized_crop(crop, top, left, height, width, [size, size], tv.InterpolationMode.BILINEAR)
    if generator.random() < 0.5:
        view = tv.horizontal_flip(view)
    if generator.random() < 0.5:
        degrees = float(generator.uniform(-MAX_DEGREES, MAX_DEGREES))
        view = tv.rotate(view, degrees, tv.InterpolationMode.BILINEAR, fill=[127, 127, 127])
    for change in (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation):
        view = change(view, float(generator.uniform(1 - JITTER, 1 + JITTER)))
    if generator.random() < GREY_SHARE:
        view = tv.rgb_to_grayscale(view, num_output_channels=3)
    return _tensor(view)


def normalise(views: Tensor) -> Tensor:
    """Scale uint8 views (batch, 3, height, width) to floats of about zero mean and unit deviation."""
    mean = torch.tensor(MEAN, device=views.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=views.device).view(1, 3, 1, 1)
    return (views.float() / 255 - mean) / std


def _part(size: tuple[int, int], generator: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw top, left, height, width of a part of the crop, in pixels."""
    wide, high = size
    area = wide * high * generator.uniform(MIN_AREA, 1.0)
    ratio = math.exp(generator.uniform(-math.log(MAX_RATIO), math.log(MAX_RATIO)))
    width = max(1, min(wide, round(math.sqrt(area * ratio))))
    height = max(1, min(high, round(math.sqrt(area / ratio))))
    return int(generator.integers(0, high - height + 1)), int(generator.integers(0, wide - width + 1)), height, width


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()  # (3, height, width)
