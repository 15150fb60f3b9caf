"""Decisions of people about labels come home: added to the ledger once, compared between reviewers."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from sklearn.metrics import cohen_kappa_score

from camtraps.catalog import spelled
from camtraps.corrections import COLUMNS
from camtraps.files import read_csv, write_text
from camtraps.formats.decisions import Decision
from camtraps.taxonomy import Taxonomy, fold, fold_dataset

UNKNOWN = "(unknown)"  # what a wrong label is called whose right one nobody knows
Row = dict[str, str]


@dataclass(frozen=True)
class Checked:
    """Decisions about photos of the catalog; and what is odd: (image, what is wrong)."""

    decisions: list[Decision]
    problems: list[tuple[str, str]]


def check(
    given: Sequence[Decision], database: duckdb.DuckDBPyConnection, labels: Iterable[str], taxa: Taxonomy | None
) -> Checked:
    """Compare decisions with the catalog.

    Decisions about photos that it does not have are left out. A class that is neither one of the dataset nor a label
    stays, since the label it replaces is wrong all the same; where it is the name of a taxon that the dataset has a
    class for, it becomes that class.

    Args:
        given: the decisions.
        database: the catalog, from `catalog.connect`.
        labels: of the label specification.
        taxa: the taxonomy, if there is one.
    """
    asked = pa.table({"image": pa.array([each.image for each in given], pa.string())})
    database.register("asked_images", asked)
    rows = database.execute("select image from photos where image in (select image from asked_images)").fetchall()
    there = {image for (image,) in rows}
    known = {(fold_dataset(dataset), fold(name)) for dataset, name in spelled(database)}
    everywhere = {fold(label) for label in labels} | {""}
    called = _classes_of_taxa(taxa) if taxa else {}
    decisions, problems = [], []
    for each in given:
        if each.image not in there:
            problems.append((each.image, "the catalog has no such photo"))
            continue
        pair = (fold_dataset(each.dataset), fold(each.correct_class))
        if pair not in known and pair[1] not in everywhere:
            if pair in called:
                each = replace(each, correct_class=called[pair])
            else:
                problems.append((each.image, f"neither class of {each.dataset} nor label: {each.correct_class}"))
        decisions.append(each)
    return Checked(decisions, problems)


def add(path: Path, decisions: Iterable[Decision], source: str, today: str) -> int:
    """Add decisions to a ledger, those about a photo in the order of their dates; what it has already is left out.

    A decision without a date is new where it differs from the reviewer's last one about the photo, and gets that of
    today; one with a date is new unless the same one of that date stands there.

    Args:
        path: ``corrections.csv``.
        decisions: that `check` let through.
        source: where they come from.
        today: as 2024-06-30.

    Returns:
        How many were added.

    Raises:
        MissingError: there is no ledger.
        InputError: it is malformed.
    """
    rows = _read(path)
    header = list(dict.fromkeys([*(rows[0] if rows else ()), *COLUMNS]))
    by_photo: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_photo.setdefault((row["dataset"], row["file"]), []).append(row)
    num = 0
    for each in decisions:
        own = by_photo.setdefault((each.dataset, each.file), [])
        if _is_known(each, own):
            continue
        row = {name: value for name, value in asdict(each).items() if name in COLUMNS} | {"source": source}
        row["date"] = row["date"] or today
        later = next((other for other in own if _is_later(other["date"], row["date"])), None)
        rows.insert(_index(rows, later), row)
        own.insert(_index(own, later), row)
        num += 1
    if num:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, header, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(path, buffer.getvalue())
    return num


@dataclass(frozen=True)
class Comparison:
    """How reviewers agree: photos where they differ, and Cohen's kappa of each two of them.

    ``conflicts``: dataset, file, and a column for each reviewer with the class last chosen, empty where that one has
    not decided; ``counts`` is the class that counts. ``agreement``: reviewer, other, photos that both decided, share
    in which they agree, kappa, which is empty where both only ever chose one class, the same.
    """

    conflicts: pd.DataFrame
    agreement: pd.DataFrame


def compare(path: Path) -> Comparison:
    """Compare the reviewers of a ledger by the last decision of each about each photo; errors as in `add`."""
    rows = _read(path)
    said: dict[tuple[str, str], Row] = {}
    last: dict[tuple[str, str], str] = {}
    for row in rows:
        photo = (row["dataset"], row["file"])
        last[photo] = row["correct_class"] or UNKNOWN
        said.setdefault(photo, {})[row["reviewer"]] = last[photo]
    names = sorted({row["reviewer"] for row in rows})
    found = [
        {"dataset": photo[0], "file": photo[1], **{name: own.get(name) for name in names}, "counts": last[photo]}
        for photo, own in sorted(said.items())
        if len(set(own.values())) > 1
    ]
    pairs = [_pair(said.values(), one, other) for one, other in combinations(names, 2)]
    columns = ["reviewer", "other", "photos", "agree", "kappa"]
    agreement = pd.DataFrame([pair for pair in pairs if pair["photos"]], columns=columns)
    return Comparison(pd.DataFrame(found, columns=["dataset", "file", *names, "counts"], dtype=object), agreement)


def _pair(said: Iterable[Mapping[str, str]], one: str, other: str) -> dict[str, object]:
    both = [(own[one], own[other]) for own in said if one in own and other in own]
    agree = sum(a == b for a, b in both) / max(1, len(both))
    kappa = None
    if len({name for pair in both for name in pair}) > 1:
        kappa = float(cohen_kappa_score(*zip(*both, strict=True)))
    return {"reviewer": one, "other": other, "photos": len(both), "agree": agree, "kappa": kappa}


def _read(path: Path) -> list[Row]:
    rows = read_csv(path, COLUMNS[:3], f"make one with the line {','.join(COLUMNS)}")
    found = []
    for _, row in rows:
        whole = dict.fromkeys(COLUMNS, "") | {name: value or "" for name, value in row.items()}
        whole |= {name: whole[name].strip() for name in ("dataset", "correct_class", "reviewer", "date")}
        found.append(whole | {"file": whole["file"].replace("\\", "/")})
    return found


def _is_known(decision: Decision, rows: Sequence[Row]) -> bool:
    own = [row for row in rows if row["reviewer"] == decision.reviewer]
    if decision.date:
        same = (decision.correct_class, decision.date, decision.reason)
        return any((row["correct_class"], row["date"], row["reason"]) == same for row in own)
    return bool(own) and own[-1]["correct_class"] == decision.correct_class


def _is_later(one: str, other: str) -> bool:
    """Compare two dates; where one of them has no time, the days alone."""
    digits = min(len(one), len(other))
    return one[:digits] > other[:digits]


def _index(rows: Sequence[Row], later: Row | None) -> int:
    """Say where to put what comes before a row of these; at the end if it comes before none."""
    return len(rows) if later is None else next(at for at, row in enumerate(rows) if row is later)


def _classes_of_taxa(taxa: Taxonomy) -> dict[tuple[str, str], str]:
    """Give the class of a dataset for the scientific and the common name of its taxon, and for its level and name."""
    called: dict[tuple[str, str], str] = {}
    for (dataset, _), row in sorted(taxa.rows.items()):
        for level, name in row.lineage[:1]:
            for way in (name, f"{level} {name}", f"{level}:{name}", fold(taxa.common_names.get((level, name), name))):
                called.setdefault((dataset, way), row.label)
    return called
