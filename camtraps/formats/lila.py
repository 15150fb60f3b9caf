"""LILA's table of all images and labels: tens of millions of rows, read in batches.

Format: the "all images" CSV of lila.science. It has a row for each category of a photo, the rows of a photo one below
the other. URLs in it are not percent-quoted, so what follows a dataset's root is the photo's file name as it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from camtraps import taxonomy
from camtraps.errors import InputError, raise_all
from camtraps.formats import lila_datasets
from camtraps.formats.lila_datasets import (
    BASES,
    Cloud,
    Dataset,
    Results,
    choose,
    metadata_url,
    nearest,
    read_datasets,
    results_url,
    root,
)
from camtraps.formats.rows import ANNOTATIONS, PHOTOS, Fault, Given, Problem
from camtraps.streams import batches
from camtraps.taxa import LILA_LEVELS, Taxon

# With what the table of datasets says, because nobody needs the one without the other.
__all__ = [
    "BASES",
    "Chosen",
    "Cloud",
    "Dataset",
    "Results",
    "choose",
    "metadata_url",
    "parse_taxon",
    "read",
    "read_datasets",
    "results_url",
    "root",
]

REMEDY = "get it from https://lila.science/public/lila_image_urls_and_labels.csv.zip"
_COLUMNS = (
    *("dataset_name", "sequence_id", "location_id", "frame_num", "original_label", "datetime"),
    "annotation_level",
)
# The table is written by Python, which makes these texts of a null and of a NaN.
_NOTHING = ["", "None", "nan"]


@dataclass(frozen=True)
class Chosen:
    """What to take of LILA; kinds that are empty let everything through, several of a kind are alternatives."""

    datasets: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    taxa: tuple[Taxon, ...] = ()


def parse_taxon(text: str) -> Taxon:
    """Read a taxon written ``family:canidae``.

    Raises:
        InputError: it is not written so, or the level is none of LILA's.
    """
    level, _, name = (part.strip().lower() for part in text.partition(":"))
    if not level or not name:
        raise InputError(f"taxon {text!r}: expected LEVEL:NAME, such as family:canidae")
    if level not in LILA_LEVELS:
        raise InputError(f"taxon {text!r}: {level!r} is no level of LILA's taxonomy; {nearest(level, LILA_LEVELS)}")
    return level, name


def read(path: Path, chosen: Chosen, cloud: Cloud, known: Mapping[str, Dataset] | None = None) -> Iterator[Given]:
    """Read the table of all images in batches: tables of photos and annotations by turns.

    A photo stands in the table once for each of its categories, and is given as often. Its key is
    ``<dataset>/<file>``. A level ``unknown`` is given as ``sequence``: such a label cannot be relied on for one photo.
    Where taxa are chosen, a photo with one of them keeps all its labels.

    Args:
        path: the CSV; also gzipped or in a zip.
        chosen: what to take.
        cloud: whose addresses the file names are made from.
        known: the table of datasets, which gives the part of the address before the file name.

    Raises:
        MissingError: no such file.
        InputError: not CSV or a column is missing; something chosen is not there, with the nearest names.
    """
    if chosen.countries and known is None:
        raise InputError("to choose by country, LILA's table of datasets is needed; " + lila_datasets.REMEDY)
    wanted = None
    if known is not None and (chosen.datasets or chosen.countries):
        wanted = {taxonomy.fold_dataset(each.name) for each in choose(known, chosen.datasets, chosen.countries)}
    elif chosen.datasets:
        wanted = {taxonomy.fold_dataset(name) for name in chosen.datasets}
    chosen = replace(chosen, taxa=tuple((taxonomy.fold(level), taxonomy.fold(name)) for level, name in chosen.taxa))
    seen = _Seen()
    columns = [*_COLUMNS, f"url_{cloud}", *dict.fromkeys(level for level, _ in chosen.taxa)]
    tables = _of_datasets(batches(path, columns, REMEDY), wanted, seen)
    if chosen.taxa:
        tables = _of_taxa(tables, chosen.taxa, f"url_{cloud}", seen)
    for table in tables:
        for name in pc.unique(table["dataset_name"]).to_pylist():
            yield from _given(table.filter(pc.equal(table["dataset_name"], name)), _Source(path, cloud, known), seen)
    raise_all(path, _not_there(chosen, wanted, known, seen))


@dataclass(frozen=True)
class _Source:
    path: Path
    cloud: Cloud
    known: Mapping[str, Dataset] | None


@dataclass
class _Seen:
    """What the reading has met: datasets by folded name, taxa at the chosen levels, datasets that had a fault."""

    datasets: dict[str, str] = field(default_factory=dict)
    taxa: set[Taxon] = field(default_factory=set)
    faults: set[str] = field(default_factory=set)


def _of_datasets(tables: Iterable[pa.Table], wanted: set[str] | None, seen: _Seen) -> Iterator[pa.Table]:
    for table in tables:
        names = {name: taxonomy.fold_dataset(name) for name in pc.unique(table["dataset_name"]).to_pylist()}
        seen.datasets |= {folded: name for name, folded in names.items()}
        if wanted is not None:
            ours = [name for name, folded in names.items() if folded in wanted]
            table = table.filter(pc.is_in(table["dataset_name"], pa.array(ours, pa.string())))
        if table.num_rows:
            yield table


def _of_taxa(tables: Iterable[pa.Table], taxa: tuple[Taxon, ...], url: str, seen: _Seen) -> Iterator[pa.Table]:
    """Keep the photos of which at least one row has a taxon, with all their rows."""
    held: pa.Table | None = None
    for table in tables:
        table = table if held is None else pa.concat_tables([held, table])
        addresses = table[url].combine_chunks()
        is_next = pc.not_equal(addresses[1:], addresses[:-1]).to_numpy(zero_copy_only=False)
        photos = np.concatenate([[0], np.cumsum(is_next)])  # the number of each row's photo
        # The last photo may go on in the next batch.
        last = int(np.searchsorted(photos, photos[-1]))
        if last:
            yield _hits(table.slice(0, last), photos[:last], taxa, seen)
        held = table.slice(last)
    if held is not None:
        yield _hits(held, np.zeros(held.num_rows, int), taxa, seen)


def _hits(table: pa.Table, photos: np.ndarray, taxa: tuple[Taxon, ...], seen: _Seen) -> pa.Table:
    is_hit = np.zeros(table.num_rows, bool)
    for level in dict.fromkeys(level for level, _ in taxa):
        values = pc.utf8_lower(pc.utf8_trim_whitespace(table[level]))
        seen.taxa |= {(level, name) for name in pc.unique(values).to_pylist() if name}
        names = pa.array([name for each, name in taxa if each == level], pa.string())
        is_hit |= pc.is_in(values, names).to_numpy()
    return table.filter(pa.array(np.isin(photos, photos[is_hit])))


def _given(table: pa.Table, source: _Source, seen: _Seen) -> Iterator[Given]:
    """Turn rows of one dataset into photos and annotations."""
    name, url = table["dataset_name"][0].as_py(), f"url_{source.cloud}"
    try:
        base = root(name, source.cloud, source.known) + "/"
    except InputError as error:
        if name not in seen.faults:
            yield Fault(str(error))
        seen.faults.add(name)
        return
    is_blank = pc.equal(table[url], "")
    for line in table.filter(is_blank)["line_number"].to_pylist():
        yield Problem(f"{source.path.name}:{line}", "dropped", f"{url} is empty")
    table = table.filter(pc.invert(is_blank))
    fits = pc.starts_with(table[url], base)
    strange = table.filter(pc.invert(fits))
    if strange.num_rows and name not in seen.faults:
        yield Fault(
            f"{source.path.name}:{strange['line_number'][0]}: {url} of {name} does not start with {base}: "
            f"{strange[url][0].as_py()[:200]!r}; get LILA's tables again, both of the same day"
        )
        seen.faults.add(name)
    if (table := table.filter(fits)).num_rows:
        yield from _tables(table, source, base)


def _tables(table: pa.Table, source: _Source, base: str) -> Iterator[pa.Table]:
    name = table["dataset_name"][0].as_py()
    dataset = pa.repeat(taxonomy.fold_dataset(name), table.num_rows)
    file = pc.utf8_slice_codeunits(table[f"url_{source.cloud}"], len(base))
    key = pc.binary_join_element_wise(dataset, file, "/")
    place = pc.binary_join_element_wise(source.path.name, pc.cast(table["line_number"], pa.string()), ":")
    yield _filled(
        PHOTOS,
        table.num_rows,
        place=place,
        key=key,
        file=file,
        location=_without(_local(table["location_id"], name), _NOTHING),
        sequence=_without(_local(table["sequence_id"], name), ["unknown", *_NOTHING]),
        frame=_without(table["frame_num"], ["-1", "-1.0", *_NOTHING]),
        taken=_without(table["datetime"], _NOTHING),
        dataset=dataset,
    )
    is_of_image = pc.equal(table["annotation_level"], "image")
    yield _filled(
        ANNOTATIONS,
        table.num_rows,
        place=place,
        photo=key,
        name=_without(table["original_label"], [""]),
        level=pc.if_else(is_of_image, "image", "sequence"),
    )


def _filled(schema: pa.Schema, num_rows: int, **columns: pa.Array) -> pa.Table:
    for column in schema:
        if column.name not in columns:
            is_flag = column.type == pa.bool_()
            columns[column.name] = pa.repeat(False, num_rows) if is_flag else pa.nulls(num_rows, column.type)
    return pa.table(columns, schema=schema)


def _local(ids: pa.ChunkedArray, dataset: str) -> pa.ChunkedArray:
    """Take the dataset's name, which may have the separator in it, off ids that start with it; alone it is no id."""
    prefix = f"{dataset} : "
    others = pc.if_else(pc.equal(ids, dataset), "", ids)
    return pc.if_else(pc.starts_with(ids, prefix), pc.utf8_slice_codeunits(ids, len(prefix)), others)


