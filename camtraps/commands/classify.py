"""``camtraps classify``: new photos and videos in, MegaDetector JSON for Timelapse out."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from camtraps.commands.common import Commands, check_out, check_own, count, say, seconds, share
from camtraps.errors import InputError, MissingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pandas import DataFrame

    from camtraps.detections import DetectParams
    from camtraps.exports.camtrap_dp_terms import Project
    from camtraps.models import ModelInfo
    from camtraps.photo_sources import Item, Source
    from camtraps.rated import Rated
    from camtraps.result_files import Judged, Output, Tally
    from camtraps.verdicts import Verdicts

EXAMPLES = """examples:
  camtraps classify /data/photos --out results.json
  camtraps classify /data/photos --detections md_results.json --out results.json --csv results.csv
  camtraps classify md_results.json --images s3://bucket/photos --out results.json
  camtraps classify list.txt --detector megadetector --model models/megaclassifier --out results.json
  camtraps classify /data/photos --smooth sequence --labels fox,deer --abstain taxon --sure 0.8 --out results.json

A run that was stopped goes on where it was, and other options of the output classify nothing again. Photos and videos
that cannot be used are failures in the result. Videos need `pip install 'camtraps[video]'`.
"""
AT_ONCE = 8  # photos that MegaDetector looks at together on a GPU
# Options that make a difference to the result, as they stand in its `info`.
KEPT = (
    *("source", "images", "detections", "detector", "detector_model", "min_confidence", "frames_per_second", "smooth"),
    *("gap", "map", "geofence", "labels", "outside", "abstain", "sure", "threshold", "top"),
)


def add(commands: Commands) -> None:
    """Add the command."""
    form = argparse.RawDescriptionHelpFormatter
    text = "classify new photos and videos: MegaDetector JSON for Timelapse"
    parser = commands.add_parser("classify", help=text, epilog=EXAMPLES, formatter_class=form)
    source = "a folder, a prefix of a store (s3://, az://, gs://), a list of names or addresses, MegaDetector JSON"
    parser.add_argument("source", metavar="SOURCE", help=source)
    parser.add_argument("--out", type=Path, required=True, metavar="JSON", help="the file to write")
    _add_model(parser)
    _add_boxes(parser)
    _add_answers(parser)
    outputs = parser.add_argument_group("more outputs")
    outputs.add_argument("--csv", type=Path, metavar="FILE", help="also a table with a row for each box")
    text = "also a Camera Trap Data Package; each folder of photos is a location of --locations"
    outputs.add_argument("--camtrap-dp", type=Path, metavar="FOLDER", help=text)
    text = "dataset,location,latitude,longitude of the folders, in degrees"
    outputs.add_argument("--locations", type=Path, metavar="FILE", help=text)
    text = "of all cameras' clocks: Z or such as +02:00 (Z)"
    outputs.add_argument("--timezone", metavar="ZONE", help=text)
    parser.set_defaults(run=_classify)


def _add_model(parser: argparse.ArgumentParser) -> None:
    from camtraps import layout

    text = "the model folder (%(default)s)"
    parser.add_argument("--model", type=Path, default=layout.CLASSIFIER, metavar="FOLDER", help=text)
    text = "what the result calls it (the folder's name)"
    parser.add_argument("--classifier-name", metavar="NAME", help=text)


def _add_boxes(parser: argparse.ArgumentParser) -> None:
    boxes = parser.add_argument_group("boxes")
    boxes.add_argument("--images", metavar="FOLDER", help="where the photos of a list or of MegaDetector JSON lie")
    boxes.add_argument("--detections", type=Path, metavar="JSON", help="MegaDetector JSON of a folder's photos")
    text = "what finds the animals otherwise (motion, which compares the photos of each folder)"
    boxes.add_argument("--detector", choices=["motion", "megadetector"], help=text)
    boxes.add_argument("--detector-model", metavar="MODEL", help="of megadetector, by name or file (MDV5A)")
    text = "boxes of a detector below this confidence are kept, but not classified (%(default)s)"
    boxes.add_argument("--min-confidence", type=share, default=0.05, metavar="SHARE", help=text)
    text = "frames of a video to look at (%(default)s a second)"
    boxes.add_argument("--frames-per-second", type=_rate, default=1.0, metavar="N", help=text)


def _add_answers(parser: argparse.ArgumentParser) -> None:
    answers = parser.add_argument_group("answers")
    text = "leave out classes less probable than this (%(default)s)"
    answers.add_argument("--threshold", type=share, default=0.05, metavar="SHARE", help=text)
    answers.add_argument("--top", type=count, metavar="N", help="at most so many classes for each box")
    text = "give all boxes of a sequence the mean of their logits; photos of a folder make sequences by their times"
    answers.add_argument("--smooth", choices=["sequence"], help=text)
    text = "longest pause within a sequence (30s)"
    answers.add_argument("--gap", type=seconds, metavar="TIME", help=text)
    text = 'add classes up into targets: {"target": ["class", ...], ...}'
    answers.add_argument("--map", type=Path, metavar="JSON", help=text)
    allowed = answers.add_mutually_exclusive_group()
    allowed.add_argument("--labels", metavar="A,B", help="answer only these classes, or those in these taxa")
    allowed.add_argument("--geofence", type=Path, metavar="FILE", help="the same from a file, one name a line")
    text = "what becomes of the rest: renormalise (the listed ones share it), or taxon (the nearest taxon in common)"
    answers.add_argument("--outside", choices=["renormalise", "taxon"], help=text)
    text = "where unsure, answer first with the smallest taxon that is sure enough, or with unknown"
    answers.add_argument("--abstain", choices=["taxon", "unknown"], help=text)
    text = "probability from which a class is sure (the model's own thresholds)"
    answers.add_argument("--sure", type=share, metavar="SHARE", help=text)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"expected frames a second, above 0 and up to 1000, got {text!r}")
    return value


def _classify(options: argparse.Namespace) -> int:
    _check_options(options)
    for path in filter(None, (options.out, options.csv)):
        check_out(path)
    from camtraps import models, result_files

    info = models.read_info(options.model)
    verdicts = _verdicts(options, info)
    settings = _settings(options)
    result_files.check(options.out, settings)
    package = _project(options)
    source, params = _source(options)
    detector, results = _run(options, source, params)
    name = {"detector": detector, "classifier": settings["classifier_name"], result_files.SETTINGS: settings}
    output = result_files.Output(
        path=options.out, info=name, categories=source.categories, verdicts=verdicts, table=options.csv
    )
    tally = result_files.Tally()
    result_files.write(_judged(options, results, output, info.temperature, tally), output)
    say(*_told(options, tally, verdicts))
    if package:
        photos = _judged(options, results, output, info.temperature, result_files.Tally())
        say(_packed(options, package, photos, output))
    return 0


def _check_options(options: argparse.Namespace) -> None:
    """Refuse options that would have no effect."""
    without = {
        "--gap": options.gap is not None and not options.smooth,
        "--outside": bool(options.outside) and not (options.labels or options.geofence),
        "--sure": options.sure is not None and not options.abstain,
        "--locations": bool(options.locations) and not options.camtrap_dp,
        "--timezone": bool(options.timezone) and not options.camtrap_dp,
        "--detector-model": bool(options.detector_model) and options.detector != "megadetector",
    }
    needed = {"--gap": "--smooth", "--outside": "--labels or --geofence", "--sure": "--abstain"}
    needed |= dict.fromkeys(("--locations", "--timezone"), "--camtrap-dp")
    for name in (name for name, is_alone in without.items() if is_alone):
        raise InputError(f"{name}: has no effect without {needed.get(name, '--detector megadetector')}")
    if options.csv and options.csv.resolve() == options.out.resolve():
        raise InputError(f"--csv: is the same file as --out: {options.csv}")


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """Give what makes a difference to the result, for its `info`."""
    from camtraps.files import digest, file_digest

    if options.detections and not options.detections.is_file():
        raise MissingError(f"{options.detections}: not found; check the path")

    def shown(value: Any) -> Any:
        return f"{value} ({file_digest(value)[:8]})" if isinstance(value, Path) else value

    model = digest(*(file_digest(path) for path in sorted(options.model.iterdir()) if path.is_file()))
    name = options.classifier_name or options.model.resolve().name
    given = {key: shown(getattr(options, key)) for key in KEPT if getattr(options, key) is not None}
    return {"model": f"{options.model} ({model[:8]})", "classifier_name": name} | given


def _verdicts(options: argparse.Namespace, info: "ModelInfo") -> "Verdicts":
    from camtraps import foreign, lineages
    from camtraps.verdicts import Verdicts

    pools = foreign.read_mapping(options.map) if options.map else None
    if pools is not None:
        foreign.check_labels(info.classes, pools, options.map)
    known = lineages.of_model(info.classes, info.taxa)
    wants_taxa = "--abstain taxon" if options.abstain == "taxon" else "--outside taxon"
    if "taxon" in (options.abstain, options.outside) and not any(known.values()):
        raise InputError(f"{options.model}: its classes name no taxa, which {wants_taxa} needs; train it anew")
    verdicts = Verdicts(
        classes=info.classes,
        lineages=known,
        allowed=_allowed(options, info),
        outside=options.outside or "renormalise",
        pools=pools,
        unsure=options.abstain or "answer",
        threshold=options.threshold,
        top=options.top,
    )
    return verdicts if not options.abstain else _with_thresholds(options, verdicts, info)


def _with_thresholds(options: argparse.Namespace, verdicts: "Verdicts", info: "ModelInfo") -> "Verdicts":
    from dataclasses import replace

    if options.sure is None and not set(verdicts.labels) & set(info.thresholds):
        raise InputError(f"{options.model}: has no thresholds of its own; say with --sure when an answer is sure")
    own = info.thresholds if options.sure is None else dict.fromkeys(verdicts.labels, options.sure)
    return replace(verdicts, sure_from=own)


def _allowed(options: argparse.Namespace, info: "ModelInfo") -> Any:
    """Say which classes may be answered; None: all."""
    from camtraps import lineages
    from camtraps.files import read_text
    from camtraps.verdicts import allowed, strangers
    from camtraps.words import num

    if not options.labels and not options.geofence:
        return None
    text = options.labels.replace(",", "\n") if options.labels else read_text(options.geofence, "check the path")
    listed = [line.strip() for line in text.splitlines() if line.strip()]
    known = lineages.of_model(info.classes, info.taxa)
    unknown = strangers(info.classes, known, listed)
    if unknown and options.labels:
        raise InputError(f"--labels: no class or taxon of {options.model}: {', '.join(unknown)}"[:300])
    if unknown:  # a list of all species of a country is longer than any model's
        say(f"{options.geofence}: {num(len(listed), 'name')}, {len(unknown):,} of them no class or taxon of the model")
    return allowed(info.classes, known, listed)


def _source(options: argparse.Namespace) -> "tuple[Source, DetectParams | None]":
    """Give the photos, and the detector if one is to run."""
    from camtraps import photo_sources
    from camtraps.detections import DetectParams

    source = photo_sources.find(options.source, options.images, options.detections)
    if source.detector is not None:
        if options.detector:
            raise InputError("--detector: the boxes come from a file already; leave it out")
        return source, None
    own = {"detector": options.detector or "motion", "model": options.detector_model, "batch_size": AT_ONCE}
    rest = {"recorded": "none", "image_size": None, "threshold": 0.0, "repeat_iou": 1.0, "repeat_sequences": None}
    return source, DetectParams(**own, **rest, max_failed=1.0)  # type: ignore[arg-type]


def _run(options: argparse.Namespace, source: "Source", params: "DetectParams | None") -> tuple[str, list[Path]]:
    """Classify; give the detector's name and the results."""
    from functools import cache

    from camtraps import classifier, classifying, detecting, finding, watching
    from camtraps.rated import Choice

    detector = source.detector or (detecting.version(params) if params else "")
    ours = classifier.load(options.model)
    choice = Choice(classifier.crop_params(ours.info).categories, options.min_confidence)

    @cache
    def look() -> watching.Look:
        assert params, "a video without boxes where no detector runs"
        return watching.eye(params)

    def watch(item: "Item") -> "Rated":
        return watching.watch(item, options.frames_per_second, look, choice, ours)

    eye = f"{detector} {options.frames_per_second}"
    task = classifying.Task(classifier=ours, model=options.model, choice=choice, watch=watch, eye=eye)
    items = finding.find(source.items(), params) if params else source.items()
    return detector, classifying.classify(items, source.num, task)


