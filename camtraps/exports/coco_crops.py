"""Crops as pictures with COCO JSON: ``train.json``, ``val.json`` and ``test.json`` beside folders of JPEG files.

As the tutorial of CameraTraps wrote them: one category a picture and no boxes, ``original_key`` names the photo.
"""

import json
from pathlib import Path

import pandas as pd

from camtraps.errors import InputError
from camtraps.exports.crops import put
from camtraps.exports.labelled_crops import LabelledCrops
from camtraps.files import write_text
from camtraps.progress import bar
from camtraps.schema import SPLIT_NAMES
from camtraps.shards import Reader


def export(given: LabelledCrops, shards_folder: Path, out: Path) -> str:
    """Write the pictures, and then the JSON of each split that has any; give the counts as text.

    A picture that is there already is left alone. Ids of pictures and annotations count from 1 in each file, those of
    categories from 0, as the outputs of a classifier; all files have all categories.

    Args:
        given: from `labelled_crops.choose`.
        shards_folder: what its ``shard`` column is relative to.
        out: the folder to write into.

    Raises:
        InputError: the name of a crop would lead out of the folder, or something stands in the way.
        MissingError: a shard is not there, or is shorter than the crops table says.
    """
    reader, crops = Reader(shards_folder), given.crops
    columns = [crops[name].tolist() for name in ("file", "shard", "offset", "length")]
    with bar("export crops", len(crops), "crops") as progress:
        for file, *place in zip(*columns, strict=True):
            put(out, file, reader.read(*place))
            progress.update()
    counts = []
    for split in SPLIT_NAMES:
        rows = crops[crops["split"] == split]
        path = out / f"{split}.json"
        if path.is_dir():
            raise InputError(f"{path}: is a folder; move it away, or export to a new folder")
        if len(rows):
            write_text(path, _document(rows, given.categories, split))
            counts.append(f"{len(rows):,} in {split}")
        else:
            path.unlink(missing_ok=True)
    return f"{len(crops):,} crops of {len(given.categories)} categories: {', '.join(counts)}"


def _document(rows: pd.DataFrame, categories: list[str], split: str) -> str:
    """Compose the JSON of a split, a record on each line."""
    columns = [rows[name].tolist() for name in ("width", "height", "file", "image", "location", "category")]
    images, annotations = [], []
    for at, (width, height, file, image, location, category) in enumerate(zip(*columns, strict=True), start=1):
        record = {"id": at, "width": width, "height": height, "file_name": file}
        images.append(record | {"original_key": image, "location": location})
        annotations.append({"id": at, "image_id": at, "category_id": category})
    named = [{"id": at, "name": name, "supercategory": "entity"} for at, name in enumerate(categories)]
    info = json.dumps({"version": "1.0", "description": f"camera-trap crops, {split}"})
    lists = {"images": images, "categories": named, "annotations": annotations}
    parts = [f'"info": {info}', *(f'"{name}": [\n{_lines(records)}\n]' for name, records in lists.items())]
    return "{" + ",\n".join(parts) + "}\n"


def _lines(records: list[dict[str, object]]) -> str:
    return ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
