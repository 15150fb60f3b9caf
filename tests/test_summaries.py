"""Summaries of imports: a line for each reason, many of anything cut short."""

from pathlib import Path

from camtraps import summaries

LISTED = Path("problems/mine.csv")


def test_each_reason_is_a_line():
    counts = [("dropped", "climbs", 1, "c"), ("ignored", "no box", 2000, "b: 7")]
    assert summaries.problem_lines(counts, LISTED) == [
        "  1 dropped: climbs (first: c)",
        "  2,000 ignored: no box (first: b: 7)",
        "  each is listed in problems/mine.csv",
    ]


def test_without_problems_there_is_no_line():
    assert summaries.problem_lines([], LISTED) == []


def test_of_many_reasons_twenty_are_shown():
    lines = summaries.problem_lines([("ignored", f"reason {at}", 1, "x") for at in range(25)], LISTED)
    assert len(lines) == 22
    assert lines[-2:] == ["  and 5 more kinds", "  each is listed in problems/mine.csv"]


def test_of_many_files_three_are_named():
    paths = [Path(f"catalog/{name}.parquet") for name in "abcde"]
    assert summaries.named(paths[:3]) == "catalog/a.parquet, catalog/b.parquet, catalog/c.parquet"
    assert summaries.named(paths) == "catalog/a.parquet, catalog/b.parquet, catalog/c.parquet and 2 more"
