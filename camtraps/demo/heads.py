"""Heads: skulls, ears, antlers and the marks on a face."""

import math
from collections.abc import Callable

import numpy as np

from camtraps.demo.bodies import BLACK, DARK_EYE, WHITE, Body, between, darker
from camtraps.demo.sketch import Colour, Frame, Sketch, blob, dot, limb, polygon


def _skull(sketch: Sketch, body: Body, frame: Frame, colour: Colour) -> None:
    length, depth, nose = body.head, body.head_depth / 2, body.snout / 2
    top = [frame.at(-depth, 0), frame.at(-0.02, depth), frame.at(length * 0.4, depth * 0.85)]
    tip = [frame.at(length * 0.8, nose * 1.3), frame.at(length, nose * 0.6), frame.at(length, -nose)]
    blob(sketch, [*top, *tip, frame.at(length * 0.5, -depth * 0.75), frame.at(0, -depth)], colour)


def _nose_and_eye(sketch: Sketch, body: Body, frame: Frame) -> None:
    dot(sketch, frame.at(body.head * 0.98, 0), max(body.snout * 0.42, 0.035), BLACK)
    dot(sketch, frame.at(body.head * 0.36, body.head_depth * 0.16), 0.032, DARK_EYE)


def _leaf_ear(sketch: Sketch, frame: Frame, length: float, colour: Colour) -> None:
    ear = Frame(frame.at(-0.04, 0.05), math.radians(125))
    inner = [ear.at(0, -0.03), ear.at(length * 0.5, -0.08), ear.at(length, 0), ear.at(length * 0.5, 0.07)]
    blob(sketch, [*inner, ear.at(0, 0.03)], colour)


def _deer_head(sketch: Sketch, body: Body, frame: Frame, rng: np.random.Generator, antlers: bool) -> None:
    _leaf_ear(sketch, frame, 0.24, darker(body.coat))
    _skull(sketch, body, frame, body.coat)
    if antlers:
        base = frame.at(0.04, body.head_depth * 0.4)
        for lean in (0.05, -0.05):
            tip = (base[0] + lean - 0.02, base[1] + 0.34)
            limb(sketch, [base, tip], [0.05, 0.025], (96, 72, 50))
            fork = between(base, tip, 0.55)
            limb(sketch, [fork, (fork[0] + 0.11, fork[1] + 0.09)], [0.035, 0.02], (96, 72, 50))
    blob(
        sketch,
        [frame.at(body.head * at, up) for at, up in ((0.75, 0.02), (0.98, 0), (0.95, -0.05), (0.7, -0.05))],
        WHITE,
    )
    _nose_and_eye(sketch, body, frame)


def _roe_head(sketch: Sketch, body: Body, frame: Frame, rng: np.random.Generator) -> None:
    _deer_head(sketch, body, frame, rng, antlers=rng.random() < 0.5)


