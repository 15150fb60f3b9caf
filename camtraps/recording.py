"""Import of recorded results into a collection: files of any size, merged by photo, written whole or not at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote

import duckdb
import pyarrow as pa

from camtraps import catalog, collections, summaries, tables
from camtraps.collection_files import write_rows
from camtraps.errors import MAX_SHOWN, InputError, MissingError, TableError, raise_all
from camtraps.formats import megadetector
from camtraps.formats.megadetector import Header, Result
from camtraps.formats.rows import PROBLEMS, Fault, Problem, escaped, name_problem
from camtraps.intake import DATASET_NAME, Opened, count_problems, read_problems
from camtraps.schema import CATALOG, RECORDED
from camtraps.storage import is_local, is_web

# Versions of these names would say something else in params.yaml (detect.recorded) or in the detections table.
RESERVED = ("all", "none", "human", "motion")  # in params.yaml, or a detector of ours
LONGEST = 100  # characters of a version's name
BATCH = 100_000  # photos and boxes that are turned into columns at once


@dataclass(frozen=True)
class Recorded:
    """What an import did: the table it wrote, and lines for people."""

    path: Path
    lines: tuple[str, ...]


def import_detections(
    collection: Path, dataset: str, sources: Sequence[Path], version: str | None = None, replace: bool = False
) -> Recorded:
    """Import files of MegaDetector results for one dataset of a collection.

    Of several results for a photo the first success counts, else the first failure: what an earlier import into the
    same version brought comes first, then the files in their order.

    Args:
        collection: ``data/<name>``.
        dataset: a dataset of its catalog. File names in the results are relative to its image folder; the path of that
            folder, the end of that path or the dataset's name may stand in front of them.
        sources: the JSON files; also gzipped, or alone in a zip.
        version: name to keep the results under; default the detector that the files name, without folders and with
            ``_`` for all but letters, digits, ``.``, ``_`` and ``-``.
        replace: leave out what an earlier import brought.

    Raises:
        InputError: a file is no result file or names no photo of the dataset, the files are of different detectors,
            or the version has no proper name.
        MissingError: a file does not exist, or the collection has no such dataset.
    """
    catalog_path = _catalog_path(collection, dataset)
    root = collections.read_image_roots(collection)[dataset]
    with Opened() as database:
        loaded = _load(database, sources, _roots(root))
        name = _version(version, loaded)
        path = collection / "detections" / name / f"{dataset}.parquet"
        database.execute("create table known as select file from read_parquet(?)", [str(catalog_path)])
        folders = {_find(database, source, dataset, root) for source in loaded} - {""}
        if path.exists() and not replace:
            _add_earlier(database, path)
        tables.write_query(database, _merged(database, dataset), path, RECORDED)
        problems_path = collection / "problems" / f"{dataset}.{name}.csv"
        write_rows(problems_path, Problem._fields, read_problems(database))
        lines = [
            f"{path}: {summaries.facts_of_results(database)}",
            *summaries.problem_lines(count_problems(database), problems_path),
            *summaries.merge_lines(database),
            *(f"  {folder!r} in front of file names was left out" for folder in sorted(folders)),
            *summaries.unknown_lines(database, dataset),
        ]
        return Recorded(path, tuple(lines))


def _catalog_path(collection: Path, dataset: str) -> Path:
    folder = collection / "catalog"
    path, there = catalog.dataset_path(folder, dataset), sorted(each.stem for each in folder.glob("*.parquet"))
    if dataset not in there:
        raise MissingError(
            f"{path}: not found; bring the dataset in with `camtraps import` first, or name one that is there with "
            f"--dataset: {', '.join(there) or 'none'}"
        )
    tables.check_schema(path, CATALOG)
    return path


def _roots(root: str) -> list[str]:
    """Give what absolute names of photos in an image folder begin with."""
    paths = [Path(root).absolute().as_posix(), Path(root).resolve().as_posix()] if is_local(root) else [root]
    return [f"{path.rstrip('/')}/" for path in paths]


def _folders(dataset: str, root: str) -> list[str]:
    """Give what names of photos begin with if they are relative to a folder above their image folder."""
    names = [name for name in _roots(root)[0].rpartition("://")[2].split("/") if name]
    return [f"{dataset}/", *("/".join(names[at:]) + "/" for at in reversed(range(len(names))))]


@dataclass(frozen=True)
class _Source:
    """A file that was read: its number, its detector, and its first photo as it names it."""

    path: Path
    number: int
    detector: str
    first: str


_TABLES = """
create table given (source integer, nr bigint, file varchar, failure varchar,
    boxes struct(category varchar, confidence double, x double, y double, w double, h double)[]);
