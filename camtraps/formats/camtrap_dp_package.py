"""The package of Camtrap DP: opened from a folder, a zip or datapackage.json, and the cells of its tables."""

import csv
import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from camtraps.errors import CamtrapsError, InputError, raise_all
from camtraps.files import climbs, read_json, work_dir
from camtraps.streams import batches, opened

# The columns that are read: those that a table must have, and those that it may have (`sequenceID` is of 0.x).
COLUMNS = {
    "deployments": (
        ("deploymentID",),
        ("locationID", "locationName", "latitude", "longitude"),
    ),
    "media": (
        ("mediaID", "deploymentID", "filePath"),
        ("timestamp", "fileMediatype", "mediaComments", "eventID", "sequenceID"),
    ),
    "observations": (
        ("deploymentID", "observationType"),
        (
            *("mediaID", "eventID", "sequenceID", "eventStart", "eventEnd", "observationLevel", "scientificName"),
            *("bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod", "classifiedBy", "observationTags"),
        ),
    ),
}
TIMES = {"deployments": (), "media": ("timestamp",), "observations": ("eventStart", "eventEnd")}
REMEDY = "it is named in datapackage.json; get the package again whole"


class Resource(NamedTuple):
    """Where a table is, a file or several, and how it is written."""

    paths: tuple[str, ...]
    delimiter: str
    encoding: str


@dataclass(frozen=True)
class Package:
    """An open package: its folder, its tables by the name of the resource, and a folder for what is put aside."""

    folder: Path
    resources: Mapping[str, Resource]
    aside: Path

    def batches(self, name: str) -> Iterator[pa.Table]:
        """Read one of the tables batch by batch.

        Yields:
            A first table without rows, then the rows: `COLUMNS` as text, null where they are blank or the column is not
            there; ``place`` (file and line); the columns of `TIMES` in UTC, named ``at_...``, null if it is no time.
        """
        yield _cells(pa.table({"line_number": pa.array([], pa.int64())}), name, "")
        resource = self.resources[name]
        for path in resource.paths:
            file = self.folder / path
            if resource.delimiter not in (",", ";", "\t") or resource.encoding.lower() not in ("utf-8", "utf8"):
                file = _respelled(file, resource, self.aside / "respelled.csv")
            for batch in batches(file, COLUMNS[name][0], REMEDY):
                yield _cells(batch, name, path)


@contextmanager
def opened_package(path: Path) -> Iterator[Package]:
    """Open a package; what was taken out of a zip goes away afterwards.

    Args:
        path: its folder, its ``datapackage.json`` or a zip of it.

    Raises:
        MissingError: there is no package; inside the context, a table of it is not there.
        InputError: it is no Camtrap DP, its tables lie elsewhere; inside, columns are missing.
    """
    with TemporaryDirectory(dir=work_dir("camtrap_dp"), ignore_cleanup_errors=True) as name:
        aside = Path(name)
        try:
            if path.is_dir():
                yield Package(path, _resources(path / "datapackage.json"), aside)
            elif zipfile.is_zipfile(path):
                yield Package(aside, _unpacked(path, aside), aside)
            else:
                yield Package(path.parent, _resources(path), aside)
        except CamtrapsError as error:  # the user knows the zip, not what was taken out of it
            raise type(error)(str(error).replace(str(aside), str(path))) from None


def _resources(path: Path) -> dict[str, Resource]:
    document = read_json(path, "give the folder of a Camtrap DP, its datapackage.json or its zip")
    listed = document.get("resources") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise InputError(f"{path}: expected an object with resources, as of a Camtrap DP")
    by_name = {str(each.get("name")): each for each in listed if isinstance(each, dict)}
    problems: list[str] = []
    found = {name: _resource(name, by_name.get(name), problems) for name in COLUMNS}
    raise_all(path, problems)
    return found


def _resource(name: str, given: Any, problems: list[str]) -> Resource:
    paths = given.get("path") if given else None
    paths = paths if isinstance(paths, list) else [paths]
    if not all(isinstance(each, str) for each in paths) or not paths:
        problems.append(f"resource {name} is missing or has no path")
        return Resource((), ",", "utf-8")
    for each in paths:
        if "://" in each:
            problems.append(f"resource {name} lies at {each}; download the whole package and import that")
        elif climbs(each):
            problems.append(f"resource {name} leads out of the folder: {each!r}; this is no package to trust")
    dialect = given.get("dialect")
    delimiter = dialect.get("delimiter") if isinstance(dialect, dict) else None
    return Resource(tuple(paths), str(delimiter or ","), str(given.get("encoding") or "utf-8"))


def _unpacked(path: Path, aside: Path) -> dict[str, Resource]:
    """Take the tables of a zipped package out of it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if out := [name for name in names if climbs(name)]:
                raise InputError(f"{path}: its member {out[0]!r} leads out of the folder; this is no archive to trust")
            own = [name for name in names if PurePosixPath(name).name == "datapackage.json" and "__MACOSX" not in name]
            if len(own) != 1:
                listed = ", ".join(own[:5]) or "none"
                raise InputError(f"{path}: expected one datapackage.json in it, found {listed}; unpack it and name one")
            base = PurePosixPath(own[0]).parent
            _take_out(archive, own[0], aside / "datapackage.json")
            found = _resources(aside / "datapackage.json")
            for name in (name for resource in found.values() for name in resource.paths):
                if str(base / name) in names:
                    _take_out(archive, str(base / name), aside / name)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}: cannot be unpacked: {error}; get it again whole") from None
    except RuntimeError as error:  # a zip with a password
        raise InputError(f"{path}: cannot be read as a file: {error}") from None


def _take_out(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)


def _respelled(path: Path, resource: Resource, target: Path) -> Path:
    """Write a table as UTF-8 with commas."""
    try:
        with opened(path, ".csv", REMEDY) as file, target.open("w", encoding="utf-8", newline="") as out:
            text = io.TextIOWrapper(file, encoding=resource.encoding, newline="")
            csv.writer(out).writerows(csv.reader(text, delimiter=resource.delimiter))
    except (csv.Error, TypeError, LookupError, UnicodeDecodeError) as error:
        given = f"encoding {resource.encoding!r} and delimiter {resource.delimiter!r} of datapackage.json"
        raise InputError(f"{path}: cannot be read with {given}: {error}") from None
    return target


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make blank cells null and leave all others as they are."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), pa.scalar(None, pa.string()), column)


def _cells(batch: pa.Table, name: str, place: str) -> pa.Table:
    # By position, because the file may have a column called line_number of its own.
    header, lines = batch.column_names[:-1], batch.column(batch.num_columns - 1)
    columns = {"place": pc.binary_join_element_wise(place, lines.cast(pa.string()), ":")}
    for column in (each for part in COLUMNS[name] for each in part):
        nothing = pa.nulls(len(lines), pa.string())
        columns[column] = _text(batch.column(header.index(column))) if column in header else nothing
    for column in TIMES[name]:
        times = pd.to_datetime(columns[column].to_pandas(), format="ISO8601", utc=True, errors="coerce")
        columns[f"at_{column}"] = pa.array(times.dt.tz_localize(None), pa.timestamp("us"))
    return pa.table(columns)
