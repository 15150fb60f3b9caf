"""``camtraps stats`` and ``samples``: the tutorial's tables of classes and its sample predictions."""

import argparse
from pathlib import Path

from camtraps.commands.common import Commands, check_out, check_own, count, say, whole
from camtraps.commands.printing import clean
from camtraps.errors import InputError, MissingError
from camtraps.words import num

STATS = """examples:
  camtraps stats
  camtraps stats --classlist classlist.txt --csv classes.csv --plot classes.svg
  camtraps stats coco/train.json coco/test.json

Without files it is about the splits of the last run.
"""
SAMPLES = """examples:
  camtraps samples
  camtraps samples --num 20 --split val --out val_samples

Each picture has a text of the same name with its most probable classes.
"""


def add(commands: Commands) -> None:
    """Add the commands."""
    from camtraps import layout

    form = argparse.RawDescriptionHelpFormatter
    text = "print how many crops each class has in each split, and from which locations"
    stats = commands.add_parser("stats", help=text, epilog=STATS, formatter_class=form)
    stats.add_argument("files", nargs="*", type=Path, metavar="JSON", help="COCO files, one a split")
    stats.add_argument("--location-key", default="location", metavar="KEY", help="of an image there (%(default)s)")
    text = "the COCO Camera Traps file that has the locations of the photos which original_key names"
    stats.add_argument("--photos", type=Path, metavar="JSON", help=text)
    text = "write the names of the classes, one a line: line k is output k"
    stats.add_argument("--classlist", type=Path, metavar="FILE", help=text)
    stats.add_argument("--csv", type=Path, metavar="FILE", help="write split, id, name and number of each class")
    stats.add_argument("--plot", type=Path, metavar="SVG", help="write a chart of them")
    stats.set_defaults(run=_stats)
    text = "write a few crops of each label in turn, with what the classifier says of them"
    samples = commands.add_parser("samples", help=text, epilog=SAMPLES, formatter_class=form)
    text = "the model folder (%(default)s)"
    samples.add_argument("--model", type=Path, default=layout.CLASSIFIER, metavar="FOLDER", help=text)
    samples.add_argument("--split", choices=("train", "val", "test"), default="test", help="(%(default)s)")
    samples.add_argument("--num", type=count, default=10, metavar="N", help="crops to write (%(default)s)")
    samples.add_argument("--top", type=count, default=5, metavar="N", help="classes to name (%(default)s)")
    samples.add_argument("--seed", type=whole, default=0, metavar="N", help="of the draw (%(default)s)")
    text = "the folder to write to (%(default)s)"
    samples.add_argument("--out", type=Path, default=Path("sample_output"), metavar="FOLDER", help=text)
    samples.set_defaults(run=_samples)


def _stats(options: argparse.Namespace) -> int:
    from camtraps import layout, statistics, tables
    from camtraps.files import write_text
    from camtraps.schema import ASSIGNED

    for path in filter(None, (options.classlist, options.csv, options.plot)):
        check_out(path)
    if options.plot and options.plot.suffix.lower() != ".svg":
        raise InputError(f"--plot: {options.plot}: the chart is an SVG; give it a name that ends in .svg")
    if options.photos and not options.files:
        raise InputError("--photos: is of use with COCO files alone; name them, or leave it out")
    if options.files:
        found = [statistics.of_coco(path, options.location_key, options.photos) for path in options.files]
    else:
        found = statistics.of_splits(tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED))
    for each in found:
        say(*map(clean, statistics.lines(each)), "")
    if options.classlist:
        write_text(options.classlist, statistics.class_list(found[0]))
        say(f"{options.classlist}: {num(len(found[0].classes), 'class', 'classes')} of {found[0].name}")
    if options.csv:
        write_text(options.csv, statistics.table(found).to_csv(index=False, lineterminator="\n"))
        say(f"{options.csv}: {num(len(statistics.table(found)), 'row')}")
    if options.plot:
        write_text(options.plot, statistics.chart(found))
        say(f"{options.plot}: {num(len(found), 'split')}")
    return 0


def _samples(options: argparse.Namespace) -> int:
    from camtraps import classifier, layout, samples, tables
    from camtraps.schema import ASSIGNED, CROPS

    check_own(options.out)
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
    assigned = assigned.loc[assigned["split"] == options.split, ["image", "box"]]
    there = crops.merge(assigned, on=["image", "box"])
    if there.empty:
        raise MissingError(f"data/splits: no crop is in split {options.split}; choose another --split")
    chosen = samples.choose(there, options.num, options.seed)
    paths = samples.write(chosen, layout.CROPS, classifier.load(options.model), options.top, options.out)
    fewer = f"; there are no more in {options.split}" if len(paths) < options.num else ""
    labels = num(chosen["label"].nunique(), "label")
    say(f"{options.out}: {num(len(paths), 'crop')} of {labels}, each with its text{fewer}")
    return 0
