"""A tiny detector in MegaDetector's own file format, photos for it, and short ways to run it on them."""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from make_tables import detect_params
from megadetector.detection.run_detector import known_models
from PIL import Image, ImageDraw
from torch import nn

from camtraps.detectors import megadetector
from camtraps.errors import InputError, MissingError

RED, GREEN, BLUE, WHITE = (250, 20, 20), (20, 250, 20), (20, 20, 250), (255, 255, 255)
REDWOOD = "v1000.0.0-redwood"


class TinyDet(nn.Module):
    """Finds a red thing as the first class, a green one as the second, a blue one as the third; output as YOLOv5's."""

    def __init__(self, most: int = 99, names: dict[int, str] | None = None):
        super().__init__()
        self.most = most
        self.gain = nn.Parameter(torch.ones(1))
        if names:
            self.names = names

    def fuse(self) -> "TinyDet":
        return self

    def forward(self, views: torch.Tensor, augment: bool = False) -> list[torch.Tensor]:
        if len(views) > self.most:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore than one line.")
        if (views > 0.99).all(dim=1).float().mean() > 0.1:
            raise RuntimeError("a white photo")
        return [torch.stack([torch.stack([self._found(view, at) for at in range(3)]) for view in views])]

    def _found(self, view: torch.Tensor, channel: int) -> torch.Tensor:
        others = view[[at for at in range(3) if at != channel]].amax(dim=0)
        rows, columns = torch.nonzero(view[channel] - others > 0.5, as_tuple=True)
        row = torch.zeros(8)  # centre, size, objectness, classes
        if len(rows):
            left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
            place = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
            row[:5] = torch.stack([*place, view[channel, rows, columns].mean()])
            row[5 + channel] = self.gain.squeeze()
        return row


def checkpoint(path: Path, model: nn.Module | None = None, kind: str = "yolov5") -> Path:
    """Save a model as MegaDetector's authors do: a pickled module, and a note on it in the archive."""
    torch.save({"model": model or TinyDet()}, path)
    note = {"metadata_format_version": 1.0, "model_version_string": "tiny", "image_size": 320}
    with zipfile.ZipFile(path, "a") as archive:
        folder = archive.namelist()[0].split("/")[0]
        archive.writestr(f"{folder}/megadetector_info.json", json.dumps(note | {"model_type": kind}))
    return path


def photo(path: Path, *things: tuple, size: tuple[int, int] = (400, 300), ground: tuple = (90, 90, 90)) -> Path:
    """Draw a photo with things in it, each a colour and (left, top, right, bottom) in pixels."""
    image = Image.new("RGB", size, ground)
    for colour, (left, top, right, bottom) in things:
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=colour)
    image.save(path, quality=95)
    return path


def sha(path: Path | str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Vouch for a file; give its path."""
    monkeypatch.setenv("CAMTRAPS_TRUST_MODEL", f"{'0' * 64},{sha(path)}")
    return str(path)


def publish(path: Path, monkeypatch: pytest.MonkeyPatch, url: str = "http://127.0.0.1:9/md.pt") -> None:
    """Make a file the published MDv1000-redwood."""
    about = {"url": url, "md5": hashlib.md5(path.read_bytes()).hexdigest()}
    monkeypatch.setitem(known_models, REDWOOD, about)


def table(*paths: Path) -> pd.DataFrame:
    given = [{"image": f"ds/{path.name}", "dataset": "ds", "file": path.name, "uri": str(path)} for path in paths]
    return pd.DataFrame(given)


def look(photos: pd.DataFrame, model: str, **params: Any) -> dict[str, dict[str, Any]]:
    """Give the row of each photo, by its file."""
    kept: list[dict[str, Any]] = []
    megadetector.detect(photos, detect_params(model=model, **params), kept.extend)
    assert [row["image"] for row in kept] == list(photos["image"])
    return {row["file"]: row for row in kept}


def refusal(path: Path, **params: Any) -> str:
    """Give the line with which a run on a photo is refused."""
    with pytest.raises((InputError, MissingError)) as caught:
        megadetector.detect(table(path), detect_params(**params), lambda rows: None)
    assert "\n" not in str(caught.value)
    return str(caught.value)
