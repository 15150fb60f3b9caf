"""Small things to test with: a drawn collection, a COCO Camera Traps document, a taxonomy, a catalog from a few words.

The tiny collection has three cameras whose names look like numbers or nothing (`007`, `NA`, `north`), four photos at
each, one of every class; one class is called `null` and one label `NA`. The deer and the fox have a box.
"""

import csv
import io
import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
from PIL import Image, ImageDraw

from camtraps import catalog, collection_files, importing

LOCATIONS = ("007", "NA", "north")
CLASSES = ("deer", "fox", "null", "empty")
COLOURS = {"deer": (200, 40, 40), "fox": (40, 60, 220), "null": (40, 200, 60)}
SIZE_PX = (64, 48)
BOX_PX = (16, 12, 32, 24)  # left, top, width, height: relative 0.25, 0.25, 0.5, 0.5
BOX = {"x": 0.25, "y": 0.25, "w": 0.5, "h": 0.5}

LINEAGES = {
    "deer": [("species", "capreolus capreolus"), ("genus", "capreolus"), ("family", "cervidae")],
    "fox": [("species", "vulpes vulpes"), ("genus", "vulpes"), ("family", "canidae")],
    "null": [("species", "sus scrofa"), ("genus", "sus"), ("family", "suidae")],
    "empty": [],
}
LABEL_SPEC = {
    "cervid": {"taxa": [{"level": "family", "name": "cervidae"}]},
    "canid": {"taxa": [{"level": "family", "name": "canidae"}]},
    "NA": {"dataset_labels": {"tiny": ["null"]}},
}


def photo(name: str = "empty", size_px: tuple[int, int] = SIZE_PX) -> bytes:
    """Draw a grey JPEG with a box in the colour of a class."""
    image = Image.new("RGB", size_px, (128, 128, 128))
    if name in COLOURS:
        left, top, width, height = BOX_PX
        ImageDraw.Draw(image).rectangle((left, top, left + width - 1, top + height - 1), COLOURS[name])
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def cct() -> dict[str, Any]:
    """Make the COCO Camera Traps document of the tiny collection."""
    document: dict[str, Any] = {"info": {"version": "1.0", "description": "tiny"}, "images": [], "annotations": []}
    document["categories"] = [{"id": at, "name": name} for at, name in enumerate(CLASSES, start=1)]
    names = [(location, name) for location in LOCATIONS for name in CLASSES]
    for at, (location, name) in enumerate(names):
        image = {
            "id": f"i{at}",
            "file_name": f"{location}/{name}.jpg",
            "width": SIZE_PX[0],
            "height": SIZE_PX[1],
            "location": location,
            "seq_id": f"s{at}",
            "frame_num": 0,
            "datetime": str(datetime(2024, 4, 1, 5) + timedelta(hours=at)),
        }
        label = {"id": f"a{at}", "image_id": f"i{at}", "category_id": CLASSES.index(name) + 1}
        if name in ("deer", "fox"):
            label["bbox"] = list(BOX_PX)
        document["images"].append(image)
        document["annotations"].append(label)
    return document


def taxonomy_csv(lineages: dict[tuple[str, str], list[tuple[str, str]]]) -> str:
    """Make a taxonomy table from (dataset, label) -> taxa, most specific first."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["dataset_name", "query", "source", "taxonomy_level", "scientific_name", "taxonomy_string"])
    for (dataset, label), lineage in lineages.items():
        level, name = lineage[0] if lineage else ("", "")
        items = [(at, *taxon, []) for at, taxon in enumerate(lineage)]
        writer.writerow([dataset, label, "inat", level, name, str(items) if items else ""])
    return buffer.getvalue()


def write_source(folder: Path) -> Path:
    """Write what a user brings: ``images/``, ``cct.json``, ``taxonomy.csv``, ``label_spec.json``."""
    for location in LOCATIONS:
        (folder / "images" / location).mkdir(parents=True)
        for name in CLASSES:
            (folder / "images" / location / f"{name}.jpg").write_bytes(photo(name))
    write_json(folder / "cct.json", cct())
    lineages = {("tiny", name): lineage for name, lineage in LINEAGES.items()}
    (folder / "taxonomy.csv").write_text(taxonomy_csv(lineages), encoding="utf-8")
    write_json(folder / "label_spec.json", LABEL_SPEC)
    return folder


def write_collection(folder: Path) -> Path:
    """Write the tiny collection as ``folder/data/tiny``, ready for `stages.query`; give its path."""
    source, collection = write_source(folder / "source"), folder / "data" / "tiny"
    importing.import_cct(collection, "tiny", source / "cct.json", str(source / "images"))
    collection_files.place_taxonomy(collection, source / "taxonomy.csv")
    collection_files.place_label_spec(collection, source / "label_spec.json")
    return collection


def write_json(path: Path, value: Any) -> Path:
    """Write JSON as anybody would."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def row(image: str, *labels: str, sequence: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Make a row of the catalog table.

    Args:
        image: ``<dataset>/<file>``.
        labels: classes of the image itself.
        sequence: classes of its sequence.
        more: other columns.
    """
    dataset, file = image.split("/", maxsplit=1)
    levels = [{"class": name, "level": "image"} for name in labels]
    levels += [{"class": name, "level": "sequence"} for name in sequence]
    columns = dict.fromkeys(("location", "sequence", "frame", "datetime", "width", "height", "boxes"))
    own = {"image": image, "dataset": dataset, "file": file, "corrupt": False, "labels": levels}
    return columns | own | more


def database(folder: Path, *rows: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    """Write rows as a catalog, one file a dataset, and open it."""
    for dataset in {each["dataset"] for each in rows}:
        own = sorted((each for each in rows if each["dataset"] == dataset), key=lambda each: each["file"])
        catalog.write(own, catalog.dataset_path(folder, dataset))
    return catalog.connect(folder)


@contextmanager
def small_files(num_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a size, which this process meets as it would the end of a disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
