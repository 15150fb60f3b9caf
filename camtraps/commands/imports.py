"""``camtraps import``: photos, labels and detections into a collection, from the formats that teams have them in."""

import argparse
import datetime
from dataclasses import replace
from pathlib import Path

from camtraps.commands.common import Commands, add_name, collection, new_collection, say, seconds, share
from camtraps.errors import MissingError

EXAMPLES = """examples:
  camtraps import cct photos.json --images /data/photos --name mine
  camtraps import folders /data/photos --pattern "{location}/{label}/{file}" --name mine
  camtraps import csv photos.csv --images /data/photos --column label=Species --name mine
  camtraps import camtrap-dp package.zip --images /data/photos --name mine
  camtraps import lila lila_image_urls_and_labels.csv.zip --datasets lila_camera_trap_datasets.csv \\
      --only "Caltech Camera Traps" --taxon family:canidae --name mine
  camtraps import lila lila_camera_trap_datasets.csv --only "Caltech Camera Traps" --results mdv5a --name mine
  camtraps import detections md_results.json --name mine
  camtraps import foreign outputs_test.csv.gz --mapping target_mapping.json --name mine
  camtraps import corrections decisions.csv --name mine

Importing again replaces the dataset and nothing else; detections are merged with those of the same version.
`camtraps import FORMAT --help` says more.
"""
SHOWN = 5  # of the decisions that something is odd about


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "import",
        help="bring photos, labels and detections into data/NAME",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    formats = parser.add_subparsers(required=True, metavar="FORMAT")
    _images(_photos(formats, "cct", "COCO Camera Traps: photos, labels, boxes"))
    animl = _photos(formats, "animl", "Animl's export, or MegaDetector-format files made from it")
    animl.add_argument("--images", help="folder with the photos (default: Animl's bucket, photos by their key in it)")
    _add_lila(formats)
    package = _photos(formats, "camtrap-dp", "Camtrap DP: a folder, a zip or datapackage.json")
    package.add_argument("--images", help="folder or URI of the photos (default: where the package says)")
    megadb = _photos(formats, "megadb", "MegaDB sequences as JSON", named=False)
    megadb.add_argument("--images", help="folder or URI with one folder a dataset (default: from --datasets)")
    megadb.add_argument("--datasets", type=Path, metavar="JSON", help="MegaDB's datasets table: where photos lie")
    queried = _photos(formats, "queried-images", "queried_images.json of CameraTraps", named=False)
    queried.add_argument("--images", required=True, help="folder or URI with one folder a dataset")
    table = _photos(formats, "csv", "a table with a row for each photo, label or box")
    _images(table)
    table.add_argument(
        "--column", action="append", default=[], metavar="OURS=YOURS", help="a column that has another name in the file"
    )
    table.add_argument("--pixels", action="store_true", help="boxes are in pixels, not relative to the photo")
    folders = _photos(formats, "folders", "photos in folders that say their location and label")
    folders.add_argument("--pattern", required=True, help='such as "{location}/{label}/{file}"; ** is any depth')
    folders.add_argument("--labels", choices=["path", "xmp"], default="path", help="where labels stand (%(default)s)")
    folders.add_argument("--xmp-prefix", help="only XMP tags below this one, such as Species")
    _add_detections(formats)
    _add_foreign(formats)
    _add_corrections(formats)


