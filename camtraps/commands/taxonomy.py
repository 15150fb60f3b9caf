"""``camtraps taxonomy``: look at the tree of taxa with its photos, and check the table against the catalog."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import add_name, collection, say, whole
from camtraps.errors import MAX_SHOWN
from camtraps.words import num

if TYPE_CHECKING:
    from camtraps.taxonomy_checks import Finding

SHOW = """examples:
  camtraps taxonomy show family cervidae
  camtraps taxonomy show class mammalia --depth 2 --name mine
"""
CHECK = """examples:
  camtraps taxonomy check
  camtraps taxonomy check lila-taxonomy-mapping_release.csv
  camtraps taxonomy check new_taxonomy.csv --name mine     (against the catalog of data/mine)
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``taxonomy show`` and ``taxonomy check``."""
    group = commands.add_parser("taxonomy", help="look at the tree of taxa, or check the table")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    form = argparse.RawDescriptionHelpFormatter
    show = actions.add_parser(
        "show", help="print the tree from a taxon down with photo counts", epilog=SHOW, formatter_class=form
    )
    show.add_argument("level", metavar="LEVEL", help="level of the taxon: class, order, family, genus, species, ...")
    show.add_argument("taxon", metavar="NAME", nargs="+", help="its scientific name")
    show.add_argument("--depth", type=whole, metavar="N", help="how many taxa to go down (default: all the way)")
    add_name(show)
    show.set_defaults(run=_show)
    check = actions.add_parser(
        "check", help="say what is odd in the table; exit code 1 for problems", epilog=CHECK, formatter_class=form
    )
    check.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a table (default: that of the collection, with its catalog)"
    )
    add_name(check)
    check.set_defaults(run=_check)


def _show(options: argparse.Namespace) -> int:
    from camtraps import catalog, taxonomy, taxonomy_outline

    folder = collection(options.name)
    table = taxonomy.read(folder / "taxonomy.csv")
    counts = taxonomy.photos_by_pair(catalog.label_counts(catalog.connect(folder / "catalog")))
    taxon = (taxonomy.fold(options.level), taxonomy.fold(" ".join(options.taxon)))
    say(*taxonomy_outline.show(table, taxon, counts, options.depth))
    return 0


def _check(options: argparse.Namespace) -> int:
    from camtraps import catalog, taxonomy, taxonomy_checks

    # A table alone can be checked anywhere, before there is any collection.
    folder = collection(options.name) if options.name is not None or not options.file else None
    path: Path = options.file or Path(folder or "") / "taxonomy.csv"
    table = taxonomy.read(path)
    findings = taxonomy_checks.check(table)
    if folder:
        counts = catalog.label_counts(catalog.connect(folder / "catalog"))
        findings += taxonomy_checks.check_catalog(table, counts)
    say(*_lines(findings))
    num_problems = sum(finding.is_problem for finding in findings)
    counted = [
        num(len(table.rows), "row"),
        num(len(table.tree.children), "taxon", "taxa"),
        num(num_problems, "problem"),
        num(len(findings) - num_problems, "note"),
    ]
    say(f"{path}: {', '.join(counted)}")
    return 1 if num_problems else 0


def _lines(findings: "list[Finding]") -> list[str]:
    """Give a line a finding, problems first, of each kind only as many as a person reads."""
    lines = []
    kinds = dict.fromkeys((not finding.is_problem, finding.kind) for finding in findings)
    for is_note, kind in sorted(kinds, key=lambda each: each[0]):
        texts = [finding.text for finding in findings if finding.kind == kind]
        weight = "note" if is_note else "problem"
        lines += [f"{weight}: {kind}: {text}" for text in texts[:MAX_SHOWN]]
        if len(texts) > MAX_SHOWN:
            lines.append(f"{weight}: {kind}: and {len(texts) - MAX_SHOWN:,} more")
    return lines
