"""The places: a fixed background for each location, by day and in infrared, with what can hide an animal."""

import math
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from camtraps.demo.sketch import Colour, Pixels

WIDTH, HEIGHT = 640, 480
FINE = 2
Map = NDArray[np.float32]
Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """A place as its camera sees it.

    ``day`` is red, green, blue 0-255, ``night`` the grey picture under the camera's lamp. ``horizon`` is in pixels
    from the top, ``camera_m`` the height of the lens. ``hides`` holds, for each thing that an animal can be behind,
    the pixel row of its foot and its mask (0-255); ``leaves`` a twig near the lens that the wind moves, with alpha.
    """

    day: Pixels
    night: Pixels
    horizon: float
    camera_m: float
    hides: tuple[tuple[float, Mask], ...]
    leaves: Pixels


@dataclass
class _Canvas:
    # Colours and how much lamp light comes back (0-255), drawn side by side at twice the size for smooth edges.
    image: Image.Image
    colour: ImageDraw.ImageDraw
    reach_image: Image.Image
    reach: ImageDraw.ImageDraw
    mask_image: Image.Image
    mask: ImageDraw.ImageDraw

    def start_mask(self) -> None:
        self.mask_image = Image.new("L", self.image.size)
        self.mask = ImageDraw.Draw(self.mask_image)

    def drawn_since(self) -> Mask:
        # Where anything was drawn since `start_mask`, at the photo's size.
        return np.asarray(self.mask_image.reduce(FINE)).copy()

    def polygon(self, points: list[tuple[float, float]], colour: Colour, reach: int) -> None:
        fine = [(x * FINE, y * FINE) for x, y in points]
        self.colour.polygon(fine, fill=colour)
        self.reach.polygon(fine, fill=reach)
        self.mask.polygon(fine, fill=255)

    def line(self, points: list[tuple[float, float]], colour: Colour, reach: int, width: float) -> None:
        fine = [(x * FINE, y * FINE) for x, y in points]
        self.colour.line(fine, fill=colour, width=max(1, round(width * FINE)))
        self.reach.line(fine, fill=reach, width=max(1, round(width * FINE)))


@lru_cache(maxsize=4)
def scene(seed: int, dataset: str, name: str) -> Scene:
    """Draw a place; the same seed and name give the same place, whoever draws it."""
    rng = np.random.default_rng((seed, 0, zlib.crc32(f"{dataset}/{name}".encode())))
    horizon = float(rng.uniform(0.2, 0.36) * HEIGHT)
    canvas = _land(horizon, rng)
    _far_trees(canvas, horizon, rng)
    hides: list[tuple[float, Mask]] = []
    for foot in sorted(rng.uniform(horizon + 6, horizon + 130, int(rng.integers(5, 15)))):
        hides += _thing(canvas, horizon, float(foot), rng)
    _grass(canvas, horizon, rng)
    hides += _front(canvas, rng)
    return _developed(canvas, horizon, tuple(hides), rng)


def octaves(rows: int, columns: int, rng: np.random.Generator, stretch: float = 1.0) -> Map:
    """Make smooth noise of several grain sizes with mean 0 and a spread of about 1; ``stretch`` widens its grains."""
    total = np.zeros((rows, columns), np.float32)
    for grain, weight in ((96, 1.0), (40, 0.8), (16, 0.6), (6, 0.5), (2.5, 0.4)):
        size = max(2, round(rows / grain)), max(2, round(columns / grain / stretch))
        coarse = Image.fromarray(rng.standard_normal(size, np.float32))
        total += weight * np.asarray(coarse.resize((columns, rows), Image.Resampling.BICUBIC))
    return total / float(total.std())


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _varied(colour: Colour, rng: np.random.Generator, spread: float = 14) -> Colour:
    change = rng.normal(0, spread)
    red, green, blue = (int(np.clip(part + change + rng.normal(0, spread / 4), 0, 255)) for part in colour)
    return red, green, blue


