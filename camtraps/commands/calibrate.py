"""``camtraps calibrate-detector``: how often a detector's boxes are right, from the boxes that people drew."""

import argparse
import datetime
import math
from pathlib import Path

from camtraps.commands.common import Commands, add_name, check_plain, collection, say
from camtraps.words import num

EXAMPLES = """examples:
  camtraps calibrate-detector md_v5a.0.0.pt
  camtraps detect --detector motion --all && camtraps calibrate-detector motion
  camtraps calibrate-detector md_v5a.0.0.pt --from mdv5a_isotonic_calibration.npz

The stage detect then fills `calibrated`, and training with train.weight_by_detection_conf uses it.
"""
THRESHOLDS = (0.1, 0.2, 0.3, 0.5, 0.8)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "calibrate-detector",
        help="fit a detector's confidence to human boxes, for training weights",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("version", metavar="VERSION", help="recorded results: a folder in data/NAME/detections")
    add_name(parser)
    parser.add_argument("--from", dest="given", type=Path, metavar="NPZ", help="take this calibration instead")
    parser.add_argument(
        "--out", type=Path, metavar="NPZ", help="where to write (data/NAME/detections/VERSION/calibration.npz)"
    )
    parser.set_defaults(run=_calibrate)


def _calibrate(options: argparse.Namespace) -> int:
    from camtraps import calibrating, calibration
    from camtraps.errors import InputError
    from camtraps.files import climbs

    if climbs(options.version) or "/" in options.version:
        raise InputError(f"{options.version!r}: expected the name of a folder in data/NAME/detections")
    folder = collection(options.name)
    out = options.out or folder / "detections" / options.version / calibration.FILE
    check_plain(out)
    if out.is_dir():
        raise InputError(f"{out}: is a folder; name the file to write")
    if options.given:
        calibrating.recorded(folder, options.version)
        curve = calibration.read(options.given)
        calibration.write(out, curve)
        say(f"{out}: {num(len(curve.x), 'point')} from {options.given}")
        return 0
    judged = calibrating.judge(folder, options.version)
    made = datetime.datetime.now(datetime.UTC).date().isoformat()
    curve, table, errors = calibrating.fit(judged, options.version, made)
    calibration.write(out, curve)
    say(
        f"{num(len(judged.confidence), 'box', 'boxes')} of {options.version} in {num(judged.num_photos, 'photo')} with "
        f"{num(judged.num_true, 'human box', 'human boxes')}:"
    )
    say(f"{'confidence':>12}{'precision':>11}{'recall':>8}")
    for threshold in THRESHOLDS:
        precision, recall = judged.precision_recall(threshold)
        say(f"{'from':>8}{threshold:>4}{precision:>11.3f}{recall:>8.3f}")
    say(f"{'confidence':>12}{'boxes':>8}{'right':>8}{'calibrated':>12}")
    for row in table.itertuples():
        say(f"{row.confidence:>12.3f}{row.boxes:>8,}{row.right:>8.3f}{row.calibrated:>12.3f}")
    held = "" if math.isnan(errors["held_out"]) else f", calibrated {errors['held_out']:.3f} (at held-out locations)"
    say(f"calibration error: raw {errors['raw']:.3f}{held}", f"{out}: {num(len(curve.x), 'point')}")
    return 0
