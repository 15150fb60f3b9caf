"""The measures and colours of the four-legged kinds."""

from dataclasses import dataclass

from camtraps.demo.sketch import Colour, Point

BLACK, WHITE, DARK_EYE = (24, 22, 20), (236, 230, 218), (14, 12, 10)


@dataclass(frozen=True, kw_only=True)
class Body:
    """The measures of a four-legged kind in shoulder heights, and its colours."""

    tall: float
    trunk: float
    depth: float
    belly: float
    rump: float
    arch: float
    legs: tuple[float, float]
    neck: float
    neck_widths: tuple[float, float]
    neck_up: float
    neck_down: float
    head: float
    head_depth: float
    snout: float
    coat: Colour
    under: Colour
    stockings: Colour


# fmt: off
BODIES = {
    "roe_deer": Body(
        tall=1.62, trunk=0.95, depth=0.42, belly=0.36, rump=1.04, arch=0.0, legs=(0.13, 0.05), neck=0.5,
        neck_widths=(0.3, 0.15), neck_up=58, neck_down=-38, head=0.34, head_depth=0.17, snout=0.08,
        coat=(172, 104, 56), under=(196, 146, 100), stockings=(140, 90, 54),
    ),
    "fallow_deer": Body(
        tall=1.75, trunk=1.05, depth=0.46, belly=0.4, rump=1.02, arch=0.0, legs=(0.14, 0.055), neck=0.5,
        neck_widths=(0.36, 0.18), neck_up=52, neck_down=-38, head=0.36, head_depth=0.18, snout=0.09,
        coat=(186, 122, 66), under=(232, 214, 186), stockings=(196, 150, 104),
    ),
    "wild_boar": Body(
        tall=1.12, trunk=1.0, depth=0.68, belly=0.52, rump=0.86, arch=0.05, legs=(0.19, 0.08), neck=0.2,
        neck_widths=(0.66, 0.46), neck_up=-12, neck_down=-42, head=0.62, head_depth=0.4, snout=0.15,
        coat=(66, 56, 48), under=(52, 45, 40), stockings=(34, 30, 28),
    ),
    "red_fox": Body(
        tall=1.32, trunk=1.15, depth=0.42, belly=0.34, rump=0.97, arch=0.0, legs=(0.15, 0.075), neck=0.28,
        neck_widths=(0.36, 0.26), neck_up=34, neck_down=-30, head=0.42, head_depth=0.27, snout=0.07,
        coat=(196, 98, 42), under=(228, 206, 180), stockings=(30, 26, 24),
    ),
    "european_badger": Body(
        tall=1.16, trunk=1.5, depth=0.66, belly=0.66, rump=0.98, arch=0.1, legs=(0.26, 0.17), neck=0.2,
        neck_widths=(0.52, 0.36), neck_up=-8, neck_down=-26, head=0.58, head_depth=0.34, snout=0.12,
        coat=(150, 147, 140), under=(36, 33, 31), stockings=(28, 26, 25),
    ),
    "european_hare": Body(
        tall=1.85, trunk=0.7, depth=0.52, belly=0.78, rump=0.98, arch=0.1, legs=(0.13, 0.07), neck=0.16,
        neck_widths=(0.4, 0.3), neck_up=40, neck_down=-15, head=0.4, head_depth=0.31, snout=0.15,
        coat=(158, 124, 84), under=(226, 214, 196), stockings=(166, 134, 96),
    ),
    "raccoon": Body(
        tall=1.3, trunk=0.95, depth=0.6, belly=0.68, rump=1.0, arch=0.2, legs=(0.18, 0.11), neck=0.14,
        neck_widths=(0.44, 0.34), neck_up=2, neck_down=-30, head=0.42, head_depth=0.36, snout=0.09,
        coat=(122, 114, 104), under=(104, 96, 88), stockings=(66, 60, 56),
    ),
}
# fmt: on


def darker(colour: Colour) -> Colour:
    """Give the colour in shade, for what is on the far side."""
    return int(colour[0] * 0.7), int(colour[1] * 0.7), int(colour[2] * 0.7)


def between(start: Point, end: Point, share: float) -> Point:
    """Give the point at ``share`` (0 to 1) of the way."""
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
