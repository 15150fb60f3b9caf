"""``queried_images.json`` of the ancestor's query: photos with their class and what a person boxed.

Format: an object of ``<dataset>/<file>`` to ``{dataset, location, class, label, bbox}``; we also read ``seq_id``,
``frame_num``, ``datetime``, ``width``, ``height`` and ``label_source``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from camtraps.formats.megadb import boxes, fault, location_text
from camtraps.formats.rows import Annotation, Fault, Given, Photo, Problem, text
from camtraps.streams import members

SOURCES = ("image", "sequence")


def read(path: Path) -> Iterator[Given]:
    """Read the photos with their dataset, each one's class and human boxes.

    The class becomes the photo's label, of the level ``label_source`` (default ``image``). Where there is no class, the
    labels of the classifier that it was queried for stand in. A list ``bbox``, even an empty one, is all that a person
    found.

    Raises:
        MissingError: no such file.
        InputError: it is not JSON.
    """
    for key, at, image in members(path):
        if key is None:
            yield Fault("expected an object of <dataset>/<file> to photos, got a list")
            return
        if at is None and isinstance(image, dict):
            yield from _image(key, image)
        elif not at:  # a list is one mistake, however long
            yield fault(key, "an object", image if at is None else [image])


def _image(key: str, image: dict[str, Any]) -> Iterator[Given]:
    dataset, _, file = key.partition("/")
    if image.get("dataset", dataset) != dataset or not file:
        found = repr(image.get("dataset"))[:100]
        yield Problem(key, "dropped", "its key is not its dataset, a slash and its file name", found)
        return
    if faults := list(_faults(key, image)):
        yield from faults
        return
    yield Photo(
        key,
        key,
        file,
        location_text(image.get("location")),
        text(image.get("seq_id")),
        text(image.get("frame_num")),
        text(image.get("datetime")),
        text(image.get("width")),
        text(image.get("height")),
        dataset=dataset,
    )
    name = text(image.get("class"))
    for each in [name] if name else image.get("label") or []:
        yield Annotation(key, key, each, image.get("label_source") or "image")
    if image.get("bbox") is not None:
        yield from boxes(image["bbox"], key, key)


def _faults(key: str, image: dict[str, Any]) -> Iterator[Fault]:
    labels = image.get("label")
    if not isinstance(image.get("class") or "", str):
        yield fault(f"{key}: class", "a text", image["class"])
    if labels is not None and not (isinstance(labels, list) and all(isinstance(each, str) for each in labels)):
        yield fault(f"{key}: label", "a list of texts", labels)
    if (image.get("label_source") or "image") not in SOURCES:
        yield fault(f"{key}: label_source", " or ".join(SOURCES), image["label_source"])
