"""Import of photos into an input collection; everything is checked before anything is written."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from camtraps import corrections, image_folders, summaries, taxonomy
from camtraps.collection_files import create_folders, record_datasets, record_locations, write_rows
from camtraps.errors import FailuresError, InputError
from camtraps.files import file_digest
from camtraps.formats import coco
from camtraps.formats.rows import SURROGATE, Given, Problem
from camtraps.intake import DATASET_NAME, Gathered, Opened, Rules, gather
from camtraps.storage import is_local
from camtraps.words import num


@dataclass(frozen=True, kw_only=True)
class Source:
    """Something to import photos from.

    ``given`` are the rows of a reader, ``path`` is what it reads; ``images`` is the folder or URI that file names are
    relative to, or gives that of each dataset.
    """

    path: Path
    given: Iterable[Given]
    images: str | Callable[[str], str]

    def root(self, dataset: str) -> str:
        """Give the image folder or URI of a dataset."""
        return self.images if isinstance(self.images, str) else self.images(dataset)


@dataclass(frozen=True)
class Imported:
    """What an import did: the files it wrote, lines for people, its photos, datasets, and their classes."""

    paths: tuple[Path, ...]
    lines: tuple[str, ...]
    num_photos: int
    datasets: tuple[str, ...]
    classes: frozenset[tuple[str, str]] = frozenset()


def import_cct(collection: Path, dataset: str, source: Path, images: str, max_failed: float = 0.01) -> Imported:
    """Import a COCO Camera Traps file as one dataset; arguments and errors as in `import_photos`."""
    given = Source(path=source, given=coco.read(source), images=images)
    return import_photos(collection, given, Rules(dataset=dataset), max_failed)


def import_photos(collection: Path, source: Source, rules: Rules, max_failed: float = 0.01) -> Imported:
    """Import the photos of a source as datasets of a collection, replacing earlier imports of these datasets.

    Args:
        collection: ``data/<name>``.
        source: where they come from. An image folder inside the collection is stored relative to it, so that the
            collection can move.
        rules: how to read what the source leaves open.
        max_failed: allowed share of photos that are dropped or absent.

    Raises:
        InputError: the source has faults, or a dataset has no proper name.
        MissingError: the source or an image folder does not exist.
        FailuresError: too many photos were dropped or are absent; nothing was written.
    """
    _check_name(rules.dataset)
    if isinstance(source.images, str):
        image_folders.check(source.images)
    with Opened() as database:
        gathered = gather(source.given, source.path, rules, database)
        _check_any(gathered, source.path)
        _check_datasets(collection, gathered.datasets)
        _scan(database, source, gathered.datasets)
        absent = _check_failures(gathered, source, max_failed)
        paths = gathered.write(collection / "catalog")
        label = gathered.datasets[0] if len(gathered.datasets) == 1 else rules.dataset
        problems_path = collection / "problems" / f"{label}.csv"
        write_rows(problems_path, Problem._fields, gathered.problems())
        (collection / "detections").mkdir(exist_ok=True)
        corrections.create(collection / "corrections.csv")
        create_folders(collection)
        record_datasets(collection, _dataset_rows(collection, source, gathered))
        record_locations(collection, gathered.locations, gathered.datasets, rules.dataset)
        lines = [
            f"{summaries.named(paths)}: {summaries.facts(gathered)}",
            *summaries.problem_lines(gathered.problem_counts(), problems_path),
        ]
        if absent:
            first = f"{source.root(absent[0][0])}/{absent[0][1]}"
            said = f"{summaries.photos_are(len(absent))} not in the image folder (first: {first})"
            lines.append(f"  {said}; stages will list them as failed")
        sql = "select distinct dataset, label.class from (select dataset, unnest(labels) as label from photos)"
        classes = frozenset(database.execute(sql).fetchall())
        return Imported(tuple(paths), tuple(lines), gathered.num_photos, gathered.datasets, classes)


def _check_name(dataset: str) -> None:
    if not re.fullmatch(DATASET_NAME, dataset):
        raise InputError(f"dataset name {dataset!r}: use letters, digits, '.', '_' and '-', a letter or digit first")


def _check_any(gathered: Gathered, path: Path) -> None:
    if not gathered.num_given:
        raise InputError(f"{path}: there is no photo in it")
    if not gathered.num_photos:
        raise InputError(
            f"{path}: none of {num(gathered.num_given, 'photo')} can be used; first: {_reasons(gathered)[0]}"
        )


def _check_datasets(collection: Path, datasets: tuple[str, ...]) -> None:
    there = {path.stem for path in (collection / "catalog").glob("*.parquet")}
    by_fold = {taxonomy.fold_dataset(name): name for name in sorted(there)}
    for name in datasets:
        other = by_fold.setdefault(taxonomy.fold_dataset(name), name)
        if other != name:
            raise InputError(
                f"dataset {name!r} would be the same as {other!r} of {collection}: names of datasets are compared "
                "without case and signs; rename one of them, or import it into another collection"
            )


def _scan(database: duckdb.DuckDBPyConnection, source: Source, datasets: tuple[str, ...]) -> None:
    """Make the table ``roots`` of the local image folders of datasets, and ``sizes`` of what lies in them."""
    database.execute("create table roots (dataset varchar, root varchar)")
    database.execute("create table sizes (root varchar, file varchar, size bigint)")
    local = {dataset: root for dataset in datasets if is_local(root := source.root(dataset))}
    for root in sorted(set(local.values())):
        image_folders.check(root)
        # Names that are not Unicode text cannot stand in the catalog either.
        given = [(name, size) for name, size in image_folders.sizes(root).items() if not SURROGATE.search(name)]
        columns = [pa.array([row[0] for row in given], pa.string()), pa.array([row[1] for row in given], pa.int64())]
        database.register("found", pa.Table.from_arrays(columns, names=["file", "size"]))
        database.execute("insert into sizes select ?, file, size from found", [root])
        database.unregister("found")
    for row in local.items():
        database.execute("insert into roots values (?, ?)", row)


def _check_failures(gathered: Gathered, source: Source, max_failed: float) -> list[tuple[str, str]]:
    """Give dataset and file of the absent photos; raise FailuresError where they and the dropped are too many."""
    sql = """select dataset, file from photos join roots using (dataset)
             anti join sizes using (root, file) order by all"""
    absent: list[tuple[str, str]] = gathered.database.execute(sql).fetchall()
    dropped = gathered.num_given - gathered.num_photos
    if dropped + len(absent) <= max_failed * gathered.num_given:
        return absent
    said, reasons = [], []
    if dropped:
        said.append(f"{dropped:,} unusable")
        reasons += _reasons(gathered)
    if absent:
        roots = sorted({source.root(dataset) for dataset, _ in absent})
        said.append(f"{len(absent):,} absent from {', '.join(roots[:3])}{' ...' if len(roots) > 3 else ''}")
        reasons.append(f"{source.root(absent[0][0])}/{absent[0][1]} is not there")
    raise FailuresError(
        f"{source.path}: of {num(gathered.num_given, 'photo')}, {' and '.join(said)}, more than {max_failed:.1%}; "
        f"first: {'; '.join(reasons[:5])}; mend them or raise --max-failed"
    )


def _reasons(gathered: Gathered) -> list[str]:
    return [f"{first}: {reason}" for kind, reason, _, first in gathered.problem_counts() if kind == "dropped"]


def _dataset_rows(collection: Path, source: Source, gathered: Gathered) -> Iterator[dict[str, str]]:
    source_digest = file_digest(source.path)[:16] if source.path.is_file() else ""
    for dataset in gathered.datasets:
        number, photos_digest = _digest_photos(gathered.database, dataset)
        yield {
            "dataset": dataset,
            "images": image_folders.stored(source.root(dataset), collection),
            "photos": str(number),
            "photos_digest": photos_digest[:16],
            "source": source.path.name,
            "source_digest": source_digest,
        }


def _digest_photos(database: duckdb.DuckDBPyConnection, dataset: str) -> tuple[int, str]:
    """Count a dataset's photos and hash their names and sizes, so that later stages see when photos were replaced."""
    sql = """select file || ':' || coalesce(size, -1) from (select * from photos where dataset = $dataset)
             left join (select * from sizes where root in (select root from roots where dataset = $dataset))
             using (file) order by file"""
    result = database.execute(sql, {"dataset": dataset})
    state, number = hashlib.sha256(), 0
    while rows := result.fetchmany(100_000):
        number += len(rows)
        for (text,) in rows:
            state.update(f"{text}\n".encode())
    return number, state.hexdigest()
