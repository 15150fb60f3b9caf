"""One photo: a place, what stands in it, weather, noise, the strip at the bottom, and the JPEG."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from camtraps.demo.animals import sprite
from camtraps.demo.plan import Photo
from camtraps.demo.scenes import HEIGHT, WIDTH, Map, Scene, scene, vignette
from camtraps.demo.sketch import Pixels
from camtraps.demo.species import TALL_M
from camtraps.demo.walks import Figure

STRIP_PX = 24
QUALITY = 85
KEPT_BYTES = 0.6
# What is less visible than this share of itself is moved until it is not: nobody could name it.
LEAST_VISIBLE = 0.5


@dataclass(frozen=True)
class Box:
    """The visible part of a figure in pixels of the upright photo, tight."""

    kind: str
    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class Drawn:
    """The bytes of the file and the true boxes, nearest last."""

    data: bytes
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class _Placed:
    # ``alpha`` is of the visible part; ``hidden`` what is in front of the figure, over the whole photo.
    figure: Figure
    coat: Pixels
    alpha: Map
    hidden: Map
    left: int
    top: int


def draw(photo: Photo, seed: int) -> Drawn:
    """Draw one photo; it depends on the seed and the photo's plan alone."""
    place = scene(seed, photo.dataset, photo.scene)
    rng = np.random.default_rng((seed, 1, photo.index))
    leaves = _moved(place.leaves, rng)
    placed = _placed(photo.figures, place, leaves[..., 3])
    values = place.night.copy() if photo.night else place.day.copy()
    for one in placed:
        if not photo.night:  # the lamp sits beside the lens and throws no shadow that it sees
            _shadow(values, one)
        _lay(values, one.alpha, _lit(one, place, photo.night), one.left, one.top)
    shade = leaves[..., :3].mean(2) * 1.25 if photo.night else leaves[..., :3]
    _lay(values, leaves[..., 3], shade, 0, 0)
    image = _exposed(values, photo.night, rng)
    _strip(image, photo)
    return Drawn(_encoded(image, photo), tuple(_box(one) for one in placed))


def _placed(figures: Sequence[Figure], place: Scene, leaves: Map) -> list[_Placed]:
    # The nearest finds its place first, since it hides what is behind it; the farthest is drawn first.
    placed: list[_Placed] = []
    front = leaves.copy()
    front[HEIGHT - STRIP_PX :] = 1
    for figure in sorted(figures, key=lambda figure: -figure.height / TALL_M[figure.kind]):
        one = _place(figure, place, front)
        inside, there = _overlap(one.alpha.shape, one.left, one.top)
        front[there] = np.maximum(front[there], one.alpha[inside])
        placed.append(one)
    return placed[::-1]


def _place(figure: Figure, place: Scene, front: Map) -> _Placed:
    height_px = figure.height * HEIGHT
    foot = place.horizon + height_px / TALL_M[figure.kind] * place.camera_m
    foot = float(np.clip(foot, place.horizon + 8, HEIGHT - STRIP_PX - 2))
    coat = sprite(figure, height_px)
    rows, columns = coat.shape[:2]
    hidden = front.copy()
    for at, mask in place.hides:
        if at > foot + 2:
            np.maximum(hidden, mask.astype(np.float32) / 255, out=hidden)
    top, whole = round(foot) - rows, float(coat[..., 3].sum())
    best = _Placed(figure, coat[..., :3], np.zeros((rows, columns), np.float32), hidden, 0, top)
    for middle in _tries(figure.x * WIDTH):
        left = round(middle - columns / 2)
        alpha = _visible(coat[..., 3], hidden, left, top)
        if alpha.sum() > best.alpha.sum():
            best = replace(best, alpha=alpha, left=left)
        if alpha.sum() >= LEAST_VISIBLE * whole:
            break
    return best


def _tries(x: float) -> list[float]:
    # Where it is meant to be, then farther and farther from there, first towards the middle of the photo.
    inwards = 1 if x < WIDTH / 2 else -1
    return [x] + [x + side * inwards * 24.0 * step for step in range(1, 20) for side in (1, -1)]