def _fallow_head(sketch: Sketch, body: Body, frame: Frame, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        base = frame.at(0.03, body.head_depth * 0.4)
        points = ((0, 0), (-0.14, 0.22), (-0.34, 0.4), (-0.36, 0.62), (-0.24, 0.54), (-0.16, 0.66), (-0.08, 0.5))
        polygon(sketch, [(base[0] + x, base[1] + y) for x, y in (*points, (0.02, 0.5), (-0.02, 0.3))], (112, 84, 58))
        limb(sketch, [base, (base[0] + 0.12, base[1] + 0.2)], [0.04, 0.02], (112, 84, 58))
    _deer_head(sketch, body, frame, rng, antlers=False)


def _boar_head(sketch: Sketch, body: Body, frame: Frame, rng: np.random.Generator) -> None:
    _skull(sketch, body, frame, body.coat)
    length = body.head
    limb(sketch, [frame.at(length * 0.6, 0.0), frame.at(length * 1.02, 0.0)], [0.2, 0.17], (88, 76, 66))
    dot(sketch, frame.at(length * 1.04, 0), 0.075, (120, 98, 90))
    tusk = [frame.at(length * 0.72, -0.04), frame.at(length * 0.8, 0.08), frame.at(length * 0.78, -0.05)]
    polygon(sketch, tusk, WHITE)
    ear = [frame.at(-0.06, 0.12), frame.at(-0.04, 0.36), frame.at(0.12, 0.14)]
    polygon(sketch, ear, BLACK)
    dot(sketch, frame.at(length * 0.33, 0.07), 0.025, DARK_EYE)


def _fox_head(sketch: Sketch, body: Body, frame: Frame, rng: np.random.Generator) -> None:
    polygon(sketch, [frame.at(-0.12, 0.08), frame.at(-0.06, 0.36), frame.at(0.06, 0.12)], BLACK)
    _skull(sketch, body, frame, body.coat)
    cheek = ((0.1, -0.03), (0.26, -0.01), (0.41, -0.02), (0.3, -0.08), (0.05, -0.14))
    blob(sketch, [frame.at(*point) for point in cheek], WHITE)
    polygon(sketch, [frame.at(-0.06, 0.08), frame.at(0.04, 0.34), frame.at(0.12, 0.1)], body.coat)
    polygon(sketch, [frame.at(0.0, 0.22), frame.at(0.04, 0.34), frame.at(0.07, 0.22)], BLACK)
    _nose_and_eye(sketch, body, frame)


def _badger_head(sketch: Sketch, body: Body, frame: Frame, rng: np.random.Generator) -> None:
    _skull(sketch, body, frame, (240, 238, 232))
    stripe = ((-0.14, 0.03), (0.1, 0.08), (0.34, 0.06), (0.5, 0.0), (0.3, -0.02), (0.08, -0.03))
    blob(sketch, [frame.at(*point) for point in stripe], BLACK)
    blob(sketch, [frame.at(*point) for point in ((-0.18, -0.1), (0.1, -0.11), (0.3, -0.1), (0.0, -0.18))], BLACK)
    dot(sketch, frame.at(-0.04, 0.15), 0.065, BLACK)
    dot(sketch, frame.at(-0.04, 0.18), 0.035, WHITE)
    dot(sketch, frame.at(body.head, 0), 0.06, BLACK)


def _hare_head(sketch: Sketch, body: Body, frame: Frame, rng: np.random.Generator) -> None:
    for lean, shade in ((118, darker(body.coat)), (104, body.coat)):
        ear = Frame(frame.at(0.0, 0.1), math.radians(lean))
        blob(sketch, [ear.at(*at) for at in ((0, -0.05), (0.4, -0.1), (0.8, 0), (0.4, 0.09), (0, 0.05))], shade)
        blob(sketch, [ear.at(*at) for at in ((0.62, -0.05), (0.8, 0), (0.62, 0.05))], BLACK)
    _skull(sketch, body, frame, body.coat)
    dot(sketch, frame.at(0.1, 0.05), 0.055, DARK_EYE)
    dot(sketch, frame.at(body.head * 0.98, -0.02), 0.04, (120, 84, 74))


def _raccoon_head(sketch: Sketch, body: Body, frame: Frame, rng: np.random.Generator) -> None:
    dot(sketch, frame.at(-0.06, 0.2), 0.1, WHITE)
    dot(sketch, frame.at(-0.05, 0.19), 0.065, BLACK)
    _skull(sketch, body, frame, (168, 158, 144))
    light = ((0.0, 0.13), (0.2, 0.13), (0.42, 0.04), (0.42, -0.05), (0.2, -0.13), (0.02, -0.14))
    blob(sketch, [frame.at(*point) for point in light], WHITE)
    mask = ((0.0, 0.04), (0.15, 0.09), (0.3, 0.06), (0.24, -0.02), (0.08, -0.11), (-0.06, -0.12))
    blob(sketch, [frame.at(*point) for point in mask], BLACK)
    dot(sketch, frame.at(body.head, 0), 0.05, BLACK)


HEADS: dict[str, Callable[[Sketch, Body, Frame, np.random.Generator], None]] = {
    "roe_deer": _roe_head,
    "fallow_deer": _fallow_head,
    "wild_boar": _boar_head,
    "red_fox": _fox_head,
    "european_badger": _badger_head,
    "european_hare": _hare_head,
    "raccoon": _raccoon_head,
}
