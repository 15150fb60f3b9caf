"""A small classifier folder with random weights, and JPEG bytes."""

import io
from dataclasses import asdict, replace
from pathlib import Path

import torch
from make_networks import INFO, SMALL
from make_tables import crop_params
from PIL import Image

from camtraps import models
from camtraps.networks import build


def save(folder: Path) -> Path:
    """Write a model of three classes that cuts crops as the pipeline does by default."""
    torch.manual_seed(0)
    crop = asdict(crop_params()) | {"categories": ["animal"]}
    models.save(folder, build(SMALL, 3, 32), replace(INFO, crop=crop))
    return folder


def jpeg(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (160, 120)) -> bytes:
    """Draw red rectangles on grey."""
    photo = Image.new("RGB", size, "grey")
    for box in boxes:
        photo.paste("red", box)
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
