"""Run a detector on the photos that need one, keep its answers, and put the boxes of all sources together."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import PIL
import pyarrow as pa
import pyarrow.compute as pc

from camtraps import calibration, catalog, collections, failures, repeats, tables
from camtraps.detections import WITHOUT, DetectParams, Sources, boxes_of
from camtraps.detectors import batch_api, megadetector, motion
from camtraps.files import code_digest, digest, read_json, work_dir, write_json
from camtraps.journal import Journal
from camtraps.results import Kind, Unit, may_pass, prune
from camtraps.schema import RECORDED, TEXT
from camtraps.storage import Images, address, first_seen, is_local, stamp
from camtraps.units import engine, run

# What turns pixels into motion's answers; how they are read from their storage does not matter.
CODE = ("camtraps.images", *(f"camtraps.detectors.{name}" for name in ("motion", "background", "answers")))
RESULT = "answers.json"
PHOTOS_PER_UNIT = 1000  # that a detector on a cluster looks at, once it has its model
DETECTORS: dict[str, ModuleType] = {"megadetector": megadetector, "batch_api": batch_api}  # look at photos one by one


def version(params: DetectParams) -> str:
    """Name the detector and its version as tables and folders do; errors as the detector raises them."""
    return motion.VERSION if params.detector == "motion" else str(DETECTORS[params.detector].version(params))


def detect(wanted: Collection[str], collection: Path, params: DetectParams) -> pa.Table:
    """Bring about the detector's answers for some photos of a collection.

    What an earlier run has answered is taken from the detector's journal, as long as the photo is still the same.

    Args:
        wanted: images of the catalog.
        collection: ``data/<name>``.
        params: which detector; not ``none``.

    Returns:
        Rows of the recorded detections table with the detector's ``version``, one for each wanted image, in order.
    """
    images = collections.read_images(collection)
    if params.detector != "motion":
        return detect_each(sorted(wanted), images, params)
    photos = catalog.photos_at(catalog.connect(collection / "catalog"), set(wanted))
    return detect_motion(photos, set(wanted), images)


def detect_motion(photos: pd.DataFrame, wanted: set[str], images: Images) -> pa.Table:
    """Find boxes in some photos by comparing them with the others of their place.

    Args:
        photos: all photos of the places of the wanted ones, from `catalog.photos_at`.
        wanted: the images that need boxes.
        images: where their photos lie.

    Returns:
        As `detect`.
    """
    code = digest(code_digest(CODE), PIL.__version__)
    places = [_Place.of(rows, images, code) for _, rows in photos.groupby(["dataset", "place"], sort=True)]
    asked = [(place, [image for image, *_ in place.photos if image in wanted]) for place in places]
    fingerprints = {image: place.fingerprint for place, own in asked for image in own}
    remote = {image for place, own in asked if place.is_remote for image in own}
    answers = _Answers(motion.VERSION, fingerprints, remote)
    lacking = answers.lacking()
    units = [place.unit([image for image in own if image in lacking]) for place, own in asked if lacking & set(own)]
    for folder in run(units, _detect_place, work_dir("motion"), "detect"):
        answers.keep(read_json(folder / RESULT))
    return answers.table()


@dataclass(frozen=True)
class _Place:
    """A place: its photos (image, URI, sequence, seconds), what an answer for any of them is made from, hashed."""

    photos: list[list[Any]]
    fingerprint: str
    is_remote: bool
    seen: str

    @classmethod
    def of(cls, rows: pd.DataFrame, images: Images, code: str) -> "_Place":
        names = list(zip(rows["dataset"], rows["file"], strict=True))
        sequences = [None if pd.isna(name) else name for name in rows["sequence"]]
        seconds = [None if pd.isna(time) else time.timestamp() for time in rows["datetime"]]
        photos = zip(rows["image"], (images.uri(*name) for name in names), sequences, seconds, strict=True)
        sources = [images.source(*name) for name in names]
        stamps = [stamp(source) for source in sources]
        fingerprint = digest(code, json.dumps([[address(source) for source in sources], stamps, sequences, seconds]))
        is_remote = not all(is_local(source) for source in sources)
        return cls([list(photo) for photo in photos], fingerprint, is_remote, first_seen(sources, stamps))

    def unit(self, wanted: list[str]) -> Unit:
        payload = {"photos": self.photos, "wanted": wanted, "remote": self.is_remote}
        return Unit(digest(self.fingerprint, *wanted), payload, len(wanted), f"the place of {wanted[0]}", self.seen)


def _detect_place(payload: dict[str, Any], folder: Path) -> bool:
    photos = [motion.Photo(*photo) for photo in payload["photos"]]
    answers = motion.detect(photos, set(payload["wanted"]))
    rows = [answer.row(name, *name.split("/", 1)) | {"passing": answer.passing} for name, answer in answers.items()]
    write_json(folder / RESULT, rows)
    return not any(_passes(row, payload["remote"]) for row in rows)


def _passes(row: Mapping[str, Any], is_remote: bool) -> bool:
    return row.get("passing", False) or (row["failure"] is not None and may_pass(row["failure"], is_remote))


def detect_each(wanted: list[str], images: Images, params: DetectParams) -> pa.Table:
    """Detect with a detector that looks at each photo by itself; `detect` without a catalog."""
    photos = pd.DataFrame([(image, *image.split("/", 1)) for image in wanted], columns=["image", "dataset", "file"])
    names = list(zip(photos["dataset"], photos["file"], strict=True))
    photos["uri"] = [images.uri(*name) for name in names]
    photos["source"] = [images.source(*name) for name in names]
    photos["stamp"] = [stamp(source) for source in photos["source"]]
    # Answers that were paid for stay good whatever our code.
    code = [megadetector.made_with()] if params.detector == "megadetector" else []
    made_from = zip(photos["source"].map(address), photos["stamp"], strict=True)
    fingerprints = {image: digest(*code, *each) for image, each in zip(wanted, made_from, strict=True)}
    remote = set(photos["image"][[not is_local(source) for source in photos["source"]]])
    answers = _Answers(version(params), fingerprints, remote)
    rest = photos[photos["image"].isin(answers.lacking())].reset_index(drop=True)
    if params.detector == "megadetector" and engine() != "local":
        _detect_elsewhere(rest, fingerprints, params, answers)
    elif len(rest):
        DETECTORS[params.detector].detect(rest, params, answers.keep)
    return answers.table()


def _detect_elsewhere(
    photos: pd.DataFrame, fingerprints: Mapping[str, str], params: DetectParams, to: "_Answers"
) -> None:
    """Detect on a cluster or by ranks, in units of photos; locally each photo is kept as soon as it is looked at."""
    units = []
    for start in range(0, len(photos), PHOTOS_PER_UNIT):
        part = photos[start : start + PHOTOS_PER_UNIT]
        marks = (fingerprints[image] for image in part["image"])
        some = _Some(part, set(part["image"]) & set(to.remote), params)
        name, seen = f"{len(part)} photos from {part['image'].iloc[0]} on", first_seen(part["source"], part["stamp"])
        units.append(Unit(digest(version(params), *marks), some, len(part), name, seen))
    for folder in run(units, _detect_some, work_dir("detected"), "megadetector", Kind(gpu=True)):
        to.keep(read_json(folder / RESULT))


@dataclass(frozen=True)
class _Some:
    """Photos for a worker, those of them that lie in a storage, and the detector."""

    photos: pd.DataFrame
    remote: set[str]
    params: DetectParams


def _detect_some(some: _Some, folder: Path) -> bool:
    rows: list[dict[str, Any]] = []
    DETECTORS[some.params.detector].detect(some.photos, some.params, rows.extend)
    write_json(folder / RESULT, rows)
    return not any(_passes(row, row["image"] in some.remote) for row in rows)


class _Answers:
    """The answers for some photos, in the journal of their detector.

    What may pass is not kept: nothing would tell that a photo has come back.
    """

    def __init__(self, version: str, fingerprints: Mapping[str, str], remote: Collection[str]) -> None:
        folder = work_dir("answers")
        prune(folder, {version})
        self.journal, self.version = Journal(folder / version), version
        self.fingerprints, self.remote = fingerprints, remote
        self.passing: list[dict[str, Any]] = []

    def lacking(self) -> set[str]:
        return set(self.fingerprints) - set(self.journal.known(self.fingerprints)["image"].to_pylist())

    def keep(self, rows: list[dict[str, Any]]) -> None:
        lasting = []
        for row in rows:
            if _passes(row, row["image"] in self.remote):
                self.passing.append(row)
            else:
                lasting.append(row | {"fingerprint": self.fingerprints[row["image"]]})
        self.journal.add(lasting)

    def table(self) -> pa.Table:
        passing = pa.Table.from_pylist(self.passing, schema=RECORDED.schema)
        answers = pa.concat_tables([self.journal.known(self.fingerprints), passing])
        assert len(answers) == len(self.fingerprints), (len(answers), len(self.fingerprints))
        named = answers.append_column("version", pa.repeat(self.version, len(answers)).cast(TEXT))
        return named.sort_by("image")


def record(collection: Path, answers: pa.Table) -> list[Path]:
    """Write answers to the recorded results of a collection, each dataset's file whole or not at all.

    They take the place of what is recorded of the same photos; but a failure does not replace boxes.

    Args:
        collection: ``data/<name>``.
        answers: from `detect`.
    """
    paths = []
    for dataset in sorted(pc.unique(answers["dataset"]).to_pylist()):
        given = answers.filter(pc.equal(answers["dataset"], dataset))
        path = collection / "detections" / given["version"][0].as_py() / f"{dataset}.parquet"
        rows = given.select(RECORDED.schema.names)
        if path.exists():
            old = tables.read_arrow(path, RECORDED).cast(RECORDED.schema)  # an import writes all columns nullable
            good = old.filter(old["boxes"].is_valid())["image"]
            rows = rows.filter(pc.or_(rows["boxes"].is_valid(), pc.invert(pc.is_in(rows["image"], good))))
            rows = pa.concat_tables([rows, old.filter(pc.invert(pc.is_in(old["image"], rows["image"])))])
        tables.write_arrow(rows.sort_by("file"), path, RECORDED)
        paths.append(path)
    return paths


@dataclass(frozen=True)
class Gathered:
    """The stage's result: rows of the detections table, photos without one, counts, and what else to count."""

    detections: pd.DataFrame
    failures: pd.DataFrame
    counts: failures.Counts
    details: dict[str, Any]


