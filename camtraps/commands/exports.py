"""``camtraps export FORMAT``: what the repository knows, as files of other tools."""

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from camtraps.commands import crop_exports
from camtraps.commands.common import add_name, add_photos, check_out, check_own, collection, say, share, wanted
from camtraps.errors import InputError, MissingError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from camtraps.exports import camtrap_dp
    from camtraps.predictions import Predictions

EXAMPLES = """examples:
  camtraps export cct --name mine --out mine.json
  camtraps export csv --dataset alder --out alder.csv
  camtraps export cct --queried --out training_photos.json
  camtraps export queried-images --out queried_images.json
  camtraps export classification-ds --out classification_ds.csv
  camtraps export splits --out splits.json
  camtraps export label-index --out label_index.json
  camtraps export crops --split test --out crops
  camtraps export coco-crops --exclude-categories bird hare --out coco
  camtraps export tfrecords --out tfrecords
  camtraps export file-list --name mine --dataset alder --out alder.txt
  camtraps export outputs --split test --out outputs_test.csv.gz
  camtraps export overall-metrics --out overall_metrics.csv
  camtraps export label-stats --out label_stats.csv
  camtraps export confusion --out confusion_matrices.npz
  camtraps export mislabeled --margin 0.95 --out lists
  camtraps export camtrap-dp --timezone +02:00 --contributor "Alder Trust" --out package

Each is written whole or not at all; what stood there is replaced. The same inputs give the same bytes.
"""
MEMORY = "1GB"  # of the database, beyond which it spills


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its formats."""
    parser = commands.add_parser(
        "export",
        help="write photos, labels, boxes, splits as files of other tools",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    formats = parser.add_subparsers(required=True, metavar="FORMAT")
    for name, run, about in (
        ("cct", _cct, "COCO Camera Traps: photos, labels and boxes of a catalog"),
        ("csv", _csv, "a table with a row for each photo, label and box of a catalog"),
    ):
        one = _add(formats, name, about)
        add_name(one)
        one.add_argument("--dataset", help="this dataset alone, its files named without it (default: all)")
        one.add_argument(
            "--queried", action="store_true", help="only the photos that the last query chose, as corrected"
        )
        one.set_defaults(run=run)
    for name, run, about in (
        ("queried-images", _queried_images, "queried_images.json of CameraTraps: the photos of the last query"),
        ("classification-ds", _classification_ds, "classification_ds.csv of CameraTraps: the crops and their labels"),
        ("splits", _splits, "splits.json of CameraTraps: the locations of train, val and test"),
        ("label-index", _label_index, "label_index.json of CameraTraps: the classifier's labels by number"),
    ):
        _add(formats, name, about).set_defaults(run=run)
    _add_scores(formats)
    _add_camtrap_dp(formats)
    _add_mislabeled(formats)
    crop_exports.add(formats)
    files = _add(formats, "file-list", "a list of photos for AzCopy or rclone, relative to their dataset's images")
    add_name(files)
    add_photos(files)
    files.set_defaults(run=_file_list)


def _add(
    formats: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str
) -> argparse.ArgumentParser:
    parser = formats.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="what to write")
    return parser


def _add_scores(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    outputs = _add(formats, "outputs", "outputs_SPLIT.csv.gz of CameraTraps: the probabilities of each crop")
    outputs.add_argument("--split", choices=("train", "val", "test"), default="test", help="(%(default)s)")
    outputs.set_defaults(run=_outputs)
    for name, run, about in (
        ("overall-metrics", _overall_metrics, "overall_metrics.csv of CameraTraps: loss and accuracies by split"),
        ("label-stats", _label_stats, "label_stats.csv of CameraTraps: precision and recall by label"),
        ("confusion", _confusion, "confusion_matrices.npz of CameraTraps: a matrix for each split"),
    ):
        _add(formats, name, about).set_defaults(run=run)


def _add_camtrap_dp(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(formats, "camtrap-dp", "a Camera Trap Data Package: a folder of tables for GBIF and others")
    add_name(parser)
    parser.add_argument("--timezone", default="Z", help="of all cameras' clocks: Z or such as +02:00 (%(default)s)")
    parser.add_argument(
        "--locations", type=Path, metavar="FILE", help="dataset,location,latitude,longitude (data/NAME/locations.csv)"
    )
    parser.add_argument("--with-predictions", action="store_true", help="with the boxes and classes of the last run")
    parser.add_argument("--title", help="of the package (Camera-trap photos of NAME)")
    parser.add_argument("--contributor", help="person or organization to name as its contact (none but camtraps)")
    parser.set_defaults(run=_camtrap_dp)


def _add_mislabeled(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    lists = _add(formats, "mislabeled", "mislabeled_candidates_SPLIT_DATASET.txt of CameraTraps: suspected photos")
    text = "p(predicted) - p(label) at least, 0 to 1 (%(default)s)"
    lists.add_argument("--margin", type=share, default=0.95, metavar="P", help=text)
    lists.add_argument("--splits", nargs="+", choices=("train", "val", "test"), help="only of these (all judged)")
    lists.add_argument("-d", "--include-dataset-in-filename", action="store_true", help="names with their dataset")
    lists.set_defaults(run=_mislabeled)


def _cct(options: argparse.Namespace) -> int:
    from camtraps.exports import cct

    with _chosen(options) as database:
        datasets = [name for (name,) in database.execute("select distinct dataset from photos order by 1").fetchall()]
        exported = datasets if options.dataset is None else [options.dataset]
        what = "photos chosen by the query" if options.queried else "photos"
        description = f"{what} of {', '.join(exported)}"
        _tell(options, cct.export(database, options.out, description, "file" if len(exported) == 1 else "image"))
    return 0


def _csv(options: argparse.Namespace) -> int:
    from camtraps.exports import flat

    with _chosen(options) as database:
        _tell(options, flat.export(database, options.out))
    return 0


def _queried_images(options: argparse.Namespace) -> int:
    import duckdb

    from camtraps.exports import queried_images

    check_out(options.out)
    with _bounded(duckdb.connect()) as database:
        _view(database, "queried", "boxes")
        _tell(options, queried_images.export(database, options.out))
    return 0


def _classification_ds(options: argparse.Namespace) -> int:
    import duckdb

    from camtraps.exports import training_files

    check_out(options.out)
    with _bounded(duckdb.connect()) as database:
        _view(database, "crops", "assigned", "queried")
        _tell(options, training_files.export_crops(database, options.out))
    return 0


def _splits(options: argparse.Namespace) -> int:
    from camtraps import layout, tables
    from camtraps.exports import training_files
    from camtraps.schema import SPLITS

    check_out(options.out)
    splits = tables.read(layout.SPLITS / "splits.parquet", SPLITS)
    _tell(options, training_files.export_splits(splits, options.out))
    return 0


def _camtrap_dp(options: argparse.Namespace) -> int:
    from camtraps import catalog, collections, taxonomy
    from camtraps.exports import camtrap_dp
    from camtraps.exports.camtrap_dp_terms import Contributor, Project

    check_own(options.out)
    folder = collection(options.name)
    # The standard wants somebody; a program is better than a made-up person.
    nobody = Contributor(title="camtraps", role="contributor")
    who = Contributor(title=options.contributor) if options.contributor else nobody
    project = Project(
        name=re.sub(r"[^-a-z0-9._]+", "-", folder.name.lower()),
        title=options.title or f"Camera-trap photos of {folder.name}",
        timezone=options.timezone,
        contributors=(who,),
    )
    locations = options.locations or folder / "locations.csv"
    taxa = folder / "taxonomy.csv"
    with _bounded(catalog.connect(folder / "catalog")) as database:
        source = camtrap_dp.Source(
            database=database,
            locations=read_locations(locations),
            locations_path=locations,
            roots=collections.read_image_roots(folder),
            lineages=taxonomy.read(taxa).lineages if taxa.is_file() else {},
            **(_models() if options.with_predictions else {}),
        )
        summary = camtrap_dp.export(source, project, options.out)
    _tell(options, _package_counts(summary, options))
    return 0


def read_locations(path: Path) -> "pd.DataFrame":
    """Read coordinates of locations, as `camtrap_dp.Source` takes them."""
    import pandas as pd

    from camtraps.collections import LOCATION_COLUMNS
    from camtraps.files import read_csv

    rows = read_csv(path, LOCATION_COLUMNS, f"write it with the columns {','.join(LOCATION_COLUMNS)}, in degrees")
    return pd.DataFrame([row for _, row in rows], columns=list(LOCATION_COLUMNS), dtype="str")


def _models() -> dict[str, Any]:
    """Give what the detector and the classifier said, and what the classifier's labels are called in science."""
    from camtraps import layout, predictions, schema, tables
    from camtraps.files import read_json

    model = read_json(layout.CLASSIFIER / "model.json", "run `dvc repro`, or `dvc pull` if it was made elsewhere")
    taxa = {label: rule["taxa"] for label, rule in model["taxa"].items() if len(rule["taxa"]) == 1}
    return {
        "detections": tables.read(layout.DETECTIONS / "detections.parquet", schema.DETECTIONS),
        "predictions": predictions.read(layout.PREDICTIONS / "predictions.parquet").crops,
        "classifier": f"camtraps {model['architecture']}",
        # A taxon is its level and its name: `species vulpes vulpes`.
        "names": {label: taxon.split(" ", 1)[1].capitalize() for label, (taxon,) in taxa.items()},
    }