create table results as select *, null::varchar as note from given;
create table problems (item varchar, kind varchar, reason varchar, found varchar)
"""

# The variable `names` has the names of ids of categories.
_NAMED = f"""
insert into problems
select getvariable('label') || 'images[' || nr || '] ' || file, 'ignored', 'category is not in detection_categories', id
from (select nr, file, unnest(boxes).category as id from given) where getvariable('names')[id] is null order by nr, id;
insert into results by name
select source, nr, file, failure, if(failure is null, named, null) as boxes from (
    select source, nr, file, named,
        coalesce(failure, if(len(boxes) > 0 and len(named) = 0, '{megadetector.NO_BOX}', null)) as failure
    from (select *, [
            {{'category': getvariable('names')[box.category], 'confidence': box.confidence,
             'x': box.x, 'y': box.y, 'w': box.w, 'h': box.h}}
            for box in boxes if getvariable('names')[box.category] is not null
        ] as named from given)
);
truncate given
"""

# `beaten` are results for photos that have a better one. Most photos have one only, and are left out of the comparing.
_MERGED = """
create table beaten as
select source, nr, by_source from (
    select source, nr, row_number() over better as place, first_value(source) over better as by_source
    from results semi join (select file from results group by file having count(*) > 1) using (file)
    window better as (partition by file order by failure is not null, source, nr)
) where place > 1;
create view merged as select * from results anti join beaten using (source, nr)
"""


def _load(database: duckdb.DuckDBPyConnection, paths: Sequence[Path], roots: Sequence[str] = ()) -> list[_Source]:
    """Read files into the tables `results` and `problems`."""
    database.execute(_TABLES)
    loaded = []
    for number, path in enumerate(paths, start=1):
        store = _Store(database, number, f"{escaped(path.name)} " if len(paths) > 1 else "")
        for row in megadetector.read(path):
            store.add(_placed(row, roots) if isinstance(row, Result) else row)
        loaded.append(store.close(path))
    return loaded


def _placed(result: Result, roots: Sequence[str]) -> Result | Problem:
    """Name a photo relative to the image folder."""
    for root in roots:
        if result.file.startswith(root):
            name = result.file[len(root) :]
            # What a web address has behind its name is a key or a version.
            result = result._replace(file=unquote(name.partition("?")[0]) if is_web(root) else name)
    if problem := name_problem(result.file):
        return Problem(escaped(f"images[{result.at}] {result.file}"), "dropped", problem)
    return result


class _Store:
    """Rows of one file on their way into the database, a batch at a time."""

    def __init__(self, database: duckdb.DuckDBPyConnection, number: int, label: str) -> None:
        self._database, self._number, self._label = database, number, label
        self._results: list[Result] = []
        self._problems: list[Problem] = []
        self._num_waiting, self._first = 0, ""
        self._faults: list[str] = []
        self._num_faults = 0
        self._header: Header | None = None

    def add(self, row: Result | Problem | Fault | Header) -> None:
        if isinstance(row, Result):
            self._results.append(row)
            self._num_waiting += 1 + len(row.boxes or ())
        elif isinstance(row, Problem):
            self._problems.append(row._replace(item=self._label + row.item))
            self._num_waiting += 1
        elif isinstance(row, Header):
            self._header = row
        else:
            self._num_faults += 1
            self._faults += [row.text] if self._num_faults <= MAX_SHOWN else []
        if self._num_waiting >= BATCH:
            self._flush()

    def close(self, path: Path) -> _Source:
        """Give the categories their names; raise InputError if there are faults."""
        if self._num_faults > MAX_SHOWN:
            self._faults[-1] += f"; and {self._num_faults - MAX_SHOWN} more"
        raise_all(path, self._faults)
        assert self._header, path
        self._flush()
        self._database.execute("set variable label = $label", {"label": self._label})
        names = {"ids": list(self._header.categories), "names": list(self._header.categories.values())}
        self._database.execute("set variable names = map($ids::varchar[], $names::varchar[])", names)
        self._database.execute(_NAMED)
        return _Source(path, self._number, self._header.detector, self._first)

    def _flush(self) -> None:
        results, problems = self._results, self._problems
        self._results, self._problems, self._num_waiting = [], [], 0
        self._first = self._first or (results[0].file if results else problems[0].item if problems else "")
        wrong = pa.Table.from_pylist([problem._asdict() for problem in problems], schema=PROBLEMS)
        for name, rows in (("given", _columns(self._number, results)), ("problems", wrong)):
            self._database.register("batch", rows)
            self._database.execute(f"insert into {name} select * from batch")
            self._database.unregister("batch")


def _columns(number: int, results: list[Result]) -> pa.Table:
    kind = RECORDED.schema.field("boxes").type.value_type
    sides = list(zip(*(box for result in results for box in result.boxes or ()), strict=True)) or [()] * len(kind)
    values = [pa.array(column, field.type) for column, field in zip(sides, kind, strict=True)]
    ends = accumulate((len(result.boxes or ()) for result in results), initial=0)
    boxes = pa.StructArray.from_arrays(values, fields=list(kind))
    columns = {
        "source": pa.array([number] * len(results), pa.int32()),
        "nr": pa.array([result.at for result in results], pa.int64()),
        "file": pa.array([result.file for result in results], pa.string()),
        "failure": pa.array([result.failure for result in results], pa.string()),
        "boxes": pa.ListArray.from_arrays(pa.array(ends, pa.int32()), boxes),
    }
    return pa.table(columns)


def _version(version: str | None, sources: Sequence[_Source]) -> str:
    """Name the version that results are kept as."""
    if version is None:
        names = [_plain(source.detector) for source in sources]
        for source, name in zip(sources, names, strict=True):
            if name != names[0]:
                raise InputError(
                    f"{source.path}: made by {name}, but {sources[0].path} by {names[0]}; import each by itself, or "
                    "name what to keep them all as with --version"
                )
        version = names[0]
    if not re.fullmatch(DATASET_NAME, version):
        raise InputError(f"version {version!r}: use letters, digits, '.', '_' and '-', a letter or digit first")
    if version in RESERVED:
        raise InputError(f"version {version!r}: has a meaning of its own; choose another with --version")
    return version


def _plain(detector: str) -> str:
    # Nothing is read out of the name: models are called md_v5a.0.0.pt, mdv5, redwood and C:\models\my model.pt.
    name = re.sub(r"[^A-Za-z0-9._-]", "_", PureWindowsPath(detector.strip()).name)
    return name.lstrip("._-")[:LONGEST] or "unnamed"


def _find(database: duckdb.DuckDBPyConnection, source: _Source, dataset: str, root: str) -> str:
    """Find the photos of a file in the catalog, where needed without a folder in front, which is given.

    Raises:
        InputError: none of them is there.
    """
    sql = """select count(*) from results semi join known on substr(results.file, $start) = known.file
             where source = $number and starts_with(results.file, $folder)"""
    folders = ["", *_folders(dataset, root)]
    values = [{"number": source.number, "folder": folder, "start": len(folder) + 1} for folder in folders]
    found = [database.execute(sql, value).fetchall()[0][0] for value in values]
    if not source.first:
        raise InputError(f"{source.path}: there is no image in it")
    if not any(found):
        known = database.execute("select min(file) from known").fetchall()[0][0]
        raise InputError(
            f"{source.path}: none of its files is in the catalog of {dataset}: it has {source.first!r}, "
            f"the catalog {known!r}; run the detector with paths relative to the image folder"
        )
    best = values[found.index(max(found))]
    if best["folder"]:
        sql = """update results set file = substr(file, $start)
                 where source = $number and starts_with(file, $folder) and file <> $folder"""
        database.execute(sql, best)
    return str(best["folder"])


def _add_earlier(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        tables.check_schema(path, RECORDED)
    except TableError as error:
        raise InputError(f"{str(error).partition('; import')[0]}; import with --replace") from None
    sql = """insert into results by name select 0 as source, file_row_number as nr, file, failure, note, boxes
             from read_parquet(?, file_row_number = true)"""
    database.execute(sql, [str(path)])


def _merged(database: duckdb.DuckDBPyConnection, dataset: str) -> str:
    """Make the table `beaten` and the view `merged`; give the query for the rows of the recorded table."""
    database.execute(_MERGED)
    database.execute("set variable dataset = $dataset", {"dataset": dataset})
    return """select getvariable('dataset') || '/' || file as image, getvariable('dataset') as dataset, file, failure,
                     note, boxes
              from merged order by file"""
