"""``camtraps inspect``: a page about the crops and how the split shares them out."""

import argparse
from pathlib import Path

from camtraps.commands.common import Commands, check_out, say

EXAMPLES = """examples:
  camtraps inspect
  camtraps inspect --out before.html --compare data/mine/splits/2024.json
"""
OUT = Path("inspection.html")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "inspect",
        help="write a page about the crops and the split: balance, confidence, pictures",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE", help="the page to write (%(default)s)")
    text = "a splits.parquet or splits.json: count the locations that are in another split there"
    parser.add_argument("--compare", type=Path, metavar="FILE", help=text)
    parser.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    import pandas as pd

    from camtraps import layout, split_files, tables
    from camtraps.errors import MissingError
    from camtraps.files import write_text
    from camtraps.inspection import Inspected, compose
    from camtraps.schema import ASSIGNED, CROPS
    from camtraps.shards import Reader

    check_out(options.out)
    balance, duplicates = layout.SPLITS / "balance.csv", layout.SPLITS / "duplicates.csv"
    if not balance.is_file():
        raise MissingError(f"{balance}: not found; run `dvc repro split`, or `dvc pull` if it was made elsewhere")
    text = {"dtype": str, "keep_default_na": False}  # a label NA stays one
    numbers = {name: float for name in ("crop_fraction", "location_fraction")} | {"crops": int, "locations": int}
    given = Inspected(
        name=layout.collection().name,
        crops=tables.read(layout.CROPS / "crops.parquet", CROPS),
        assigned=tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED),
        balance=pd.read_csv(balance, **text).astype(numbers),
        duplicates=pd.read_csv(duplicates, **text) if duplicates.is_file() else None,
        other=split_files.read(options.compare) if options.compare else None,
        other_name=str(options.compare),
    )
    write_text(options.out, compose(given, Reader(layout.CROPS)))
    num = given.assigned["label"].nunique()
    say(f"{options.out}: {len(given.assigned):,} crops of {num:,} labels")
    return 0
