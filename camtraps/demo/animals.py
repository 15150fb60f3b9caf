"""One figure in its pose, as pixels: the build of the four-legged kinds, light and hair."""

import math
from dataclasses import replace

import numpy as np

from camtraps.demo.bodies import BODIES, Body, between, darker
from camtraps.demo.coats import COATS, TAILS
from camtraps.demo.heads import HEADS
from camtraps.demo.others import OTHERS, OTHERS_TALL
from camtraps.demo.sketch import Colour, Frame, Pixels, Sketch, blob, limb, pixels, sheet
from camtraps.demo.walks import Figure


def sprite(figure: Figure, height_px: float) -> Pixels:
    """Draw one figure so that a usual one of its kind is ``height_px`` high, cut to its outline."""
    rng = np.random.default_rng(figure.look)
    tall = BODIES[figure.kind].tall if figure.kind in BODIES else OTHERS_TALL[figure.kind]
    sketch = sheet(max(height_px / tall, 6.0))
    if figure.kind in BODIES:
        _quadruped(sketch, figure, _individual(BODIES[figure.kind], rng), rng)
    else:
        OTHERS[figure.kind](sketch, figure, rng)
    values = pixels(sketch, mirrored=figure.facing < 0)
    return values if figure.kind == "vehicle" else _furred(values, rng)


def _individual(body: Body, rng: np.random.Generator) -> Body:
    # No two animals are quite alike: build and coat vary a little around the kind's own.
    stout, light = rng.normal(1, 0.05), rng.normal(1, 0.08)
    tint = rng.normal(1, 0.03, 3)

    def shade(colour: Colour) -> Colour:
        red, green, blue = (int(np.clip(part * light * by, 0, 255)) for part, by in zip(colour, tint, strict=True))
        return red, green, blue

    return replace(
        body,
        trunk=body.trunk * rng.normal(1, 0.05),
        depth=min(body.depth * stout, 0.8),
        belly=min(body.belly * stout, 0.85),
        coat=shade(body.coat),
        under=shade(body.under),
        stockings=shade(body.stockings),
    )


def _furred(values: Pixels, rng: np.random.Generator) -> Pixels:
    # Light from above, and hair: without them a coat is a flat patch that no photo shows.
    rows, columns = values.shape[:2]
    light = np.linspace(1.14, 0.8, rows, dtype=np.float32)[:, None]
    hair = rng.standard_normal((rows // 2 + 1, columns // 2 + 1), np.float32).repeat(2, 0).repeat(2, 1)
    values[..., :3] *= (light * (1 + 0.07 * hair[:rows, :columns]))[..., None]
    return values


def _quadruped(sketch: Sketch, figure: Figure, body: Body, rng: np.random.Generator) -> None:
    half = body.trunk / 2
    _legs(sketch, figure, body, near=False)
    TAILS[figure.kind](sketch, body, (-half - 0.08, body.rump - 0.14))
    _trunk(sketch, body)
    if figure.kind in COATS:
        COATS[figure.kind](sketch, body, rng)
    _legs(sketch, figure, body, near=True)
    angle = math.radians(body.neck_up + (body.neck_down - body.neck_up) * figure.head)
    start = (half - 0.04, 1 - body.neck_widths[0] * 0.42)
    end = (start[0] + body.neck * math.cos(angle), start[1] + body.neck * math.sin(angle))
    limb(sketch, [start, end], body.neck_widths, body.coat)
    # A head looks ahead and a little down, whatever the neck does, and to the ground where the neck does.
    frame = Frame(end, math.radians(-18 - 38 * figure.head))
    HEADS[figure.kind](sketch, body, frame, rng)


def _trunk(sketch: Sketch, body: Body) -> None:
    half, low, flank = body.trunk / 2, 1 - body.depth, body.rump - body.belly
    back = [(-half - 0.14, body.rump - 0.2), (-half + 0.03, body.rump), (0, (1 + body.rump) / 2 + body.arch)]
    front = [(half - 0.05, 1.0), (half + 0.15, 1 - 0.42 * body.depth), (half, low)]
    outline = [*back, *front, (0, (low + flank) / 2 + 0.03), (-half + 0.1, flank), (-half - 0.12, flank + 0.14)]
    blob(sketch, outline, body.coat)
    middle = (low + flank) / 2 + 0.03
    lower = [(half + 0.02, low + 0.1), (half - 0.05, low + 0.01), (0, middle), (-half + 0.12, flank + 0.01)]
    blob(sketch, [*lower, (-half + 0.05, flank + 0.1), (0, middle + 0.12)], body.under)


def _legs(sketch: Sketch, figure: Figure, body: Body, near: bool) -> None:
    half, shift = body.trunk / 2, 0.0 if near else math.pi
    coat, foot = (body.coat, body.stockings) if near else (darker(body.coat), darker(body.stockings))
    swing = 0.32 * figure.pace
    for x, top, bend, phase in ((half - 0.06, 1 - 0.6 * body.depth, 0.03, 0.0), (-half + 0.02, 0.62, -0.1, 2.4)):
        stride = math.sin(figure.stride + phase + shift) * swing * top
        place = 0.0 if near else 0.07
        knee = (x + place + stride * 0.4 - bend * 0.3, top * 0.5)
        hock = (x + place + stride * 0.75 + bend, top * 0.26)
        lift = max(0.0, math.cos(figure.stride + phase + shift)) * 0.07 * figure.pace
        toe = (x + place + stride, body.legs[1] / 2 + lift)
        wide, thin = body.legs
        limb(sketch, [(x, top), knee, hock], [wide * (1.7 if bend < 0 else 1.2), wide, thin * 1.15], coat)
        limb(sketch, [between(knee, hock, 0.45), hock, toe], [thin * 1.3, thin * 1.15, thin], foot)
        limb(sketch, [toe, (toe[0] + thin * 0.6, toe[1] - thin * 0.1)], [thin, thin * 0.8], foot)