def _photos(formats: Commands, name: str, text: str, named: bool = True) -> argparse.ArgumentParser:
    """Add a format of photos; ``named`` if the source does not name its datasets itself."""
    parser: argparse.ArgumentParser = formats.add_parser(name, help=text, description=text)
    parser.add_argument("source", type=Path, metavar="SRC", help="the file or folder")
    _add_names(parser, named)
    parser.add_argument("--taxonomy", type=Path, help="taxonomy table (LILA mapping layout), checked and copied")
    parser.add_argument("--label-spec", type=Path, help="label specification (JSON or CSV), checked and copied")
    parser.add_argument(
        "--sequence-gap",
        type=seconds,
        default=30.0,
        metavar="TIME",
        help="longest pause in a sequence, for photos without one: 30s, 2m, 0 builds none (30s)",
    )
    order = parser.add_mutually_exclusive_group()
    order.add_argument("--day-first", action="store_true", default=None, help="03/04/2024 is in April")
    order.add_argument("--month-first", action="store_false", dest="day_first", help="03/04/2024 is in March")
    parser.add_argument(
        "--max-failed",
        type=share,
        default=0.01,
        metavar="SHARE",
        help="share of unusable photos to accept, 0 to 1 (%(default)s)",
    )
    parser.set_defaults(run=_import, format=name)
    return parser


def _images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", required=True, help="folder or URI that its file names are relative to")


def _add_lila(formats: Commands) -> None:
    text = "LILA's table of all images (CSV, zipped or not), or its table of datasets, whose metadata is then fetched"
    parser = _photos(formats, "lila", text, named=False)
    parser.add_argument(
        "--images", help="folder with the photos, laid out as in LILA's bucket (default: the bucket itself)"
    )
    parser.add_argument("--cloud", choices=["gcp", "aws", "azure"], default="gcp", help="(%(default)s)")
    parser.add_argument(
        "--datasets", type=Path, metavar="CSV", help="LILA's table of datasets, beside that of all images"
    )
    parser.add_argument("--only", action="append", default=[], metavar="DATASET", help="a dataset; may be repeated")
    parser.add_argument("--country", action="append", default=[], help="needs the table of datasets; may be repeated")
    parser.add_argument("--taxon", action="append", default=[], metavar="LEVEL:NAME", help="such as family:canidae")
    parser.add_argument(
        "--results",
        choices=["mdv4", "mdv5a", "mdv5b", "rde"],
        help="fetch LILA's MegaDetector results too (rde: without repeated detections)",
    )


def _add_detections(formats: Commands) -> None:
    text = (
        "recorded MegaDetector results, format 1.0 to 1.6, of photos that are in the catalog; of several results for a "
        "photo the first success counts, those of an earlier import first"
    )
    parser = formats.add_parser("detections", help="recorded MegaDetector results", description=text)
    parser.add_argument("sources", type=Path, nargs="+", metavar="FILE", help="JSON, gzipped or zipped or not")
    parser.add_argument("--version", help="name to keep them under (default: the detector named in the files)")
    parser.add_argument(
        "--format",
        choices=["detections", "response"],
        help="results, or the answer of a finished task of the Batch API that says where they are "
        "(default: what the file looks like)",
    )
    parser.add_argument("--replace", action="store_true", help="forget earlier results of this version")
    _add_names(parser)
    parser.set_defaults(run=_import_detections)


def _add_foreign(formats: Commands) -> None:
    text = (
        "probabilities of another classifier for the crops, to compare ours with: a CSV file with the column path, or "
        "image and box, and one for each class, gzipped or not"
    )
    parser = formats.add_parser("foreign", help="probabilities of another classifier for the crops", description=text)
    parser.add_argument("source", type=Path, metavar="FILE", help="the CSV file")
    parser.add_argument(
        "--mapping", type=Path, metavar="JSON", help="{our label: [its labels]}; what is none of ours under other"
    )
    parser.add_argument("--name", help="the collection data/NAME (default: data.name of params.yaml)")
    parser.set_defaults(run=_import_foreign)


def _add_corrections(formats: Commands) -> None:
    text = (
        "decisions about labels, added to data/NAME/corrections.csv: the CSV of the review page, that of Timelapse "
        "(File, RelativePath, mislabeled, correct_class), or lists of CameraTraps (megadb_mislabeled/DATASET.csv)"
    )
    parser = formats.add_parser("corrections", help="decisions of people about labels", description=text)
    parser.add_argument("sources", type=Path, nargs="+", metavar="FILE", help="the CSV file")
    add_name(parser)
    parser.add_argument("--dataset", help="whose photos the file names (default: what the file or its name says)")
    parser.add_argument("--reviewer", default="", help="who decided, where the file does not say it")
    parser.set_defaults(run=_import_corrections)


