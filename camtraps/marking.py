"""Photos with boxes and the names of classes drawn in, for people to look at."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, features

GOLDEN = 0.618034  # turns of the colour circle between two classes: neighbours differ
PER_PHOTO = 45  # the text is as high as the photo's longer side divided by this, at least LEAST_PX
LEAST_PX = 11


@dataclass(frozen=True)
class Mark:
    """A box, relative to the upright photo, its lines of text, and the number that its colour comes from."""

    box: tuple[float, float, float, float]
    lines: Sequence[str]
    colour: int


def draw(photo: Image.Image, marks: Sequence[Mark]) -> Image.Image:
    """Draw marks, the first one on top; a text stands at the corner of its box that is nearest to the photo's centre.

    It stands outside of the box where the photo has room, so that it hides no animal.

    Args:
        photo: RGB, upright; it is not changed.
        marks: what to draw.
    """
    drawn = photo.copy()
    canvas = ImageDraw.Draw(drawn)
    size = max(LEAST_PX, max(photo.size) // PER_PHOTO)
    # A Pillow without FreeType has one font of one size.
    font = ImageFont.load_default(size if features.check("freetype2") else None)
    for mark in reversed(marks):
        left, top, right, bottom = _pixels(mark.box, photo.size)
        colour = _colour(mark.colour)
        canvas.rectangle((left, top, right, bottom), outline=colour, width=max(2, size // 6))
        if mark.lines:
            _write(canvas, mark, (left, top, right, bottom), font)
    return drawn


def _write(
    canvas: ImageDraw.ImageDraw,
    mark: Mark,
    box: tuple[int, int, int, int],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    text, (width, height) = "\n".join(mark.lines), canvas.im.size
    start = canvas.multiline_textbbox((0, 0), text, font=font)
    wide, high = int(start[2]) + 6, int(start[3]) + 6
    left, top, right, bottom = box
    x = left if abs(left - width / 2) <= abs(right - width / 2) else right - wide
    y = top - high if abs(top - height / 2) <= abs(bottom - height / 2) else bottom
    x, y = max(0, min(x, width - wide)), max(0, min(y, height - high))
    colour = _colour(mark.colour)
    canvas.rectangle((x, y, x + wide, y + high), fill=colour)
    dark = sum(share * value for share, value in zip((0.299, 0.587, 0.114), colour, strict=True)) < 140
    canvas.multiline_text((x + 3, y + 2), text, fill="white" if dark else "black", font=font)


def _pixels(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    (x, y, w, h), (width, height) = box, size
    left, top = min(round(x * width), width - 1), min(round(y * height), height - 1)
    return (
        left,
        top,
        max(left, min(round((x + w) * width), width) - 1),
        max(top, min(round((y + h) * height), height) - 1),
    )


def _colour(number: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb((0.58 + number * GOLDEN) % 1, 0.75, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)
