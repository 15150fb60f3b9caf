"""``camtraps catalog``: the everyday questions to a collection's catalog, and SQL that only reads."""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from camtraps.commands.common import add_name, collection, count, say
from camtraps.commands.printing import Kind, clean, is_nothing, show, show_rows, table

if TYPE_CHECKING:
    import duckdb

    from camtraps.inventory import Summary
    from camtraps.parts import Part

LABELS = """examples:
  camtraps catalog labels --top 20
  camtraps catalog labels --by-dataset --format csv > labels.csv

A photo counts for its own labels, or for those of its sequence where it has none of its own, as in the query stage.
"""
SAMPLE = """examples:
  camtraps catalog sample 20 --label deer
  camtraps catalog sample 50 --label empty --location 007 --paths | xargs -d '\\n' feh
"""
SQL = """examples:
  camtraps catalog sql "describe photos"
  camtraps catalog sql "select location, count(*) from photos where datetime < '2010-01-01' group by all"
  camtraps catalog sql "select class, category, median(w * h) from boxes group by all" --format csv

tables:
  photos       a row a photo, with the lists labels and boxes
  labels       a row a photo and label; counts says whether the photo counts for it, as in the query stage
  boxes        a row a box that a person drew; x, y, w, h are relative to the photo
  queried, detections, crops, predictions, candidates, failures
               what the last run of the pipeline wrote, for the collection that params.yaml names

The statement is DuckDB's SQL, one SELECT; it can change nothing and open no file.
"""
NUM_ROWS = 100  # of a table, unless --limit says another number
WIDEST = 60  # letters of a cell of a table of SQL