def _package_counts(summary: "camtrap_dp.Summary", options: argparse.Namespace) -> str:
    line = (
        f"{summary.num_media:,} photos, {summary.num_observations:,} observations, {summary.num_deployments:,} "
        f"deployments, clocks in time zone {options.timezone}"
    )
    line += "".join(f"; {number:,} left out: {reason}" for reason, number in summary.left_out.items())
    if summary.num_unmatched:
        line += f"; {summary.num_unmatched:,} detections and predictions of other photos left out"
    return line + ("" if options.contributor else "; nobody is named as its contact (--contributor)")


def _label_index(options: argparse.Namespace) -> int:
    from camtraps import layout
    from camtraps.exports import training_files

    check_out(options.out)
    model, labels = layout.CLASSIFIER / "model.json", layout.QUERIED / "labels.json"
    _tell(options, training_files.export_label_index(model, labels, options.out))
    return 0


def _mislabeled(options: argparse.Namespace) -> int:
    from camtraps import layout, tables
    from camtraps.exports import mislabeled
    from camtraps.schema import JUDGED

    check_own(options.out)
    judged = tables.read(layout.REVIEW / "crops.parquet", JUDGED)
    chosen = judged[judged["split"].isin(options.splits)] if options.splits else judged
    if chosen.empty:
        splits = ", ".join(sorted(judged["split"].unique()))
        raise InputError(f"data/review: only crops of {splits} were judged; mislabel.folds judges those of train too")
    _tell(options, mislabeled.export(chosen, options.out, options.margin, options.include_dataset_in_filename))
    return 0