def _visible(alpha: Map, hidden: Map, left: int, top: int) -> Map:
    seen = np.zeros_like(alpha)
    inside, there = _overlap(alpha.shape, left, top)
    seen[inside] = alpha[inside] * (1 - hidden[there])
    return seen


def _box(one: _Placed) -> Box:
    seen = one.alpha > 0.5
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    assert rows.size, f"{one.figure} is out of sight"
    x, y = one.left + int(columns[0]), one.top + int(rows[0])
    return Box(one.figure.kind, x, y, int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)


def _overlap(shape: tuple[int, ...], left: int, top: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    # The part of a patch that is in the photo, in the patch's and in the photo's coordinates.
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = max(y0, min(HEIGHT, top + shape[0])), max(x0, min(WIDTH, left + shape[1]))
    return (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)), (slice(y0, y1), slice(x0, x1))


def _lay(values: Pixels, alpha: Map, paint: Pixels, left: int, top: int) -> None:
    inside, there = _overlap(alpha.shape, left, top)
    share = alpha[inside] if values.ndim == 2 else alpha[inside][..., None]
    values[there] += (paint[inside] - values[there]) * share


def _shadow(values: Pixels, one: _Placed) -> None:
    rows, columns = one.alpha.shape
    high = max(3, rows // 9)
    y = np.linspace(-1, 1, high, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    top = one.top + rows - high // 2 - 1
    dark = _visible((0.4 * np.clip(1 - x**2 - y**2, 0, 1)).astype(np.float32), one.hidden, one.left, top)
    _lay(values, dark, np.zeros((high, columns, 3), np.float32), one.left, top)


def _lit(one: _Placed, place: Scene, night: bool) -> Pixels:
    near = min(1.0, (one.top + one.coat.shape[0] - place.horizon) / (HEIGHT - place.horizon))
    if not night:
        haze = 0.22 * (1 - near) ** 2
        hazy: Pixels = one.coat * np.float32(1 - haze) + np.float32(178 * haze)
        return hazy
    grey = one.coat @ np.asarray((0.45, 0.4, 0.15), np.float32)
    inside, there = _overlap(grey.shape, one.left, one.top)
    light = np.full_like(grey, 0.6)
    light[inside] = vignette(0.6)[there]
    lamp: Map = (40 + 1.1 * grey) * light * np.float32(0.45 + 0.65 * near**0.6)
    return lamp


def _moved(leaves: Pixels, rng: np.random.Generator) -> Pixels:
    down, right = rng.integers(-2, 3, 2)
    return np.roll(leaves, (int(down), int(right)), (0, 1))


def _exposed(values: Pixels, night: bool, rng: np.random.Generator) -> Image.Image:
    values *= np.float32(rng.normal(1, 0.025))
    spread = 7.0 if night else 3.5
    noise = rng.standard_normal((HEIGHT, WIDTH), np.float32) * np.float32(spread)
    values += noise if night else noise[..., None]
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(0.5)).convert("RGB")


def _strip(image: Image.Image, photo: Photo) -> None:
    paper, ink = ((8, 8, 8), (240, 240, 240)) if photo.dataset == "alder" else ((214, 214, 208), (20, 20, 24))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, HEIGHT - STRIP_PX, WIDTH, HEIGHT), fill=paper)
    name = photo.location or "--"
    text = f"{name}    {photo.taken:%Y-%m-%d  %H:%M:%S}    {photo.celsius} C    {photo.frame + 1}/{photo.frames}"
    pen.text((10, HEIGHT - STRIP_PX + 3), text, fill=ink, font=ImageFont.load_default(15))


def _encoded(image: Image.Image, photo: Photo) -> bytes:
    if photo.damage == "empty":
        return b""
    exif = Image.Exif()
    if photo.orientation != 1:
        exif[0x0112] = photo.orientation
        turn = Image.Transpose.ROTATE_90 if photo.orientation == 6 else Image.Transpose.ROTATE_270
        image = image.transpose(turn)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, exif=exif)
    data = buffer.getvalue()
    return data[: int(len(data) * KEPT_BYTES)] if photo.damage == "truncated" else data