def gather(
    queried: pd.DataFrame,
    sources: Sources,
    found: pa.Table | None,
    params: DetectParams,
    curves: dict[str, calibration.Curve],
) -> Gathered:
    """Put boxes of all sources together and account for every photo.

    Args:
        queried: rows of the queried table.
        sources: from `sort_out`.
        found: from `detect`, for ``sources.missing``; None if no detector was run.
        params: of the stage.
        curves: calibrations by version.
    """
    answers = sources.recorded
    if found is not None:
        fresh = found.to_pandas(types_mapper=lambda kind: pd.ArrowDtype(kind) if pa.types.is_list(kind) else None)
        answers = pd.concat([answers, fresh[answers.columns]], ignore_index=True)
    parts = [part for part in (sources.human, boxes_of(answers, params.threshold)) if len(part)]
    detections = pd.concat(parts, ignore_index=True) if parts else sources.human
    detections = detections.assign(
        calibrated=calibration.apply(detections, curves),
        repeat=repeats.flag(detections, queried, params.repeat_iou, params.repeat_sequences),
    )
    left_out = _left_out(queried, set(detections["image"]), answers, sources.missing)
    details = {
        "photos_by_source": _tally(detections.drop_duplicates("image")["detector"]),
        "boxes_by_category": _tally(detections["category"]),
        "repeats": {"boxes": int(detections["repeat"].count()), "groups": int(detections["repeat"].nunique())},
    }
    counts = failures.Counts.of("photos", len(queried), detections["image"].nunique(), left_out)
    return Gathered(detections, left_out, counts, details)


