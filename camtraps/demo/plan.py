"""The plan of the demo collection: which photo shows what, where and when, and what the records say of it."""

import math
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from camtraps.demo.species import MISTAKEN, SHARES
from camtraps.demo.walks import Figure, moments
from camtraps.params import check_range

BURST = 3
LOCATIONS = {
    "alder": ("007", "012", "018", "024", "033", "041", "052", "066", "071", "085", "093", "110"),
    "birch": ("brook", "clearing", "dam-2", "gate", "hollow", "north ridge", "old mill", "quarry"),
}
FEWEST_LOCATIONS = 6
ALDER_SHARE = 0.6
# Somebody mounted this camera on its side; after a change of batteries it hung the other way round.
TURNED = ("birch", "dam-2")

# Bursts of a kind at least, so that a tiny collection still has each species at four locations, two a dataset.
FEWEST_BURSTS = 4
WRONG_SHARE = 0.04
PAIRS_SHARE, MIXED_SHARE = 0.075, 0.025
HUMAN_SHARE, RECORDED_SHARE = 0.47, 0.33

Boxed = Literal["human", "recorded", "none"]
Damage = Literal["none", "truncated", "empty"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoParams:
    """The section ``demo`` of params.yaml."""

    seed: int
    """Another seed draws another collection of the same make."""
    photos: int
    """Photos in both datasets together, from 120 (below that not every special case finds a photo)."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        check_range(self, seed=(0, 2**31), photos=(120, 100_000))


@dataclass(frozen=True, kw_only=True)
class Photo:
    """One photo: what the camera saw, and what the records will say.

    ``location`` is None where the record has none; ``scene`` names the background. ``kinds`` is what is in the photo
    and ``recorded`` what the record says is in it, in the same order.
    """

    index: int
    dataset: str
    file: str
    location: str | None
    scene: str
    sequence: str
    frame: int
    frames: int
    taken: datetime
    night: bool
    celsius: int
    orientation: int
    boxed: Boxed
    figures: tuple[Figure, ...]
    recorded: tuple[str, ...]
    damage: Damage = "none"
    failure: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The different kinds in the photo, ``empty`` alone if nothing is."""
        return tuple(dict.fromkeys(figure.kind for figure in self.figures)) or ("empty",)

    @property
    def is_animal(self) -> bool:
        """Whether an animal is in the photo."""
        return self.kinds[0] in SHARES


@dataclass(frozen=True, kw_only=True)
class _Burst:
    dataset: str
    kind: str
    second: str | None
    location: str | None
    taken: datetime
    night: bool


def photos(params: DemoParams) -> list[Photo]:
    """Plan all photos, sorted by dataset, location and time."""
    rng = np.random.default_rng(params.seed)
    bursts = _bursts(params, rng)
    planned: list[Photo] = []
    taken_there: dict[tuple[str, str | None], int] = {}
    for number, burst in enumerate(bursts):
        place = (burst.dataset, burst.location)
        nth = taken_there[place] = taken_there.get(place, 0) + 1
        frames = min(BURST, params.photos - BURST * number)  # the last burst may be cut short
        planned += _burst_photos(burst, number, nth, frames, rng)
    return _with_failure(_with_damage(_with_wrong_labels(planned, rng), rng), rng)


def locations(params: DemoParams) -> dict[str, tuple[str, ...]]:
    """Give each dataset's locations; a smaller collection has fewer, at least six a dataset."""
    share = params.photos / 1200
    return {dataset: names[: max(FEWEST_LOCATIONS, round(len(names) * share))] for dataset, names in LOCATIONS.items()}


def _bursts(params: DemoParams, rng: np.random.Generator) -> list[_Burst]:
    num = math.ceil(params.photos / BURST)
    others = {"person": max(2, round(0.024 * num)), "vehicle": max(2, round(0.016 * num))}
    others["empty"] = max(4, round(0.11 * num))
    animals = _shared_out(num - sum(others.values()))
    counts = {**animals, **others}
    birch = {
        kind: max(1 if count < FEWEST_BURSTS else 2, round((1 - ALDER_SHARE) * count)) for kind, count in counts.items()
    }
    alder = {kind: count - birch[kind] for kind, count in counts.items()}
    places = [
        (dataset, *place)
        for dataset, part in (("alder", alder), ("birch", birch))
        for place in _spread(part, locations(params)[dataset], rng)
    ]
    known = _without_location(places, round(0.015 * num), animals, rng)
    nights = rng.permutation(np.arange(num) < 0.4 * num)
    seconds = _seconds([kind for _, kind, _ in known], rng)
    bursts = [
        _Burst(dataset=dataset, kind=kind, second=second, location=location, taken=_time(night, rng), night=night)
        for (dataset, kind, location), second, night in zip(known, seconds, nights.tolist(), strict=True)
    ]
    return sorted(bursts, key=lambda burst: (burst.dataset, burst.location or "~", burst.taken, burst.kind))


def _shared_out(num: int) -> dict[str, int]:
    counts = {kind: max(FEWEST_BURSTS, math.floor(share * num)) for kind, share in SHARES.items()}
    while sum(counts.values()) != num:
        step = 1 if sum(counts.values()) < num else -1
        changeable = [kind for kind in SHARES if step > 0 or counts[kind] > FEWEST_BURSTS]
        kind = max(changeable, key=lambda kind: step * (SHARES[kind] * num - counts[kind]))
        counts[kind] += step
    return counts


def _spread(counts: dict[str, int], names: tuple[str, ...], rng: np.random.Generator) -> list[tuple[str, str]]:
    # A kind is at as many locations as it can be, first where least has been seen; beyond that some locations see
    # more than others.
    busy = np.linspace(2.0, 0.8, len(names))
    places: list[tuple[str, str]] = []
    for kind, num in counts.items():
        used = Counter(name for _, name in places)
        first = sorted(rng.permutation(names).tolist(), key=used.__getitem__)[:num]
        rest = rng.choice(names, size=max(0, num - len(names)), p=busy / busy.sum()).tolist()
        places += [(kind, name) for name in (*first, *rest)]
    return places


def _without_location(
    places: list[tuple[str, str, str]], num: int, counts: dict[str, int], rng: np.random.Generator
) -> list[tuple[str, str, str | None]]:
    # Frequent kinds alone lose some: the rare ones need all their locations.
    frequent = sorted(counts, key=lambda kind: (-counts[kind], kind))[:3]
    able = [at for at, (_, kind, _) in enumerate(places) if kind in frequent]
    lost = set(rng.permutation(able)[: max(1, num)].tolist())
    return [(dataset, kind, None if at in lost else name) for at, (dataset, kind, name) in enumerate(places)]


def _seconds(kinds: list[str], rng: np.random.Generator) -> list[str | None]:
    # Who comes along: mostly one of the same kind, now and then another species.
    seconds: list[str | None] = [None] * len(kinds)
    animals = rng.permutation([at for at, kind in enumerate(kinds) if kind in SHARES]).tolist()
    num_mixed, num_pairs = max(1, round(MIXED_SHARE * len(animals))), round(PAIRS_SHARE * len(animals))
    for nth, at in enumerate(animals[: num_mixed + num_pairs]):
        others = [kind for kind in SHARES if kind != kinds[at]]
        seconds[at] = others[int(rng.integers(len(others)))] if nth < num_mixed else kinds[at]
    return seconds


def _time(night: bool, rng: np.random.Generator) -> datetime:
    day = datetime(2024, 4, 1) + timedelta(days=int(rng.integers(0, 190)))
    hour = (21 + rng.uniform(0, 7.5)) % 24 if night else rng.uniform(6, 20)
    return day + timedelta(seconds=int(hour * 3600))


def _burst_photos(burst: _Burst, number: int, nth: int, frames: int, rng: np.random.Generator) -> list[Photo]:
    seen = moments(burst.kind, burst.second, frames, rng)
    place = burst.location or f"lost-{number}"
    # The golden ratio spreads the three ways evenly over the bursts of each location.
    turn = (nth * 0.618034 + sum(place.encode()) * 0.37) % 1
    boxed: Boxed = "human" if turn < HUMAN_SHARE else "recorded" if turn < HUMAN_SHARE + RECORDED_SHARE else "none"
    celsius = int(rng.integers(-2, 14) if burst.night else rng.integers(6, 29))
    taken, result = burst.taken, []
    for frame, figures in enumerate(seen):
        photo = Photo(
            index=BURST * number + frame, dataset=burst.dataset, location=burst.location, scene=place,
            file=_file(burst, BURST * (nth - 1) + frame + 1), frame=frame, frames=frames, taken=taken,
            sequence=f"{burst.dataset[0]}{number:05d}", night=burst.night, celsius=celsius,
            orientation=(6 if nth % 2 else 8) if (burst.dataset, place) == TURNED else 1,
            boxed=boxed, figures=figures, recorded=(),
        )  # fmt: skip
        result.append(replace(photo, recorded=photo.kinds))
        taken += timedelta(seconds=int(rng.integers(1, 5)))
    return result


def _file(burst: _Burst, number: int) -> str:
    place = burst.location or "unsorted"
    if burst.dataset == "alder":
        return f"{place}/{burst.taken:%Y-%m}/IMG_{number:04d}.JPG"
    return f"{place}/{100 + (number - 1) // 60}EK113/{burst.taken:%m%d}{number:04d}.jpg"


def _with_wrong_labels(planned: list[Photo], rng: np.random.Generator) -> list[Photo]:
    num = round(WRONG_SHARE * sum(photo.is_animal for photo in planned))
    num_birch = max(1, round((1 - ALDER_SHARE) * num))
    changed = list(planned)
    for dataset, part in (("alder", num - num_birch), ("birch", num_birch)):
        able = [
            photo.index for photo in planned if photo.dataset == dataset and photo.is_animal and len(photo.kinds) == 1
        ]
        for index in rng.permutation(able)[:part].tolist():
            others = MISTAKEN[planned[index].kinds[0]]
            changed[index] = replace(planned[index], recorded=(others[int(rng.integers(len(others)))],))
    return changed


def _with_damage(planned: list[Photo], rng: np.random.Generator) -> list[Photo]:
    changed = list(planned)
    wanted: tuple[tuple[Boxed, Damage], ...] = (("human", "truncated"), ("none", "empty"))
    for boxed, damage in wanted:
        index = _pick([photo for photo in planned if photo.boxed == boxed], rng)
        changed[index] = replace(planned[index], damage=damage)
    return changed


def _with_failure(planned: list[Photo], rng: np.random.Generator) -> list[Photo]:
    index = _pick([photo for photo in planned if photo.boxed == "recorded"], rng)
    return [replace(photo, failure=True) if photo.index == index else photo for photo in planned]


def _pick(able: list[Photo], rng: np.random.Generator) -> int:
    good = [photo.index for photo in able if photo.is_animal and photo.location and photo.recorded == photo.kinds]
    return int(rng.permutation(good)[0])
