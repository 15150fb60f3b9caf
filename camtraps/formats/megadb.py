"""MegaDB: sequences with their images, classes and boxes, and the table that says where each dataset's photos lie.

Format: items of the containers ``sequences`` and ``datasets`` of CameraTraps' Cosmos database, as JSON. A property
stands at the highest level where it is constant, so what an image does not say its sequence may.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from camtraps.errors import InputError, raise_all
from camtraps.files import read_json
from camtraps.formats.rows import Annotation, Fault, Given, Photo, box_of, text
from camtraps.streams import members

UNLABELLED = "__label_unavailable"
BOX_CATEGORIES = ("animal", "person", "vehicle", "group")
NO_PREFIXES: Mapping[str, str] = {}


class Storage(NamedTuple):
    """Where the photos of a dataset lie: ``<root>/<prefix>/<file>``."""

    root: str
    """``https://<account>.blob.core.windows.net/<container>``, without a key."""
    prefix: str
    """Folder in the container, without slashes around it; may be empty. `read` puts it before the file name."""


def read(path: Path, prefixes: Mapping[str, str] = NO_PREFIXES) -> Iterator[Given]:
    """Read sequences: their photos, classes and boxes.

    A class of an image, even an empty list, stands in place of its sequence's, which is given with the level
    ``sequence``. An empty list of boxes says that a person found nothing to box. Keys are ``<dataset>/<file>``.

    Args:
        path: a JSON list of sequences, or an object with the list ``sequences``; also gzipped or in a zip.
        prefixes: by dataset, the folder that its file names are below, as of `read_datasets`.

    Raises:
        MissingError: no such file.
        InputError: it is not JSON.
    """
    keys: list[str] = []
    for key, at, sequence in members(path, "sequences"):
        keys += [] if key in keys[-1:] else [str(key)]
        if key != "sequences" or (at is None and sequence == []):
            continue
        place = "sequences" if at is None else f"sequences[{at}]"
        if at is None or not isinstance(sequence, dict):
            yield fault(place, "an object" if at is not None else "a list", sequence)
        elif faults := list(_faults_of_sequence(sequence, place)):
            yield from faults
        else:
            prefix = prefixes.get(sequence["dataset"], "").strip("/")
            for number, image in enumerate(sequence["images"]):
                yield from _image(image, sequence, f"{place}.images[{number}]", prefix)
    if keys and "sequences" not in keys:
        yield Fault(f"the list 'sequences' is missing; it has {', '.join(keys)[:80]}")


def read_datasets(path: Path) -> dict[str, Storage]:
    """Read the table of datasets: a list of its items, an object with the list ``datasets``, or one by name.

    Keys to the storage (SAS) that stand in the table are left out of the result and of messages.

    Raises:
        MissingError: no such file.
        InputError: it is not JSON, or items are not as they should be; all such are in the message.
    """
    document = read_json(path)
    if isinstance(document, dict):
        document = document.get("datasets", document)
    if isinstance(document, dict):
        document = [
            {"dataset_name": name} | item if isinstance(item, dict) else item for name, item in document.items()
        ]
    if not isinstance(document, list):
        raise InputError(f"{path}: expected a list of datasets, got a {type(document).__name__}")
    storages: dict[str, Storage] = {}
    problems: list[str] = []
    for at, item in enumerate(document):
        found = list(_problems_of_dataset(item))
        if not found and item["dataset_name"] in storages:
            found = [f"dataset {item['dataset_name']!r} stands twice"]
        if not found:
            root = f"https://{item['storage_account']}.blob.core.windows.net/{item['container']}"
            storages[item["dataset_name"]] = Storage(root, (item.get("path_prefix") or "").strip("/"))
        problems += [f"datasets[{at}]: {problem}" for problem in found]
    raise_all(path, problems)
    return storages


