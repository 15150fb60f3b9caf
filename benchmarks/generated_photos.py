"""Photos to cut crops from, that compress and decode as those of cameras do.

A photo is noise whose power falls with the square of the frequency, as that of natural scenes does (Field 1987), with
little colour, plus the noise of a sensor; a few are made, and the others are these shifted, flipped and encoded again.
"""

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from benchmarks import generated
from benchmarks.generated import NAME
from camtraps import layout, tables
from camtraps.collections import DATASET_COLUMNS
from camtraps.schema import DETECTIONS, QUERIED

QUALITY = 85
CONTRAST, COLOUR, SENSOR = 42.0, 9.0, 2.5  # standard deviations, in grey levels
SLOPE = 1.15  # of the amplitude: that of scenes, and a lens that blurs a little
NUM_SCENES = 2
Numbers = npt.NDArray[Any]


def write_photos(folder: Path, num: int, size: tuple[int, int], seed: int = 1) -> list[Path]:
    """Write JPEG photos of a size in pixels; give their paths."""
    rng = np.random.default_rng(seed)
    scenes = [_scene(rng, size) for _ in range(NUM_SCENES)]
    folder.mkdir(parents=True)
    paths = [folder / f"{at:04}.jpg" for at in range(num)]
    for at, path in enumerate(paths):
        pixels = np.roll(scenes[at % NUM_SCENES], rng.integers(0, size[0], 2), (0, 1))
        Image.fromarray(pixels[:, ::-1] if at % 3 else pixels).save(path, quality=QUALITY)
    return paths


def _scene(rng: np.random.Generator, size: tuple[int, int]) -> Numbers:
    brightness = 115 + CONTRAST * _texture(rng, size)
    colours = np.stack([COLOUR * _texture(rng, size) for _ in range(3)], axis=2)
    noise = rng.normal(0, SENSOR, colours.shape)
    return (brightness[:, :, None] + colours + noise).clip(0, 255).astype(np.uint8)


def _texture(rng: np.random.Generator, size: tuple[int, int]) -> Numbers:
    """Draw noise of mean 0 and deviation 1 whose amplitude falls with the frequency."""
    width, height = size
    spectrum = np.fft.rfft2(rng.normal(size=(height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(spectrum / frequency**SLOPE, s=(height, width))
    return field / field.std()


def draw_boxes(num: int, seed: int = 1) -> Numbers:
    """Draw boxes of animals, (num, 4): x, y, w, h relative to the photo; half of them are wider than a sixth of it."""
    rng = np.random.default_rng(seed)
    sides = np.exp(rng.normal(np.log(0.17), 0.5, num)).clip(0.03, 0.7)[:, None] * rng.uniform(0.7, 1.3, (num, 2))
    corners = rng.random((num, 2)) * (1 - sides)
    return np.hstack([corners, sides]).round(4)


def boxes_table(files: list[str], locations: list[str]) -> pd.DataFrame:
    """Make rows of the detections table, one box for each photo of the dataset, with its file and location.

    A photo's box depends on its name alone.
    """
    drawn = draw_boxes(4096)[[crc32(file.encode()) % 4096 for file in files]]
    columns = dict(zip("xywh", drawn.T, strict=True))
    texts = {"category": "animal", "detector": "generated", "dataset": NAME, "class": None, "label": "animal"}
    columns |= {"image": [f"{NAME}/{file}" for file in files], "file": files, "location": locations}
    empty = dict.fromkeys(("calibrated", "repeat", "sequence", "frame", "datetime", "width", "height"))
    return pd.DataFrame(columns | texts | empty | {"box": 0, "confidence": 0.9})


def write_project(folder: Path, num_at: list[int], size: tuple[int, int] = (320, 240)) -> Path:
    """Write a folder in which ``stages.crop`` can run, with so many photos at each location; give the folder.

    Called again with more photos, it adds them and leaves those there alone.
    """
    locations = [f"{at:03}" for at, num in enumerate(num_at) for _ in range(num)]
    files = [f"{at:03}/{number:05}.jpg" for at, num in enumerate(num_at) for number in range(num)]
    collection = folder / "data" / NAME
    made = folder / "made"
    given = [path.read_bytes() for path in (sorted(made.iterdir()) if made.is_dir() else write_photos(made, 16, size))]
    for at, file in enumerate(files):
        path = collection / "photos" / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(given[at % len(given)])
    row = {"dataset": NAME, "images": "photos", "photos": str(len(files))}
    generated.write_csv(collection / "datasets.csv", DATASET_COLUMNS, [row])
    boxes = boxes_table(files, locations)
    photos = {"class": "animal", "labels": [["animal"]] * len(files), "why": "-", "level": "image"}
    tables.write(boxes, folder / layout.DETECTIONS / "detections.parquet", DETECTIONS)
    tables.write(boxes.assign(**photos, has_truth_boxes=False), folder / layout.QUERIED / "queried.parquet", QUERIED)
    generated.write_settings(folder)
    return folder