def _judged(
    options: argparse.Namespace, results: list[Path], output: "Output", temperature: float, tally: "Tally"
) -> "Iterator[Judged]":
    from itertools import chain

    from camtraps import rated, result_files

    gap = (30.0 if options.gap is None else options.gap) if options.smooth else None
    photos = chain.from_iterable(map(rated.read, results))
    return result_files.judged(photos, output.verdicts, temperature, gap, tally)


def _project(options: argparse.Namespace) -> "tuple[Project, DataFrame] | None":
    """Make what a package says of itself, and the coordinates of its locations, before the work begins."""
    if not options.camtrap_dp:
        return None
    import re

    from camtraps.commands.exports import read_locations
    from camtraps.exports.camtrap_dp_terms import Contributor, Project

    if not options.locations:
        raise InputError("--camtrap-dp: needs the coordinates of the folders; name their file with --locations")
    check_own(options.camtrap_dp)
    nobody = Contributor(title="camtraps", role="contributor")
    name = re.sub(r"[^-a-z0-9._]+", "-", options.camtrap_dp.name.lower())
    title = "Classified camera-trap photos"
    project = Project(name=name, title=title, timezone=options.timezone or "Z", contributors=(nobody,))
    return project, read_locations(options.locations)


def _packed(
    options: argparse.Namespace,
    package: "tuple[Project, DataFrame]",
    photos: "Iterator[Judged]",
    output: "Output",
) -> str:
    from camtraps.exports import classified

    project, locations = package
    names = {name: output.info[name] for name in ("detector", "classifier")}
    about = classified.Package(project=project, locations=locations, locations_path=options.locations, **names)
    summary = classified.export(photos, output.verdicts, about, options.camtrap_dp)
    left_out = "".join(f"; {number:,} left out: {reason}" for reason, number in summary.left_out.items())
    counts = f"{summary.num_media:,} photos, {summary.num_observations:,} observations"
    return f"{options.camtrap_dp}: {counts}, {summary.num_deployments:,} deployments{left_out}"


def _told(options: argparse.Namespace, tally: "Tally", verdicts: "Verdicts") -> list[str]:
    from camtraps.words import num

    boxes = f"{num(tally.boxes, 'box', 'boxes')}, {tally.classified:,} classified"
    failed = f", {tally.failed:,} failed (first: {tally.first_failure})" if tally.failed else ""
    lines = [f"{options.out}: {num(tally.photos, 'photo')}, {boxes}{failed}"]
    if tally.firsts:
        lines.append(", ".join(f"{verdicts.categories[at]} {number:,}" for at, number in tally.firsts.most_common(12)))
    if options.smooth and not tally.timed:
        lines.append("no photo has a time in its EXIF: --smooth has changed nothing")
    if verdicts.allowed is not None:
        what = "the listed classes share its probability" if verdicts.outside == "renormalise" else "a taxon took it"
        listed = f"{int(verdicts.allowed.sum())} of {len(verdicts.classes)} classes may be answered"
        lines.append(f"{listed}; the first choice of {num(tally.outside, 'box', 'boxes')} was another: {what}")
    return lines
