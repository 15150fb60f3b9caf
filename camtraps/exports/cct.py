"""COCO Camera Traps (CCT) written: images, categories and annotations of a catalog in one JSON, a record on each line.

What CCT has no word for:

* A photo that a person looked over without finding anything to box has ``"boxed": true`` (and no box): a field of ours,
  which other tools pass over. No annotation ``empty`` is made up for it, since nobody gave it that label.
* A box without a class of its own takes the photo's label if that is the only one and an animal, else its category
  (animal, person, vehicle, group) stands as its class. Both are counted.
* The category of a box is lost where its class does not suggest it (a ``group`` of ``cow``).
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import duckdb

from camtraps.files import replacing
from camtraps.formats.rows import CATEGORY_OF_CLASS, EMPTY_CLASSES

_NO_ANIMAL = ", ".join(f"'{name}'" for name in sorted(EMPTY_CLASSES | set(CATEGORY_OF_CLASS)))

# Lines are complete JSON that ends in a comma; concat passes over null, which is what an unknown field is.
_IMAGES = """
with frames as (select dataset, sequence, count(*) as number from photos where sequence is not null group by all)
select concat('{"id": ', to_json({key}), ', "file_name": ', to_json({key}),
    ', "width": ' || width, ', "height": ' || height,
    ', "datetime": ' || strftime(datetime, '"%Y-%m-%d %H:%M:%S"'),
    ', "location": ' || to_json({prefix} || location), ', "seq_id": ' || to_json({prefix} || sequence),
    ', "seq_num_frames": ' || number, ', "frame_num": ' || frame,
    case when corrupt then ', "corrupt": true' end, case when len(boxes) = 0 then ', "boxed": true' end, '},') as line
from chosen left join frames using (dataset, sequence) order by dataset, file
"""

_NAMED = f"""
create temp view named as
select dataset, file, image, number, width, height, mark.level as level, mark.class is null as unnamed,
    mark.x as x, mark.y as y, mark.w as w, mark.h as h, coalesce(mark.class, sole, mark.category) as class,
    -- A box that takes the only label says no more than that: it may be one of the sequence.
    coalesce(mark.level, case when sole is not null and not list_contains(labels, {{'class': sole, 'level': 'image'}})
        then 'sequence' end, 'image') as said_level, mark.class is null and sole is not null as inherited
from (
    select *, case when mark.category = 'animal' and len(classes) = 1
        and lower(trim(classes[1])) not in ({_NO_ANIMAL}) then classes[1] end as sole
    from (
        select *, unnest(marks) as mark, unnest(generate_series(1, len(marks))) as number,
            list_distinct(list_transform(labels, lambda l: l.class)) as classes
        from chosen
    )
)
"""

_CATEGORIES = """
create temp table categories as
select class, case when lower(trim(class)) = 'empty' then 0
    else row_number() over (partition by lower(trim(class)) = 'empty' order by class) end as id
from (select distinct class from named)
"""

# Four decimals of a pixel give back the whole numbers that most boxes were drawn with.
_ANNOTATIONS = """
select concat('{"id": ', to_json({key} || '#' || number), ', "image_id": ', to_json({key}), ', "category_id": ', id,
    case when x is null then null
         when width > 0 and height > 0 then ', "bbox": ' || to_json(
            [round(x * width, 4), round(y * height, 4), round(w * width, 4), round(h * height, 4)])
         else ', "bbox_relative": ' || to_json([x, y, w, h]) end,
    case when said_level = 'sequence' then ', "sequence_level_annotation": true' end, '},') as line
from named join categories using (class) order by dataset, file, number
"""


def export(
    database: duckdb.DuckDBPyConnection, path: Path, description: str, names: Literal["file", "image"] = "image"
) -> str:
    """Write the photos of the view ``chosen`` as a CCT file, sorted by dataset and file; give the counts as text.

    Fields of an image stand there where they are known; ``seq_num_frames`` counts the photos of the sequence in the
    whole catalog. Boxes are absolute where the photo's size is known, else ``bbox_relative``.

    Args:
        database: with the views ``photos`` (the catalog) and ``chosen``, from `flat.choose`.
        path: the file to write.
        description: for ``info``.
        names: what names a photo: its ``file``, relative to the image folder of the one dataset there is; or its
            ``image``, ``<dataset>/<file>``, for several datasets. Locations and sequences, too, then begin with
            ``<dataset>/``, so that those of two datasets never become one.
    """
    place = {"key": names, "prefix": "''" if names == "file" else "dataset || '/'"}
    database.execute(_NAMED)
    database.execute(_CATEGORIES)
    with replacing(path) as part, TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        images, annotations = Path(folder) / "images", Path(folder) / "annotations"
        _copy(database, _fields(_IMAGES, place), images)
        _copy(database, _fields(_ANNOTATIONS, place), annotations)
        info = json.dumps({"version": "1.0", "description": description}, ensure_ascii=False)
        _compose(part, info, {"images": images, "categories": _categories(database), "annotations": annotations})
    return _counts(database)


def _fields(sql: str, values: dict[str, str]) -> str:
    # The text is full of braces of its own.
    for name, value in values.items():
        sql = sql.replace("{" + name + "}", value)
    return sql


def _copy(database: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    # JSON has escapes for all control characters: the delimiter never comes, and nothing is quoted or doubled.
    target = str(path).replace("'", "''")
    database.execute(f"copy ({sql}) to '{target}' (format csv, header false, quote '', escape '', delimiter E'\\x01')")


def _categories(database: duckdb.DuckDBPyConnection) -> str:
    """Give the categories as lines; 0 is empty, the others follow in alphabetical order."""
    rows = database.execute("select id, class from categories where id > 0 order by id").fetchall()
    lines = [json.dumps({"id": at, "name": name}, ensure_ascii=False) for at, name in [(0, "empty"), *rows]]
    return "".join(line + ",\n" for line in lines)


def _compose(path: Path, info: str, lists: dict[str, Path | str]) -> None:
    with path.open("wb") as file:
        file.write(f'{{"info": {info}'.encode())
        for name, lines in lists.items():
            file.write(f',\n"{name}": ['.encode())
            start = file.tell()
            file.write(b"\n")
            if isinstance(lines, str):
                file.write(lines.encode())
            else:
                with lines.open("rb") as source:
                    shutil.copyfileobj(source, file)
            # The last record's comma and line end go; of an empty list, the line end before it.
            file.seek(max(start, file.tell() - 2))
            file.truncate()
            file.write(b"]" if file.tell() == start else b"\n]")
        file.write(b"}\n")


def _counts(database: duckdb.DuckDBPyConnection) -> str:
    sql = """select * from (select count(*), count(*) filter (len(boxes) = 0) from chosen),
                           (select count(*) filter (id > 0) + 1 from categories),
                           (select count(*), count(x), count(*) filter (inherited),
                                count(*) filter (unnamed and not inherited) from named)"""
    photos, clear, categories, annotations, boxes, inherited, unnamed = database.execute(sql).fetchall()[0]
    notes = {
        "boxes without a class took the photo's only label": inherited,
        "boxes without a class stand under their category": unnamed,
        "photos looked over without a box carry boxed: true": clear,
    }
    line = f"{photos:,} photos, {annotations:,} annotations, {boxes:,} of them boxes, {categories:,} categories"
    return line + "".join(f"; {number:,} {what}" for what, number in notes.items() if number)