GROUNDS: tuple[Colour, ...] = (
    (118, 128, 72),
    (134, 112, 78),
    (100, 120, 66),
    (150, 138, 104),
    (112, 104, 84),
    (96, 110, 82),
)
SKIES: tuple[Colour, ...] = ((186, 206, 224), (206, 210, 212), (170, 194, 220), (222, 216, 204))
BARKS: tuple[Colour, ...] = ((92, 78, 64), (120, 112, 104), (74, 66, 56), (178, 172, 162))
LEAVES: tuple[Colour, ...] = ((74, 104, 48), (96, 118, 56), (58, 90, 54), (124, 122, 60))


def _land(horizon: float, rng: np.random.Generator) -> _Canvas:
    sky, ground = SKIES[rng.integers(len(SKIES))], _varied(GROUNDS[rng.integers(len(GROUNDS))], rng, 9)
    rows = np.linspace(0, 1, HEIGHT * FINE, dtype=np.float32)[:, None, None]
    share = np.clip((rows - horizon / HEIGHT) / (1 - horizon / HEIGHT), 0, 1)
    far = np.asarray(_mixed(ground, sky, 0.3), np.float32)
    land = far + (np.asarray(ground, np.float32) - far) * share**0.5
    values = np.where(rows < horizon / HEIGHT, np.asarray(sky, np.float32) * (1 + 0.05 * rows), land)
    wide = np.broadcast_to(values, (HEIGHT * FINE, WIDTH * FINE, 3))
    image = Image.fromarray(np.clip(wide, 0, 255).astype(np.uint8))
    # Lamp light fades with the square of the distance; the near ground is bright, the horizon nearly black.
    lit = np.where(rows[..., 0] < horizon / HEIGHT, 6, 30 + 215 * share[..., 0] ** 0.7)
    lamp = Image.fromarray(np.broadcast_to(lit, (HEIGHT * FINE, WIDTH * FINE)).astype(np.uint8))
    mask = Image.new("L", image.size)
    canvas = _Canvas(image, ImageDraw.Draw(image), lamp, ImageDraw.Draw(lamp), mask, ImageDraw.Draw(mask))
    if rng.random() < 0.4:
        _path(canvas, horizon, ground, rng)
    return canvas


def _path(canvas: _Canvas, horizon: float, ground: Colour, rng: np.random.Generator) -> None:
    colour = _mixed(ground, (176, 156, 128), 0.6)
    x, near = rng.uniform(0.2, 0.8) * WIDTH, rng.uniform(0.2, 0.8) * WIDTH
    left = [
        (x + (near - x) * t**1.6 - 8 - 150 * t**1.5, horizon + 2 + (HEIGHT - horizon) * t)
        for t in np.linspace(0, 1, 12)
    ]
    right = [
        (x + (near - x) * t**1.6 + 8 + 150 * t**1.5, horizon + 2 + (HEIGHT - horizon) * t)
        for t in np.linspace(1, 0, 12)
    ]
    fine = [(float(a) * FINE, float(b) * FINE) for a, b in (*left, *right)]
    canvas.colour.polygon(fine, fill=colour)


def _far_trees(canvas: _Canvas, horizon: float, rng: np.random.Generator) -> None:
    leaf = LEAVES[rng.integers(len(LEAVES))]
    for layer, haze in enumerate((0.55, 0.3)):
        tops = octaves(8, WIDTH + 1, rng)[4] * rng.uniform(6, 20) + rng.uniform(0.35, 1.0) * horizon * (
            1 - 0.35 * layer
        )
        outline = [(float(x), float(horizon + 4 - max(8.0, tops[x]))) for x in range(0, WIDTH + 1, 4)]
        colour = _mixed(_varied(leaf, rng, 10), (190, 200, 204), haze)
        canvas.polygon([(0, horizon + 5), *outline, (WIDTH, horizon + 5)], colour, 14 + 10 * layer)


