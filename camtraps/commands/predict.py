"""``camtraps predict`` and ``detect-predict``: what the classifier says of a photo, in words and drawn in."""

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from camtraps.commands.common import Commands, check_own, count, say, share
from camtraps.commands.printing import clean
from camtraps.errors import FailuresError, InputError

if TYPE_CHECKING:
    from camtraps.classified_photos import ClassifiedPhoto

PREDICT = """examples:
  camtraps predict photo.jpg
  camtraps predict s3://bucket/photo.jpg --top 3

The whole picture is classified: that is for crops. `camtraps detect-predict` looks for the animals in a photo.
"""
DETECT = """examples:
  camtraps detect-predict photo.jpg
  camtraps detect-predict photos --recursive --detector motion --out drawn
  camtraps detect-predict photos --recursive --detections md_results.json --threshold 0.2

Writes NAME_detections.jpg beside each photo, or below --out. Animals are classified, other boxes only drawn.
"""
QUALITY = 90  # of the drawn JPEG


def add(commands: Commands) -> None:
    """Add the commands."""
    from camtraps import layout

    form = argparse.RawDescriptionHelpFormatter
    text = "print the most probable classes of a picture"
    predict = commands.add_parser("predict", help=text, epilog=PREDICT, formatter_class=form)
    predict.add_argument("image", metavar="IMAGE", help="a file or URI")
    predict.add_argument("--top", type=count, default=5, metavar="N", help="classes to print (%(default)s)")
    predict.set_defaults(run=_predict)
    text = "find the animals in photos, classify them, draw both in"
    detect = commands.add_parser("detect-predict", help=text, epilog=DETECT, formatter_class=form)
    detect.add_argument("source", type=Path, metavar="IMAGE|FOLDER", help="a photo, or a folder of photos")
    detect.add_argument("--recursive", action="store_true", help="also the folders in the folder")
    boxes = detect.add_mutually_exclusive_group()
    text = "who finds the animals (%(default)s); motion compares the photos of a folder"
    boxes.add_argument("--detector", choices=("megadetector", "motion"), default="megadetector", help=text)
    boxes.add_argument("--detections", type=Path, metavar="JSON", help="take the boxes from MegaDetector's results")
    detect.add_argument("--detector-model", metavar="MODEL", help="a name such as MDV5A, or a file")
    text = "least confidence of a box (what the classifier was trained with)"
    detect.add_argument("--threshold", type=share, metavar="SHARE", help=text)
    text = "classes to name at a box (%(default)s)"
    detect.add_argument("--num-annotated-classes", type=count, default=3, metavar="N", help=text)
    text = "side of a crop as a multiple of its box's, 1 to 4 (what the classifier was trained with)"
    detect.add_argument("--padding-factor", type=float, metavar="FACTOR", help=text)
    detect.add_argument("--out", type=Path, metavar="FOLDER", help="write there instead of beside the photos")
    detect.set_defaults(run=_detect_predict)
    for parser in (predict, detect):
        text = "the model folder (%(default)s)"
        parser.add_argument("--model", type=Path, default=layout.CLASSIFIER, metavar="FOLDER", help=text)


def _predict(options: argparse.Namespace) -> int:
    from camtraps import classifier, images, tops
    from camtraps.storage import PhotoError, read_photo

    ours = classifier.load(options.model)
    try:
        photo = images.decode(read_photo(options.image))
    except PhotoError as error:
        raise InputError(f"{options.image}: {error}") from None
    (probabilities,) = ours.probabilities(ours.logits([photo]))
    say(*map(clean, tops.sentences(probabilities, ours.info.classes, options.top)))
    return 0


def _detect_predict(options: argparse.Namespace) -> int:
    from camtraps import classified_photos, classifier, images, loose_photos
    from camtraps.storage import PhotoError, read_photo
    from camtraps.words import num

    photos = loose_photos.find(options.source, options.recursive)
    targets = _targets(photos, options.out)
    check_own(next(iter(targets.values())))
    asker = classified_photos.Asker.of(classifier.load(options.model), options.threshold, options.padding_factor)
    if options.detections:
        answers = loose_photos.recorded(list(photos), options.detections)
    else:
        answers = loose_photos.detected(photos, options.detector, options.detector_model)
    failed, num_boxes = [], 0
    for name, path in photos.items():
        try:
            found = asker.ask(images.opened(read_photo(str(path))), answers[name])
            _write(found, asker.classes, options.num_annotated_classes, targets[name])
        except PhotoError as error:
            failed.append(name)
            sys.stderr.write(f"{clean(name)}: {error}\n")
            continue
        num_boxes += len(found.boxes)
        say(clean(f"{name}: {classified_photos.sentence(found, asker.classes)}"))
    say(f"{num(len(photos) - len(failed), 'photo')} drawn, {num(num_boxes, 'box', 'boxes')}")
    if failed:
        raise FailuresError(f"{len(failed):,} of {num(len(photos), 'photo')} failed, first {failed[0]}")
    return 0


def _targets(photos: dict[str, Path], out: Path | None) -> dict[str, Path]:
    """Say where each photo is drawn; of two that differ in the ending only, both keep it."""
    from camtraps.loose_photos import DRAWN

    stems = Counter(str(Path(name).with_suffix("")) for name in photos)
    found = {}
    for name, path in photos.items():
        place = out / name if out else path
        alone = stems[str(Path(name).with_suffix(""))] == 1
        found[name] = place.with_name(f"{place.stem if alone else place.name}{DRAWN}.jpg")
    return found


def _write(found: "ClassifiedPhoto", classes: list[str], num_classes: int, target: Path) -> None:
    """Draw the boxes and classes into a photo, each class in a colour of its own."""
    from camtraps import images, marking, tops
    from camtraps.files import replacing

    marks = []
    for box, probabilities in zip(found.boxes, found.probabilities, strict=True):
        place = (box.x, box.y, box.w, box.h)
        if probabilities is None:
            marks.append(marking.Mark(place, [f"{box.category} {box.confidence:.2f}"], len(classes)))
            continue
        best = tops.top(probabilities, num_classes)
        marks.append(marking.Mark(place, [f"{classes[at]} {share:.1%}" for at, share in best], best[0][0]))
    drawn = images.encode(marking.draw(found.photo.whole(), marks), QUALITY)
    with replacing(target) as part:
        part.write_bytes(drawn)
