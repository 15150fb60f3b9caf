"""``camtraps exp-summary``: experiments that differ only in their seed, summed up and compared."""

import argparse
from typing import TYPE_CHECKING, Any

from camtraps.commands.common import Commands, dvc_repository, say
from camtraps.commands.printing import show, table
from camtraps.errors import InputError, MissingError

if TYPE_CHECKING:
    import pandas as pd

    from camtraps.experiments import Run

EXAMPLES = """examples:
  dvc exp run --queue -S train.seed=1,2,3 -S train.epochs=13,30 && dvc queue start --jobs 2
  camtraps exp-summary
  camtraps exp-summary --metric top1 --metric night_top1 --split val --format csv

Experiments are runs of one setting if they differ in train.seed only. Each score is the mean over the seeds with its
95% interval. Settings are compared crop by crop on the same split, from the predictions in DVC's cache; the interval
of a difference is a bootstrap over locations.
"""


def add(commands: Commands) -> None:
    """Add ``exp-summary``."""
    parser = commands.add_parser(
        "exp-summary",
        help="sum experiments up over seeds and compare them",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rev", action="append", metavar="REV", help="experiments of this commit (default: the last)")
    parser.add_argument("-A", "--all-commits", action="store_true", help="experiments of all commits")
    parser.add_argument("--split", choices=("train", "val", "test"), default="test", help="(%(default)s)")
    text = "a score of metrics/evaluate.json; may stand several times (default: top1, macro_recall)"
    parser.add_argument("--metric", action="append", metavar="NAME", help=text)
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="of the summary")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from camtraps import experiments

    with dvc_repository() as opened:
        given, others = experiments.same_split(experiments.runs(opened, options.rev, options.all_commits))
        if not given:
            raise MissingError("no experiment here has scores; run `dvc exp run`, or name a commit with --rev")
        given = experiments.grouped(given)
        names = options.metric or ["top1", "macro_recall"]
        known = given[0].scores.get(options.split, {})
        for name in names:
            if name not in known:
                raise InputError(f"--metric: {name!r} is no score of {options.split}; there are {', '.join(known)}")
        show(experiments.summary(given, options.split, names).round(4), options.format)
        if options.format == "table":
            if others:
                say(f"on another split, so left out: {', '.join(run.name for run in others)}")
            _compare(opened, given, options.split)
    return 0


def _compare(opened: Any, given: "list[Run]", split: str) -> None:
    from camtraps import experiments

    found: dict[str, list[pd.DataFrame]] = {}
    for run in given:
        try:
            found.setdefault(run.group, []).append(experiments.answers(opened, run, split))
        except MissingError as error:
            say(f"{error}: without it in the comparison; `dvc exp pull GIT_REMOTE {run.name}`, or run it again")
    if len(found) < 2:
        return
    say("", "difference, crop by crop, with its 95% interval over locations")
    say(*table(experiments.paired(found).round(4)))
