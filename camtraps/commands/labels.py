"""``camtraps labels``: make a label specification, see what it takes, turn JSON into CSV and back."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import add_name, check_plain, collection, count, say
from camtraps.errors import InputError
from camtraps.words import num

if TYPE_CHECKING:
    import duckdb

    from camtraps.labels import Selection
    from camtraps.query import QueryParams

SUGGEST = """examples:
  camtraps labels suggest --min-photos 500 --out data/mine/label_spec.json --name mine
  camtraps labels suggest --total 1400000 > label_spec.json
"""
EXPLAIN = """examples:
  camtraps labels explain
  camtraps labels explain new_spec.csv --name mine --locations
"""
CONVERT = """examples:
  camtraps labels convert label_spec.csv label_spec.json

Datasets and their labels are written folded, as they are compared: lower case, Caltech Camera Traps as
caltech-camera-traps. Comments are lost.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``labels suggest``, ``labels explain`` and ``labels convert``."""
    group = commands.add_parser("labels", help="make, explain or convert a label specification")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    form = argparse.RawDescriptionHelpFormatter
    suggest = actions.add_parser(
        "suggest", help="make a specification of the taxa with enough photos", epilog=SUGGEST, formatter_class=form
    )
    suggest.add_argument("--min-photos", type=count, default=2000, metavar="N", help="enough photos (%(default)s)")
    suggest.add_argument("--total", type=count, metavar="N", help="crops wanted in all, for caps (default: no caps)")
    suggest.add_argument("--out", type=Path, metavar="FILE", help="write it to .json or .csv (default: print it)")
    add_name(suggest)
    suggest.set_defaults(run=_suggest)
    explain = actions.add_parser(
        "explain", help="say what each label takes and what no label takes", epilog=EXPLAIN, formatter_class=form
    )
    explain.add_argument(
        "spec", nargs="?", type=Path, metavar="SPEC", help="the specification (default: that of the collection)"
    )
    explain.add_argument("--locations", action="store_true", help="list the locations of each dataset too")
    add_name(explain)
    explain.set_defaults(run=_explain)
    convert = actions.add_parser(
        "convert", help="turn a specification from JSON into CSV or back", epilog=CONVERT, formatter_class=form
    )
    convert.add_argument("source", type=Path, metavar="SRC", help="a .json or .csv file")
    convert.add_argument("target", type=Path, metavar="DST", help="a .json or .csv file")
    convert.set_defaults(run=_convert)


def _suggest(options: argparse.Namespace) -> int:
    from camtraps import catalog, label_specs, suggestion, taxonomy

    folder = collection(options.name)
    table = taxonomy.read(folder / "taxonomy.csv")
    counts = taxonomy.photos_by_pair(catalog.label_counts(catalog.connect(folder / "catalog")))
    found = suggestion.suggest(table, counts, options.min_photos, options.total)
    if not found.rules:
        raise InputError(f"{folder}: no taxon has {options.min_photos:,} photos; lower --min-photos")
    report = [f"{label}: {num(number, 'photo')}" for label, number in found.photos.items()]
    report += [f"left out: {what}: {num(number, 'photo')}" for what, number in found.left_out]
    if options.out:
        check_plain(options.out)
        label_specs.write(found.rules, options.out)
        say(*report, f"{options.out}: {num(len(found.rules), 'label')}")
    else:
        say(label_specs.text(found.rules).rstrip())
        sys.stderr.write("".join(f"{line}\n" for line in report))  # so that what is printed can be kept as a file
    return 0


def _explain(options: argparse.Namespace) -> int:
    from camtraps import catalog, explanation, labels, params, query, taxonomy

    folder = collection(options.name)
    path = options.spec or _spec_of(folder, options.name)
    rules, table = labels.read(path), taxonomy.read(folder / "taxonomy.csv")
    settings = params.load(query.QueryParams, "query")
    database = catalog.connect(folder / "catalog")
    selection, problems = labels.attempt(rules, table, catalog.pairs(database))
    shared, counts = selection.overlaps(), catalog.label_counts(database)
    if selection.pairs:
        try:
            say(*_chosen(options, folder, selection, database, settings))
        except InputError as error:  # no photo is left: what is said of the labels below helps to see why
            problems.append(str(error))
    say(*explanation.unselected(selection, counts))
    notes, problems = (shared, problems) if settings.allow_multilabel else ([], [*problems, *shared])
    say(*(f"warning: {line}" for line in (*selection.warnings, *notes)), *(f"problem: {line}" for line in problems))
    return 1 if problems else 0


def _spec_of(folder: Path, name: str | None) -> Path:
    from camtraps import label_specs, layout

    return folder / layout.label_spec() if name is None else label_specs.find(folder)


def _chosen(
    options: argparse.Namespace,
    folder: Path,
    selection: "Selection",
    database: "duckdb.DuckDBPyConnection",
    settings: "QueryParams",
) -> list[str]:
    """Choose photos as the query stage does, without a look at the photos themselves, and explain."""
    from camtraps import corrections, explanation, query

    decisions = corrections.read_latest(folder / "corrections.csv")
    chosen = query.choose(database, selection, decisions, settings)
    classes, places = chosen.count("dataset", "class", "why"), chosen.count("dataset", "location")
    lines = explanation.explain(selection, classes, places, options.locations)
    return [*lines, *explanation.left_out(chosen.left_out["reason"], chosen.num_unlisted)]


def _convert(options: argparse.Namespace) -> int:
    from camtraps import label_specs

    rules = label_specs.read(options.source)
    check_plain(options.target)
    label_specs.write(rules, options.target)
    say(f"{options.target}: {num(len(rules), 'label')}")
    return 0
