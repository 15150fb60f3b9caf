"""Progress on stderr: a bar with rate and time left in a terminal, a plain line now and then elsewhere."""

import sys
from typing import Any

from tqdm import tqdm

PLAIN = "{desc}: {n_fmt} of {total_fmt}{unit}, {rate_fmt}, {remaining} left\n"


def bar(label: str | None, total: int, unit: str, initial: int = 0) -> "tqdm[Any]":
    """Make a progress bar; use it in a ``with`` block and call ``update``.

    Args:
        label: what is going on; None for no bar.
        total: how many there are.
        unit: of what.
        initial: how many an earlier run has done.
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=label,
        disable=label is None,
        unit=f" {unit}",
        initial=initial,
        mininterval=0.5 if terminal else 20,
        miniters=0,
        bar_format=None if terminal else PLAIN,
    )
