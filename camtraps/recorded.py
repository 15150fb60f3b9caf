"""Recorded detections of a collection: what detectors said of its photos, by detector and version."""

from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from camtraps import tables
from camtraps.errors import MissingError
from camtraps.schema import RECORDED

BOXES = RECORDED.schema.field("boxes").type
TEXTS = ("image", "version", "failure", "note")

_ROWS = """
select image, version, failure, note, boxes
from (select *, parse_path(filename)[-2] as version from read_parquet($paths, filename = true)) {wanted}
order by image, failure is not null, version
"""


def read(collection: Path, version: str, images: "pd.Series[str] | None" = None) -> pd.DataFrame:
    """Read the recorded detections of a collection.

    Args:
        collection: ``data/<name>``.
        version: the folder below ``detections``, ``all`` for every one (of a photo the first version in alphabetical
            order counts, but a success before every failure), ``none`` for no recorded result.
        images: the images that are wanted; None for all.

    Returns:
        image, version, failure, note, and ``boxes``, an Arrow list of category, confidence, x, y, w, h, empty after a
        failure; one row a photo, sorted by image.

    Raises:
        MissingError: the version was asked for by name and is not there.
        TableError: a file of it is no such table.
    """
    paths = _paths(collection, version)
    for path in paths:
        tables.check_schema(path, RECORDED)
    if not paths:
        return _frame(pa.schema([*((name, pa.string()) for name in TEXTS), ("boxes", BOXES)]).empty_table())
    with duckdb.connect() as database:
        database.execute("set enable_progress_bar = false")
        if images is not None:
            database.register("wanted", pa.table({"image": pa.array(images, pa.string())}))
        sql = _ROWS.format(wanted="" if images is None else "semi join wanted using (image)")
        rows = database.sql(sql, params={"paths": [str(path) for path in paths]}).to_arrow_table()
    return _frame(rows).drop_duplicates("image", ignore_index=True)


def versions(collection: Path) -> list[str]:
    """Name the versions that a collection has results of, in the order in which they count."""
    return sorted({path.parent.name for path in (collection / "detections").glob("*/*.parquet")})


def _paths(collection: Path, version: str) -> list[Path]:
    folder, there = collection / "detections", versions(collection)
    if version not in ("all", "none") and not (folder / version).is_dir():
        raise MissingError(f"{folder / version}: no such recorded detector; there are: {', '.join(there) or 'none'}")
    wanted = [] if version == "none" else there if version == "all" else [version]
    return [path for name in wanted for path in sorted((folder / name).glob("*.parquet"))]


def _frame(rows: pa.Table) -> pd.DataFrame:
    boxes = rows["boxes"].cast(BOXES)
    frame = rows.select(list(TEXTS)).to_pandas()
    return frame.astype(dict.fromkeys(TEXTS, "str")).assign(boxes=pd.Series(boxes, dtype=pd.ArrowDtype(BOXES)))
