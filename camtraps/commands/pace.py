"""``camtraps doctor --bench``: how many photos and crops a second this machine does, and the hours for many of them."""

import argparse
from pathlib import Path

from camtraps.commands.common import count, say

NETWORK, IMAGE_SIZE, NUM_CLASSES = "efficientnet-b0", 224, 100  # without a classifier of one's own


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to ``camtraps doctor``."""
    parser.add_argument("--bench", action="store_true", help="measure the pace of this machine, which takes a minute")
    text = "with --bench: say the hours for so many photos (%(default)s)"
    parser.add_argument("--photos", type=count, default=1_000_000, metavar="N", help=text)
    text = "with --bench: a model folder, or a network by name (models/classifier, else efficientnet-b0)"
    parser.add_argument("--network", metavar="NAME", help=text)
    text = "with --bench and a network by name: side of its views in pixels (%(default)s)"
    parser.add_argument("--image-size", type=count, default=IMAGE_SIZE, metavar="PX", help=text)


def run(options: argparse.Namespace) -> int:
    """Measure, and print a table."""
    from camtraps import pace
    from camtraps.layout import CLASSIFIER
    from camtraps.networks import timm_name

    folder = CLASSIFIER if options.network is None else Path(options.network)
    if (folder / "model.json").exists():
        subject = pace.Subject.of(folder)
    else:
        subject = pace.Subject(options.network or NETWORK, options.image_size, NUM_CLASSES)
        timm_name(subject.name)  # refuses a name that nobody knows
    say(*pace.table(pace.measure(subject), options.photos))
    return 0