def _thing(canvas: _Canvas, horizon: float, foot: float, rng: np.random.Generator) -> list[tuple[float, Mask]]:
    near = (foot - horizon) / 130
    x, reach = float(rng.uniform(0, WIDTH)), int(50 + 150 * near)
    canvas.start_mask()
    which = rng.random()
    if which < 0.5:
        _trunk(canvas, x, foot, 5 + 34 * near * rng.uniform(0.6, 1.3), reach, rng)
    elif which < 0.75:
        _bush(canvas, x, foot, 14 + 56 * near, reach, rng)
    else:
        _rock(canvas, x, foot, 8 + 48 * near * rng.uniform(0.5, 1.2), reach, rng)
    return [(foot, canvas.drawn_since())]


def _trunk(canvas: _Canvas, x: float, foot: float, width: float, reach: int, rng: np.random.Generator) -> None:
    bark, lean = _varied(BARKS[rng.integers(len(BARKS))], rng), rng.normal(0, 25)
    top = x + lean
    canvas.polygon(
        [(x - width * 0.75, foot + width * 0.1), (x - width * 0.45, foot - width), (top - width * 0.36, 0),
         (top + width * 0.36, 0), (x + width * 0.45, foot - width), (x + width * 0.75, foot + width * 0.1)],
        bark, reach,
    )  # fmt: skip
    for _ in range(int(6 + width)):
        across, height = rng.uniform(-0.42, 0.42), rng.uniform(0, 1)
        length = rng.uniform(0.03, 0.16)
        shade = _varied(_mixed(bark, (30, 26, 22), 0.35 + 0.5 * across), rng, 10)
        ends = [
            (x + lean * t + across * width * (1 - 0.2 * t), foot - width - (foot - width) * t)
            for t in (height, height + length)
        ]
        canvas.line(ends, shade, int(reach * rng.uniform(0.75, 1.1)) % 256, max(1.0, width * 0.06))


def _bush(canvas: _Canvas, x: float, foot: float, size: float, reach: int, rng: np.random.Generator) -> None:
    leaf = LEAVES[rng.integers(len(LEAVES))]
    for _ in range(int(70 + size)):
        angle, far = rng.uniform(0, math.pi), math.sqrt(rng.random())
        cx, cy = x + size * 0.8 * far * math.cos(angle), foot - size * 0.75 * far * math.sin(angle)
        r, turn = size * rng.uniform(0.07, 0.15), rng.uniform(0, math.pi)
        ends = (turn, turn + 1.3, turn + math.pi, turn + math.pi + 1.3)
        shade = _varied(_mixed(leaf, (24, 34, 18), 0.5 - 0.5 * (foot - cy) / size), rng, 14)
        points = [(cx + r * math.cos(a), cy + r * math.sin(a)) for a in ends]
        canvas.polygon(points, shade, int(min(255, reach * rng.uniform(0.8, 1.2))))


def _rock(canvas: _Canvas, x: float, foot: float, size: float, reach: int, rng: np.random.Generator) -> None:
    grey = _varied((136, 132, 126), rng, 16)
    angles, radii = np.linspace(0, math.pi, 9), size * rng.uniform(0.75, 1.1, 9)
    for share, light in ((1.0, 0.75), (0.8, 1.0), (0.5, 1.12)):
        points = [
            (
                x - size * 0.12 * (1 - share) + share * r * math.cos(a),
                foot - size * 0.3 * (1 - share) - 0.7 * share * r * math.sin(a),
            )
            for a, r in zip(angles, radii, strict=True)
        ]
        colour = (min(255, int(grey[0] * light)), min(255, int(grey[1] * light)), min(255, int(grey[2] * light)))
        canvas.polygon([(float(a), float(b)) for a, b in points], colour, min(255, int(reach * light)))


