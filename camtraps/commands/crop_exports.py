"""``camtraps export crops``, ``coco-crops``, ``tfrecords``: the crops as files that other tools train from."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import Commands, check_own, check_plain, count, say
from camtraps.errors import InputError

if TYPE_CHECKING:
    from camtraps.exports.labelled_crops import LabelledCrops

MARGIN = (
    "The crops are those of the stage crop. The tutorial of CameraTraps cut with a padding factor of 1.69: "
    "`dvc exp run -S crop.margin=1.69` first."
)


def add(formats: Commands) -> None:
    """Add the formats to the parsers of ``camtraps export``."""
    crops = _add(formats, "crops", "the crops as JPEG files, in the folders and under the names of CameraTraps")
    crops.epilog = "Crops of an earlier export to the same folder stay, unless they are written anew: name a new one."
    crops.add_argument("--dataset", help="only of this dataset")
    crops.add_argument("--label", help="only of this label of the label specification")
    crops.add_argument("--split", choices=("train", "val", "test"), help="only of this split")
    crops.set_defaults(run=_crops)
    coco = _add(formats, "coco-crops", "the crops as JPEG files, with train.json, val.json, test.json in COCO style")
    coco.set_defaults(run=_coco_crops)
    records = _add(formats, "tfrecords", "the crops as TFRecords for TensorFlow, with label_map.pbtxt")
    records.add_argument("--per-file", type=count, default=200, metavar="N", help="crops in a file (%(default)s)")
    records.set_defaults(run=_tfrecords)
    for parser in (coco, records):
        parser.epilog = MARGIN
        text = "labels to leave out; the others are numbered without gaps"
        parser.add_argument("--exclude-categories", nargs="+", default=(), metavar="LABEL", help=text)


def _add(formats: Commands, name: str, about: str) -> argparse.ArgumentParser:
    parser = formats.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")
    parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="the folder to write")
    return parser


def _crops(options: argparse.Namespace) -> int:
    from camtraps import layout, tables
    from camtraps.exports import crops
    from camtraps.schema import ASSIGNED, CROPS

    check_own(options.out)
    rows = tables.read(layout.CROPS / "crops.parquet", CROPS)
    for column in ("dataset", "label"):
        if (name := getattr(options, column)) is not None:
            rows = rows[rows[column] == name]
    if options.split:
        assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
        rows = rows.merge(assigned.loc[assigned["split"] == options.split, ["image", "box"]], on=["image", "box"])
    if rows.empty:
        raise InputError("data/crops: no crop of such a dataset, label and split")
    say(f"{options.out}: {crops.export(rows, layout.CROPS, options.out)}")
    return 0


def _coco_crops(options: argparse.Namespace) -> int:
    from camtraps import layout
    from camtraps.exports import coco_crops

    say(f"{options.out}: {coco_crops.export(_chosen(options), layout.CROPS, options.out)}")
    return 0


def _tfrecords(options: argparse.Namespace) -> int:
    from camtraps import layout
    from camtraps.exports import tfrecords

    say(f"{options.out}: {tfrecords.export(_chosen(options), layout.CROPS, options.out, options.per_file)}")
    return 0


def _chosen(options: argparse.Namespace) -> "LabelledCrops":
    from camtraps import layout, tables
    from camtraps.exports import labelled_crops
    from camtraps.schema import ASSIGNED, CROPS

    check_plain(options.out)
    check_own(options.out)
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
    return labelled_crops.choose(crops, assigned, options.exclude_categories)
