"""A table of photos as ecologists keep it: one CSV row for each photo, label and box; found by common headers."""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from camtraps.errors import InputError, raise_all
from camtraps.formats.rows import ANNOTATIONS, PHOTOS, Given, Problem
from camtraps.streams import batches

# Our names, and headers that mean the same; capitals, blanks and underscores do not count. A header that is our own
# name goes before the others.
HEADERS = {
    "file": ("filename", "filepath", "path", "image", "imagename", "imagefile", "imagepath", "photo"),
    "location": (
        *("site", "siteid", "station", "stationid", "camera", "cameraid", "camerasite"),
        *("locationid", "locationname", "locality", "placename"),
    ),
    "label": ("class", "species", "commonname"),
    "datetime": ("timestamp", "datetimeoriginal", "datetaken", "datetimetaken", "capturetime", "taken"),
    "sequence": ("seq", "seqid", "sequenceid", "event", "eventid", "burst", "burstid"),
    "frame": ("framenum", "framenumber"),
    "width": ("imagewidth", "widthpx"),
    "height": ("imageheight", "heightpx"),
    "dataset": ("datasetname",),
    "level": ("annotationlevel", "labellevel"),
    "category": ("detectioncategory",),
    "x": ("boxx", "bboxx"),
    "y": ("boxy", "bboxy"),
    "w": ("boxw", "bboxw", "boxwidth", "bboxwidth"),
    "h": ("boxh", "bboxh", "boxheight", "bboxheight"),
    "corrupt": ("corrupted",),
}
REQUIRED = ("file", "label")
BOX = ("x", "y", "w", "h")

# What R, pandas and Timelapse write; a cell of a name or a location keeps `NA`, a number cannot be that.
_NO_NUMBER = pa.array(["", "na", "nan", "null", "none"])
_YES = pa.array(["true", "t", "yes", "y", "1", "corrupt", "corrupted"])
_NUMBER = r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$"

Columns = Mapping[str, pa.ChunkedArray]


def read(
    path: Path, columns: Mapping[str, str], box_unit: Literal["relative", "pixels"] = "relative"
) -> Iterator[Given]:
    """Read a table with a row for each photo, or for each label or box of a photo.

    A column is found by its header (`HEADERS`) unless ``columns`` names it; a separate date and time are joined, and so
    are the ``RelativePath`` and ``File`` of Timelapse. A photo is given once for each of its rows, to be merged by its
    key. A label cell is one label, commas and all; an empty one says nothing of the class.

    Args:
        path: CSV in UTF-8 with a comma, semicolon or tab; also gzipped, or the only ``.csv`` of a zip.
        columns: our names (`HEADERS`) -> headers of the file; ``""`` for a column that is not to be looked for. Only
            so may the labels be left out.
        box_unit: of x, y, w, h: the top left corner and the size, relative to the photo (0 to 1) or in its pixels.

    Yields:
        For each batch of rows a table of photos and one of annotations, after the problems of single rows.

    Raises:
        MissingError: no such file.
        InputError: not a CSV file, or without rows; no column for file or label; a header that is not there; several
            headers that could each be meant; or only some of the box columns.
    """
    _check_names(columns)
    found: dict[str, str] | None = None
    for batch in batches(path, ()):
        # By position, because the file may have a column called line_number of its own.
        header, lines = batch.column_names[:-1], batch.column(batch.num_columns - 1)
        if found is None:
            found = _find(header, columns, path)
        cells = {name: batch.column(header.index(given)) for name, given in found.items()}
        yield from _given(cells, pc.binary_join_element_wise("line ", lines.cast(pa.string()), ""), box_unit)
    if found is None:
        raise InputError(f"{path}: it has no rows below its header; export it again")


def _check_names(columns: Mapping[str, str]) -> None:
    for name in columns:
        if name not in HEADERS:
            near = difflib.get_close_matches(name, HEADERS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(HEADERS)}"
            raise InputError(f"column {name}={columns[name]}: {name!r} is no column of ours; {hint}")


