"""Plots as SVG in a page: the confusion matrix of any number of classes, lines between 0 and 1, learning curves."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

WIDE_PX, CELL_PX = 900, (6.0, 44.0)  # of the matrix, and the least and the most of a cell
WRITTEN = 20  # classes up to which counts are written into the cells
SIDE_PX, LEFT_PX, LEGEND_PX = 260, 40, 220  # of line plots

Points = Sequence[tuple[float, float]]


def count_pairs(confusion: pd.DataFrame, classes: Sequence[str]) -> NDArray[np.int64]:
    """Count how often each class (rows) was taken for each (columns).

    Args:
        confusion: actual and predicted class of each crop.
        classes: all classes, in the order of the result.
    """
    index = pd.Index(classes, dtype="str")
    pairs = index.get_indexer(confusion["actual"]) * len(classes) + index.get_indexer(confusion["predicted"])
    return np.bincount(pairs, minlength=len(classes) ** 2).reshape(len(classes), len(classes))


def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Draw a confusion matrix: rows the label, columns the prediction, shaded by the share of the row.

    A cell tells its count when pointed at, and has its row and column in ``data-cell`` for scripts. Only cells with
    crops are drawn, and counts are written only where there are few classes: 169 classes have 28,561 cells.

    Args:
        counts: (classes, classes), rows the truth.
        classes: their names.
    """
    num = len(classes)
    cell = float(np.clip(WIDE_PX / num, *CELL_PX))
    size = min(12.0, cell * 0.95)
    margin = min(320.0, 0.62 * size * max(map(len, classes))) + 8
    names = [html.escape(name) for name in classes]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cells, texts = [], []
    for row, column in np.argwhere(counts):
        x, y, number = margin + column * cell, margin + row * cell, counts[row, column]
        cells.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell:.1f}" height="{cell:.1f}" '
            f'fill-opacity="{max(0.05, shares[row, column]):.2f}" data-cell="{row}-{column}">'
            f"<title>{names[row]} taken for {names[column]}: {number:,} ({shares[row, column]:.1%})</title></rect>"
        )
        if num <= WRITTEN:
            texts.append(f'<text x="{x + cell / 2:.1f}" y="{y + cell / 2 + 4:.1f}">{number}</text>')
    at = [margin + (number + 0.5) * cell + size / 3 for number in range(num)]
    rows = "".join(f'<text x="{margin - 4:.1f}" y="{y:.1f}">{name}</text>' for y, name in zip(at, names, strict=True))
    columns = "".join(
        f'<text transform="translate({x:.1f} {margin - 4:.1f}) rotate(-90)">{name}</text>'
        for x, name in zip(at, names, strict=True)
    )
    side = margin + num * cell
    return (
        f'<svg viewBox="0 0 {side:.0f} {side:.0f}" width="{side:.0f}" font-size="{size:.1f}" fill="currentColor">'
        f'<rect x="{margin:.1f}" y="{margin:.1f}" width="{num * cell:.1f}" height="{num * cell:.1f}" fill="none" '
        f'stroke="currentColor" stroke-opacity=".3"/><g fill="hsl(210 70% 55%)">{"".join(cells)}</g>'
        f'<g text-anchor="middle" pointer-events="none">{"".join(texts)}</g>'
        f'<g text-anchor="end">{rows}</g><g>{columns}</g></svg>'
    )


def lines(series: Mapping[str, Points], across: str, diagonal: bool = False) -> str:
    """Draw lines through points between 0 and 1.

    Args:
        series: the points of each line, by its name.
        across: what the horizontal axis is.
        diagonal: whether equality is drawn too.
    """
    parts = [_polyline([(0, 0), (1, 1)], 'stroke="currentColor" stroke-dasharray="4"')] if diagonal else []
    parts.append(_polyline([(0, 1), (0, 0), (1, 0)], 'stroke="currentColor"'))
    for at, (name, points) in enumerate(series.items()):
        colour = f"hsl({(210 + 130 * at) % 360} 70% 50%)"
        parts.append(_polyline(points, f'stroke="{colour}" stroke-width="2"'))
        text = f'<text x="{LEFT_PX + SIDE_PX + 12}" y="{30 + 18 * at}" fill="{colour}">{html.escape(name)}</text>'
        parts.append(text)
    below = f'<text x="{LEFT_PX}" y="{SIDE_PX + 30}" fill="currentColor">{html.escape(across)}, 0 to 1</text>'
    parts.append('<text x="22" y="18" fill="currentColor">1</text>' + below)
    wide = LEFT_PX + SIDE_PX + LEGEND_PX
    return f'<svg viewBox="0 0 {wide} {SIDE_PX + 36}" width="{wide}" font-size="12">{"".join(parts)}</svg>'


def curves(history: pd.DataFrame, names: Sequence[str]) -> str:
    """Draw learning curves (0 to 1 or more, one value an epoch) as a picture in the page."""
    wide, high, left = 640, 220, 40
    top = max(1.0, float(history[list(names)].max().max()))
    step = (wide - left - 120) / max(1, len(history) - 1)
    parts = [f'<line x1="{left}" y1="{high - 20}" x2="{wide - 120}" y2="{high - 20}" stroke="currentColor"/>']
    for at, name in enumerate(names):
        points = [(left + step * x, high - 20 - (high - 30) * y / top) for x, y in enumerate(history[name])]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = f"hsl({(210 + 130 * at) % 360} 70% 50%)"
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{wide - 112}" y="{30 + 18 * at}" fill="{colour}">{html.escape(name)}</text>')
    parts.append(f'<text x="0" y="14" fill="currentColor">{top:.1f}</text>')
    parts.append(f'<text x="{left}" y="{high - 4}" fill="currentColor">epoch 1 to {len(history)}</text>')
    return f'<svg viewBox="0 0 {wide} {high}" width="{wide}" font-size="12">{"".join(parts)}</svg>'


def _polyline(points: Points, style: str) -> str:
    path = " ".join(f"{LEFT_PX + SIDE_PX * x:.1f},{12 + SIDE_PX * (1 - y):.1f}" for x, y in points if x == x and y == y)
    return f'<polyline points="{path}" fill="none" {style}/>'
