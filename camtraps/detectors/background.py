"""How much each part of a photo differs from other photos of the same place, as thumbnails of grey levels.

Grey levels are 0 to 255, lengths are thumbnail pixels (the photo's longer side is `SIDE`), maps have shape
``(height, width)`` of the thumbnail.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy import ndimage

from camtraps.images import decoding, opened_by_pillow, plain

Map = NDArray[np.float32]

# An animal of 3% of the photo's side is still 6 pixels; sensor noise and small leaves average out.
SIDE = 192
# Mean spread of red, green and blue below which a photo is grey, that is infrared; JPEG colour noise stays below it.
GREY_SPREAD = 6.0
# A burned-in strip is at most this share of the height at either end ...
STRIP_SHARE = 0.1
# ... its rows are flat but for the text: half of the pixels of a row lie within this many grey levels ...
STRIP_FLAT = 6.0
# ... and it keeps its grey level from the outermost row inwards. A night sky begins above this step.
STRIP_STEP = 4.0
# Side of the squares that two photos are compared by to tell whether they show the same place.
PATCH = 24
# Difference that is no evidence: sensor noise and JPEG, then a share of the brightness (a flash varies) ...
NOISE, NOISE_SHARE = 2.5, 0.04
# ... and the spread among the other photos (wind in leaves), doubled nearly since few photos underestimate it.
SPREAD_FACTOR = 1.5
# Where light changed and no animal stands, the texture of the background still shows: the score falls from full to
# zero between these correlations (1 - TEXTURE_RANGE and 1) in windows of TEXTURE_WINDOW pixels; TEXTURE_FLOOR is the
# variance below which there is no texture to speak of.
TEXTURE_RANGE, TEXTURE_WINDOW, TEXTURE_FLOOR = 0.45, 9, 36.0
# Gaussian that joins the pieces of an animal, in pixels.
BLUR = 1.5
# Median score of a photo that is like the others. A higher one means that all of the photo changed (the camera was
# moved, rain, fog), and the scores are scaled down to it.
QUIET = 0.3
# Scores above which a region is looked at as one thing, and the outline balance below which it is a hole.
REGION, HOLE = 1.5, -0.25


@dataclass(frozen=True)
class Thumb:
    """A small upright grey picture of a photo.

    ``luma`` holds the grey levels; ``levels`` the grey level of each row that is flat but for text, else -1;
    ``relief`` the local structure at half size, without brightness; ``infrared`` says that the photo has no colour.
    """

    luma: NDArray[np.uint8]
    levels: Map
    relief: Map
    infrared: bool


@dataclass(frozen=True)
class Change:
    """A photo against its background.

    ``score`` is the difference in units of what is usual at that pixel, 0 in strips and holes; ``luma_edges`` and
    ``background_edges`` are gradients in grey levels a pixel; the scene is the rows from ``top`` to ``bottom``.
    """

    score: Map
    luma_edges: Map
    background_edges: Map
    top: int
    bottom: int


def thumb(data: bytes) -> Thumb:
    """Decode a photo small; a JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough.

    Args:
        data: the bytes of an image file.

    Raises:
        PhotoError: not an image, cut off, or far larger than any camera's.
    """
    with decoding(), opened_by_pillow(data) as image:
        image.draft("RGB", (SIDE, SIDE))
        small = _shrink(plain(ImageOps.exif_transpose(image)).convert("RGB"))
    return _describe(small)


def thumb_of(image: Image.Image) -> Thumb:
    """Make the thumbnail of a picture that is decoded, upright and RGB."""
    return _describe(_shrink(image))


def likeness(one: Thumb, other: Thumb) -> float:
    """Say how alike the structure of two photos is, from -1 to 1.

    The median over patches, so that an animal over less than half of the picture does not matter. Photos without
    structure (fog, a black night) or of different shape give 0: nothing shows that they are of the same place.
    """
    if one.luma.shape != other.luma.shape:
        return 0.0
    first, second = _patches(one.relief), _patches(other.relief)
    variances = (first**2).mean(axis=1), (second**2).mean(axis=1)
    textured = np.maximum(*variances) > 4  # squared grey levels; below is noise
    if textured.sum() < 8:  # too few patches for a median
        return 0.0
    correlations = (first * second).mean(axis=1) / np.sqrt((variances[0] + 1) * (variances[1] + 1))
    return float(np.median(correlations[textured]))


def compare(photo: Thumb, others: Sequence[Thumb]) -> Change:
    """Compare a photo with the background that other photos of the place show.

    Args:
        photo: the photo to look at.
        others: at least two photos of the same place, light and shape, without the photo itself.
    """
    luma = photo.luma.astype(np.float32)
    aligned = np.stack([_align(other.luma.astype(np.float32), luma) for other in others])  # (others, height, width)
    background, spread = _background(aligned)
    background = background + _row_shift(luma - background)
    usual = NOISE + NOISE_SHARE * background + SPREAD_FACTOR * ndimage.uniform_filter(spread, 5)
    score = np.abs(luma - background) / usual * _unlikeness(luma, background)
    top, bottom = _scene_rows([photo, *others])
    score[:top] = 0
    score[bottom:] = 0
    score = ndimage.gaussian_filter(score, BLUR) * BLUR  # times BLUR: an average has less noise than a pixel
    edges = _edges(luma), _edges(background)
    score[_holes(score, *edges)] = 0
    restless = max(1.0, float(np.median(score)) / QUIET)
    return Change((score / restless).astype(np.float32), *edges, top, bottom)


def outline_balance(labels: NDArray[np.int32], count: int, luma_edges: Map, background_edges: Map) -> Map:
    """Compare the edges along the outline of regions in the photo and in the background.

    A thing in the photo has its outline there, and the balance is above 0. Where the thing stands in the background
    (it rested in most other photos) and the photo shows the ground, the outline is in the background: below 0.

    Args:
        labels: 1 to ``count`` in the regions, 0 outside.
        count: the number of regions.
        luma_edges: gradients of the photo, of the labels' shape.
        background_edges: gradients of the background.

    Returns:
        (count,) from -1 to 1.
    """
    inner, outer = ndimage.grey_erosion(labels, size=(3, 3)), ndimage.grey_dilation(labels, size=(3, 3))
    band = np.where(inner != outer, outer, 0)
    index = np.arange(1, count + 1)
    present = np.bincount(band.ravel(), minlength=count + 1)[1:]
    in_photo, in_background = (
        np.bincount(band.ravel(), edges.ravel(), minlength=count + 1)[index] / np.maximum(present, 1)
        for edges in (luma_edges, background_edges)
    )
    balance: Map = ((in_photo - in_background) / (in_photo + in_background + 1)).astype(np.float32)
    return balance


def _shrink(image: Image.Image) -> Image.Image:
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _describe(image: Image.Image) -> Thumb:
    colours = np.asarray(image)  # (height, width, 3)
    luma = np.asarray(image.convert("L"))
    strip = round(len(luma) * STRIP_SHARE)  # a coloured logo in the strip does not make a night photo a day photo
    spread = np.ptp(colours[strip : len(luma) - strip].astype(np.int16), axis=2).mean()
    low, middle, high = np.percentile(luma, [10, 50, 90], axis=1)
    flat = np.minimum(middle - low, high - middle) <= STRIP_FLAT
    smooth = ndimage.uniform_filter(luma.astype(np.float32), 3)
    relief = (smooth - ndimage.uniform_filter(smooth, 15))[::2, ::2]
    return Thumb(luma, np.where(flat, middle, -1).astype(np.float32), relief, bool(spread < GREY_SPREAD))


def _patches(relief: Map) -> Map:
    side = PATCH // 2  # the relief is at half size
    rows, columns = relief.shape[0] // side, relief.shape[1] // side
    squares = relief[: rows * side, : columns * side].reshape(rows, side, columns, side)
    flat = squares.transpose(0, 2, 1, 3).reshape(rows * columns, side * side)
    centred: Map = flat - flat.mean(axis=1, keepdims=True)
    return centred


def _align(other: Map, luma: Map) -> Map:
    """Give another photo the brightness and contrast of this one, fitted to the pixels that agree."""
    source, target = other[::4, ::4].ravel(), luma[::4, ::4].ravel()
    gain, offset = 1.0, float(np.median(target) - np.median(source))
    for _ in range(4):  # more rounds change nothing visible
        residuals = np.abs(target - (gain * source + offset))
        agree = residuals < 2 * (np.median(residuals) + 1)
        x, y = source[agree], target[agree]
        # The added 25 grey levels squared hold the gain at 1 in photos that are nearly uniform.
        slope = (((x - x.mean()) * (y - y.mean())).mean() + 25) / (x.var() + 25)
        gain = float(np.clip(slope, 0.4, 2.5))
        offset = float(y.mean() - gain * x.mean())
    aligned: Map = np.clip(gain * other + offset, 0, 255)
    return aligned


def _background(aligned: Map) -> tuple[Map, Map]:
    """Find the value that most photos agree on at each pixel, and their spread.

    The middle and half the width of the shortest interval that holds more than half of the values: unlike the median
    and its deviation it is not pulled by an animal that rests in nearly half of the photos.
    """
    ordered = np.sort(aligned, axis=0)
    half = len(ordered) // 2 + 1
    widths = ordered[half - 1 :] - ordered[: len(ordered) - half + 1]
    start = np.argmin(widths, axis=0)[None]
    low, middle, high = (np.take_along_axis(ordered, start + step, 0)[0] for step in (0, (half - 1) // 2, half - 1))
    return middle, (high - low) / 2


def _row_shift(difference: Map) -> Map:
    """Give the shift that three quarters of a row agree on: the flash lights the first rows of a photo unevenly."""
    low, high = np.percentile(difference, [25, 75], axis=1)
    shift = np.where(low * high > 0, np.sign(low) * np.minimum(np.abs(low), np.abs(high)), 0)
    column: Map = shift.astype(np.float32)[:, None]
    return column


def _unlikeness(luma: Map, background: Map) -> Map:
    """Weigh pixels from 0, where the texture is the background's in another light, to 1, where it is another."""

    def mean(values: Map) -> Map:
        smooth: Map = ndimage.uniform_filter(values, TEXTURE_WINDOW)
        return smooth

    means = mean(luma), mean(background)
    variances = (np.maximum(mean(x * x) - m * m, 0) for x, m in zip((luma, background), means, strict=True))
    scale = np.sqrt(np.prod([variance + TEXTURE_FLOOR for variance in variances], axis=0))
    correlation = (mean(luma * background) - means[0] * means[1]) / scale
    weight: Map = np.clip((1 - correlation) / TEXTURE_RANGE, 0, 1)
    return weight


