"""Who walks through a burst, and how: the figures of its frames."""

import math
from dataclasses import dataclass

import numpy as np

from camtraps.demo.species import HEIGHTS, SHARES


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One animal, person or vehicle in one photo.

    ``x`` is the middle of it and ``height`` its height, in shares of the photo's; ``facing`` is 1 to the right and -1
    to the left; ``stride`` is the phase of its step, ``pace`` how far it steps out and ``head`` how low its head is,
    0 to 1. ``look`` seeds what stays its own in all photos of the burst.
    """

    kind: str
    x: float
    height: float
    facing: int
    stride: float
    pace: float
    head: float
    look: int


def moments(kind: str, second: str | None, frames: int, rng: np.random.Generator) -> list[tuple[Figure, ...]]:
    """Give what is in each frame of a burst: one of ``kind`` and perhaps a ``second``; nothing if it is ``empty``."""
    if kind == "empty":
        return [()] * frames
    group = [_walk(kind, rng, frames, None)]
    if second is not None:
        group.append(_walk(second, rng, frames, group[0][0]))
    seen = [tuple(walk[frame] for walk in group) for frame in range(frames)]
    if kind in SHARES and frames > 1 and rng.random() < 0.12:
        # It came after the first frame or was gone before the last.
        seen[0 if rng.random() < 0.5 else -1] = ()
    return seen


def _walk(kind: str, rng: np.random.Generator, frames: int, beside: Figure | None) -> list[Figure]:
    low, usual, high = HEIGHTS[kind]
    height = float(np.clip(usual * math.exp(rng.normal(0, 0.33)), low, high))
    facing = 1 if rng.random() < 0.5 else -1
    feeding = rng.random() < 0.3
    pace = 0.15 if feeding else rng.uniform(0.6, 1.0)
    step = height * (rng.uniform(0.05, 0.2) if feeding else rng.uniform(0.35, 0.8)) * 0.75
    middle, head = rng.uniform(0.1, 0.9), rng.uniform(0.65, 1.0) if feeding else rng.uniform(0.0, 0.3)
    if beside is not None:
        middle, height = (beside.x + 0.5) % 1 * 0.8 + 0.1, float(np.clip(height, low, usual))
    look = int(rng.integers(2**31))
    return [
        Figure(
            kind=kind, x=middle + facing * step * (frame - (frames - 1) / 2), height=height, facing=facing,
            stride=rng.uniform(0, 2 * math.pi), pace=pace, head=float(np.clip(head + rng.normal(0, 0.1), 0, 1)),
            look=look,
        )
        for frame in range(frames)
    ]  # fmt: skip
