"""``queried_images.json``: the photos of the last query as CameraTraps keeps them, one on each line."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from camtraps.files import replacing

PART = 500_000  # photos that are put together at once: their boxes are held in memory

# Lines are complete JSON that ends in a comma; concat passes over null, which is what an unknown field is.
_LINES = """
with drawn as (
    select image, string_agg(item, ', ' order by box) as items from (
        select image, box, concat('{"category": ', to_json(category), ', "class": ' || to_json(class),
            ', "bbox": ', to_json([x, y, w, h]), '}') as item
        from boxes where {range}
    ) group by image
)
select concat(to_json(image), ': {"dataset": ', to_json(dataset), ', "location": ' || to_json(location),
    ', "class": ', to_json(class), ', "label": ', to_json(labels),
    case when has_truth_boxes then concat(', "bbox": [', items, ']') end,
    ', "seq_id": ' || to_json(sequence), ', "frame_num": ' || frame,
    ', "datetime": ' || strftime(datetime, '"%Y-%m-%d %H:%M:%S"'), ', "width": ' || width, ', "height": ' || height,
    ', "label_source": "', case when level = 'sequence' then level else 'image' end, '"},') as line
from queried left join drawn using (image) where {range} order by image
"""


def export(database: duckdb.DuckDBPyConnection, path: Path) -> str:
    """Write the queried photos, sorted by ``<dataset>/<file>``; give the counts as text.

    Each has ``dataset``, ``class`` and ``label`` (a list), ``location`` where it is known, and ``bbox`` where a person
    boxed the photo, be it an empty list: no detector should be run on it then. Beyond CameraTraps: ``seq_id``,
    ``frame_num``, ``datetime``, ``width``, ``height`` and the ``class`` of a box, where they are known, and
    ``label_source``: image (be it a correction) or sequence.

    Args:
        database: with the views ``queried`` and ``boxes``, rows of the tables of these names.
        path: the file to write.
    """
    with replacing(path) as part, TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        lines = Path(folder) / "lines"
        with part.open("wb") as file:
            file.write(b"{\n")
            for limits in _ranges(database):
                _copy(database, _LINES.replace("{range}", limits), lines)
                with lines.open("rb") as source:
                    shutil.copyfileobj(source, file)
            # The last photo's comma and line end go; without photos, the line end before it.
            file.seek(max(1, file.tell() - 2))
            file.truncate()
            file.write(b"\n}\n")
    sql = """select * from (select count(*), count(*) filter (has_truth_boxes) from queried),
                           (select count(*) from boxes),
                           (select count(distinct label) from (select unnest(labels) as label from queried))"""
    photos, boxed, boxes, labels = database.execute(sql).fetchall()[0]
    return f"{photos:,} photos of {labels:,} labels, {boxed:,} of them boxed by people, {boxes:,} boxes"


def _ranges(database: duckdb.DuckDBPyConnection) -> list[str]:
    """Give SQL conditions that cut the images into ranges of `PART` photos, in their order."""
    # The table is sorted, so its row numbers are those of the sorted images.
    sql = f"select image from (select image, row_number() over () as nr from queried) where nr > 1 and nr % {PART} = 1"
    bounds = [_quoted(image) for (image,) in database.execute(sql).fetchall()]
    lower, upper = ["true", *(f"image >= {each}" for each in bounds)], [*(f"image < {each}" for each in bounds), "true"]
    return [f"{low} and {high}" for low, high in zip(lower, upper, strict=True)]


def _copy(database: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    # JSON has escapes for all control characters: the delimiter never comes, and nothing is quoted or doubled.
    form = "(format csv, header false, quote '', escape '', delimiter E'\\x01')"
    database.execute(f"copy ({sql}) to {_quoted(str(path))} {form}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
