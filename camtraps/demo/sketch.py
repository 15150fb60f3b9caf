"""Shapes on a transparent sheet: smooth outlines and tapered limbs in the units of the thing that is drawn.

A unit is the shoulder height of an animal. x runs to the side it looks to, y up from the ground below it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]
Pixels = NDArray[np.float32]

OVERSAMPLING = 3
HALF_WIDTH, HEIGHT = 2.6, 2.6


@dataclass(frozen=True)
class Sketch:
    """A sheet of 5.2 by 2.6 units that shapes are put on, one over the other; ``scale`` is sheet pixels a unit."""

    image: Image.Image
    draw: ImageDraw.ImageDraw
    scale: float

    def on_sheet(self, points: Sequence[Point]) -> list[Point]:
        """Turn units into pixels of the sheet."""
        return [((x + HALF_WIDTH) * self.scale, (HEIGHT - 0.1 - y) * self.scale) for x, y in points]


@dataclass(frozen=True)
class Frame:
    """A turned place of its own, such as a head: ``at`` gives the units of a point that is told in its coordinates."""

    origin: Point
    angle: float

    def at(self, along: float, above: float) -> Point:
        """Give the point ``along`` its axis and ``above`` it."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.origin[0] + along * cos - above * sin, self.origin[1] + along * sin + above * cos


def sheet(unit_px: float) -> Sketch:
    """Make an empty sheet for something whose unit is ``unit_px`` pixels of the photo."""
    scale = unit_px * OVERSAMPLING
    image = Image.new("RGBA", (math.ceil(2 * HALF_WIDTH * scale), math.ceil(HEIGHT * scale)))
    return Sketch(image, ImageDraw.Draw(image), scale)


def blob(sketch: Sketch, points: Sequence[Point], colour: Colour) -> None:
    """Fill the smooth closed outline through the points."""
    sketch.draw.polygon(sketch.on_sheet(_smooth(points)), fill=(*colour, 255))


def polygon(sketch: Sketch, points: Sequence[Point], colour: Colour) -> None:
    """Fill the outline with straight sides."""
    sketch.draw.polygon(sketch.on_sheet(points), fill=(*colour, 255))


def dot(sketch: Sketch, centre: Point, radius: float, colour: Colour) -> None:
    """Fill a circle."""
    (x, y), r = sketch.on_sheet([centre])[0], max(radius * sketch.scale, 1.0)
    sketch.draw.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 255))


def limb(sketch: Sketch, joints: Sequence[Point], widths: Sequence[float], colour: Colour) -> None:
    """Fill a chain of tapered segments with round joints; ``widths`` has one width a joint."""
    for at, (joint, width) in enumerate(zip(joints, widths, strict=True)):
        dot(sketch, joint, width / 2, colour)
        if at:
            before, width_before = joints[at - 1], widths[at - 1]
            length = math.dist(before, joint) or 1.0
            side = ((before[1] - joint[1]) / length / 2, (joint[0] - before[0]) / length / 2)
            ends = ((before, width_before), (joint, width), (joint, -width), (before, -width_before))
            polygon(sketch, [(x + side[0] * w, y + side[1] * w) for (x, y), w in ends], colour)


def along(points: Sequence[Point], num: int) -> list[Point]:
    """Give ``num`` evenly spaced points of the smooth open curve through three points."""
    start, middle, end = np.asarray(points, float)
    share = np.linspace(0, 1, num)[:, None]
    control = 2 * middle - (start + end) / 2
    curve = (1 - share) ** 2 * start + 2 * share * (1 - share) * control + share**2 * end
    return [(float(x), float(y)) for x, y in curve]


def pixels(sketch: Sketch, mirrored: bool) -> Pixels:
    """Give the sheet at the photo's resolution, cut to what is drawn: red, green, blue 0-255, alpha 0-1."""
    box = sketch.image.getbbox()
    assert box is not None, "nothing was drawn"
    image = sketch.image.crop(box).reduce(OVERSAMPLING)
    if mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    values = np.asarray(image, np.float32).copy()
    values[..., 3] /= 255
    return values


def _smooth(points: Sequence[Point], steps: int = 6) -> list[Point]:
    # A closed Catmull-Rom spline.
    here = np.asarray(points, float)
    before, after, beyond = np.roll(here, 1, 0), np.roll(here, -1, 0), np.roll(here, -2, 0)
    share = (np.arange(steps) / steps)[:, None, None]
    curve = here + 0.5 * share * (
        after - before + share * (2 * before - 5 * here + 4 * after - beyond)
        + share**2 * (3 * (here - after) + beyond - before)
    )  # fmt: skip
    return [(float(x), float(y)) for x, y in curve.transpose(1, 0, 2).reshape(-1, 2)]