def _scene_rows(thumbs: Sequence[Thumb]) -> tuple[int, int]:
    """Find the rows between burned-in strips, as most of the photos have them."""
    levels = np.median([thumb.levels for thumb in thumbs], axis=0)
    return _strip_depth(levels), len(levels) - _strip_depth(levels[::-1])


def _strip_depth(levels: Map) -> int:
    edge = levels[: round(len(levels) * STRIP_SHARE)]
    if len(edge) == 0 or edge[0] < 0:
        return 0
    same = np.abs(edge - edge[0]) <= STRIP_STEP
    depth = len(same) if same.all() else int(np.argmin(same))
    return min(depth + 2, len(levels) // 4)  # two rows of transition, blurred by the shrinking


def _edges(luma: Map) -> Map:
    smooth = ndimage.gaussian_filter(luma, 0.7)
    edges: Map = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)) / 8
    return edges


def _cores(labels: NDArray[np.int32], count: int, score: Map) -> NDArray[np.int32]:
    """Cut regions back to where they reach half of their own mean score: there a blurred thing has its outline."""
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    means = np.bincount(labels.ravel(), score.ravel(), minlength=count + 1) / np.maximum(sizes, 1)
    cores: NDArray[np.int32] = np.where(score >= means[labels] / 2, labels, 0)
    return cores


def _holes(score: Map, luma_edges: Map, background_edges: Map) -> NDArray[np.bool_]:
    labels, count = ndimage.label(score > REGION)
    balance = outline_balance(_cores(labels, count, score), count, luma_edges, background_edges)
    hole = np.concatenate([[False], balance < HOLE])[labels]
    grown: NDArray[np.bool_] = ndimage.binary_dilation(hole, np.ones((5, 5), bool)) if hole.any() else hole
    return grown
