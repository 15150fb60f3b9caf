"""Result files of classified photos: MegaDetector's format 1.6 and a table, written photo by photo."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from camtraps import metrics, smoothing, streams
from camtraps.errors import InputError
from camtraps.files import replacing
from camtraps.formats.megadetector import FORMAT_VERSION
from camtraps.rated import Rated
from camtraps.verdicts import Answer, Verdicts

COLUMNS = ("file", "datetime", "failure", "frame", "category", "confidence", "x", "y", "w", "h", "label", "probability")
SETTINGS = "camtraps"  # the key of `info` that says how a file was made


class Judged(NamedTuple):
    """A photo or video, and the answers for each of its boxes that was classified, by the box's place."""

    photo: Rated
    answers: dict[int, list[Answer]]


@dataclass
class Tally:
    """Counts of what was written."""

    photos: int = 0
    timed: int = 0
    failed: int = 0
    boxes: int = 0
    classified: int = 0
    outside: int = 0
    firsts: Counter[int] = field(default_factory=Counter)
    first_failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Output:
    """What to write: ``info`` of the document, ``categories`` of boxes by id, as far as known, and where.

    ``table`` is the CSV file, if one is wanted.
    """

    path: Path
    info: Mapping[str, Any]
    categories: Mapping[str, str]
    verdicts: Verdicts
    table: Path | None = None


def judged(
    photos: Iterable[Rated], verdicts: Verdicts, temperature: float, gap_seconds: float | None, tally: Tally
) -> Iterator[Judged]:
    """Turn logits into answers, and count.

    Args:
        photos: from `rated.read`.
        verdicts: how.
        temperature: of the model.
        gap_seconds: longest pause within a sequence, of which all boxes get the mean logits; None leaves each its own.
            The photos of a folder are then in memory, so far as they follow each other.
        tally: is added to.
    """
    for photo in photos if gap_seconds is None else _smoothed(photos, gap_seconds):
        answers: list[list[Answer]] = []
        if len(photo.rated):
            probabilities = metrics.calibrated(photo.logits.astype(np.float64), temperature)
            answers = verdicts.of(probabilities)
            tally.outside += verdicts.num_outside(probabilities)
        tally.photos += 1
        tally.timed += photo.taken is not None
        tally.boxes += len(photo.boxes)
        tally.classified += len(answers)
        tally.firsts.update(each[0][0] for each in answers if each)
        if photo.failure is not None:
            tally.failed += 1
            tally.first_failure = tally.first_failure or f"{photo.name}: {photo.failure}"
        yield Judged(photo, dict(zip(photo.rated, answers, strict=True)))


def _smoothed(photos: Iterable[Rated], gap_seconds: float) -> Iterator[Rated]:
    for _, some in groupby(photos, key=lambda photo: photo.folder):
        here = list(some)
        numbers = smoothing.sequences([photo.taken for photo in here], gap_seconds)
        there = [photo for photo in here if len(photo.rated)]
        if there:
            groups = np.repeat(numbers, [len(photo.rated) for photo in here])
            mean = smoothing.smooth(np.concatenate([photo.logits for photo in there]), groups.tolist())
            ends = np.cumsum([len(photo.rated) for photo in here])
            parts = np.split(mean.astype(np.float32), ends[:-1])
            here = [replace(photo, logits=own) for photo, own in zip(here, parts, strict=True)]
        yield from here


def write(photos: Iterable[Judged], output: Output) -> None:
    """Write the document, and the table if one is wanted, whole or not at all; one photo is in memory.

    Raises:
        CamtrapsError: the disk is full.
    """
    names = output.verdicts.categories
    ids = _Ids({name: number for number, name in output.categories.items()})
    with ExitStack() as stack:
        file = _opened(stack, output.path)
        rows = csv.writer(_opened(stack, output.table), lineterminator="\n") if output.table else None
        file.write(_head(output))
        if rows:
            rows.writerow(COLUMNS)
        for at, (photo, answers) in enumerate(photos):
            file.write(",\n" if at else "\n")
            file.write(json.dumps(_entry(photo, answers, ids), ensure_ascii=False, allow_nan=False))
            if rows:
                rows.writerows(_rows(photo, answers, names))
        # Behind the photos, as a detector of the user's own may name categories that only its boxes tell of.
        file.write(f'\n],\n"detection_categories": {_text({number: name for name, number in ids.items()})}}}\n')