def _find(header: list[str], columns: Mapping[str, str], path: Path) -> dict[str, str]:
    """Give our names, and ``folder``, ``date``, ``time`` where they are to be joined -> headers."""
    problems = [_unknown(name, given, header) for name, given in columns.items() if given and given not in header]
    found = {name: given for name, given in columns.items() if given}
    free = [given for given in header if given not in found.values()]
    for name, others in HEADERS.items():
        if name in columns:
            continue
        own = [given for given in free if _fold(given) == name]
        several = own or [given for given in free if _fold(given) in others]
        if len(several) > 1:
            problems.append(f"{' and '.join(several)} could each be the {name}; say which with --column {name}=HEADER")
        if several:
            found[name] = several[0]
    problems += _lacking(found, columns, header) + _unclear_box(found, columns)
    raise_all(Path(f"{path}:1"), problems)
    return _with_parts(_with_whole_box(found), columns, free)


def _unknown(name: str, given: str, header: list[str]) -> str:
    near = difflib.get_close_matches(given, header, n=1) or [each for each in header if _fold(each) == _fold(given)]
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(header)}"
    return f"column {name}={given}: the file has no {given!r}; {hint}"


def _lacking(found: Mapping[str, str], columns: Mapping[str, str], header: list[str]) -> list[str]:
    problems = []
    for name in REQUIRED:
        if name not in found and (name == "file" or name not in columns):
            without = ", or --column label= if the photos have none" if name == "label" else ""
            problems.append(
                f"no column for the {name}; it has {', '.join(header)}; say which with --column {name}=HEADER{without}"
            )
    return problems


def _unclear_box(found: Mapping[str, str], columns: Mapping[str, str]) -> list[str]:
    lacking = [name for name in BOX if name not in found]
    if lacking and any(columns.get(name) for name in BOX):
        return [f"a box needs x, y, w and h; no column for {', '.join(lacking)}"]
    sizes = ("width", "height")
    if lacking == ["w", "h"] and set(sizes) <= set(found) and not {*lacking, *sizes} & set(columns):
        width, height = (found[name] for name in sizes)
        return [
            f"{width} and {height} could be of the box or of the photo; say --column w={width} --column h={height}, "
            "or --column x= --column y="
        ]
    return []


def _with_whole_box(found: Mapping[str, str]) -> dict[str, str]:
    """Leave out x and y without w and h, which are a place on a map."""
    return {name: given for name, given in found.items() if name not in BOX or set(BOX) <= set(found)}


def _with_parts(found: dict[str, str], columns: Mapping[str, str], free: list[str]) -> dict[str, str]:
    folded = {_fold(given): given for given in free}
    if "file" not in columns and "relativepath" in folded:
        found = {**found, "folder": folded["relativepath"]}
    if "datetime" not in columns and "datetime" not in found and {"date", "time"} <= set(folded):
        # A date alone is not taken: all photos of a day at midnight would look like one sequence.
        found = {**found, "date": folded["date"], "time": folded["time"]}
    return found


def _fold(header: str) -> str:
    return re.sub(r"[\W_]+", "", header.lower())


def _given(cells: Columns, places: pa.ChunkedArray, box_unit: str) -> Iterator[Given]:
    values = {name: _text(column) for name, column in cells.items()}
    files = values["file"]
    if "folder" in values:
        files = pc.coalesce(pc.binary_join_element_wise(values["folder"], files, "/"), files)
    keys = pc.binary_join_element_wise(values["dataset"].fill_null(""), files, "/") if "dataset" in values else files
    levels, is_other = _levels(values, places)
    yield from _problems(Problem("", "dropped", "no file name"), places, files.is_null())
    other = Problem("", "mended", "level is not image or sequence; taken as image")
    yield from _problems(other, places, pc.and_(is_other, files.is_valid()), values.get("level"))
    named = ("location", "sequence", "frame", "width", "height", "dataset")
    photos = {name: values.get(name) for name in named}
    photos |= {"place": places, "key": keys, "file": files, "taken": _taken(values), "corrupt": _corrupt(cells, places)}
    yield _table(photos, PHOTOS, places).filter(files.is_valid())
    said = {"name": values.get("label"), "category": values.get("category"), "level": levels, **_boxes(cells)}
    in_pixels = _flags(places, box_unit == "pixels")
    annotations = _table({"place": places, "photo": keys, "in_pixels": in_pixels, **said}, ANNOTATIONS, places)
    says = pc.or_(pc.or_(annotations["name"].is_valid(), annotations["x"].is_valid()), annotations["found"].is_valid())
    yield annotations.filter(pc.and_(files.is_valid(), says))


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make blank cells null and leave all others as they are."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), pa.scalar(None, pa.string()), column)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_lower(pc.utf8_trim_whitespace(column))


