"""``camtraps import-model``, ``export-model``, ``features``: classifiers from elsewhere, for elsewhere, as numbers."""

import argparse
from pathlib import Path

from camtraps.commands.common import Commands, check_out, check_own, check_plain, count, say

IMPORT = """examples:
  camtraps import-model ckpt_16.pt --label-index label_index.json --image-size 300 --out models/ours
  camtraps import-model megaclassifier_v0.1_efficientnet-b3_compiled.pt --label-index index_to_name.json \\
      --image-size 300 --out models/megaclassifier

A checkpoint of CameraTraps needs its params.json (looked for beside it) or --architecture. Nothing in a checkpoint is
run. A compiled model (TorchScript) is a program: import it from people you trust.
"""
EXPORT = """examples:
  camtraps export-model torchscript --out classifier.pt
  camtraps export-model onnx --model models/megaclassifier --out classifier.onnx

The file takes crops of any size as float32 (batch, 3, height, width), RGB, 0 to 1, and gives calibrated probabilities.
label_index.json beside it names them.
"""
FEATURES = """examples:
  camtraps features --out features.parquet

One row a crop: image, box, features. Crops that cannot be decoded are listed in OUT with the suffix .failed.csv.
"""


def add(commands: Commands) -> None:
    """Add the commands."""
    from camtraps import layout

    form = argparse.RawDescriptionHelpFormatter
    text = "make a model folder of a checkpoint or compiled model"
    parser = commands.add_parser("import-model", help=text, epilog=IMPORT, formatter_class=form)
    parser.add_argument("file", type=Path, metavar="FILE", help="a checkpoint (.pt, .pth, .safetensors) or TorchScript")
    index = 'names of the classes: {"0": "bear", ...}'
    parser.add_argument("--label-index", type=Path, required=True, metavar="JSON", help=index)
    parser.add_argument("--architecture", metavar="NAME", help="efficientnet-b3, resnet50 ... (params.json)")
    parser.add_argument("--image-size", type=count, metavar="PX", help="side of the images it was trained on")
    padding = "of an EfficientNet: ancestor (trained by CameraTraps) or same (efficientnet-pytorch 0.7.1, timm)"
    parser.add_argument("--padding", choices=("ancestor", "same"), help=padding)
    parser.add_argument("--params", type=Path, metavar="JSON", help="params.json of CameraTraps (beside FILE)")
    rule = "how its crops were cut (%(default)s)"
    parser.add_argument("--crop-rule", choices=("ancestor", "camtraps"), default="ancestor", help=rule)
    shape = "square, or the box itself (%(default)s)"
    parser.add_argument("--crop-shape", choices=("square", "box"), default="square", help=shape)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="models/NAME")
    parser.set_defaults(run=_import)
    text = "write the classifier as one file with its preprocessing inside"
    parser = commands.add_parser("export-model", help=text, epilog=EXPORT, formatter_class=form)
    parser.add_argument("form", choices=("torchscript", "onnx"))
    _add_model(parser, layout.CLASSIFIER)
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the file to write")
    parser.set_defaults(run=_export)
    text = "write what the classifier's last layer sees of each crop"
    parser = commands.add_parser("features", help=text, epilog=FEATURES, formatter_class=form)
    _add_model(parser, layout.CLASSIFIER)
    parser.add_argument("--out", type=Path, required=True, metavar="PARQUET", help="the file to write")
    parser.set_defaults(run=_features)


def _add_model(parser: argparse.ArgumentParser, default: Path) -> None:
    text = "the model folder (%(default)s)"
    parser.add_argument("--model", type=Path, default=default, metavar="FOLDER", help=text)


def _import(options: argparse.Namespace) -> int:
    from camtraps import foreign_models, models, outputs
    from camtraps.errors import InputError
    from camtraps.foreign_models import Given

    check_plain(options.out)
    check_own(options.out)
    if options.out.exists() and not (options.out / "model.json").is_file():
        raise InputError(f"--out: {options.out} is there and no model folder; name a new one, such as models/ours")
    given = Given(architecture=options.architecture, image_size=options.image_size, padding=options.padding)
    given = given.completed(options.params or options.file.parent / "params.json")
    classes = outputs.read_classes(options.label_index)
    crop = foreign_models.crop_rule(options.crop_rule, options.crop_shape)
    network, info = foreign_models.adopt(options.file, classes, given, crop)
    models.save(options.out, network, info)
    padded = f", padding {info.padding}" if info.architecture.startswith("efficientnet-") else ""
    say(f"{options.out}: {info.architecture}, {len(classes):,} classes, {info.image_size} px{padded}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from camtraps import deploying, models

    check_out(options.out)
    network, info = models.load(options.model)
    write = {"torchscript": deploying.export_torchscript, "onnx": deploying.export_onnx}[options.form]
    write(network, info, options.out)
    say(f"{options.out}: {deploying.INPUT}; {deploying.OUTPUT}")
    return 0


def _features(options: argparse.Namespace) -> int:
    from camtraps import features, layout, models, tables
    from camtraps.collection_files import write_rows
    from camtraps.errors import FailuresError
    from camtraps.schema import CROPS
    from camtraps.words import num

    check_out(options.out)
    network, info = models.load(options.model)
    crops = tables.read(layout.CROPS / "crops.parquet", CROPS)
    failures = features.write(network, info, crops, layout.CROPS, options.out)
    say(f"{options.out}: features of {len(crops) - len(failures):,} of {len(crops):,} crops")
    listing = options.out.with_suffix(".failed.csv")
    listing.unlink(missing_ok=True)
    if failures:
        write_rows(listing, ("image", "box", "reason"), failures)
        raise FailuresError(
            f"{num(len(failures), 'crop')} cannot be decoded, first {failures[0][0]}; all are in {listing}"
        )
    return 0
