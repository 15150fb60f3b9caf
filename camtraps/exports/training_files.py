"""What CameraTraps trains from: ``classification_ds.csv``, ``splits.json`` and ``label_index.json``."""

import json
from pathlib import Path

import duckdb
import pandas as pd

from camtraps.errors import InputError
from camtraps.files import read_json, replacing, write_text
from camtraps.schema import SPLIT_NAMES as SPLITS
from camtraps.shards import member_name as crop_name

UNKNOWN = "unknown_location"

_ROWS = f"""
select crop_name(image, box, detector) as path, crops.dataset as dataset,
    coalesce(crops.location, '{UNKNOWN}') as location, queried.class as dataset_class,
    coalesce(confidence, 1.0) as confidence, crops.label as label,
    image, box, assigned.split as split, crops.sequence as sequence,
    strftime(crops.datetime, '%Y-%m-%d %H:%M:%S') as datetime, detector, x, y, w, h
from crops join assigned using (image, box) join queried using (image) order by image, box
"""


def export_crops(database: duckdb.DuckDBPyConnection, path: Path) -> str:
    """Write the crops as ``classification_ds.csv``, sorted by image and box; give the counts as text.

    The first six columns are those of CameraTraps: ``path`` (the crop's name, as in our shards), ``dataset``,
    ``location`` (``unknown_location`` where it is not known), ``dataset_class``, ``confidence`` (1.0: a person drew the
    box), ``label``. Then image, box, split, sequence, datetime, detector, and the rectangle that was cut as x, y, w, h,
    relative to the photo. Crops that the split left out (``split.min_locations``) are not in it, so that every row has
    a split.

    Args:
        database: with the views ``crops``, ``assigned`` and ``queried``, rows of the tables of these names.
        path: the file to write.

    Raises:
        InputError: the tables do not belong together.
    """
    _check(database)
    # The path is made by the function that names crops in the shards.
    database.create_function("crop_name", crop_name, ["varchar", "integer", "varchar"], "varchar")
    with replacing(path) as part:
        target = str(part).replace("'", "''")
        database.execute(f"copy ({_ROWS}) to '{target}' (format csv, header true)")
    sql = """select count(split), count(*) filter (split is null),
                    count(*) filter (split is not null and crops.location is null),
                    count(*) filter (split is not null and contains(crops.label, ','))
             from crops left join assigned using (image, box)"""
    num_rows, left_out, nowhere, commas = database.execute(sql).fetchall()[0]
    notes = {
        "left out by the split": left_out,
        f"at {UNKNOWN}, which is in no split of splits.json: see column split": nowhere,
        "of a label with a comma, at which CameraTraps takes it apart": commas,
    }
    return f"{num_rows:,} crops" + "".join(f"; {number:,} {what}" for what, number in notes.items() if number)


def export_splits(splits: pd.DataFrame, path: Path) -> str:
    """Write ``splits.json``: for each of train, val and test its pairs of dataset and location, sorted.

    A photo without location stands there with what the split took in its place: ``sequence ...`` or ``photo ...``.

    Args:
        splits: rows of the splits table.
        path: the file to write.
    """
    pairs: dict[str, list[list[str]]] = {name: [] for name in SPLITS}
    for row in splits.itertuples():
        pairs[row.split].append([row.dataset, row.location])
    lines = [f'"{name}": {json.dumps(sorted(pairs[name]), ensure_ascii=False)}' for name in SPLITS]
    write_text(path, "{" + ",\n ".join(lines) + "}\n")
    return f"{len(splits):,} locations: " + ", ".join(f"{len(pairs[name]):,} in {name}" for name in SPLITS)


def export_label_index(model: Path, labels: Path, path: Path) -> str:
    """Write ``label_index.json``: the name of each of the classifier's outputs, by number.

    If there is a classifier, the classes are its own, in the order of its probabilities (alphabetical if it was trained
    here). Without one they are all labels of the specification in alphabetical order, though the split may yet leave
    some out; the text that is given says which it was.

    Args:
        model: ``model.json`` of the classifier.
        labels: ``labels.json`` of the query.
        path: the file to write.

    Raises:
        MissingError: neither is there.
        InputError: the one that is there does not name classes.
    """
    if model.is_file():
        classes, source = _classes(model), f"of the classifier {model.parent}"
    else:
        remedy = "run `dvc repro`, or `dvc pull` if it was made elsewhere"
        given = read_json(labels, remedy)
        if not isinstance(given, dict):
            raise InputError(f"{labels}: expected {{label: ...}}, got a {type(given).__name__}; run `dvc repro`")
        classes, source = sorted(given), f"of {labels}, for want of a classifier in {model.parent}"
    write_text(path, json.dumps({str(at): name for at, name in enumerate(classes)}, ensure_ascii=False) + "\n")
    return f"{len(classes)} labels {source}"


def _check(database: duckdb.DuckDBPyConnection) -> None:
    for name, keys in (("crops", "image, box"), ("queried", "image")):
        number = database.execute(f"select count(*) from assigned anti join {name} using ({keys})").fetchall()[0][0]
        if number:
            raise InputError(f"data/splits: {number} of its crops are not in data/{name}; run `dvc repro`")


def _classes(model: Path) -> list[str]:
    given = read_json(model)
    classes = given.get("classes") if isinstance(given, dict) else None
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise InputError(f"{model}: classes: expected a list of names, got {classes!r}"[:300] + "; run `dvc repro`")
    return classes
