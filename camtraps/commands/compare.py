"""``camtraps compare A B``: two classifiers on the same crops or photos, by git revision, folder or result file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import Commands, check_out, say

if TYPE_CHECKING:
    import pandas as pd

    from camtraps.comparison import Pairs

EXAMPLES = """examples:
  camtraps compare HEAD~1 HEAD
  camtraps compare v1 data/predictions --html v1_and_now.html
  camtraps compare old_results.json data/results/megadetector.json

A and B are git revisions, folders with predictions, or result files of MegaDetector's format.
"""
MOST_LOCATIONS = 20  # printed; the page has all


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compare",
        help="say where two classifiers differ, who is right there, and which thresholds are alike",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="A", help="a git revision, a folder or a result file")
    parser.add_argument("b", metavar="B", help="another one")
    choices = ("train", "val", "test", "all")
    parser.add_argument("--split", choices=choices, default="test", help="only crops of this split (%(default)s)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page, too")
    parser.set_defaults(run=_compare)


def _compare(options: argparse.Namespace) -> int:
    from camtraps import comparison, contenders
    from camtraps.commands.printing import table
    from camtraps.errors import InputError
    from camtraps.files import write_text
    from camtraps.pages import note, page, sections
    from camtraps.pages import table as html_table

    if options.html:
        check_out(options.html)
    both = [contenders.read(source) for source in (options.a, options.b)]
    pairs = comparison.pair(both[0], both[1], None if options.split == "all" else options.split)
    if pairs.rows.empty:
        raise InputError(f"{options.a}, {options.b}: they have no {pairs.unit} of split {options.split} in common")
    parts = _parts(pairs)
    for heading, frame in parts.items():
        shown = frame.head(MOST_LOCATIONS) if heading == LOCATIONS else frame
        say("", heading, *table(shown))
    if options.html:
        who = note(f"A is {options.a}, B is {options.b}; split {options.split}.", "lead")
        body = who + sections([(heading, html_table(frame, "wide")) for heading, frame in parts.items()])
        write_text(options.html, page("camtraps: two classifiers", body))
        say("", f"{options.html}: the same as a page")
    return 0


LOCATIONS = "Locations, those where they differ most first"


def _parts(pairs: "Pairs") -> "dict[str, pd.DataFrame]":
    from camtraps import comparison

    parts = {"Agreement": comparison.overall(pairs)}
    if pairs.has_labels:
        places = comparison.by_location(pairs)
        apart = (places["only A right"] - places["only B right"]).abs()
        parts["Labels"] = comparison.by_label(pairs)
        parts[LOCATIONS] = places.loc[apart.sort_values(ascending=False, kind="stable").index]
        parts["Equivalent thresholds: B as precise as A"] = comparison.thresholds(pairs)
    return parts
