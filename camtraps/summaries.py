"""Summaries of imports: what came in, what was left out and why, in lines for people."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from camtraps.errors import MAX_SHOWN
from camtraps.formats.rows import Problem
from camtraps.intake import Gathered
from camtraps.words import num

Count = tuple[str, str, int, str]  # kind and reason of problems, their number, the first one


def named(paths: list[Path]) -> str:
    """Name the files that were written, the first three of many."""
    return ", ".join(map(str, paths[:3])) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def facts(gathered: Gathered) -> str:
    """Count what is in the photos of an import."""
    sql = """select coalesce(sum(len(boxes)), 0), count(distinct (dataset, location)) filter (location is not null),
                    count(*) filter (location is null), count(*) filter (datetime is null),
                    min(datetime), max(datetime), count(*) filter (len(labels) = 0),
                    (select count(distinct label.class) from (select unnest(labels) as label from photos))
             from photos"""
    row = gathered.database.execute(sql).fetchall()[0]
    boxes, locations, nowhere, timeless, first, last, unlabelled, classes = row
    given = [f"{gathered.num_photos:,} of {num(gathered.num_given, 'photo')}", num(boxes, "box", "boxes")]
    given.append(num(classes, "class", "classes"))
    given += [num(len(gathered.datasets), "dataset")] if len(gathered.datasets) > 1 else []
    given.append(num(locations, "location"))
    given += [f"from {first:%Y-%m-%d} to {last:%Y-%m-%d}"] if first else []
    without = {"location": nowhere, "label": unlabelled, "time": timeless}
    given += [f"{number:,} without {what}" for what, number in without.items() if number]
    return ", ".join(given)


def facts_of_results(rows: pa.Table, num_unknown: int, num_photos: int) -> str:
    """Count what is in imported results: a table of recorded detections, how many of it the catalog lacks, and has."""
    num_boxes = pc.sum(pc.list_value_length(rows["boxes"])).as_py() or 0
    num_failed = rows.num_rows - rows["failure"].null_count
    given = [
        f"results for {rows.num_rows - num_unknown:,} of {num(num_photos, 'photo')}",
        num(num_boxes, "box", "boxes"),
    ]
    return ", ".join([*given, f"{num_failed:,} failed"] if num_failed else given)


def problem_lines(counts: list[Count], path: Path) -> list[str]:
    """Give a line for each reason, and where all problems are listed; nothing if there are none."""
    lines = [f"  {number:,} {kind}: {reason} (first: {first})" for kind, reason, number, first in counts[:MAX_SHOWN]]
    more = [f"  and {len(counts) - MAX_SHOWN} more kinds"] if len(counts) > MAX_SHOWN else []
    return [*lines, *more, f"  each is listed in {path}"] if lines else []


def counted(problems: list[Problem]) -> list[Count]:
    """Count problems by kind and reason."""
    counts = Counter((problem.kind, problem.reason) for problem in problems)
    firsts = {(each.kind, each.reason): ": ".join(filter(None, (each.item, each.found))) for each in problems[::-1]}
    return [(*key, number, firsts[key]) for key, number in sorted(counts.items())]


def photos_are(number: int) -> str:
    """Say a number of photos with its verb."""
    return f"{num(number, 'photo')} {'is' if number == 1 else 'are'}"
