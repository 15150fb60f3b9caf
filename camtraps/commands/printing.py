"""The printing of tables: aligned for people, as CSV and as JSON for programs."""

import csv
import io
import itertools
import json
import math
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from camtraps.commands.common import say
from camtraps.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["table", "csv", "json"]

CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]")


def table(frame: "pd.DataFrame", number: str = ",", widest: int | None = None) -> list[str]:
    """Lay out a table for people: a line of headings, columns aligned, numbers to the right, ``-`` for nothing.

    Args:
        frame: the rows; column names may stand twice.
        number: the format of whole numbers.
        widest: letters that a cell may have; the rest is cut off.
    """
    columns = []
    for at, name in enumerate(frame.columns):
        values = frame.iloc[:, at].tolist()
        cells = [_cut(cell, widest) for cell in (clean(str(name)), *(_cell(value, number) for value in values))]
        width = max(map(len, cells))
        numeric = any(map(_is_number, values)) and all(is_nothing(value) or _is_number(value) for value in values)
        columns.append([cell.rjust(width) if numeric else cell.ljust(width) for cell in cells])
    return ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]


def show(frame: "pd.DataFrame", kind: Kind) -> None:
    """Print a table; errors as in `show_rows`."""
    if kind == "table":
        say(*table(frame))
    else:
        show_rows(list(frame), zip(*(frame[name].tolist() for name in frame), strict=True), kind)


def show_rows(names: Sequence[str], rows: Iterable[tuple[Any, ...]], kind: Literal["csv", "json"]) -> None:
    """Print rows for programs, one by one as they come: CSV with a header, or a JSON list of objects.

    Raises:
        InputError: JSON cannot have them, because a column stands twice.
    """
    if kind == "csv":
        for row in itertools.chain([names], rows):
            buffer = io.StringIO()
            csv.writer(buffer, lineterminator="").writerow([_csv_cell(value) for value in row])
            say(buffer.getvalue())
        return
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise InputError(f"column {twice!r} stands twice, which JSON cannot hold; rename one with AS")
    before = "["
    for row in rows:
        record = {name: _json_value(value) for name, value in zip(names, row, strict=True)}
        say(before + "\n " + json.dumps(record, ensure_ascii=False, default=str, allow_nan=False))
        before = ","
    say("[]" if before == "[" else "]")


def clean(text: str) -> str:
    """Write out what would break a line or steer the terminal."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def is_nothing(value: Any) -> bool:
    """Say whether a value stands for nothing."""
    # NaN and NaT, which pandas has for nothing, differ from themselves.
    return value is None or (isinstance(value, float | datetime) and value != value)


def _cell(value: Any, number: str) -> str:
    if is_nothing(value):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return format(value, number)
    if isinstance(value, float):
        return f"{value:.6g}"
    return clean(str(_csv_cell(value)))


def _csv_cell(value: Any) -> Any:
    if is_nothing(value):
        return ""
    return json.dumps(_json_value(value), ensure_ascii=False, default=str) if isinstance(value, list | dict) else value


def _json_value(value: Any) -> Any:
    if is_nothing(value):
        return None
    if isinstance(value, dict):
        return {str(key): _json_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, date | datetime | time):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return None if isinstance(value, float) and math.isinf(value) else value


def _cut(text: str, widest: int | None) -> str:
    return text if widest is None or len(text) <= widest else text[: widest - 1] + "…"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and value == value
