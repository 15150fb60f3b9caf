"""``camtraps merge``: classifications from elsewhere into the detections that their crops were cut from."""

import argparse
from pathlib import Path

from camtraps.commands.common import Commands, check_out, count, say, share, whole
from camtraps.errors import InputError

EXAMPLES = """examples:
  camtraps merge crops.csv.gz label_index.json --detection-json md.json --output-json classified.json \\
      --classifier-name megaclassifier_v0.1 --threshold 0.05 --typical-confidence-threshold 0.75
  camtraps merge outputs_test.csv.gz label_index.json --queried-images-json queried_images.json \\
      --detector-output-cache-dir mdcache --detector-version 4.1 --output-json test.json --classifier-name ours \\
      --label last

The CSV has a row for each crop: `path`, the crop's name, and a column for each class, as `run-classifier` and
`export outputs` write it; or it is CameraTraps' classification_ds.csv, which has labels alone. --detection-json keeps
all images of that file; --queried-images-json takes those of the crops alone, with human boxes where people drew some.
"""


def add(commands: Commands) -> None:
    """Add the command."""
    form = argparse.RawDescriptionHelpFormatter
    text = "put classifications of crops into a file of detections, for Timelapse"
    parser = commands.add_parser("merge", help=text, epilog=EXAMPLES, formatter_class=form)
    parser.add_argument("classification_csv", type=Path, metavar="CSV", help="probabilities or labels; also .csv.gz")
    index = 'names of the classes: {"0": "bear", ...}'
    parser.add_argument("label_names_json", type=Path, metavar="LABEL_INDEX", help=index)
    parser.add_argument("-o", "--output-json", type=Path, required=True, metavar="JSON", help="the file to write")
    name = "said in the file, such as megaclassifier_v0.1"
    parser.add_argument("-n", "--classifier-name", required=True, metavar="NAME", help=name)
    least = "leave out classes less probable than this (%(default)s)"
    parser.add_argument("-t", "--threshold", type=share, default=0.1, metavar="P", help=least)
    datasets = "only of these: first folders of the paths"
    parser.add_argument("-d", "--datasets", nargs="+", metavar="DATASET", help=datasets)
    typical = "said in the file: from which confidence on a class is usually right"
    parser.add_argument("--typical-confidence-threshold", type=share, metavar="P", help=typical)
    boxes = parser.add_mutually_exclusive_group(required=True)
    boxes.add_argument("-j", "--detection-json", type=Path, metavar="JSON", help="detections of MegaDetector's format")
    boxes.add_argument("-q", "--queried-images-json", type=Path, metavar="JSON", help="queried_images.json")
    cache = "with -q: folder of recorded detections, vVERSION/DATASET.json"
    parser.add_argument("-c", "--detector-output-cache-dir", type=Path, metavar="FOLDER", help=cache)
    parser.add_argument("-v", "--detector-version", metavar="VERSION", help="with -q: such as 4.1")
    samples = "only so many crops of each label, and the photos that have them"
    parser.add_argument("-s", "--samples-per-label", type=count, metavar="N", help=samples)
    parser.add_argument("--seed", type=whole, default=123, help="decides which crops (%(default)s)")
    label = "add the known label to a crop's classes"
    parser.add_argument("--label", choices=("first", "last"), help=label)
    relative = "write by how much each class is more probable than the label"
    parser.add_argument("--relative-conf", action="store_true", help=relative)
    parser.set_defaults(run=_merge)


def _merge(options: argparse.Namespace) -> int:
    from camtraps import merge, merge_crops, merge_files, outputs
    from camtraps.files import file_digest
    from camtraps.formats.megadetector_json import write
    from camtraps.merge import MergeParams

    check_out(options.output_json)
    if options.detection_json and (options.detector_output_cache_dir or options.detector_version):
        raise InputError("--detector-output-cache-dir and --detector-version: have no effect with --detection-json")
    params = MergeParams(
        threshold=options.threshold,
        label=options.label or "none",
        relative_conf=options.relative_conf,
        datasets=None if options.datasets is None else tuple(options.datasets),
        samples_per_label=options.samples_per_label,
        seed=options.seed,
        typical_confidence_threshold=options.typical_confidence_threshold,
    )
    classes = outputs.read_classes(options.label_names_json)
    crops = merge_crops.read(options.classification_csv, classes)
    if options.detection_json:
        document = merge_files.into_results(crops, options.detection_json, classes, params)
    else:
        cache, version = options.detector_output_cache_dir, options.detector_version
        queried = merge_files.Queried(options.queried_images_json, cache, version)
        document = merge_files.into_queried(crops, queried, classes, params)
    info = document.head["info"] | merge_crops.about(options.classification_csv, options.classifier_name)
    document = document.with_head(info=info)
    document = merge.with_source(document, file_digest(options.classification_csv))
    write(document, options.output_json)
    say(f"{options.output_json}: {len(document.files):,} images, {len(crops.names):,} crops, {len(classes):,} classes")
    return 0