def _outputs(options: argparse.Namespace) -> int:
    from camtraps import layout, tables
    from camtraps.exports import scores
    from camtraps.schema import CROPS

    check_out(options.out)
    predicted, classes = _predicted()
    chosen = predicted.where((predicted.crops["split"] == options.split).to_numpy())
    if chosen.crops.empty:
        raise InputError(f"data/predictions: no crop is in split {options.split}")
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)[["image", "box", "detector"]]
    detectors = chosen.crops[["image", "box"]].merge(crops, on=["image", "box"], how="left")["detector"]
    if detectors.isna().any():
        raise InputError("data/predictions: some of its crops are not in data/crops; run `dvc repro`")
    _tell(options, scores.export_outputs(chosen, detectors, classes, options.out))
    return 0


def _overall_metrics(options: argparse.Namespace) -> int:
    from camtraps.exports import scores

    return _export_scores(scores.export_overall, options)


def _label_stats(options: argparse.Namespace) -> int:
    from camtraps.exports import scores

    return _export_scores(scores.export_label_stats, options)


def _confusion(options: argparse.Namespace) -> int:
    from camtraps.exports import scores

    return _export_scores(scores.export_confusion, options)


def _export_scores(export: "Callable[[Predictions, list[str], Path], str]", options: argparse.Namespace) -> int:
    check_out(options.out)
    _tell(options, export(*_predicted(), options.out))
    return 0


