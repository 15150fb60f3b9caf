"""``camtraps chain``: detections and photos to classified detections by a classifier of CameraTraps, step by step."""

import argparse
import shlex
from pathlib import Path

from camtraps.commands import mapping, merge, run_classifier
from camtraps.commands.common import Commands, check_out, count, say, share
from camtraps.errors import InputError

EXAMPLES = """examples:
  camtraps chain megaclassifier md.json /data/photos --model megaclassifier_v0.1_efficientnet-b3_compiled.pt \\
      --label-index index_to_name.json --target-mapping idfg_to_megaclassifier_labels.json --out classified
  camtraps chain idfg md.json /data/photos --model idfg_classifier_ckpt_14_compiled.pt \\
      --label-index label_index.json --out classified --print-only > steps.sh

Each step is printed as a command that can be run by itself, with CameraTraps' settings. --threshold 0.65 is for
MegaDetector 4; for version 5 take 0.15.
"""
NAMES = {"megaclassifier": "megaclassifier_v0.1", "idfg": "idfg_classifier"}


def add(commands: Commands) -> None:
    """Add the command."""
    form = argparse.RawDescriptionHelpFormatter
    text = "classify detections with MegaClassifier or the IDFG classifier, printing each step"
    parser = commands.add_parser("chain", help=text, epilog=EXAMPLES, formatter_class=form)
    parser.add_argument("classifier", choices=NAMES)
    parser.add_argument("detections", type=Path, metavar="JSON", help="detections of MegaDetector's format")
    parser.add_argument("photos", metavar="PHOTOS", help="where the photos are: a folder or a store")
    parser.add_argument("--model", type=Path, required=True, metavar="MODEL", help="the compiled model")
    index = "names of its classes: index_to_name.json or label_index.json"
    parser.add_argument("--label-index", type=Path, required=True, metavar="JSON", help=index)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files of all steps go")
    _add_targets(parser)
    least = "pass over boxes below this confidence (%(default)s)"
    parser.add_argument("-t", "--threshold", type=share, default=0.65, metavar="P", help=least)
    size = "side of the images that the model was made for (%(default)s)"
    parser.add_argument("--image-size", type=count, default=300, metavar="PX", help=size)
    parser.add_argument("--device", metavar="N", help="number of the GPU, or cpu (the first GPU if there is one)")
    least = "leave out classes less probable than this (%(default)s)"
    parser.add_argument("--classification-threshold", type=share, default=0.05, metavar="P", help=least)
    typical = "from which confidence on a class is usually right (%(default)s)"
    parser.add_argument("--typical-confidence-threshold", type=share, default=0.75, metavar="P", help=typical)
    parser.add_argument("--print-only", action="store_true", help="print the steps, run none")
    parser.set_defaults(run=_chain)


def _add_targets(parser: argparse.ArgumentParser) -> None:
    targets = parser.add_argument_group("other labels than the classifier's: a mapping, or what makes one")
    text = "{target: [classes]}, such as idfg_to_megaclassifier_labels.json"
    targets.add_argument("--target-mapping", type=Path, metavar="JSON", help=text)
    spec = "label specification"
    targets.add_argument("--desired-spec", type=Path, metavar="SPEC", help=f"{spec} of what is wanted")
    targets.add_argument("--classifier-spec", type=Path, metavar="SPEC", help=f"{spec} of the classifier")
    targets.add_argument("--taxonomy", type=Path, metavar="CSV", help="taxonomy table")


def _chain(options: argparse.Namespace) -> int:
    check_out(options.out / "classified.json")
    steps = _steps(options)
    for number, step in enumerate(steps, 1):
        say(f"# step {number} of {len(steps)}", shlex.join(["camtraps", *step]))
        if not options.print_only and (code := _run(step)):
            return code
    return 0


def _steps(options: argparse.Namespace) -> list[list[str]]:
    """Give the arguments of each step."""
    crops, index, name = options.out / "crops.csv.gz", options.label_index, NAMES[options.classifier]
    cut = ["--photos", options.photos, "--threshold", options.threshold]
    if not options.model.is_dir():
        cut += ["--image-size", options.image_size, "--crop-rule", "ancestor", "--crop-shape", "square"]
    device = [] if options.device is None else ["--device", options.device]
    classify = ["run-classifier", options.model, options.detections, crops, "--classifier-categories", index]
    # Photos that are not there are listed, and the rest is done.
    steps: list[list[object]] = [[*classify, *cut, *device, "--max-failed", 1]]
    if mapped := _mapping(options, steps):
        targets, index = options.out / "targets.csv.gz", options.out / "target_index.json"
        new = ["--output-csv", targets, "--output-label-index", index]
        steps.append(["aggregate", crops, "--target-mapping", mapped, *new])
        crops, name = targets, f"{name} as {mapped.stem}"
    into = ["--detection-json", options.detections, "--output-json", options.out / "classified.json"]
    settings = ["--classifier-name", name, "--threshold", options.classification_threshold]
    settings += ["--typical-confidence-threshold", options.typical_confidence_threshold]
    steps.append(["merge", crops, index, *into, *settings])
    return [[str(each) for each in step] for step in steps]


def _mapping(options: argparse.Namespace, steps: list[list[object]]) -> Path | None:
    """Give the mapping that is asked for; add the step that makes it if it is to be made."""
    making = {name: getattr(options, name) for name in ("desired_spec", "classifier_spec", "taxonomy")}
    given = [value for value in making.values() if value is not None]
    if (options.target_mapping and given) or (given and len(given) < len(making)):
        raise InputError("--target-mapping: give it alone, or --desired-spec, --classifier-spec and --taxonomy")
    if not given:
        mapping_file: Path | None = options.target_mapping
        return mapping_file
    made: Path = options.out / "target_mapping.json"
    steps.append(["map-categories", *given, "--output", made, "--classifier-label-index", options.label_index])
    return made


def _run(step: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="camtraps")
    commands = parser.add_subparsers(required=True)
    for module in (run_classifier, mapping, merge):
        module.add(commands)
    options = parser.parse_args(step)
    code: int = options.run(options)
    return code
