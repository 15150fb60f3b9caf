"""Choose the photos of a label specification from a catalog."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from camtraps import existence, failures, query_rules, tables
from camtraps.catalog import spelled
from camtraps.errors import InputError
from camtraps.hits import Hits, columns
from camtraps.labels import Selection
from camtraps.query_params import QueryParams as QueryParams
from camtraps.query_params import datasets, within
from camtraps.sampling import Cap, draw
from camtraps.schema import BOXES, FAILURES, QUERIED
from camtraps.storage import Images
from camtraps.taxonomy import fold, fold_dataset


@dataclass(frozen=True)
class Chosen:
    """The photos chosen, in an open database, and what became of all others.

    ``left_out`` are the photos of an asked class that a rule left out one by one (image, kind, reason);
    ``by_dataset`` counts the photos of each label and dataset before and after the caps, as `count` does; ``datasets``
    counts those of each dataset, a photo of several labels once; ``num_unlisted`` counts by reason those that were left
    out as a crowd. ``idle`` names photos of corrections that the catalog does not have, ``num_unsure`` counts photos
    of which could not be told whether they are there.
    """

    database: duckdb.DuckDBPyConnection
    left_out: pd.DataFrame
    by_dataset: pd.DataFrame
    datasets: pd.DataFrame
    num_photos: int
    num_chosen: int
    num_unlisted: Mapping[str, int]
    labels: tuple[str, ...]
    idle: list[str]
    num_unsure: int

    def write(self, folder: Path) -> None:
        """Write ``queried.parquet`` and ``boxes.parquet``."""
        for table, (source, column, wanted) in query_rules.ENUMS.items():
            names = self.database.execute(f"select distinct {column} from {source} order by all").fetchall()
            quoted = ", ".join("'" + name.replace("'", "''") + "'" for (name,) in names)
            wanted = wanted.format(**{column: f"cast({column} as enum({quoted}))"})
            self.database.execute(f"create or replace temp table {table} as select {wanted} from {source}")
        tables.write_query(self.database, query_rules.PHOTOS, folder / "queried.parquet", QUERIED)
        tables.write_query(self.database, query_rules.BOXES, folder / "boxes.parquet", BOXES)

    def count(self, *by: str) -> pd.DataFrame:
        """Count photos before and after the caps.

        Args:
            by: columns to count by beside the label: dataset, location, class, why, level.

        Returns:
            label, the columns asked for, before, after; labels in the order of the specification. A photo of several
            labels counts for each of them, with the class and the reason that led to that label; of several classes
            that did, with the first in the alphabet.
        """
        return _count(self.database, *by)

    def label_index(self) -> dict[str, str]:
        """Number the labels that have photos in alphabetical order, ``{"0": name}``, as the classifier will."""
        labels = sorted(set(self.by_dataset.query("after > 0")["label"]))
        return {str(at): label for at, label in enumerate(labels)}

    def details(self) -> dict[str, Any]:
        """Count the photos by label and by dataset, before and after the caps."""
        return {
            f"photos_by_{name}": {
                str(key): {"before": int(row["before"]), "after": int(row["after"])}
                for key, row in rows.groupby(name, sort=name == "dataset")[["before", "after"]].sum().iterrows()
            }
            for name, rows in (("label", self.by_dataset), ("dataset", self.datasets))
        }

    def warnings(self) -> list[str]:
        """Say what a person should look at: labels without photos, corrections without effect."""
        found = set(self.label_index().values())
        lines = []
        if empty := [label for label in self.labels if label not in found]:
            lines.append(f"no photo of label {', '.join(empty)} is chosen; `camtraps labels explain` says why")
        if self.idle:
            lines.append(f"corrections.csv: {len(self.idle)} of no photo in the catalog, first {self.idle[0]}")
        known = {fold(name) for _, name in spelled(self.database)}
        reasons = self.left_out["reason"][self.left_out["reason"].str.startswith(query_rules.NOT_ASKED)]
        named = sorted({reason.removeprefix(query_rules.NOT_ASKED) for reason in reasons})
        if odd := [name for name in named if fold(name) not in known]:
            lines.append(f"corrections.csv: no class of the catalog: {', '.join(odd[:8])}; such photos are left out")
        if self.num_unsure:
            lines.append(f"{self.num_unsure} photos could not be looked for and stay: no permission or no answer")
        return lines

    def failure_rows(self) -> pd.DataFrame:
        """Give the rows of the failures table."""
        columns = list(FAILURES.schema.names)
        return self.left_out.assign(box=pd.array([None] * len(self.left_out), "Int32"), stage="query")[columns]

    def counts(self) -> failures.Counts:
        """Count the photos of the catalog by what became of them."""
        failed = int((self.left_out["kind"] == "failed").sum())
        skipped = self.num_photos - self.num_chosen - failed
        return failures.Counts(
            unit="photos", rows_in=self.num_photos, rows_out=self.num_chosen, skipped=skipped, failed=failed
        )


_COUNTED = {
    "dataset": "dataset_at.dataset",
    "location": "placed.location",
    "class": "classes.class",
    "why": "hit_labels.why",
    "level": "candidates.level",
}


def choose(
    database: duckdb.DuckDBPyConnection,
    selection: Selection,
    corrections: pd.DataFrame,
    params: QueryParams,
    images: Images | None = None,
) -> Chosen:
    """Pick the photos of a label specification.

    The class rule is that of CameraTraps: labels of the image itself win over those of its sequence, and exactly one of
    them must be asked for (with ``allow_multilabel``, at least one). A person's decision replaces all of them. Under a
    cap, datasets of an earlier ``prioritize`` group come first; within a group the order is a hash of (seed, image).
    So the same catalog gives the same photos in every process, and a higher cap keeps earlier picks.

    Args:
        database: the catalog, from `catalog.connect`.
        selection: the resolved specification.
        corrections: rows (dataset, file, correct_class), one a photo; the class is one of the dataset's or a label of
            the specification; an empty one takes the photo out.
        params: the rest.
        images: where the photos lie, for ``check_photos``; None looks for no photo.

    Raises:
        InputError: no photo is left, or a dataset or location that is asked for does not exist.
    """
    _find(database, selection, corrections, params)
    num_unsure = _leave_out_absent(database, images) if params.check_photos and images is not None else 0
    return _sample(database, selection, params, num_unsure)


def _find(
    database: duckdb.DuckDBPyConnection, selection: Selection, corrections: pd.DataFrame, params: QueryParams
) -> None:
    """Make the table ``candidates`` of the photos of an asked class."""
    names = spelled(database)
    hits = Hits(selection, names)
    fixes = [
        (dataset, file, name, *hits.of_correction(dataset, name))
        for dataset, file, name in corrections[["dataset", "file", "correct_class"]].to_numpy().tolist()
    ]
    text, whole = pa.string(), pa.int32()
    database.register("fixes", columns(fixes, dataset=text, file=text, correct_class=text, said=whole, hit=whole))
    hits.register(database)
    condition = within(database, params)
    for sql in (query_rules.FIXED, query_rules.NAMED):
        database.execute(sql.format(within=condition), {"seed": str(params.seed)})
    database.execute(query_rules.SEVERAL)
    database.execute(query_rules.CANDIDATES, {"multilabel": params.allow_multilabel})


def _sample(database: duckdb.DuckDBPyConnection, selection: Selection, params: QueryParams, num_unsure: int) -> Chosen:
    """Choose from ``candidates``, by the caps of each label."""
    database.execute(query_rules.CARRIED_SEVERAL if params.allow_multilabel else query_rules.CARRIED)
    num_few = _leave_out_few(database, params.min_locations)
    carried = database.execute("select id, label_at, draw from carried").fetchnumpy()
    ids, label_at, draws = (np.asarray(carried[name]) for name in ("id", "label_at", "draw"))
    known = datasets(database)
    caps = [Cap(rule.max_count, _ranks(rule.prioritize, known)) for rule in selection.rules]
    chosen = draw(ids.astype(np.int64), label_at, draws.astype(np.uint64), caps)
    database.register("chosen_ids", pa.table({"id": chosen}))
    database.execute("create or replace temp table chosen as select id from chosen_ids")
    database.execute(query_rules.LABELS, {"multilabel": params.allow_multilabel})
    database.execute(query_rules.PICKED_SEVERAL if params.allow_multilabel else query_rules.PICKED)
    kept = "carried semi join chosen using (id)" if params.allow_multilabel else "picked"
    database.execute(f"create or replace temp view kept as from {kept}")
    num_photos = database.execute("select count(*) from photos").fetchall()[0][0]
    left_out = database.sql(query_rules.LEFT_OUT).to_arrow_table().to_pandas().drop_duplicates("image")
    num_outside = database.execute("select num from outside").fetchall()[0][0]
    num_left = database.execute("select count(*) from candidates where problem is null").fetchall()[0][0]
    crowds = {
        query_rules.OUTSIDE: num_outside,
        query_rules.FEW_LOCATIONS: num_few,
        query_rules.OVER_CAP: num_left - num_few - len(chosen),
    }
    if not len(chosen):
        _refuse(num_photos, Counter(left_out["reason"]) + Counter(crowds), {name for _, name in spelled(database)})
    by_dataset = _count(database, "dataset")
    return Chosen(
        database=database,
        left_out=left_out,
        by_dataset=by_dataset,
        datasets=database.sql(query_rules.ONCE).to_arrow_table().to_pandas() if params.allow_multilabel else by_dataset,
        num_photos=num_photos,
        num_chosen=len(chosen),
        num_unlisted={reason: number for reason, number in crowds.items() if number},
        labels=tuple(rule.label for rule in selection.rules),
        idle=[name for (name,) in database.execute(query_rules.IDLE).fetchall()],
        num_unsure=num_unsure,
    )


def _refuse(num_photos: int, left_out: Counter[str], names: Iterable[str]) -> NoReturn:
    """Say that no photo is chosen, with the reasons that left out the most and what the catalog has."""
    reasons = "".join(f"{number} left out: {reason}; " for reason, number in left_out.most_common(3))
    raise InputError(
        f"the label specification chooses none of {num_photos} photos; {reasons}"
        f"the catalog has: {', '.join(sorted(names)[:20])}"
    )


def _count(database: duckdb.DuckDBPyConnection, *by: str) -> pd.DataFrame:
    columns = ", ".join(["names.label", *(_COUNTED[name] for name in by)])
    joins = {
        "join candidates using (id)": {"level"},
        "join classes on classes.said = carried.said": {"class"},
        "join hit_labels on hit_labels.hit = carried.hit and hit_labels.label_at = carried.label_at": {"why"},
        "join placed using (id)": {"location"},
        "join dataset_at on dataset_at.number = carried.id >> 32": {"dataset"},
    }
    joined = " ".join(join for join, needed in joins.items() if needed & set(by))
    counted = (
        f"select names.label_at, {columns}, {{}} from {{}} as carried join names using (label_at) {joined} group by all"
    )
    named = ", ".join(("label", *(f'"{name}"' for name in by)))
    sql = f"""select {named}, cast(sum(before) as bigint) as before, cast(sum(after) as bigint) as after from (
                  {counted.format("count(*) as before, 0 as after", "carried")}
                  union all {counted.format("0 as before, count(*) as after", "kept")}
              ) group by label_at, {named} order by label_at, {named}"""
    return database.sql(sql).to_arrow_table().to_pandas()


def _leave_out_few(database: duckdb.DuckDBPyConnection, min_locations: int) -> int:
    if not min_locations:
        return 0
    count = "select count(distinct id) from carried"
    num_before = database.execute(count).fetchall()[0][0]
    database.execute(
        """delete from carried where label_at not in (
               select label_at from carried join placed using (id) where location is not null
               group by label_at having count(distinct (dataset, location)) >= ?)""",
        [min_locations],
    )
    return int(num_before - database.execute(count).fetchall()[0][0])


def _leave_out_absent(database: duckdb.DuckDBPyConnection, images: Images) -> int:
    """Mark the candidates that are certainly not where they should be; give the number that could not be told."""
    sql = "select id, dataset, file from candidates join placed using (id) where problem is null order by id"
    photos = database.execute(sql).fetchall()
    found = existence.check([images.uri(dataset, file) for _, dataset, file in photos])
    absent = [number for (number, _, _), there in zip(photos, found, strict=True) if there is False]
    database.register("absent", pa.table({"id": pa.array(absent, pa.int64())}))
    database.execute(f"update candidates set problem = '{query_rules.ABSENT}' where id in (select id from absent)")
    return sum(there is None for there in found)


def _ranks(prioritize: Sequence[Sequence[str]], known: Sequence[str]) -> npt.NDArray[np.int64]:
    """Rank the datasets of a catalog for one label, the first group of ``prioritize`` first."""
    ranks = {name: rank for rank, group in reversed(list(enumerate(prioritize))) for name in group}
    return np.array([ranks.get(fold_dataset(name), len(prioritize)) for name in known], np.int64)
