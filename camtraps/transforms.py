"""Views of a crop: what the network sees in training and in use. uint8 in, uint8 out; `normalise` comes last."""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torchvision.transforms.v2.functional as tv
from PIL import Image
from torch import Tensor
from torch.nn import functional

# Of ImageNet, as all pretrained weights expect.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns colour into grey
MAX_RATIO = 4 / 3  # of the sides of the part of a crop that a view shows, over those of the crop's pixels


@dataclass(frozen=True)
class Augmentation:
    """How much the views of training vary. Shares and chances are 0 to 1."""

    min_area: float
    """Least share of the crop that a view shows."""
    upside_down: float
    """Chance to be mirrored upside down; half of all views are mirrored left to right."""
    turned: float
    """Chance to be turned, by up to ``degrees`` either way."""
    degrees: float
    corner: int
    """Grey level, 0 to 255, of the corners that a turn leaves empty."""
    is_smooth: bool
    """Whether turning interpolates between pixels."""
    jitter: float
    """Brightness, contrast and saturation change by a factor of up to 1 -+ this."""
    grey: float
    """Chance to lose all colour: infrared photos are grey, so colour alone must not decide."""


# A crop is tight around the animal already, so ours keeps most of it; `ancestor` is what CameraTraps did.
AUGMENTATIONS = {
    "camtraps": Augmentation(0.6, 0.0, 0.5, 12.0, 127, True, 0.3, 0.2),
    "ancestor": Augmentation(0.08, 0.1, 1.0, 90.0, 0, False, 0.25, 0.1),
}


def eval_view(crop: Image.Image, size: int) -> Tensor:
    """Resize the shorter side to ``size`` px and cut the middle: (3, size, size) uint8."""
    resized = tv.resize(crop, [size], interpolation=tv.InterpolationMode.BICUBIC)
    return _tensor(np.asarray(tv.center_crop(resized, [size, size])))


def train_view(
    crop: Image.Image, size: int, augmentation: Augmentation, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Draw a random view: a part of the crop, perhaps mirrored, and what `vary` shall make of it.

    All chance comes from ``generator``, so that the number of worker processes changes nothing.

    Returns:
        (3, size, size) uint8; and (4,): degrees to turn by, factors of brightness, contrast and saturation.
    """
    view = np.asarray(crop.resize((size, size), Image.Resampling.BILINEAR, _part(crop.size, augmentation, generator)))
    is_mirrored, is_upside_down, is_turned, is_grey = generator.random(4) < (
        0.5,
        augmentation.upside_down,
        augmentation.turned,
        augmentation.grey,
    )
    view = view[:: -1 if is_upside_down else 1, :: -1 if is_mirrored else 1]
    degrees = generator.uniform(-augmentation.degrees, augmentation.degrees) if is_turned else 0.0
    light = generator.uniform(1 - augmentation.jitter, 1 + augmentation.jitter, 3)
    if is_grey:
        light[2] = 0.0
    return _tensor(view), torch.tensor([degrees, *light], dtype=torch.float32)


def vary(views: Tensor, looks: Tensor, augmentation: Augmentation) -> Tensor:
    """Turn views and change their light as drawn: on the device where they are, a batch at a time.

    Args:
        views: (batch, 3, size, size) uint8.
        looks: (batch, 4) from `train_view`, on the CPU.
        augmentation: as the views were drawn.

    Returns:
        Grey levels from 0 to 255, (batch, 3, size, size) float32.
    """
    levels = views.float()
    turned = torch.nonzero(looks[:, 0])[:, 0]
    if len(turned):
        at = turned.to(levels.device)
        levels[at] = _turned(levels[at], looks[turned, 0].to(levels.device), augmentation)
    return _relit(levels, *looks[:, 1:].to(levels.device).unbind(1))


def normalise(levels: Tensor) -> Tensor:
    """Scale grey levels from 0 to 255, (batch, 3, height, width), to floats of about zero mean and unit deviation."""
    mean = torch.tensor(MEAN, device=levels.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=levels.device).view(1, 3, 1, 1)
    return levels.float() * (1 / (255 * std)) - mean / std


def _part(
    size: tuple[int, int], augmentation: Augmentation, generator: np.random.Generator
) -> tuple[int, int, int, int]:
    """Draw left, top, right, bottom of a part of the crop, in pixels."""
    wide, high = size
    area = wide * high * generator.uniform(augmentation.min_area, 1.0)
    ratio = math.exp(generator.uniform(-math.log(MAX_RATIO), math.log(MAX_RATIO)))
    width = max(1, min(wide, round(math.sqrt(area * ratio))))
    height = max(1, min(high, round(math.sqrt(area / ratio))))
    top, left = int(generator.integers(0, high - height + 1)), int(generator.integers(0, wide - width + 1))
    return left, top, left + width, top + height


def _turned(levels: Tensor, degrees: Tensor, augmentation: Augmentation) -> Tensor:
    sine, cosine = torch.sin(torch.deg2rad(degrees)), torch.cos(torch.deg2rad(degrees))
    none = torch.zeros_like(sine)
    turns = torch.stack([cosine, -sine, none, sine, cosine, none], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(turns, list(levels.shape), align_corners=False)
    mode = "bilinear" if augmentation.is_smooth else "nearest"
    # What lies outside comes out as 0: the grey level of the corners.
    shifted = functional.grid_sample(levels - augmentation.corner, grid, mode, align_corners=False)
    return shifted + augmentation.corner


def _relit(levels: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Change the light of each view, by factors (batch,).

    Brightness scales levels, contrast their distance from the view's mean grey, saturation that from each pixel's own
    grey. All three are linear, so that each view takes one matrix of colours and one offset.
    """
    batch, _, height, width = levels.shape
    pixels = levels.permute(0, 2, 3, 1).reshape(batch, -1, 3)  # a view of levels that lie channels last
    luma = torch.tensor(LUMA, device=levels.device)
    mean_grey = pixels.mean(1) @ luma  # (batch,)
    own, grey = torch.eye(3, device=levels.device), luma[:, None].expand(3, 3)
    colours = torch.lerp(grey, own, saturation[:, None, None]) * (brightness * contrast)[:, None, None]
    offset = ((1 - contrast) * brightness * mean_grey)[:, None, None]
    relit = torch.baddbmm(offset, pixels, colours).clamp_(0, 255)
    return relit.view(batch, height, width, 3).permute(0, 3, 1, 2)


def _tensor(pixels: np.ndarray) -> Tensor:
    """Give pixels (height, width, 3) as (3, height, width), in the channels-last order in which they lie."""
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)
