"""A small classifier with taxa, photos to classify, and MegaDetector's words for their boxes."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_networks import INFO, SMALL
from make_tables import crop_params
from PIL import ExifTags, Image

from camtraps import models
from camtraps.networks import build

CLASSES = ["badger", "deer", "fox"]
CARNIVORA = [["order", "carnivora"], ["class", "mammalia"]]
LINEAGES: dict[str, list[list[str]]] = {
    "badger": [["species", "meles meles"], ["genus", "meles"], ["family", "mustelidae"], *CARNIVORA],
    "deer": [["family", "cervidae"], ["order", "artiodactyla"], ["class", "mammalia"]],
    "fox": [["species", "vulpes vulpes"], ["genus", "vulpes"], ["family", "canidae"], *CARNIVORA],
}
CROP = asdict(crop_params()) | {"categories": ["animal"]}
BOX = [0.25, 0.25, 0.5, 0.5]


def write_model(folder: Path, **changes: Any) -> Path:
    """Write a model folder with random weights, whose answers differ by photo."""
    torch.manual_seed(0)
    taxa = {name: {"taxa": [], "dataset_labels": [], "lineage": LINEAGES[name]} for name in CLASSES}
    info = replace(INFO, classes=CLASSES, taxa=taxa, crop=CROP)
    network = build(SMALL, 3, 32)
    with torch.no_grad():
        models.head(network).weight *= 300  # as it is, all classes would be about as probable
    models.save(folder, network, replace(info, **changes))
    return folder


def write_photo(path: Path, number: int, taken: str | None = None) -> Path:
    """Draw a small photo that is like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    exif = Image.Exif()
    if taken:
        exif.get_ifd(ExifTags.IFD.Exif)[0x9003] = taken
    Image.fromarray(pixels).resize((64, 48), Image.Resampling.BILINEAR).save(path, quality=95, exif=exif)
    return path


def results(path: Path, boxes: dict[str, list[tuple[str, float]] | None], **more: Any) -> Path:
    """Write a result file: (category id, confidence) of the boxes of each photo; None: it failed."""
    images = [
        {"file": file, "failure": "Failure image access", "detections": None}
        if own is None
        else {"file": file, "detections": [{"category": name, "conf": conf, "bbox": BOX} for name, conf in own]}
        for file, own in boxes.items()
    ]
    info = {"format_version": "1.6", "detector": "md_v5a.0.1.pt"}
    names = {"1": "animal", "2": "person", "3": "vehicle"}
    path.write_text(json.dumps({"info": info, "detection_categories": names, "images": images} | more))
    return path
