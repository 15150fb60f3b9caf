"""``camtraps corrections``: the decisions of people about labels, and how they agree."""

import argparse

from camtraps.commands.common import Commands, add_name, collection, say
from camtraps.commands.printing import show, table

EXAMPLES = """examples:
  camtraps corrections conflicts
  camtraps corrections conflicts --name mine --format csv

The last decision about a photo counts. Cohen's kappa is the agreement beyond chance: 1 for always, 0 for no more than
by chance.
"""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser("corrections", help="decisions of people about labels: where they differ")
    questions = parser.add_subparsers(required=True, metavar="QUESTION")
    text = "photos on which reviewers differ, and how they agree (Cohen's kappa)"
    form = argparse.RawDescriptionHelpFormatter
    conflicts = questions.add_parser("conflicts", help=text, epilog=EXAMPLES, formatter_class=form)
    add_name(conflicts)
    conflicts.add_argument("--format", choices=("table", "csv", "json"), default="table", help="(%(default)s)")
    conflicts.set_defaults(run=_conflicts)


def _conflicts(options: argparse.Namespace) -> int:
    from camtraps import decisions
    from camtraps.words import num

    path = collection(options.name) / "corrections.csv"
    found = decisions.compare(path)
    if options.format != "table":
        show(found.conflicts, options.format)
        return 0
    say(f"{path}: reviewers differ on {num(len(found.conflicts), 'photo')}")
    if len(found.conflicts):
        say(*table(found.conflicts))
    if len(found.agreement):
        say("", *table(found.agreement))
    return 0
