"""Photo lists: the photos of a collection that a command is about, one by one from a catalog of any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb

from camtraps import catalog, image_folders, layout, parts, tables
from camtraps.errors import InputError, MissingError
from camtraps.formats.folders import SUFFIXES
from camtraps.formats.rows import escaped
from camtraps.schema import FAILURES, QUERIED, Table
from camtraps.taxonomy import fold

STAGES = (layout.QUERIED, layout.DETECTIONS, layout.CROPS)  # those whose failures are photos
ROWS = 10_000  # that are in memory


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which photos: those of which all of this is true."""

    datasets: tuple[str, ...] = ()
    """They are of one of these datasets; empty: of any."""
    label: str | None = None
    """They carry this class, as the query stage sees it; None: any or none."""
    queried: bool = False
    """The last query chose them."""
    failed: bool = False
    """The last run of query, detect or crop lists them as failed."""


class Listed(NamedTuple):
    """A photo: its key, and the two names that the key is made of."""

    image: str
    dataset: str
    file: str


@dataclass(frozen=True)
class PhotoList:
    """Photos of a catalog by image; as often as it is iterated, but not twice at a time.

    ``num_photos`` counts them by dataset.
    """

    database: duckdb.DuckDBPyConnection
    num_photos: dict[str, int]

    def __len__(self) -> int:
        """Count them."""
        return sum(self.num_photos.values())

    def __iter__(self) -> Iterator[Listed]:
        """Give the photos, of which few are in memory."""
        rows = self.database.execute("select image, dataset, file from listed")
        while some := rows.fetchmany(ROWS):
            yield from (Listed(*row) for row in some)


_LISTED = """
create or replace temp table listed as
select image, dataset, file from (
    select *, len([l for l in labels if l.level = 'image']) > 0 as own from placed
) where (len($datasets::text[]) = 0 or list_contains($datasets::text[], dataset))
    and ($spellings::text[] is null
        or list_has_any([l.class for l in labels if not own or l.level = 'image'], $spellings::text[]))
    {among}
order by id
"""


def choose(database: duckdb.DuckDBPyConnection, wanted: Wanted) -> PhotoList:
    """List photos of a catalog, from `catalog.connect`.

    Raises:
        InputError: the catalog has no such dataset or class, or no such photo.
        MissingError: there is no output of the stages that ``wanted`` asks for.
        TableError: it is no table of them.
    """
    datasets = [parts.resolve(database, parts.Part(dataset=name)).dataset for name in wanted.datasets]
    label = parts.resolve(database, parts.Part(label=wanted.label)).label
    spellings = None if label is None else [name for _, name in catalog.spelled(database) if fold(name) == label]
    among = ""
    if wanted.queried:
        among += f" and image in (select image from {_source([layout.QUERIED / 'queried.parquet'], QUERIED)})"
    if wanted.failed:
        failures = _source([folder / "failures.parquet" for folder in STAGES], FAILURES)
        among += f" and image in (select image from {failures} where kind = 'failed')"
    database.execute(_LISTED.format(among=among), {"datasets": datasets, "spellings": spellings})
    counts = database.execute("select dataset, count(*) from listed group by all order by all").fetchall()
    if not counts:
        raise InputError(_refusal(wanted))
    return PhotoList(database, dict(counts))


def in_folder(folder: Path) -> list[Listed]:
    """List the photos below a local folder, hidden files left out; the key is the name relative to it.

    Raises:
        InputError: it has no photo, or a folder cannot be read.
        MissingError: there is no such folder.
    """
    image_folders.check(str(folder))
    names = sorted(image_folders.sizes(str(folder)))
    photos = [name for name in names if name.lower().endswith(SUFFIXES) and not Path(name).name.startswith(".")]
    if not photos:
        raise InputError(f"{folder}: no photo in it; looked for {' '.join(SUFFIXES)}")
    return [Listed(escaped(name), "", name) for name in photos]


def _source(paths: list[Path], table: Table) -> str:
    there = [path for path in paths if path.exists()]
    if not there:
        raise MissingError(f"{paths[0]}: not found; run `dvc repro`, or `dvc pull` if it was made elsewhere")
    for path in there:
        tables.check_schema(path, table)
    return f"read_parquet({[str(path) for path in there]})"


def _refusal(wanted: Wanted) -> str:
    if wanted.failed:
        return "the last run of the pipeline lists no such photo as failed"
    if wanted.queried:
        return (
            "data/queried: the last query chose no such photo of this collection; name the one that was queried, or "
            "run `dvc repro`"
        )
    return "the catalog has no such photo"
