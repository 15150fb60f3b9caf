"""The ``camtraps`` command: what lies outside the pipeline. `dvc repro` runs the pipeline itself."""

import argparse
import math
import os
import sys
from pathlib import Path

from camtraps import __version__
from camtraps.errors import CamtrapsError, InputError

EXAMPLES = """examples:
  camtraps import cct photos.json --images /data/photos --taxonomy taxonomy.csv \\
      --label-spec label_spec.json --name mine
  camtraps import detections md_results.json --name mine
  camtraps scores
  camtraps doctor
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
        sys.stderr.write(f"camtraps: {error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


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
    imports = commands.add_parser("import", help="bring photos, labels and detections into data/NAME")
    formats = imports.add_subparsers(required=True, metavar="FORMAT")
    _add_cct(formats)
    _add_detections(formats)
    scores = commands.add_parser("scores", help="print the scores of the last run and where its results are")
    scores.set_defaults(run=_scores)
    doctor = commands.add_parser("doctor", help="say which Pillow, decoder, torch, CUDA and DVC are in use")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_cct(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = formats.add_parser("cct", help="COCO Camera Traps: photos, labels, boxes")
    parser.add_argument("source", type=Path, metavar="SRC.json", help="the COCO Camera Traps file")
    parser.add_argument("--images", required=True, help="folder or URI that its file names are relative to")
    parser.add_argument("--taxonomy", type=Path, help="taxonomy table (LILA mapping layout), checked and copied")
    parser.add_argument("--label-spec", type=Path, help="label specification (JSON), checked and copied")
    parser.add_argument(
        "--max-failed", type=_share, default=0.01, help="share of unusable photos to accept, 0 to 1 (%(default)s)"
    )
    _add_names(parser)
    parser.set_defaults(run=_import_cct)


def _add_detections(formats: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = formats.add_parser("detections", help="recorded MegaDetector results")
    parser.add_argument("source", type=Path, metavar="FILE.json", help="MegaDetector results, format 1.0 to 1.6")
    parser.add_argument("--version", help="name to keep them under (default: the detector named in the file)")
    _add_names(parser)
    parser.set_defaults(run=_import_detections)


def _add_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="the collection: the folder data/NAME")
    parser.add_argument("--dataset", help="the dataset in it (default: NAME)")


def _import_cct(options: argparse.Namespace) -> int:
    from camtraps import importing, labels, taxonomy

    collection = _collection(options.name)
    # Everything is checked before anything is written.
    if options.taxonomy:
        taxonomy.read(options.taxonomy)
    if options.label_spec:
        labels.read(options.label_spec)
    dataset = options.dataset or options.name
    imported = importing.import_cct(collection, dataset, options.source, options.images, options.max_failed)
    if options.taxonomy:
        importing.place_taxonomy(collection, options.taxonomy)
    if options.label_spec:
        importing.place_label_spec(collection, options.label_spec)
    _say(*imported.lines(), *importing.missing_from_taxonomy(collection, imported))
    _say(*importing.next_steps(collection))
    return 0


def _import_detections(options: argparse.Namespace) -> int:
    from camtraps import importing

    imported = importing.import_detections(
        _collection(options.name), options.dataset or options.name, options.source, options.version
    )
    _say(*imported.lines())
    return 0


def _scores(_: argparse.Namespace) -> int:
    from camtraps import layout
    from camtraps.files import read_json

    scores = read_json(layout.METRICS / "evaluate.json", "run `dvc repro` first")
    _say(f"{'':18}" + "".join(f"{split:>10}" for split in scores))
    for name in scores["test"]:
        values = (scores[split][name] for split in scores)
        _say(
            f"{name:18}" + "".join(f"{value:>10,}" if isinstance(value, int) else f"{value:>10.3f}" for value in values)
        )
    for path, what in layout.RESULTS_OF_A_RUN.items():
        _say(f"{path!s:34} {what}")
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from camtraps import doctor

    findings = doctor.examine()
    _say(*(finding.line() for finding in findings))
    return 0 if all(finding.good for finding in findings) else 1


def _collection(name: str) -> Path:
    if not Path("dvc.yaml").is_file():
        raise InputError("no dvc.yaml here; run the command in the top folder of the repository")
    from camtraps import layout

    # DVC deletes what a stage writes before the stage runs: a collection must not lie there.
    taken = {path.name for path in vars(layout).values() if isinstance(path, Path) and path.parent == Path("data")}
    if name in {"demo", *taken}:
        raise InputError(f"--name: data/{name} is written by the pipeline itself; choose another name")
    try:
        return Path("data") / layout.DataParams(name=name).name
    except ValueError as error:
        raise InputError(f"--{error}") from None


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got {text!r}")
    return share


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
