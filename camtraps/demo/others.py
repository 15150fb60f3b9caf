"""What has no four legs: a pheasant, a person, a car."""

import math
from collections.abc import Callable

import numpy as np

from camtraps.demo.bodies import DARK_EYE, WHITE, between, darker
from camtraps.demo.sketch import Frame, Sketch, along, blob, dot, limb, polygon
from camtraps.demo.walks import Figure


def _pheasant(sketch: Sketch, figure: Figure, rng: np.random.Generator) -> None:
    light = rng.normal(1, 0.07)
    coat = (int(166 * light), int(84 * light), int(38 * light))
    for phase, shade in ((math.pi, (96, 84, 70)), (0.0, (150, 134, 112))):
        step = math.sin(figure.stride + phase) * 0.2 * figure.pace
        limb(sketch, [(0.0, 0.5), (step * 0.4 - 0.04, 0.25), (step, 0.04)], [0.1, 0.05, 0.045], shade)
        limb(sketch, [(step - 0.06, 0.03), (step + 0.14, 0.03)], [0.03, 0.04], shade)
    tail = along([(-0.4, 0.72), (-1.0, 0.78), (-1.75, 0.72)], 12)
    limb(sketch, tail, list(np.linspace(0.26, 0.03, 12)), (176, 132, 84))
    for at in range(2, 11):
        limb(sketch, [tail[at], (tail[at][0] + 0.02, tail[at][1])], [0.2 - 0.017 * at] * 2, (72, 50, 34))
    trunk = ((-0.62, 0.78), (-0.3, 0.96), (0.1, 1.0), (0.42, 0.9), (0.46, 0.66), (0.15, 0.4), (-0.3, 0.5))
    blob(sketch, trunk, coat)
    blob(sketch, [(-0.5, 0.8), (-0.1, 0.9), (0.12, 0.76), (-0.15, 0.6)], (118, 92, 72))
    for _ in range(26):
        dot(sketch, (rng.uniform(-0.35, 0.38), rng.uniform(0.5, 0.9)), 0.022, (46, 30, 22))
    up = 1 - figure.head
    neck = (0.56 + 0.16 * figure.head, 0.62 + 0.62 * up)
    limb(sketch, [(0.34, 0.82), neck], [0.3, 0.16], (28, 66, 56))
    limb(sketch, [between((0.34, 0.82), neck, 0.4), between((0.34, 0.82), neck, 0.55)], [0.25, 0.23], WHITE)
    frame = Frame(neck, math.radians(-10 - 45 * figure.head))
    dot(sketch, frame.at(0.04, 0.0), 0.12, (26, 70, 62))
    dot(sketch, frame.at(0.08, 0.01), 0.075, (196, 40, 34))
    polygon(sketch, [frame.at(0.13, 0.05), frame.at(0.31, -0.03), frame.at(0.13, -0.05)], (222, 206, 160))
    dot(sketch, frame.at(0.07, 0.03), 0.024, DARK_EYE)


def _person(sketch: Sketch, figure: Figure, rng: np.random.Generator) -> None:
    jacket, trousers = (tuple(int(part) for part in rng.integers(30, 170, 3)) for _ in range(2))
    skin = (206, 164, 134)
    for phase, by in ((math.pi, 0.75), (0.0, 1.0)):
        step = math.sin(figure.stride + phase) * 0.26 * figure.pace
        cloth = (int(trousers[0] * by), int(trousers[1] * by), int(trousers[2] * by))
        limb(sketch, [(0.0, 1.02), (step * 0.5 + 0.03, 0.55), (step, 0.08)], [0.26, 0.18, 0.12], cloth)
        limb(sketch, [(step, 0.05), (step + 0.16, 0.05)], [0.1, 0.08], (40, 34, 30))
    coat = (jacket[0], jacket[1], jacket[2])
    blob(sketch, [(-0.17, 1.0), (-0.2, 1.5), (-0.1, 1.78), (0.14, 1.78), (0.2, 1.45), (0.17, 1.0)], coat)
    swing = math.sin(figure.stride) * 0.22
    limb(sketch, [(0.0, 1.68), (-swing * 0.6, 1.36), (-swing + 0.08, 1.1)], [0.16, 0.13, 0.1], darker(coat))
    dot(sketch, (-swing + 0.08, 1.06), 0.06, skin)
    limb(sketch, [(0.02, 1.78), (0.03, 1.88)], [0.12, 0.12], skin)
    blob(sketch, [(-0.11, 1.98), (0.0, 2.14), (0.13, 2.02), (0.13, 1.9), (0.04, 1.83), (-0.09, 1.88)], skin)
    blob(sketch, [(-0.14, 1.98), (0.0, 2.18), (0.15, 2.06), (-0.02, 2.02)], (58, 44, 34))


def _vehicle(sketch: Sketch, figure: Figure, rng: np.random.Generator) -> None:
    paint = rng.integers(60, 220, 3)
    colour = (int(paint[0]), int(paint[1]), int(paint[2]))
    lower = [(-1.5, 0.3), (-1.52, 0.72), (-0.8, 0.82), (0.62, 0.8), (1.45, 0.66), (1.52, 0.3)]
    polygon(sketch, lower, colour)
    polygon(sketch, [(-1.42, 0.74), (-1.2, 1.25), (0.2, 1.25), (0.72, 0.78)], colour)
    polygon(sketch, [(-1.2, 0.8), (-1.06, 1.15), (-0.5, 1.15), (-0.5, 0.8)], (60, 72, 80))
    polygon(sketch, [(-0.42, 0.8), (-0.42, 1.15), (0.14, 1.15), (0.54, 0.8)], (66, 78, 86))
    for x in (-0.95, 0.95):
        dot(sketch, (x, 0.29), 0.29, (28, 28, 30))
        dot(sketch, (x, 0.29), 0.15, (150, 150, 154))
    polygon(sketch, [(1.36, 0.56), (1.5, 0.55), (1.5, 0.44), (1.38, 0.44)], (250, 246, 214))


OTHERS: dict[str, Callable[[Sketch, Figure, np.random.Generator], None]] = {
    "common_pheasant": _pheasant,
    "person": _person,
    "vehicle": _vehicle,
}
# Their usual heights in the units that they are drawn in.
OTHERS_TALL = {"common_pheasant": 1.3, "person": 2.2, "vehicle": 1.3}
