"""Input collections, ``data/<name>/``: where the photos of their datasets lie."""

from pathlib import Path

from camtraps.errors import raise_all
from camtraps.files import read_csv
from camtraps.storage import Images, is_local

DATASET_COLUMNS = ("dataset", "images", "photos", "photos_digest", "source", "source_digest")
LICENCE = "licence"  # a column that a person may add
LOCATION_COLUMNS = ("dataset", "location", "latitude", "longitude")  # of locations.csv, degrees (WGS 84)


def read_images(collection: Path) -> Images:
    """Say where the photos of a collection lie; errors as in `read_image_roots`."""
    return Images(read_image_roots(collection), collection / "images")


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
    """Read ``datasets.csv``, with an empty `LICENCE` where there is none; errors as in `read_image_roots`."""
    rows = read_csv(path, DATASET_COLUMNS, "bring photos in with `camtraps import`")
    return [{name: row[name] for name in DATASET_COLUMNS} | {LICENCE: row.get(LICENCE) or ""} for _, row in rows]
