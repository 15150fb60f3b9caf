"""MegaDetector results (batch output format 1.6), written: a line for each image, in the order given."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from camtraps.files import replacing
from camtraps.formats.megadetector import CATEGORIES, FORMAT_VERSION

TEXT = pa.large_string()  # as many images as there are: offsets of 32 bits would end at 2 GB
LINES = 10_000  # that are written together
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


@dataclass(frozen=True)
class Document:
    """A result document.

    ``head`` holds all its keys but ``images``. ``files`` and ``entries`` (of type `TEXT`) have one item an image: its
    name, and the rest of its object as JSON without the brace before it, such as ``"detections": []}``.
    """

    head: Mapping[str, Any]
    files: Sequence[str]
    entries: pa.Array

    def images(self) -> list[dict[str, Any]]:
        """Give the images as objects; for documents that are not large."""
        return [json.loads(line) for line in self.lines().to_pylist()]

    def lines(self) -> pa.Array:
        """Give each image as JSON."""
        return joined('{"file": ', pa.array([text(file) for file in self.files], TEXT), ", ", self.entries)

    def with_head(self, **more: Any) -> "Document":
        """Add keys to the head, or replace them."""
        return replace(self, head={**self.head, **more})

    def of_dataset(self, dataset: str) -> "Document":
        """Give one dataset's part, with ``file`` relative to the dataset's image folder."""
        prefix = f"{dataset}/"
        own = [at for at, file in enumerate(self.files) if file.startswith(prefix)]
        files = [self.files[at].removeprefix(prefix) for at in own]
        return replace(self, files=files, entries=self.entries.take(pa.array(own, pa.int64())))


def head(info: Mapping[str, Any], detections: Mapping[str, str], classes: Mapping[str, str]) -> dict[str, Any]:
    """Make a head of format 1.6.

    Args:
        info: more keys for ``info``.
        detections: names of the detection categories by id.
        classes: names of the classification categories by id.
    """
    named = {"detection_categories": dict(detections), "classification_categories": dict(classes)}
    return {"info": {**info, "format_version": FORMAT_VERSION}, **named}


def category_ids(names: Sequence[str]) -> dict[str, str]:
    """Give the id of each detection category: the usual ones, and the next numbers for others."""
    others = sorted(set(names) - set(CATEGORIES.values()))
    return {name: number for number, name in CATEGORIES.items()} | {
        name: str(len(CATEGORIES) + 1 + at) for at, name in enumerate(others)
    }


def failure(reason: str) -> str:
    """Give the entry of an image that no detector could read."""
    return f'"failure": {text(reason)}, "detections": null}}'


def text(value: Any) -> str:
    """Give a value as JSON; NaN is refused, since JSON has none."""
    return _encode(value)


def joined(*parts: str | pa.Array) -> pa.Array:
    """Put arrays of `TEXT` together element by element, with the same texts between all of them."""
    typed = (pa.scalar(part, TEXT) if isinstance(part, str) else part for part in parts)
    return pc.binary_join_element_wise(*typed, pa.scalar("", TEXT))


def write(document: Document, path: Path) -> None:
    """Write a document, whole or not at all."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        before = ",\n ".join(f"{text(key)}: {text(value)}" for key, value in document.head.items())
        file.write("{" + before + ',\n "images": [')
        lines = document.lines()
        for start in range(0, len(lines), LINES):
            file.write((",\n  " if start else "\n  ") + ",\n  ".join(lines[start : start + LINES].to_pylist()))
        file.write("\n ]}\n")