def _flags(places: pa.ChunkedArray, value: bool) -> pa.Array:
    return pa.repeat(pa.scalar(value), len(places))


def _taken(values: Columns) -> pa.ChunkedArray | None:
    if "date" not in values:
        return values.get("datetime")
    both = pc.binary_join_element_wise(values["date"].fill_null(""), values["time"].fill_null(""), " ")
    return _text(pc.utf8_trim_whitespace(both))


def _corrupt(cells: Columns, places: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(_plain(cells["corrupt"]), _YES) if "corrupt" in cells else _flags(places, False)


def _levels(values: Columns, places: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Give ``image`` or ``sequence`` for each row, and whether it says something else."""
    if "level" not in values:
        return pa.repeat("image", len(places)), _flags(places, False)
    levels = _plain(values["level"]).fill_null("image")
    is_sequence = pc.equal(levels, "sequence")
    return pc.if_else(is_sequence, "sequence", "image"), pc.invert(pc.or_(is_sequence, pc.equal(levels, "image")))


def _boxes(cells: Columns) -> dict[str, pa.ChunkedArray]:
    """Give the columns x, y, w, h, and where they are not four numbers, problem and found."""
    if not set(BOX) <= set(cells):
        return {}
    plain = {name: _plain(cells[name]) for name in BOX}
    numbers = {name: _numbers(column) for name, column in plain.items()}
    is_box, is_given = _flags(plain["x"], True), _flags(plain["x"], False)
    for name in BOX:
        is_box = pc.and_(is_box, numbers[name].is_valid())
        is_given = pc.or_(is_given, pc.invert(pc.is_in(plain[name], _NO_NUMBER)))
    boxes = {name: pc.if_else(is_box, column, None) for name, column in numbers.items()}
    is_wrong = pc.and_(is_given, pc.invert(is_box))
    shown = pc.binary_join_element_wise(*(cells[name] for name in BOX), ", ")
    nothing = pa.scalar(None, pa.string())
    problem = pc.if_else(is_wrong, "box is not four numbers", nothing)
    return {**boxes, "problem": problem, "found": pc.if_else(is_wrong, shown, nothing)}


def _numbers(plain: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read numbers; null for what is none or too large."""
    is_number = pc.match_substring_regex(plain, _NUMBER)
    numbers = pc.if_else(is_number, plain, pa.scalar(None, pa.string())).cast(pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _problems(
    problem: Problem, places: pa.ChunkedArray, is_there: pa.ChunkedArray, found: pa.ChunkedArray | None = None
) -> Iterator[Problem]:
    values = places.filter(is_there)
    shown = found.filter(is_there).to_pylist() if found is not None else [""] * len(values)
    for place, value in zip(values.to_pylist(), shown, strict=True):
        yield problem._replace(item=place, found=value)


def _table(columns: Mapping[str, pa.ChunkedArray | None], schema: pa.Schema, places: pa.ChunkedArray) -> pa.Table:
    """Make a table of a schema; a column that is not given is null, or false."""
    given = {name: column for name, column in columns.items() if column is not None}
    lacking = {
        field.name: _flags(places, False) if field.type == pa.bool_() else pa.nulls(len(places), field.type)
        for field in schema
    }
    return pa.table({**lacking, **given}, schema=schema)
