"""The detector that needs no weights: an animal is what is in one photo of a place and not in the others."""

import math
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeGuard

import numpy as np

from camtraps import reading
from camtraps.detectors.answers import Answer, Box
from camtraps.detectors.background import Change, Map, Thumb, compare, likeness, outline_balance, thumb
from camtraps.storage import PhotoError, is_local
from camtraps.units import may_pass

VERSION = "motion"  # as it stands in tables and in file names

# Photos without a sequence are one burst while they follow within this many seconds.
BURST_SECONDS = 60.0
# Other photos to compare with: of the burst, of other bursts, of one other burst (an animal may rest through it).
NUM_OWN, NUM_OTHER, NUM_PER_BURST = 16, 12, 3
# Photos of other bursts to look at for those of the same light and place; it bounds reading and time.
NUM_LOOKS = 100
# Fewer show no background: of three, two may hold the animal.
NUM_NEEDED = 4
# Likeness from which another burst shows the same place. A camera that was not moved gives 0.8, another place or a
# moved camera less than 0.2.
SAME_PLACE = 0.35
# Thumbnails kept, 75 KB each; more than a photo's looks to both sides, so that the next photo finds them.
NUM_KEPT = 256
# Neighbouring photos from elsewhere that are read together.
NUM_TOGETHER = 16
# Side of the cells in which rectangles are searched, in thumbnail pixels.
CELL = 3
# A pixel is surely changed at this score; in a box, pixels count for it above this share of it and against it below.
SURE, SHARE = 2.5, 0.25
# A second fit takes for sure what is this share of the box's own high score (a percentile, since a quarter of a box may
# be animal), within limits: strong animals have halos, weak ones gaps.
OWN_SURE, OWN_PERCENT, OWN_LIMITS = 0.3, 80, (1.5, 6.0)
# Least support of a box, in surely changed pixels; speckles are smaller.
LEAST_SUPPORT = 4.0
# At most this many boxes a photo, and none that is rarely right.
NUM_BOXES, LEAST_CONFIDENCE = 3, 0.1
# Logistic regression of "IoU with a human box is 0.5 or more" on `_traits`, over the boxes found in the 538 photos
# with human boxes of a subset of Missouri Camera Traps (39 places). Larger (up to 15%), stronger, alone, outlined and
# compact is better.
INTERCEPT = -1.13
WEIGHTS = (0.64, -4.45, 1.93, 2.25, 2.28, -0.96)


@dataclass(frozen=True)
class Photo:
    """A photo of a location; ``seconds`` counts from any epoch and is None if the time is unknown."""

    image: str
    uri: str
    sequence: str | None
    seconds: float | None


