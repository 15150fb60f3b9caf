"""The flat table: photos of a catalog as CSV, one row for each photo, label and box; and which photos are exported.

`camtraps import csv` reads the table again. A photo that a person looked over without finding anything to box is the
one thing that it cannot say: such a photo comes back as one that nobody boxed.
"""

from pathlib import Path

import duckdb

from camtraps.errors import InputError
from camtraps.files import replacing

# A correction replaces the labels of a photo, and the classes of its boxes with them, as in the query.
_CORRECTED = """
select photos.* replace (
    case when level = 'correction' then [{'class': queried.class, 'level': 'image'}] else photos.labels end as labels,
    case when level = 'correction' then list_transform(boxes, lambda b: {'category': b.category,
            'class': null::varchar, 'x': b.x, 'y': b.y, 'w': b.w, 'h': b.h}) else boxes end as boxes)
from photos join queried using (image)
"""

# `marks`: the boxes, then the labels that no box carries. A box speaks for its photo, unless its class is a label of
# the sequence alone.
_CHOSEN = """
create view chosen as
with drawn as (
    select *, list_transform(coalesce(boxes, []), lambda b: {
        'class': b.class,
        'level': case when b.class is null then null
            when list_contains(labels, {'class': b.class, 'level': 'sequence'})
                and not list_contains(labels, {'class': b.class, 'level': 'image'}) then 'sequence' else 'image' end,
        'category': b.category, 'x': b.x, 'y': b.y, 'w': b.w, 'h': b.h}) as drawn
    from (%s)
), carried as (
    select *, list_transform(drawn, lambda d: {'class': d.class, 'level': d.level}) as carried from drawn
)
select * exclude (drawn, carried), list_concat(drawn, list_transform(
    list_filter(labels, lambda l: not list_contains(carried, l)),
    lambda l: {'class': l.class, 'level': l.level, 'category': null::varchar, 'x': null::double, 'y': null::double,
        'w': null::double, 'h': null::double})) as marks
from carried
"""

_ROWS = """
select dataset, file, location, sequence, frame, strftime(datetime, '%Y-%m-%d %H:%M:%S') as datetime, width, height,
    corrupt, mark.class as label, mark.level as level, mark.category as category,
    mark.x as x, mark.y as y, mark.w as w, mark.h as h
from (
    select *, unnest(case when len(marks) > 0 then marks else [null] end) as mark,
        unnest(generate_series(1, greatest(1, len(marks)))) as number
    from chosen
) order by dataset, file, number
"""


def choose(database: duckdb.DuckDBPyConnection, dataset: str | None = None, queried: bool = False) -> None:
    """Make the view ``chosen`` of the photos that an export is about.

    It has the catalog's columns and ``marks``, a list of (class, level, category, x, y, w, h): the boxes of the photo,
    then its labels that no box carries. ``class`` and ``level`` are null for a box whose class nobody named, and the
    rest for a label without a box.

    Args:
        database: with the catalog's view ``photos``, from `catalog.connect`.
        dataset: this dataset alone; None for all.
        queried: only photos of the view ``queried`` (rows of the queried table), with their corrections.

    Raises:
        InputError: no such dataset, or queried photos are not in the catalog.
    """
    _check(database, dataset, queried)
    photos = _CORRECTED if queried else "from photos"
    if dataset is not None:
        photos = f"from ({photos}) where dataset = {_quoted(dataset)}"
    database.execute(_CHOSEN % photos)


def export(database: duckdb.DuckDBPyConnection, path: Path) -> str:
    """Write the photos of the view ``chosen`` as a flat table, sorted by dataset and file; give the counts as text.

    A photo without labels and boxes has one row. A box without a class has an empty ``label``.
    """
    with replacing(path) as part:
        database.execute(f"copy ({_ROWS}) to {_quoted(str(part))} (format csv, header true)")
    sql = """select count(*), sum(greatest(1, len(marks))), coalesce(sum(len(boxes)), 0),
                    count(*) filter (len(boxes) = 0) from chosen"""
    num_photos, num_rows, num_boxes, num_clear = database.execute(sql).fetchall()[0]
    loss = f"; {num_clear:,} photos looked over without a box, which a table cannot say" if num_clear else ""
    return f"{num_photos:,} photos, {num_rows or 0:,} rows, {num_boxes:,} boxes{loss}"


def _check(database: duckdb.DuckDBPyConnection, dataset: str | None, queried: bool) -> None:
    if dataset is not None:
        known = [name for (name,) in database.execute("select distinct dataset from photos order by all").fetchall()]
        if dataset not in known:
            raise InputError(f"--dataset: no dataset {dataset!r} in the catalog; it has {', '.join(known)}")
    if queried:
        sql = "select count(*), min(image) from queried anti join photos using (image)"
        number, first = database.execute(sql).fetchall()[0]
        if number:
            raise InputError(
                f"data/queried: {number} of its photos are not in this catalog, first {first}; name the collection "
                "that was queried with --name, or run `dvc repro`"
            )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
