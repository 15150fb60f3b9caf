import json
from datetime import datetime
from decimal import Decimal

import pandas as pd
import pytest

from camtraps.commands import printing
from camtraps.errors import InputError


def lines(capsys, names, rows, kind):
    """What rows look like in a format."""
    printing.show_rows(names, rows, kind)
    return capsys.readouterr().out.splitlines()


def test_a_table_aligns_its_columns():
    frame = pd.DataFrame({"name": ["a", None], "num": [1234, 5], "share": [0.5, float("nan")], "t": [pd.NaT] * 2})
    assert printing.table(frame) == ["name    num  share  t", "a     1,234    0.5  -", "-         5      -  -"]


def test_a_table_shows_what_would_break_a_line_and_cuts_what_is_too_long():
    frame = pd.DataFrame({"a\n": ["x\ty\x1b[0m\u202e", "ä\u3000ö"], "b": ["12345678", Decimal("1.50")]})
    assert printing.table(frame, widest=20) == [
        r"a\n                b",
        r"x\ty\x1b[0m\u202e  12345678",
        "ä\u3000ö                1.50",
    ]
    assert printing.table(frame, widest=6) == ["a\\n     b", "x\\ty\\…  12345…", "ä\u3000ö     1.50"]


def test_a_table_shows_times_and_lists_as_text():
    frame = pd.DataFrame({"time": [datetime(2024, 1, 2)], "list": [[{"a": None}]], "flag": [True]})
    assert printing.table(frame) == [
        "time                 list           flag",
        '2024-01-02 00:00:00  [{"a": null}]  yes',
    ]


def test_a_frame_is_shown_in_each_format(capsys):
    shown = []
    for kind in ("table", "csv", "json"):
        printing.show(pd.DataFrame({"label": ["NA"], "num": [1234]}), kind)
        shown.append(capsys.readouterr().out)
    assert shown == ["label    num\nNA     1,234\n", "label,num\nNA,1234\n", '[\n {"label": "NA", "num": 1234}\n]\n']


def test_csv_has_texts_as_they_are_and_nothing_for_nothing(capsys):
    assert lines(capsys, ["a", "a"], [(None, "x, y"), (float("nan"), [1, None])], "csv") == [
        "a,a",
        ',"x, y"',
        ',"[1, null]"',
    ]


def test_json_has_null_for_what_it_cannot_say(capsys):
    row = (float("inf"), pd.NaT, Decimal("2"), Decimal("0.5"), datetime(2024, 1, 2), {"x": (1,)})
    text = "\n".join(lines(capsys, list("abcdef"), [row], "json"))
    assert json.loads(text) == [{"a": None, "b": None, "c": 2, "d": 0.5, "e": "2024-01-02 00:00:00", "f": {"x": [1]}}]
    assert lines(capsys, ["a"], [], "json") == ["[]"]


def test_json_refuses_columns_that_stand_twice():
    with pytest.raises(InputError) as error:
        printing.show_rows(["a", "b", "a"], [], "json")
    assert str(error.value) == "column 'a' stands twice, which JSON cannot hold; rename one with AS"


def test_what_steers_a_terminal_is_written_out():
    assert printing.clean("a\x1b[0m\n\u202e") == r"a\x1b[0m\n\u202e"
