"""Input collections, ``data/<name>/``: their datasets' image folders and their recorded detections."""

from pathlib import Path

import pandas as pd

from camtraps import tables
from camtraps.errors import MissingError, raise_all
from camtraps.files import read_csv
from camtraps.schema import RECORDED
from camtraps.storage import is_local

DATASET_COLUMNS = ("dataset", "images", "photos", "photos_digest", "source", "source_digest")
LOCATION_COLUMNS = ("dataset", "location", "latitude", "longitude")  # of locations.csv, degrees (WGS 84)


def read_image_roots(collection: Path) -> dict[str, str]:
    """Give each dataset's image folder or URI; relative ones are relative to the collection.

    Raises:
        MissingError: the collection has no datasets.csv.
        InputError: it is not CSV, a column is missing, or it lacks a dataset of the catalog.
    """
    path = collection / "datasets.csv"
    roots = {}
    for row in read_datasets(path):
        root = row["images"]
        roots[row["dataset"]] = str(collection / root) if is_local(root) else root
    lacking = sorted({each.stem for each in (collection / "catalog").glob("*.parquet")} - set(roots))
    raise_all(path, [f"there is no row for dataset {name!r} of the catalog; import it again" for name in lacking])
    return roots


def read_datasets(path: Path) -> list[dict[str, str]]:
    """Read ``datasets.csv``; errors as in `read_image_roots`."""
    rows = read_csv(path, DATASET_COLUMNS, "bring photos in with `camtraps import`")
    return [{name: row[name] for name in DATASET_COLUMNS} for _, row in rows]


def read_recorded(collection: Path, version: str) -> pd.DataFrame:
    """Read the recorded detections of a collection.

    Args:
        collection: ``data/<name>``.
        version: the folder below ``detections``, ``all`` for every one (of a photo the first version in alphabetical
            order counts), ``none`` for no recorded result.

    Returns:
        image, version, failure, boxes (list of dicts, or None after a failure); one row a photo.

    Raises:
        MissingError: the version was asked for by name and is not there.
    """
    folder = collection / "detections"
    versions = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if version not in ("all", "none", *versions):
        raise MissingError(f"{folder / version}: no such recorded detector; there are: {', '.join(versions) or 'none'}")
    wanted = [] if version == "none" else versions if version == "all" else [version]
    parts = [
        tables.read(path, RECORDED).assign(version=name)
        for name in wanted
        for path in sorted((folder / name).glob("*.parquet"))
    ]
    if not parts:
        return tables.empty(RECORDED).assign(version="")
    # A success of a later version is better than a failure of an earlier one.
    recorded = pd.concat(parts, ignore_index=True)
    order = recorded.assign(failed=recorded["failure"].notna()).sort_values(
        ["image", "failed", "version"], kind="stable"
    )
    return order.drop_duplicates("image").drop(columns="failed").reset_index(drop=True)
