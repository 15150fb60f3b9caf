"""Coats and tails: what lies on an animal's trunk, and what hangs behind it."""

from collections.abc import Callable

import numpy as np

from camtraps.demo.bodies import BLACK, WHITE, Body, darker
from camtraps.demo.sketch import Point, Sketch, along, blob, dot, limb, polygon


def _spots(sketch: Sketch, body: Body, rng: np.random.Generator) -> None:
    half = body.trunk / 2
    for row, height in enumerate((0.88, 0.78, 0.68)):
        for x in np.arange(-half - 0.04, half + 0.06, 0.13):
            place = (float(x) + 0.065 * (row % 2) + rng.normal(0, 0.012), height + rng.normal(0, 0.012))
            dot(sketch, place, 0.033, (246, 234, 212))


def _white_rump(sketch: Sketch, body: Body, rng: np.random.Generator) -> None:
    x, y = -body.trunk / 2 - 0.1, body.rump - 0.2
    blob(sketch, [(x - 0.04, y + 0.08), (x + 0.08, y + 0.1), (x + 0.09, y - 0.12), (x - 0.03, y - 0.14)], WHITE)


def _mane(sketch: Sketch, body: Body, rng: np.random.Generator) -> None:
    half = body.trunk / 2
    for x in np.arange(-half * 0.2, half + 0.28, 0.045):
        base = 1.0 + body.arch * 0.5 - max(0.0, float(x) - half) * 0.4
        tip = (float(x) - 0.06, base + rng.uniform(0.05, 0.12))
        polygon(sketch, [(float(x) - 0.04, base - 0.08), tip, (float(x) + 0.04, base - 0.08)], darker(body.coat))


def _haunch(sketch: Sketch, body: Body, rng: np.random.Generator) -> None:
    # A hare sits on its long hind feet even when it stands.
    x = -body.trunk / 2 + 0.08
    blob(sketch, [(x - 0.26, 0.5), (x, 0.78), (x + 0.27, 0.5), (x + 0.12, 0.16), (x - 0.16, 0.14)], darker(body.coat))
    blob(sketch, [(x - 0.23, 0.51), (x, 0.75), (x + 0.24, 0.5), (x + 0.1, 0.2), (x - 0.14, 0.18)], body.coat)
    limb(sketch, [(x - 0.16, 0.1), (x + 0.3, 0.06)], [0.14, 0.1], body.stockings)


def _chest(sketch: Sketch, body: Body, rng: np.random.Generator) -> None:
    x, y = body.trunk / 2, 1 - 0.45 * body.depth
    blob(sketch, [(x + 0.16, y + 0.16), (x + 0.17, y - 0.1), (x + 0.02, y - 0.2), (x + 0.04, y + 0.02)], WHITE)


def _short_tail(sketch: Sketch, body: Body, root: Point) -> None:
    limb(sketch, [root, (root[0] - 0.06, root[1] - 0.12)], [0.1, 0.06], WHITE)


def _deer_tail(sketch: Sketch, body: Body, root: Point) -> None:
    limb(sketch, [root, (root[0] - 0.08, root[1] - 0.3)], [0.17, 0.11], WHITE)
    limb(sketch, [root, (root[0] - 0.1, root[1] - 0.3)], [0.07, 0.05], BLACK)


def _thin_tail(sketch: Sketch, body: Body, root: Point) -> None:
    limb(sketch, [root, (root[0] - 0.12, root[1] - 0.14), (root[0] - 0.1, root[1] - 0.34)], [0.07, 0.05, 0.08], BLACK)


def _scut(sketch: Sketch, body: Body, root: Point) -> None:
    place = (root[0] - 0.06, root[1] - 0.28)
    dot(sketch, place, 0.13, WHITE)
    dot(sketch, (place[0] + 0.01, place[1] + 0.07), 0.08, BLACK)


def _brush(sketch: Sketch, body: Body, root: Point) -> None:
    path = along([root, (root[0] - 0.5, root[1] - 0.22), (root[0] - 1.02, root[1] - 0.3)], 9)
    widths = [0.12, 0.19, 0.25, 0.29, 0.31, 0.3, 0.26, 0.18, 0.06]
    limb(sketch, path, widths, body.coat)
    limb(sketch, path[6:], widths[6:], WHITE)


def _badger_tail(sketch: Sketch, body: Body, root: Point) -> None:
    end = (root[0] - 0.36, root[1] - 0.22)
    limb(sketch, [(root[0] + 0.05, root[1] - 0.05), end], [0.2, 0.1], (196, 190, 178))


def _rings(sketch: Sketch, body: Body, root: Point) -> None:
    path = along([root, (root[0] - 0.42, root[1] - 0.36), (root[0] - 0.9, root[1] - 0.42)], 12)
    widths = [0.2, 0.24, 0.27, 0.29, 0.3, 0.3, 0.29, 0.28, 0.26, 0.24, 0.2, 0.14]
    for at in range(11):
        limb(sketch, path[at : at + 2], widths[at : at + 2], BLACK if at % 2 else (186, 176, 160))


# A kind that is not listed has a plain coat.
COATS: dict[str, Callable[[Sketch, Body, np.random.Generator], None]] = {
    "roe_deer": _white_rump,
    "fallow_deer": _spots,
    "wild_boar": _mane,
    "red_fox": _chest,
    "european_hare": _haunch,
}

TAILS: dict[str, Callable[[Sketch, Body, Point], None]] = {
    "roe_deer": _short_tail,
    "fallow_deer": _deer_tail,
    "wild_boar": _thin_tail,
    "red_fox": _brush,
    "european_badger": _badger_tail,
    "european_hare": _scut,
    "raccoon": _rings,
}
