"""The ``camtraps`` command: what lies outside the pipeline. `dvc repro` runs the pipeline itself."""

import argparse
import errno
import os
import sys

from camtraps import __version__
from camtraps.commands import (
    batch_api,
    calibrate,
    catalog,
    chain,
    classify,
    compare,
    corrections,
    detect,
    experiments,
    exports,
    imports,
    inspect,
    labels,
    mapping,
    merge,
    models,
    pace,
    photos,
    predict,
    run_classifier,
    serve,
    sharing,
    taxonomy,
    tutorial,
)
from camtraps.commands.common import say
from camtraps.errors import CamtrapsError, ShareDone

# In the order of `camtraps --help`.
MODULES = (
    imports,
    exports,
    catalog,
    taxonomy,
    labels,
    corrections,
    photos,
    detect,
    batch_api,
    calibrate,
    inspect,
    compare,
    models,
    classify,
    predict,
    serve,
    run_classifier,
    mapping,
    merge,
    chain,
    tutorial,
    experiments,
    sharing,
)
# What a disk says that is full or closed to us; other errors of it are our own.
NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)

EXAMPLES = """examples:
  camtraps import cct photos.json --images /data/photos --taxonomy taxonomy.csv \\
      --label-spec label_spec.json --name mine
  camtraps catalog summary --name mine
  camtraps labels explain --name mine
  camtraps fetch mine --queried
  camtraps check-images mine --out bad.csv
  camtraps detect --name mine --detector megadetector
  camtraps export queried-images --out queried_images.json
  camtraps inspect
  camtraps classify /data/photos --out results.json
  camtraps compare HEAD~1 HEAD
  camtraps exp-summary
  camtraps remote add s3://bucket/camtraps
  camtraps verify --remote
  camtraps scores
  camtraps doctor
  camtraps doctor --bench --photos 5000000
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends the process with 0, 1 after a user's error, 2 after wrong usage."""
    options = parser().parse_args(arguments)
    try:
        code = options.run(options)
        sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:  # of `camtraps scores | head`; Python would complain again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except CamtrapsError as error:
        _complain(str(error))
    except ShareDone as share:
        sys.stderr.write(f"{share}\n")
    except OSError as error:
        if error.errno not in NO_PLACE:
            raise
        _complain(f"{error.filename}: {(error.strerror or str(error)).lower()}")
    except KeyboardInterrupt:
        sys.exit(130)
    except RuntimeError as error:  # what DuckDB makes of Ctrl-C
        if "interrupted" not in str(error):
            raise
        sys.exit(130)


def _complain(message: str) -> None:
    # A file name may have a line end in it.
    sys.stderr.write(f"camtraps: {' '.join(message.splitlines())}\n")
    sys.exit(1)


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands; a command's function stands under ``run``."""
    parser = argparse.ArgumentParser(
        prog="camtraps",
        description="Camera-trap photos in, a species classifier out. The pipeline itself is `dvc repro`.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"camtraps {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in MODULES:
        module.add(commands)
    scores = commands.add_parser("scores", help="print the scores of the last run and where its results are")
    scores.set_defaults(run=_scores)
    doctor = commands.add_parser("doctor", help="say what is in use and whether it fits, and try the remote")
    doctor.add_argument("--remote", metavar="NAME", help="try this remote of DVC (default: the default one)")
    pace.add_options(doctor)
    doctor.set_defaults(run=_doctor)
    return parser


def _scores(_: argparse.Namespace) -> int:
    from camtraps import layout
    from camtraps.files import read_json

    scores = read_json(layout.METRICS / "evaluate.json", "run `dvc repro` first")
    say(f"{'':18}" + "".join(f"{split:>10}" for split in scores))
    for name in dict.fromkeys(name for of_split in scores.values() for name in of_split):
        say(f"{name:18}" + "".join(_score(scores[split].get(name)) for split in scores))
    for path, what in layout.RESULTS_OF_A_RUN.items():
        say(f"{path!s:34} {what}")
    return 0


def _score(value: float | None) -> str:
    if value is None:  # such as that of night, where a split has no crop of night
        return f"{'':>10}"
    return f"{value:>10,}" if isinstance(value, int) else f"{value:>10.3f}"


def _doctor(options: argparse.Namespace) -> int:
    from camtraps import doctor

    if options.bench:
        return pace.run(options)
    findings = [*doctor.examine(), doctor.remote(options.remote)]
    say(*(finding.line() for finding in findings))
    return 0 if all(finding.good for finding in findings) else 1