def _without(texts: pa.ChunkedArray, nothing: list[str]) -> pa.ChunkedArray:
    is_nothing = pc.is_in(pc.utf8_trim_whitespace(texts), pa.array(nothing, pa.string()))
    return pc.if_else(is_nothing, pa.scalar(None, pa.string()), texts)


def _not_there(chosen: Chosen, wanted: set[str] | None, known: Mapping[str, Dataset] | None, seen: _Seen) -> list[str]:
    if not seen.datasets:
        return ["it has no rows"]
    there = seen.datasets.values()
    if known is None:
        asked = [name for name in chosen.datasets if taxonomy.fold_dataset(name) not in seen.datasets]
    else:
        named = choose(known, chosen.datasets) if chosen.datasets else []
        asked = [each.name for each in named if taxonomy.fold_dataset(each.name) not in seen.datasets]
    problems = [f"it has no rows of dataset {name!r}; {nearest(name, there)}" for name in asked]
    if wanted is not None and not problems and not wanted & set(seen.datasets):
        problems.append(f"it has no rows of the datasets of {' or '.join(chosen.countries)}")
    if not problems:  # else the taxa may have stood there
        problems = [
            f"it has no {level} {name!r} in what is chosen; {nearest(name, [n for at, n in seen.taxa if at == level])}"
            for level, name in chosen.taxa
            if (level, name) not in seen.taxa
        ]
    return problems
