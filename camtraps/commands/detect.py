"""``camtraps detect``: run a detector over a collection and keep its results there."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import Commands, add_name, add_photos, collection, count, new_collection, say, wanted
from camtraps.errors import InputError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from camtraps.detections import DetectParams

EXAMPLES = """examples:
  camtraps detect --detector motion --name mine
  camtraps detect --detector megadetector --model MDV5A --batch-size 16 --queried
  camtraps detect --detector motion --all

The results go to data/NAME/detections, beside imported ones, where the stage detect and `camtraps calibrate-detector`
find them: another label specification detects nothing again. A run that was stopped goes on where it was.
"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "detect",
        help="run a detector over a collection and keep its results there",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_name(parser)
    parser.add_argument("--detector", required=True, choices=["motion", "megadetector", "batch_api"])
    parser.add_argument("--model", help="of megadetector, by name or file; of batch_api, a version")
    parser.add_argument("--image-size", type=count, metavar="N", help="longer side that megadetector looks at, pixels")
    parser.add_argument(
        "--batch-size", type=count, default=8, metavar="N", help="photos that a GPU looks at together (%(default)s)"
    )
    add_photos(parser)
    parser.add_argument(
        "--all", action="store_true", help="also photos with human boxes, or with a result of this detector"
    )
    parser.set_defaults(run=_detect)


def _detect(options: argparse.Namespace) -> int:
    from camtraps import catalog, detecting, photo_lists

    folder = collection(options.name)
    new_collection(folder.name)  # refuses names that are not the user's
    params = _params(options)
    version = detecting.version(params)
    database = catalog.connect(folder / "catalog")
    photo_lists.choose(database, wanted(options))
    images = _to_do(database, folder / "detections" / version, options.all)
    if not images:
        say(f"every photo has human boxes or a result of {version}; --all detects in all of them")
        return 0
    answers = detecting.detect(images, folder, params)
    for path in detecting.record(folder, answers):
        say(_line(path, answers))
    say(f"to version them: dvc add {folder / 'detections'}")
    return 0 if answers["boxes"].null_count < len(answers) else 1


def _params(options: argparse.Namespace) -> "DetectParams":
    from camtraps.detections import DetectParams

    given = {name: getattr(options, name) for name in ("detector", "model", "image_size", "batch_size")}
    try:
        return DetectParams(
            **given, recorded="none", threshold=0.0, repeat_iou=1.0, repeat_sequences=None, max_failed=0.0
        )
    except ValueError as error:
        raise InputError(f"--{str(error).replace('_', '-', 1)}") from None


def _to_do(database: "duckdb.DuckDBPyConnection", folder: Path, everything: bool) -> list[str]:
    """Give those of the listed photos that are to be looked at."""
    from camtraps import tables
    from camtraps.schema import RECORDED

    paths = sorted(folder.glob("*.parquet"))
    for path in paths:
        tables.check_schema(path, RECORDED)
    sql = "select image from listed join photos using (image) where not corrupt"
    if not everything:
        sql += " and boxes is null"
        if paths:
            names = [str(path) for path in paths]
            sql += f" and image not in (select image from read_parquet({names}) where boxes is not null)"
    return [image for (image,) in database.execute(sql).fetchall()]


def _line(path: Path, answers: "pa.Table") -> str:
    """Say what the answers for one dataset are."""
    import pyarrow.compute as pc

    from camtraps.words import num

    rows = answers.filter(pc.equal(answers["dataset"], path.stem))
    boxes = rows["boxes"].combine_chunks().flatten().field("category")
    counted = sorted((each["values"], each["counts"]) for each in pc.value_counts(boxes).to_pylist())
    found = ", ".join(num(number, f"{category} box", f"{category} boxes") for category, number in counted)
    line = f"{path}: {num(len(rows), 'photo')}, {found or 'no box'}"
    failed = rows.filter(rows["failure"].is_valid())
    if len(failed):
        first = failed.slice(0, 1).to_pylist()[0]
        line += f", {len(failed):,} failed (first: {first['image']}: {first['failure']})"
    return line