def boxes(given: Any, place: str, photo: str) -> Iterator[Given]:
    """Turn a list of ``{category, bbox}``, relative, into annotations; an empty one says that nothing is to be boxed.

    Args:
        given: the value of the key ``bbox``.
        place: of the photo.
        photo: its key.
    """
    if not isinstance(given, list):
        yield fault(f"{place}.bbox", "a list of boxes", given)
        return
    if not given:
        yield Annotation(place, photo, boxed=True)
    for at, box in enumerate(given):
        here = f"{place}.bbox[{at}]"
        if not isinstance(box, dict):
            yield fault(here, "an object with category and bbox", box)
        elif box.get("category") not in BOX_CATEGORIES:
            problem = f"box category is none of {', '.join(BOX_CATEGORIES)}"
            yield Annotation(here, photo, problem=problem, found=repr(box.get("category"))[:100])
        elif box.get("bbox") is None:
            yield Annotation(here, photo, problem="box is not four numbers", found="None")
        else:
            yield Annotation(here, photo, category=box["category"], **box_of(box["bbox"]))


def location_text(value: Any) -> str | None:
    """Give a location as text: an object or list as JSON with its keys sorted, so that the same one is the same."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")) if value else None
    return text(value)


def fault(place: str, expected: str, found: Any) -> Fault:
    """Say that something else stands where it should."""
    return Fault(f"{place}: expected {expected}, got {found!r}"[:200])


def _faults_of_sequence(sequence: dict[str, Any], place: str) -> Iterator[Fault]:
    if not isinstance(sequence.get("dataset"), str) or not sequence["dataset"].strip():
        yield fault(f"{place}.dataset", "a name", sequence.get("dataset"))
    if not isinstance(sequence.get("images"), list) or not sequence["images"]:
        yield fault(f"{place}.images", "a list of at least one image", sequence.get("images"))
    if not _is_class_list(sequence.get("class")):
        yield fault(f"{place}.class", "a list of texts", sequence.get("class"))


def _image(image: Any, sequence: dict[str, Any], place: str, prefix: str) -> Iterator[Given]:
    if not isinstance(image, dict):
        yield fault(place, "an object", image)
        return
    file, classes = image.get("file"), image.get("class")
    if not isinstance(file, str) or not file.strip():
        yield fault(f"{place}.file", "a file name", file)
        return
    if not _is_class_list(classes):
        yield fault(f"{place}.class", "a list of texts", classes)
        return
    both = sequence | {name: value for name, value in image.items() if value is not None}
    photo = _photo(both, f"{prefix}/{file}" if prefix else file, place)
    yield photo
    level = "sequence" if classes is None else "image"
    for name in both.get("class") or []:
        if name != UNLABELLED:
            yield Annotation(place, photo.key, name, level)
    if both.get("bbox") is not None:
        yield from boxes(both["bbox"], place, photo.key)


def _photo(image: dict[str, Any], file: str, place: str) -> Photo:
    sequence = text(image.get("seq_id"))
    return Photo(
        place,
        f"{image['dataset']}/{file}",
        file,
        location_text(image.get("location")),
        None if sequence and sequence.startswith("dummy_") else sequence,
        text(image.get("frame_num")),
        text(image.get("datetime")),
        text(image.get("width")),
        text(image.get("height")),
        image.get("corrupt") is True,
        image["dataset"],
    )


def _is_class_list(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _problems_of_dataset(item: Any) -> Iterator[str]:
    if not isinstance(item, dict):
        yield f"expected an object, got a {type(item).__name__}"
        return
    if not isinstance(item.get("dataset_name"), str) or not item["dataset_name"].strip():
        yield "dataset_name is missing"
    for key, allowed in (("storage_account", "[A-Za-z0-9]+"), ("container", "[$A-Za-z0-9-]+")):
        # Not shown beyond a question mark: a whole address with its key may stand there.
        value = item.get(key)
        if not isinstance(value, str) or not re.fullmatch(allowed, value):
            yield f"{key} is missing or no such name: {str(value).split('?')[0][:80]!r}"
    if not isinstance(item.get("path_prefix") or "", str):
        yield "path_prefix is no text"