def _predicted() -> "tuple[Predictions, list[str]]":
    from camtraps import layout, predictions
    from camtraps.files import read_json

    found = predictions.read(layout.PREDICTIONS / "predictions.parquet")
    return found, read_json(layout.PREDICTIONS / "classes.json", "run `dvc repro`")


def _file_list(options: argparse.Namespace) -> int:
    from camtraps import catalog, collections, photo_lists
    from camtraps.exports import file_list

    check_out(options.out)
    folder = collection(options.name)
    images = collections.read_images(folder)
    with catalog.connect(folder / "catalog") as database:
        photos = photo_lists.choose(database, wanted(options))
        dataset, *others = photos.num_photos
        if others:
            raise InputError(
                f"photos of {', '.join(photos.num_photos)}: a list is relative to the images of one dataset; choose "
                "one with --dataset"
            )
        _tell(options, file_list.export(photos, options.out))
    say(file_list.command(images.roots[dataset], options.out, folder / "images" / dataset))
    return 0


@contextmanager
def _chosen(options: argparse.Namespace) -> "Iterator[duckdb.DuckDBPyConnection]":
    """Open the catalog with the views ``photos`` and ``chosen``, the photos that the options ask for."""
    from camtraps import catalog
    from camtraps.exports import flat

    check_out(options.out)
    with _bounded(catalog.connect(collection(options.name) / "catalog")) as database:
        if options.queried:
            _view(database, "queried")
        flat.choose(database, options.dataset, options.queried)
        yield database


@contextmanager
def _bounded(database: "duckdb.DuckDBPyConnection") -> "Iterator[duckdb.DuckDBPyConnection]":
    """Let a database spill to disk, and close it in the end."""
    from camtraps.files import work_dir

    with TemporaryDirectory(dir=work_dir("exports"), ignore_cleanup_errors=True) as folder, database:
        quoted = folder.replace("'", "''")
        database.execute(f"set memory_limit = '{MEMORY}'; set temp_directory = '{quoted}'")
        database.execute("set enable_progress_bar = false")
        yield database


def _view(database: "duckdb.DuckDBPyConnection", *names: str) -> None:
    """Make views of tables that stages have written, under the tables' names."""
    from camtraps import layout, schema, tables

    places = {
        "queried": (layout.QUERIED, schema.QUERIED),
        "boxes": (layout.QUERIED, schema.BOXES),
        "crops": (layout.CROPS, schema.CROPS),
        "assigned": (layout.SPLITS, schema.ASSIGNED),
    }
    for name in names:
        folder, table = places[name]
        path = folder / f"{name}.parquet"
        if not path.exists():
            raise MissingError(f"{path}: not found; run `dvc repro`, or `dvc pull` if it was made elsewhere")
        tables.check_schema(path, table)
        database.execute(f"create view {name} as from read_parquet('{path}')")


def _tell(options: argparse.Namespace, counts: str) -> None:
    say(f"{options.out}: {counts}")
