"""Progress on stderr: a bar with rate and time left in a terminal, a plain line now and then elsewhere."""

import sys
from typing import Any

from tqdm import tqdm

PLAIN = "{desc}: {n_fmt} of {total_fmt}{unit}, {rate_fmt}, {remaining} left"


def bar(label: str | None, total: int, unit: str, initial: int = 0, scale: bool = False) -> "tqdm[Any]":
    """Make a progress bar; use it in a ``with`` block and call ``update``.

    It shows itself after a second, so that what is quickly done says nothing.

    Args:
        label: what is going on; None for no bar.
        total: how many there are.
        unit: of what.
        initial: how many an earlier run has done.
        scale: write thousands and millions as k and M.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=label,
        disable=label is None,
        unit=f" {unit}",
        initial=initial,
        unit_scale=scale,
        delay=1,
        mininterval=0.5 if terminal else 20,
        miniters=0,
        bar_format=None if terminal else PLAIN,
        file=None if terminal else _Lines(),
    )


class _Lines:
    """Turn what a bar draws over itself into lines, for logs."""

    def write(self, text: str) -> None:
        if line := text.strip():
            sys.stderr.write(f"{line}\n")

    def flush(self) -> None:
        sys.stderr.flush()
