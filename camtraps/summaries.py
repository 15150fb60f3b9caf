"""Summaries of imports: what came in, what was left out and why, in lines for people."""

from pathlib import Path

import duckdb

from camtraps.errors import MAX_SHOWN
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


def facts_of_results(database: duckdb.DuckDBPyConnection) -> str:
    """Count what is in imported results; the tables are those of `recording`."""
    sql = """select (select count(*) from merged semi join known using (file)), (select count(*) from known),
                    coalesce(sum(len(boxes)), 0), count(failure) from merged semi join known using (file)"""
    num_found, num_photos, num_boxes, num_failed = database.execute(sql).fetchall()[0]
    sql = """select box.category, count(*) from (select unnest(boxes) as box from merged semi join known using (file))
             where box.category <> 'animal' group by all order by all"""
    others = ", ".join(f"{number:,} {category}" for category, number in database.execute(sql).fetchall())
    boxes = num(num_boxes, "box", "boxes") + (f" ({others})" if others else "")
    given = [f"results for {num_found:,} of {num(num_photos, 'photo')}", boxes]
    return ", ".join([*given, f"{num_failed:,} failed"] if num_failed else given)


def merge_lines(database: duckdb.DuckDBPyConnection) -> list[str]:
    """Say which results were left out for others of the same photo; source 0 is what was there before."""
    sql = """select count(*) filter (source > 0 and by_source = 0), count(*) filter (source = 0),
                    count(*) filter (source > 0 and by_source > 0) from beaten"""
    num_kept, num_mended, num_twice = database.execute(sql).fetchall()[0]
    lines = {
        f"  {photos_are(num_kept)} recorded already, and not changed; --replace takes the new results": num_kept,
        f"  {num(num_mended, 'failure')} of an earlier import made good": num_mended,
        f"  {num(num_twice, 'result')} left out, because another one of the same photo comes first": num_twice,
    }
    return [line for line, number in lines.items() if number]


def unknown_lines(database: duckdb.DuckDBPyConnection, dataset: str) -> list[str]:
    """Say how many photos of the results the catalog does not have."""
    sql = "select count(*), min(file) from merged anti join known using (file)"
    number, first = database.execute(sql).fetchall()[0]
    return [f"  {photos_are(number)} not in the catalog of {dataset} (first: {first})"] if number else []


def problem_lines(counts: list[Count], path: Path) -> list[str]:
    """Give a line for each reason, and where all problems are listed; nothing if there are none."""
    lines = [f"  {number:,} {kind}: {reason} (first: {first})" for kind, reason, number, first in counts[:MAX_SHOWN]]
    more = [f"  and {len(counts) - MAX_SHOWN} more kinds"] if len(counts) > MAX_SHOWN else []
    return [*lines, *more, f"  each is listed in {path}"] if lines else []


def photos_are(number: int) -> str:
    """Say a number of photos with its verb."""
    return f"{num(number, 'photo')} {'is' if number == 1 else 'are'}"