def _add_names(parser: argparse.ArgumentParser, dataset: bool = True) -> None:
    parser.add_argument("--name", required=True, help="the collection: the folder data/NAME")
    if dataset:
        parser.add_argument("--dataset", help="the dataset in it (default: NAME)")
    else:
        parser.set_defaults(dataset=None)


def _import(options: argparse.Namespace) -> int:
    from camtraps import collection_files, importing, label_specs, recording, taxonomy
    from camtraps.commands import sources

    folder = new_collection(options.name)
    # Everything is checked before anything is written.
    if not options.source.exists():
        raise MissingError(f"{options.source}: not found; check the path")
    if options.taxonomy:
        taxonomy.read(options.taxonomy)
    if options.label_spec:
        label_specs.read(options.label_spec)
    classes: set[tuple[str, str]] = set()
    for task in sources.tasks(options):
        imported = importing.import_photos(folder, task.source, task.rules, options.max_failed)
        classes |= imported.classes
        say(*imported.lines)
        for dataset, path in sources.recorded(options, imported.datasets):
            say(*recording.import_detections(folder, dataset, [path], options.results, replace=True).lines)
    if options.taxonomy:
        collection_files.place_taxonomy(folder, options.taxonomy)
    if options.label_spec:
        say(*collection_files.place_label_spec(folder, options.label_spec))
    say(*collection_files.missing_from_taxonomy(folder, classes), *collection_files.next_steps(folder))
    return 0


def _import_detections(options: argparse.Namespace) -> int:
    from camtraps import recording
    from camtraps.commands import sources

    new_collection(options.name)  # refuses names that are not the user's
    folder = collection(options.name)
    dataset = options.name if options.dataset is None else options.dataset
    results = [sources.results(path, options.format) for path in options.sources]
    paths = [each.path for each in results]
    say(*recording.import_detections(folder, dataset, paths, options.version, options.replace).lines)
    say(*(line for each in results for line in each.lines))
    return 0


def _import_foreign(options: argparse.Namespace) -> int:
    from camtraps import collection_files, foreign

    folder = collection(options.name)
    collection_files.create_folders(folder)
    say(*foreign.place(folder / "foreign", options.source, options.mapping))
    return 0


def _import_corrections(options: argparse.Namespace) -> int:
    from camtraps import catalog, corrections, decisions, label_specs, layout, taxonomy
    from camtraps.collection_files import write_rows
    from camtraps.formats.decisions import read
    from camtraps.words import num

    folder = collection(options.name)
    path, taxa, spec = folder / "corrections.csv", folder / "taxonomy.csv", folder / layout.label_spec()
    given = [(source, read(source, options.dataset)) for source in options.sources]
    labels = [rule.label for rule in label_specs.read(spec)] if spec.exists() else []
    known = taxonomy.read(taxa) if taxa.exists() else None
    corrections.create(path)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    odd: list[tuple[str, str]] = []
    with catalog.connect(folder / "catalog") as database:
        for source, found in given:
            named = [replace(each, reviewer=each.reviewer or options.reviewer) for each in found]
            checked = decisions.check(named, database, labels, known)
            added = decisions.add(path, checked.decisions, source.name, today)
            say(f"{source}: {num(len(found), 'decision')}, {added:,} new -> {path}")
            odd += checked.problems
    listing = folder / "corrections_problems.csv"
    listing.unlink(missing_ok=True)
    if odd:
        write_rows(listing, ("image", "reason"), odd)
        say(*(f"  {image}: {reason}" for image, reason in odd[:SHOWN]), f"{len(odd):,} odd -> {listing}")
    return 0