def _grass(canvas: _Canvas, horizon: float, rng: np.random.Generator) -> None:
    blade = _mixed(LEAVES[rng.integers(len(LEAVES))], (168, 158, 98), float(rng.uniform(0, 0.7)))
    tall = float(rng.uniform(0.4, 1.4))
    for foot in np.sort(rng.uniform(horizon + 8, HEIGHT, int(rng.integers(500, 1500)))):
        near = (foot - horizon) / (HEIGHT - horizon)
        x, length = rng.uniform(0, WIDTH), (2 + 16 * near * rng.uniform(0.4, 1.0)) * tall
        tip = (float(x + rng.normal(0, length * 0.3)), float(foot - length))
        reach = int(min(255, (40 + 205 * near) * rng.uniform(0.8, 1.1)))
        canvas.line([(float(x), float(foot)), tip], _varied(blade, rng, 16), reach, 0.5 + near)


def _front(canvas: _Canvas, rng: np.random.Generator) -> list[tuple[float, Mask]]:
    # A trunk or a bush close to the lens: what walks behind it is partly hidden.
    canvas.start_mask()
    x = float(rng.choice([rng.uniform(0.0, 0.28), rng.uniform(0.72, 1.0)]) * WIDTH)
    if rng.random() < 0.6:
        _trunk(canvas, x, HEIGHT * rng.uniform(0.85, 1.02), rng.uniform(34, 60), 225, rng)
    else:
        _bush(canvas, x, HEIGHT * 0.98, rng.uniform(80, 130), 225, rng)
    return [(float(HEIGHT), canvas.drawn_since())]


def _twig(rng: np.random.Generator) -> Pixels:
    image = Image.new("RGBA", (WIDTH * FINE, HEIGHT * FINE))
    draw = ImageDraw.Draw(image)
    leaf, right = LEAVES[rng.integers(len(LEAVES))], rng.random() < 0.5
    for _ in range(int(rng.integers(8, 26))):
        x, y = abs(rng.normal(0, 60)), abs(rng.normal(0, 40))
        x = WIDTH - x if right else x
        turn, r = rng.uniform(0, math.pi), rng.uniform(7, 14)
        ends = ((turn, 1.0), (turn + 1.2, 0.5), (turn + math.pi, 1.0), (turn + math.pi + 1.2, 0.5))
        points = [((x + r * by * math.cos(a)) * FINE, (y + r * by * math.sin(a)) * FINE) for a, by in ends]
        draw.polygon(points, fill=(*_varied(leaf, rng, 18), 255))
    values = np.asarray(image.reduce(FINE), np.float32).copy()
    values[..., 3] /= 255
    return values


def _developed(
    canvas: _Canvas, horizon: float, hides: tuple[tuple[float, Mask], ...], rng: np.random.Generator
) -> Scene:
    day = np.asarray(canvas.image.reduce(FINE), np.float32)
    reach = np.asarray(canvas.reach_image.reduce(FINE), np.float32) / 255
    below = np.clip((np.arange(HEIGHT, dtype=np.float32) - horizon) / (HEIGHT - horizon), 0, 1)[:, None]
    grain = octaves(HEIGHT, WIDTH, rng, stretch=2.5) * (0.03 + 0.09 * (below > 0))
    day = np.clip(day * (1 + grain)[..., None] * rng.uniform(0.94, 1.05, 3).astype(np.float32), 0, 250)
    grey = day @ np.asarray((0.3, 0.55, 0.15), np.float32)
    # Leaves and grass throw infrared back, whatever their green looks like to us.
    night = (0.5 * grey + 80) * reach
    return Scene(day, night * vignette(0.75), horizon, float(rng.uniform(0.6, 0.95)), hides, _twig(rng))


@lru_cache(maxsize=4)
def vignette(depth: float) -> Map:
    """Give the fall-off of light from the middle (1) to the corners (1 - ``depth``)."""
    rows = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    return (1 - depth * (rows**2 + columns**2) / 2).astype(np.float32)