@dataclass(frozen=True)
class Rectangle:
    """A rectangle of thumbnail pixels, ends exclusive."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rectangle as an index into a map."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def detect(photos: Sequence[Photo], wanted: Collection[str]) -> dict[str, Answer]:
    """Find what moved in photos of one location.

    Args:
        photos: all photos of the location, in order of time, sequence and frame.
        wanted: the images to answer for; the others only show the background.

    Returns:
        One answer for each wanted image, in the order of the photos.
    """
    thumbs, bursts, answers = _Thumbs(photos), _bursts(photos), {}
    for place, photo in enumerate(photos):
        if photo.image in wanted:
            before = thumbs.num_passing
            answer = _look(thumbs, bursts, place)
            answers[photo.image] = replace(answer, passing=thumbs.num_passing > before)
    return answers


def detect_frames(thumbs: Sequence[Thumb]) -> list[Answer]:
    """Find what moved in frames of one video, in their order.

    Args:
        thumbs: of the frames.
    """
    given = _Given(thumbs)
    return [_look(given, [0] * len(thumbs), place) for place in range(len(thumbs))]


def find(change: Change) -> list[Box]:
    """Find boxes around what changed, the most credible first; their confidence is their chance to be right."""
    height, width = change.score.shape
    boxes = []
    for rectangle in _rectangles(change):
        traits = _traits(change, rectangle)
        confidence = 1 / (1 + math.exp(-INTERCEPT - sum(w * trait for w, trait in zip(WEIGHTS, traits, strict=True))))
        x, y = rectangle.left / width, rectangle.top / height
        w, h = (rectangle.right - rectangle.left) / width, (rectangle.bottom - rectangle.top) / height
        boxes.append(Box(x, y, w, h, round(confidence, 4)))
    credible = [box for box in boxes if box.confidence >= LEAST_CONFIDENCE]
    return sorted(credible, key=lambda box: -box.confidence)


class _Pictures(Protocol):
    """Thumbnails by place in a list."""

    def get(self, place: int) -> Thumb | PhotoError: ...


@dataclass(frozen=True)
class _Given:
    """Thumbnails that are there."""

    thumbs: Sequence[Thumb]

    def get(self, place: int) -> Thumb | PhotoError:
        return self.thumbs[place]


class _Thumbs:
    """Thumbnails of the photos by place in the list, read on demand, the latest kept; an unreadable one is an error.

    ``num_passing`` counts how often one was asked for that may be readable later.
    """

    def __init__(self, photos: Sequence[Photo]) -> None:
        self.photos = photos
        self.kept: OrderedDict[int, Thumb | PhotoError] = OrderedDict()
        self.num_passing = 0

    def get(self, place: int) -> Thumb | PhotoError:
        if place not in self.kept:
            self._read(place)
        self.kept.move_to_end(place)
        found = self.kept[place]
        self.num_passing += isinstance(found, PhotoError) and may_pass(str(found), is_remote=False)
        return found

    def _read(self, place: int) -> None:
        lot = [place]
        if not is_local(self.photos[place].uri):
            first = place - place % NUM_TOGETHER
            lot = [at for at in range(first, min(first + NUM_TOGETHER, len(self.photos))) if at not in self.kept]
        for at, data in zip(lot, reading.ahead(self.photos[at].uri for at in lot), strict=True):
            self.kept[at] = _thumb(data)
            if len(self.kept) > NUM_KEPT:
                self.kept.popitem(last=False)


def _thumb(data: bytes | PhotoError) -> Thumb | PhotoError:
    try:
        return data if isinstance(data, PhotoError) else thumb(data)
    except PhotoError as error:
        return error


def _bursts(photos: Sequence[Photo]) -> list[int]:
    """Number the bursts: photos of a sequence, or without one those that follow closely."""
    bursts: list[int] = []
    for place, photo in enumerate(photos):
        before = photos[place - 1] if place else None
        bursts.append(bursts[-1] + (not _follows(before, photo)) if before else 0)
    return bursts


def _follows(before: Photo, photo: Photo) -> bool:
    if before.sequence is not None or photo.sequence is not None:
        return before.sequence == photo.sequence
    if before.seconds is None or photo.seconds is None:
        return False
    return abs(photo.seconds - before.seconds) <= BURST_SECONDS


def _look(thumbs: _Pictures, bursts: list[int], place: int) -> Answer:
    photo = thumbs.get(place)
    if isinstance(photo, PhotoError):
        return Answer([], failure=str(photo))
    others = [*_own_burst(thumbs, bursts, place, photo), *_other_bursts(thumbs, bursts, place, photo)]
    if len(others) < NUM_NEEDED:
        return Answer([], f"too few photos of this place in this light ({len(others)}, need {NUM_NEEDED})")
    boxes = find(compare(photo, others))
    return Answer(boxes, None if boxes else "nothing moved")


def _own_burst(thumbs: _Pictures, bursts: list[int], place: int, photo: Thumb) -> list[Thumb]:
    """Take the nearest photos of the same burst; that they show the same place needs no proof."""
    near = [other for other in _outwards(place, len(bursts), NUM_OWN) if bursts[other] == bursts[place]]
    candidates = [thumbs.get(other) for other in near[:NUM_OWN]]
    return [other for other in candidates if _same_light(other, photo)]


def _other_bursts(thumbs: _Pictures, bursts: list[int], place: int, photo: Thumb) -> list[Thumb]:
    taken: list[Thumb] = []
    looks, per_burst = 0, Counter[int]()
    for near in _outwards(place, len(bursts), NUM_KEPT // 2 - 1):
        if bursts[near] == bursts[place] or per_burst[bursts[near]] == NUM_PER_BURST:
            continue
        if looks == NUM_LOOKS or len(taken) == NUM_OTHER:
            break
        looks += 1
        other = thumbs.get(near)
        if _same_light(other, photo) and likeness(photo, other) >= SAME_PLACE:
            taken.append(other)
            per_burst[bursts[near]] += 1
    return taken


def _outwards(place: int, count: int, reach: int) -> Iterator[int]:
    """Go through the places beside one, the nearest first, at most ``reach`` to each side."""
    for distance in range(1, reach + 1):
        for near in (place - distance, place + distance):
            if 0 <= near < count:
                yield near


def _same_light(other: Thumb | PhotoError, photo: Thumb) -> TypeGuard[Thumb]:
    if isinstance(other, PhotoError):
        return False
    return photo.infrared == other.infrared and photo.luma.shape == other.luma.shape


def _rectangles(change: Change) -> Iterator[Rectangle]:
    """Give the rectangle with most support, then the next outside of it."""
    left = change.score.copy()
    whole = Rectangle(change.top, change.bottom, 0, left.shape[1])
    for _ in range(NUM_BOXES):
        rectangle, support = _best(left, SURE, whole)
        if support < LEAST_SUPPORT:
            return
        for _ in range(2):  # the second time with the scores of a box that fits better
            sure = float(np.clip(OWN_SURE * np.percentile(left[rectangle.slices], OWN_PERCENT), *OWN_LIMITS))
            rectangle, _ = _best(left, sure, _grown(rectangle, whole))
        yield rectangle
        left[_margin(rectangle, CELL, whole).slices] = 0


def _best(score: Map, sure: float, within: Rectangle) -> tuple[Rectangle, float]:
    """Find the rectangle of the largest support, to the pixel, and its support.

    Each pixel supports a rectangle by its score as a share of ``sure``, at most 1, less `SHARE`; so an animal in
    pieces is one box, and what is far off is not worth the ground between.
    """
    support = np.clip(score[within.slices] / sure, 0, 1) - np.float32(SHARE)
    rows, columns = support.shape
    padded = np.pad(support, ((0, -rows % CELL), (0, -columns % CELL)))
    cells = padded.reshape(padded.shape[0] // CELL, CELL, padded.shape[1] // CELL, CELL).sum(axis=(1, 3))
    top, bottom, left, right, best = _best_cells(cells)
    ends = [top * CELL, min(bottom * CELL, rows), left * CELL, min(right * CELL, columns)]
    for _ in range(2):
        ends[:2] = _best_ends(support[:, ends[2] : ends[3]].sum(axis=1), ends[0], ends[1])
        ends[2:] = _best_ends(support[ends[0] : ends[1]].sum(axis=0), ends[2], ends[3])
    top, bottom, left, right = ends
    return Rectangle(top + within.top, bottom + within.top, left + within.left, right + within.left), best


def _best_cells(cells: Map) -> tuple[int, int, int, int, float]:
    """Find the rectangle with the largest sum, exactly: for each pair of rows the best run of columns."""
    above = np.pad(np.cumsum(cells, axis=0), ((1, 0), (0, 0)))
    first, last = np.triu_indices(len(above), 1)
    sums = np.pad(np.cumsum(above[last] - above[first], axis=1), ((0, 0), (1, 0)))  # (pairs of rows, columns + 1)
    gains = sums - np.minimum.accumulate(sums, axis=1)
    pair, right = np.unravel_index(np.argmax(gains), gains.shape)
    left = np.argmin(sums[pair, : right + 1])
    return int(first[pair]), int(last[pair]), int(left), int(right), float(gains[pair, right])


def _best_ends(line: Map, start: int, end: int) -> tuple[int, int]:
    """Move the ends of a run by up to a cell to where its sum is largest; it keeps at least one pixel."""
    first = max(0, start - CELL)
    sums = np.concatenate([[0], np.cumsum(line[first : end + CELL])])
    stop = int(np.argmax(sums - np.minimum.accumulate(sums)))
    begin = int(np.argmin(sums[: stop + 1]))
    return first + begin, first + max(stop, begin + 1)


def _margin(rectangle: Rectangle, margin: int, within: Rectangle) -> Rectangle:
    return Rectangle(
        max(within.top, rectangle.top - margin),
        min(within.bottom, rectangle.bottom + margin),
        max(within.left, rectangle.left - margin),
        min(within.right, rectangle.right + margin),
    )


def _grown(rectangle: Rectangle, within: Rectangle) -> Rectangle:
    """Double a rectangle's longer side, the room in which its second fit looks."""
    longer = max(rectangle.bottom - rectangle.top, rectangle.right - rectangle.left)
    return _margin(rectangle, max(2 * CELL, longer // 2), within)


def _traits(change: Change, rectangle: Rectangle) -> tuple[float, ...]:
    """Describe a box for its confidence.

    Returns:
        log of its share of the photo; log of how many times that exceeds 15%, where whole-photo changes begin; log of
        its mean score over that around it; its share of all change; balance of its outline; log of the
        longer side over the shorter.
    """
    score = change.score[rectangle.slices]
    rows, columns = score.shape
    area = score.size / change.score.size
    whole = Rectangle(change.top, change.bottom, 0, change.score.shape[1])
    around = change.score[_margin(rectangle, max(3, int(0.35 * max(rows, columns))), whole).slices]
    ring = (around.sum() - score.sum()) / max(1, around.size - score.size)
    in_box, in_all = (np.clip(part / SURE, 0, 1).sum() for part in (score, change.score))
    changed = score > SURE / 2
    edges = change.luma_edges[rectangle.slices], change.background_edges[rectangle.slices]
    return (
        math.log(area),
        max(0.0, math.log(area / 0.15)),
        math.log((score.mean() + 0.1) / (ring + 0.1)),
        float(in_box / max(in_all, 1e-3)),
        float(outline_balance(changed.astype(np.int32), 1, *edges)[0]),
        abs(math.log(columns / rows)),
    )