class _Ids(dict[str, str]):
    """Ids of categories by name; a new name gets the next number."""

    def __missing__(self, name: str) -> str:
        self[name] = str(max((int(number) for number in self.values()), default=0) + 1)
        return self[name]


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)


def _opened(stack: ExitStack, path: Path) -> TextIO:
    part = stack.enter_context(replacing(path))
    return stack.enter_context(part.open("w", encoding="utf-8", newline=""))


def _head(output: Output) -> str:
    names, texts = output.verdicts.categories, output.verdicts.descriptions()
    head: dict[str, Any] = {"info": {"format_version": FORMAT_VERSION, **output.info}}
    head["classification_categories"] = {str(at): name for at, name in enumerate(names)}
    if texts:
        head["classification_category_descriptions"] = {str(at): text for at, text in enumerate(texts)}
    parts = (f"{json.dumps(key)}: {_text(value)}" for key, value in head.items())
    return "{" + ",\n".join(parts) + ',\n"images": ['


def _entry(photo: Rated, answers: Mapping[int, Sequence[Answer]], ids: Mapping[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"file": photo.name}
    if photo.taken:
        entry["datetime"] = photo.taken
    if photo.frames is not None:
        entry |= {"frame_rate": photo.frame_rate, "frames_processed": list(photo.frames)}
    if photo.failure is not None:
        return entry | {"failure": photo.failure, "detections": None}
    detections = []
    for place, box in enumerate(photo.boxes):
        bbox = [round(value, 5) for value in box[2:6]]
        detection: dict[str, Any] = {
            "category": ids[box.category],
            "conf": round(float(box.confidence), 4),
            "bbox": bbox,
        }
        if box.frame is not None:
            detection["frame_number"] = box.frame
        if place in answers:
            detection["classifications"] = [[str(at), round(share, 4)] for at, share in answers[place]]
        detections.append(detection)
    return entry | {"detections": detections}


def _rows(photo: Rated, answers: Mapping[int, Sequence[Answer]], names: Sequence[str]) -> Iterator[list[Any]]:
    own = [photo.name, photo.taken or "", photo.failure or ""]
    if not photo.boxes:
        yield own + [""] * (len(COLUMNS) - len(own))
    for place, box in enumerate(photo.boxes):
        best = answers.get(place, [])[:1]
        label = [names[best[0][0]], round(best[0][1], 4)] if best else ["", ""]
        frame = "" if box.frame is None else box.frame
        yield [*own, frame, box.category, round(box.confidence, 4), *(round(value, 5) for value in box[2:6]), *label]


def check(path: Path, settings: Mapping[str, Any]) -> None:
    """Refuse to write over what was made in another way.

    Args:
        path: where to write; nothing need be there.
        settings: that will stand in the document.

    Raises:
        InputError: what is there is no such document, or was made with other settings, which are named.
    """
    if not path.exists():
        return
    info = next((value for key, at, value in streams.members(path) if key == "info" and at is None), None)
    there = info.get(SETTINGS) if isinstance(info, dict) else None
    if not isinstance(there, dict):
        raise InputError(f"{path}: is there, and not written by this command; name another file, or remove it")
    shown = [
        f"{name.replace('_', ' ')} {json.dumps(there.get(name))} there, {json.dumps(settings.get(name))} now"
        for name in dict.fromkeys([*there, *settings])
        if there.get(name) != settings.get(name)
    ]
    if shown:
        raise InputError(f"{path}: was made in another way: {'; '.join(shown)}; name another file, or remove it")