def _tally(values: "pd.Series[str]") -> dict[str, int]:
    return {str(value): int(number) for value, number in values.value_counts().sort_index().items()}


def _left_out(
    queried: pd.DataFrame, boxed: set[str], answers: pd.DataFrame, missing: Mapping[str, str]
) -> pd.DataFrame:
    """Give the reasons of photos that end without a box: broken ones and those in which nothing was found."""
    said = answers[["image", "version", "failure", "note"]].assign(boxes=answers["boxes"].list.len())
    lone = queried.loc[[image not in boxed for image in queried["image"]], ["image", "has_truth_boxes"]]
    lone = lone.merge(said, on="image", how="left").sort_values("image")
    before = pd.Series([missing.get(image, "") for image in lone["image"]], lone.index, dtype="str")
    is_answered = lone["version"].notna() | lone["has_truth_boxes"]
    reason = np.select(
        [~is_answered, lone["failure"].notna(), lone["note"].notna(), lone["boxes"].fillna(0) > 0],
        [
            "no detector was run; recorded: " + before.replace("", "nothing"),
            lone["failure"].fillna(""),
            f"{WITHOUT}: " + lone["note"].fillna(""),
            f"{WITHOUT}: all below detect.threshold",
        ],
        WITHOUT,
    )
    is_failed = (lone["failure"].notna() | (~is_answered & (before != ""))).to_numpy()
    items = pd.Series(list(zip(lone["image"], [None] * len(lone), reason, strict=True)), dtype=object)
    return failures.concat(
        failures.rows("detect", "failed", items[is_failed]), failures.rows("detect", "skipped", items[~is_failed])
    )