# The tables of `summary`: column -> heading.
SECTIONS = (
    {
        "photos": "photos",
        "labelled": "with labels",
        "image_level": "of the image",
        "sequence_level": "of the sequence",
        "unlabelled": "without",
        "classes": "classes",
    },
    {"boxed": "with boxes", "confirmed_empty": "confirmed empty", "unboxed": "not boxed"},
    {
        "locations": "locations",
        "unlocated": "photos without",
        "sequences": "sequences",
        "first": "first",
        "last": "last",
        "untimed": "without time",
    },
    {"corrupt": "corrupt", "formats": "formats", "images": "images", "source": "source"},
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``catalog summary``, ``labels``, ``locations``, ``sample`` and ``sql``."""
    group = commands.add_parser("catalog", help="what is in a collection: classes, locations, samples, SQL")
    actions = group.add_subparsers(required=True, metavar="QUESTION")
    form = argparse.RawDescriptionHelpFormatter
    summary = actions.add_parser("summary", help="photos, labels, boxes, locations and dates of each dataset")
    summary.set_defaults(run=_summary)
    labels = actions.add_parser("labels", help="classes with their photos", epilog=LABELS, formatter_class=form)
    labels.add_argument("--by-dataset", action="store_true", help="a row a class and dataset")
    labels.set_defaults(run=_labels)
    locations = actions.add_parser("locations", help="locations with their photos")
    locations.set_defaults(run=_locations)
    sample = actions.add_parser("sample", help="a few photos by chance", epilog=SAMPLE, formatter_class=form)
    sample.add_argument("num", type=count, metavar="N", help="how many")
    sample.add_argument("--seed", type=int, default=0, help="another one draws other photos (%(default)s)")
    sample.add_argument("--paths", action="store_true", help="print nothing but paths or URIs")
    sample.add_argument("--location", type=_text, help="only of this location")
    sample.set_defaults(run=_sample)
    sql = actions.add_parser("sql", help="any SELECT", epilog=SQL, formatter_class=form)
    sql.add_argument("statement", type=_text, metavar="SELECT")
    sql.add_argument("--limit", type=count, metavar="N", help=f"rows to print (of a table {NUM_ROWS}, else all)")
    sql.set_defaults(run=_sql)
    for parser in (labels, locations, sample):
        parser.add_argument("--dataset", type=_text, help="only of this dataset")
    for parser in (locations, sample):
        parser.add_argument("--label", type=_text, metavar="CLASS", help="only photos of this class")
    for parser in (labels, locations):
        parser.add_argument("--top", type=count, metavar="N", help="only the first N rows")
    for parser in (summary, labels, locations, sql):
        parser.add_argument("--format", choices=get_args(Kind), default="table", help="(%(default)s)")
    for parser in (summary, labels, locations, sample, sql):
        add_name(parser)


def _summary(options: argparse.Namespace) -> int:
    from camtraps import catalog, collections, inventory

    folder = collection(options.name)
    found = inventory.summary(catalog.connect(folder / "catalog"))
    rows = {row["dataset"]: row for row in collections.read_datasets(folder / "datasets.csv")}
    own = [rows.get(dataset, {}) for dataset in found.datasets["dataset"]]
    datasets = found.datasets.assign(**{name: [row.get(name) for row in own] for name in ("images", "source")})
    if options.format != "table":
        show(datasets, options.format)
        return 0
    say(*_sections(inventory.Summary(datasets, found.total), folder))
    say("", *_of_collection(folder))
    return 0


def _sections(found: "Summary", folder: Path) -> Iterator[str]:
    import pandas as pd

    from camtraps.words import num

    yield f"{folder}: {num(len(found.datasets), 'dataset')}, {num(found.total['photos'], 'photo')}"
    rows = found.datasets.to_dict("records")
    if len(rows) > 1:
        rows.append(found.total | {"dataset": "total"})
    for row in rows:
        row["labelled"] = row["photos"] - row["unlabelled"]
        row["unboxed"] = row["photos"] - row["boxed"] - row["confirmed_empty"]
    categories = [name for name in found.total if str(name).startswith("boxes_")]
    for section in SECTIONS:
        own = {name: f"{name.removeprefix('boxes_')} boxes" for name in categories} if "boxed" in section else {}
        columns = {"dataset": "dataset", **section, **own}
        cells = [{heading: row.get(name, "") for name, heading in columns.items()} for row in rows]
        yield from ("", *table(pd.DataFrame(cells, dtype=object)))


def _of_collection(folder: Path) -> Iterator[str]:
    from camtraps import corrections, inventory
    from camtraps.words import num

    versions = inventory.recorded(folder)
    yield "recorded detections:" + ("" if versions else " none")
    yield from (f"  {version}" for version in versions)
    path = folder / "corrections.csv"
    yield f"corrections: {num(len(corrections.read_latest(path)) if path.exists() else 0, 'photo')}"


def _labels(options: argparse.Namespace) -> int:
    from camtraps import inventory, taxonomy

    folder, database, part = _opened(options)
    counts = inventory.labels(database, part, options.by_dataset).head(options.top)
    path = folder / "taxonomy.csv"
    if path.exists():
        counts["taxon"] = inventory.taxa(database, part, counts, taxonomy.read(path).lineages)
    show(counts, options.format)
    return 0


def _locations(options: argparse.Namespace) -> int:
    from camtraps import inventory

    folder, database, part = _opened(options)
    path = folder / "locations.csv"
    coordinates = inventory.read_coordinates(path) if path.exists() else None
    show(inventory.locations(database, part, coordinates).head(options.top), options.format)
    return 0


def _sample(options: argparse.Namespace) -> int:
    from camtraps import collections, inventory

    folder, database, part = _opened(options)
    photos = inventory.sample(database, part, options.num, options.seed)
    uris = inventory.uris(photos, collections.read_images(folder))
    if options.paths:
        say(*uris)
        return 0
    times = ["" if is_nothing(value) else str(value) for value in photos["datetime"]]
    for cells in zip(photos["image"], uris, photos["class"], times, strict=True):
        say("\t".join(map(clean, cells)))
    return 0


def _sql(options: argparse.Namespace) -> int:
    from camtraps import catalog_sql, layout

    folder = collection(options.name)
    # The pipeline's tables are of one collection; beside another they would only mislead.
    others = catalog_sql.tables_of_run() if folder == layout.collection() else {}
    database = catalog_sql.locked(folder / "catalog", others)
    rows = catalog_sql.select(database, options.statement)
    if options.format != "table":
        show_rows(rows.names, itertools.islice(rows.values, options.limit), options.format)
        return 0
    import pandas as pd

    limit = options.limit or NUM_ROWS
    shown = list(itertools.islice(rows.values, limit + 1))
    frame = pd.DataFrame(shown[:limit], columns=rows.names, dtype=object)
    say(*table(frame, number="", widest=WIDEST))
    if len(shown) > limit:
        more = catalog_sql.count(database, options.statement) - limit
        say(f"... and {more:,} more; --limit N shows more of them, --format csv all")
    return 0


def _opened(options: argparse.Namespace) -> "tuple[Path, duckdb.DuckDBPyConnection, Part]":
    from camtraps import catalog, parts

    folder = collection(options.name)
    database = catalog.connect(folder / "catalog")
    given = {name: getattr(options, name, None) for name in ("dataset", "label", "location")}
    return folder, database, parts.resolve(database, parts.Part(**given))


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"not Unicode text: {text!r}") from None
    return text
