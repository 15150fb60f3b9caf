"""``camtraps run-classifier``: any classifier over crops, or over boxes in photos; its probabilities as CSV."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import Commands, check_out, count, say, share, whole
from camtraps.errors import FailuresError, InputError, MissingError

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from camtraps.classifier import Classifier
    from camtraps.running import Part, Task

EXAMPLES = """examples:
  camtraps run-classifier models/classifier crops crops.csv.gz
  camtraps run-classifier megaclassifier_v0.1_efficientnet-b3_compiled.pt crops crops.csv.gz --image-size 300 \\
      --classifier-categories index_to_name.json
  camtraps run-classifier classifier.onnx md.json crops.csv.gz --photos /data/photos --threshold 0.15
  camtraps run-classifier models/megaclassifier data/crops outputs_test.csv.gz --split test

Crops that cannot be used are listed in OUT with .failed.csv for .csv.gz. A run that was stopped goes on where it was.
"""

BATCH_SIZE = 64


def add(commands: Commands) -> None:
    """Add the command."""
    form = argparse.RawDescriptionHelpFormatter
    text = "run a classifier of any origin over crops: probabilities as CSV"
    parser = commands.add_parser("run-classifier", help=text, epilog=EXAMPLES, formatter_class=form)
    model = "TorchScript (MegaClassifier's), ONNX, or a model folder"
    parser.add_argument("model", type=Path, metavar="MODEL", help=model)
    crops = "a folder of crops, data/crops with its shards, or detections of MegaDetector's format with --photos"
    parser.add_argument("crops", type=Path, metavar="CROPS", help=crops)
    parser.add_argument("output", type=Path, metavar="OUT", help="the file to write: .csv or .csv.gz")
    names = "label index: names of the classes, where the model has none"
    parser.add_argument("-c", "--classifier-categories", type=Path, metavar="JSON", help=names)
    size = "side of the images that the model was made for, where it does not say so"
    parser.add_argument("--image-size", type=count, metavar="PX", help=size)
    parser.add_argument(
        "--batch-size", type=count, default=BATCH_SIZE, metavar="N", help="crops at a time (%(default)s)"
    )
    parser.add_argument("--device", metavar="N", help="number of the GPU, or cpu (the first GPU if there is one)")
    workers = "processes that read crops (one less than there are cores)"
    parser.add_argument("--num-workers", type=whole, metavar="N", help=workers)
    _add_choice(parser)
    failed = "share of crops that may fail before the command does (%(default)s)"
    parser.add_argument("--max-failed", type=share, default=0.01, metavar="SHARE", help=failed)
    parser.set_defaults(run=_run)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    choice = parser.add_argument_group("which crops")
    text = "of a folder of crops: only those of photos in this result file"
    choice.add_argument("-d", "--detections-json", type=Path, metavar="JSON", help=text)
    choice.add_argument("--split", choices=("train", "val", "test"), help="of data/crops: only this split")
    choice.add_argument("--photos", metavar="FOLDER", help="of detections: where the photos are, a folder or a store")
    text = "of detections: pass over boxes below this confidence (0.15)"
    choice.add_argument("-t", "--threshold", type=share, metavar="P", help=text)
    text = "of detections, for a model that does not say it: how boxes are cut (ancestor)"
    choice.add_argument("--crop-rule", choices=("ancestor", "camtraps"), help=text)
    text = "likewise: square, or the box itself (square)"
    choice.add_argument("--crop-shape", choices=("square", "box"), help=text)


def _run(options: argparse.Namespace) -> int:
    from camtraps import any_classifier, outputs, running
    from camtraps.processes import num_workers

    check_out(options.output)
    if not options.output.name.endswith((".csv", ".csv.gz")):
        raise InputError(f"{options.output}: name a .csv or .csv.gz file")
    names = outputs.read_classes(options.classifier_categories) if options.classifier_categories else None
    classifier = any_classifier.load(options.model, names, options.image_size, _device(options.device))
    task = running.Task(
        classifier=_with_rule(options, classifier) if options.crop_rule or options.crop_shape else classifier,
        model=options.model,
        batch_size=options.batch_size,
        num_workers=num_workers() - 1 if options.num_workers is None else options.num_workers,
    )
    num, failures = running.write(_parts(options, task), classifier.info.classes, options.output)
    classes, size = classifier.info.classes, classifier.info.image_size
    listing = f"; {len(failures):,} failed, see {running.failed_path(options.output)}" if failures else ""
    say(f"{options.output}: {num:,} crops, {len(classes):,} classes, seen at {size} px{listing}")
    if len(failures) > options.max_failed * (num + len(failures)):
        path, reason = failures[0]
        raise FailuresError(
            f"{options.output}: {len(failures):,} of {num + len(failures):,} failed, over --max-failed "
            f"{options.max_failed:.1%}; first: {path}: {reason}"
        )
    return 0


def _parts(options: argparse.Namespace, task: "Task") -> Iterator["Part"]:
    """Give what the classifier says of the crops, whatever they are given as."""
    from camtraps import running

    is_results, is_shards = options.crops.is_file(), (options.crops / "crops.parquet").is_file()
    _check_options(options, "detections" if is_results else "shards" if is_shards else "a folder of crops")
    if is_results:
        from camtraps import detected_photos

        threshold = 0.15 if options.threshold is None else options.threshold
        return running.run_photos(task, detected_photos.read(options.crops, options.photos), threshold)
    if is_shards:
        return running.run_shards(task, options.crops, _of_split(options))
    if not options.crops.is_dir():
        raise MissingError(f"{options.crops}: not found; check the path")
    return running.run_files(task, options.crops, _of_results(options))


def _check_options(options: argparse.Namespace, kind: str) -> None:
    """Refuse options that would have no effect, and the lack of one that is needed."""
    own = {
        "detections": ("photos", "threshold", "crop_rule", "crop_shape"),
        "shards": ("split", "num_workers"),
        "a folder of crops": ("detections_json", "num_workers"),
    }
    for name in {each for names in own.values() for each in names} - set(own[kind]):
        if getattr(options, name) is not None:
            raise InputError(f"--{name.replace('_', '-')}: has no effect: {options.crops} is {kind}")
    if kind == "detections" and options.photos is None:
        raise InputError(f"{options.crops}: is a file of detections; say with --photos where the photos are")
    if kind == "detections" and options.batch_size != BATCH_SIZE:
        raise InputError(f"--batch-size: is {BATCH_SIZE} for detections; leave it out")


def _device(given: str | None) -> "torch.device":
    import torch

    from camtraps import ranks

    if given is None:
        return ranks.device()
    if given == "cpu":
        return torch.device("cpu")
    there = torch.cuda.device_count()
    if not given.isdigit() or int(given) >= there:
        raise InputError(f"--device: expected cpu or the number of a GPU, of which there are {there}, got {given!r}")
    return torch.device("cuda", int(given))


def _with_rule(options: argparse.Namespace, classifier: "Classifier") -> "Classifier":
    from dataclasses import replace

    from camtraps.foreign_models import crop_rule

    if options.model.is_dir():
        raise InputError(f"--crop-rule and --crop-shape: {options.model} says itself how its crops are cut")
    rule = crop_rule(options.crop_rule or "ancestor", options.crop_shape or "square")
    return replace(classifier, info=replace(classifier.info, crop=rule))


def _of_split(options: argparse.Namespace) -> "pd.DataFrame":
    """Read the crops table, or the part of a split."""
    from camtraps import layout, tables
    from camtraps.schema import ASSIGNED, CROPS

    crops = tables.read(options.crops / "crops.parquet", CROPS)
    if options.split is None:
        return crops
    assigned = tables.read(layout.SPLITS / "assigned.parquet", ASSIGNED)
    own = assigned[assigned["split"] == options.split][["image", "box"]]
    return crops.merge(own, on=["image", "box"], validate="1:1")


def _of_results(options: argparse.Namespace) -> list[str]:
    """List the crops in a folder, or those of the photos in a result file, however it names its detector."""
    import pyarrow as pa

    from camtraps import crop_files, detected_photos, outputs

    names = crop_files.listed(options.crops)
    if options.detections_json is None:
        return names
    there = {item.name for item in detected_photos.read(options.detections_json, "").items()}
    column = pa.chunked_array([pa.array(names)])
    images = outputs.parse_names(column, pa.chunked_array([pa.array(range(1, len(names) + 1))]), options.crops)["image"]
    kept = [name for name, image in zip(names, images, strict=True) if image in there]
    if not kept:
        raise InputError(f"{options.crops}: no crop in it is of a photo in {options.detections_json}")
    say(f"{len(kept):,} of {len(names):,} crops are of photos in {options.detections_json}")
    return kept
