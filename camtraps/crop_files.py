"""Crops in files of their own, at any depth below a folder, as a dataset for the network."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import Dataset

from camtraps import images
from camtraps.classifier import view
from camtraps.datasets import Item, Pick
from camtraps.errors import InputError
from camtraps.storage import PhotoError, read_photo

SUFFIXES = (".jpg", ".jpeg", ".png")


class CropFiles(Dataset[Item]):
    """Crops by their names; each is decoded when it is asked for."""

    def __init__(self, folder: Path, names: Sequence[str], size: int) -> None:
        """Take names from `listed`, and the side of the view in pixels."""
        self._folder, self._names, self.size = folder, names, size

    def __len__(self) -> int:
        """Count the crops."""
        return len(self._names)

    def __getitem__(self, pick: Pick) -> Item:
        """Read one crop; one that cannot be read is black and says why."""
        try:
            data = read_photo(str(self._folder / self._names[pick.row]))
            with images.decoding():
                crop = images.opened_by_pillow(data)
                crop.draft("RGB", (self.size, self.size))  # as crops of shards are decoded
                seen = view(images.plain(crop), self.size)
        except PhotoError as error:
            black = torch.zeros(3, self.size, self.size, dtype=torch.uint8)
            return Item(pick.row, 0, black, torch.zeros(0), str(error).replace("photo", "crop", 1))
        return Item(pick.row, 0, seen, torch.zeros(0))


def listed(folder: Path) -> list[str]:
    """List the crops below a folder, sorted, with ``/`` between folders; other files are passed over.

    Raises:
        InputError: there is none.
    """
    found = (each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES)
    names = sorted(name for name in found if (folder / name).is_file())
    if not names:
        raise InputError(f"{folder}: no crop in it; looked for {' '.join(SUFFIXES)}")
    return names
