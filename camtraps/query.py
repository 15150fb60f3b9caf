"""Choose the photos of a label specification from a catalog."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pandas as pd
import pyarrow as pa

from camtraps import failures
from camtraps.catalog import pairs
from camtraps.errors import InputError
from camtraps.labels import Selection
from camtraps.params import check_range
from camtraps.schema import BOXES, QUERIED
from camtraps.taxonomy import Pair, fold


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryParams:
    """Section ``query`` of params.yaml."""

    seed: int
    """Orders the photos of a label, so it decides which stay under a cap (max_count)."""
    max_failed: float
    """Share of photos that may fail, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, max_failed=(0.0, 1.0))


@dataclass(frozen=True)
class Chosen:
    """The photos chosen, their human boxes, and those that carry an asked class but were left out (with a reason).

    Photos without any asked class are only counted: ``num_photos`` is the number in the catalog. ``idle`` names the
    photos of corrections that the catalog does not have.
    """

    photos: pa.Table
    boxes: pa.Table
    left_out: pd.DataFrame
    num_photos: int
    labels: tuple[str, ...]
    idle: list[str]

    def warnings(self) -> list[str]:
        """Say what a person should look at: labels without photos, corrections without effect."""
        empty = [label for label in self.labels if label not in self.photos_by_label()]
        lines = (
            [
                f"no photo of label {', '.join(empty)} in the catalog: compare the names of datasets and labels in "
                "taxonomy.csv and label_spec.json with those of the catalog"
            ]
            if empty
            else []
        )
        if self.idle:
            lines.append(f"corrections.csv: {len(self.idle)} of no photo in the catalog, first {self.idle[0]}")
        return lines

    def failure_rows(self) -> pd.DataFrame:
        """Give the rows of the failures table."""
        kinds = self.left_out.groupby("kind")
        parts = [
            failures.rows(
                "query",
                kind,
                ((image, None, reason) for image, reason in zip(rows["image"], rows["reason"], strict=True)),
            )
            for kind, rows in kinds
        ]
        return failures.concat(failures.rows("query", "skipped", []), *parts)

    def counts(self) -> failures.Counts:
        """Count the photos of the catalog by what became of them."""
        out, failed = self.photos.num_rows, int((self.left_out["kind"] == "failed").sum())
        skipped = self.num_photos - out - failed
        return failures.Counts(unit="photos", rows_in=self.num_photos, rows_out=out, skipped=skipped, failed=failed)

    def photos_by_label(self) -> dict[str, int]:
        """Count the chosen photos of each label, commonest first."""
        return {str(label): int(number) for label, number in self.photos["label"].to_pandas().value_counts().items()}


# A person's decision replaces all labels of the photo. Else the labels of the image itself win over those of its
# sequence. Exactly one of them must be asked for: the class rule of CameraTraps.
_NAMED = """
create temp table named as
with judged as (
    select image, photos.dataset,
        case when fixes.file is not null then [{'class': correct_class, 'level': 'correction'}]
             when len(list_filter(labels, lambda l: l.level = 'image')) > 0
             then list_filter(labels, lambda l: l.level = 'image')
             else labels end as labels
    from photos left join fixes on photos.dataset = fixes.dataset and photos.file = fixes.file
), one as (select image, dataset, unnest(labels) as named_as from judged)
select image, named_as.class as class, named_as.level as level, asked.label, asked.why
from one join asked on lower(trim(one.dataset)) = asked.dataset and lower(trim(named_as.class)) = asked.class
    and (asked.level is null or asked.level = named_as.level)
"""

_CANDIDATES = """
create temp table candidates as
with single as (
    select image, count(distinct lower(trim(class))) as num, min(class) as class, min(level) as level,
        min(label) as label, min(why) as why, string_agg(distinct class, ', ' order by class) as classes
    from named group by image
)
select single.*, photos.dataset, photos.file, fixes.file is not null as corrected,
    case when num > 1 then 'several asked classes: ' || classes
         when regexp_extract(lower(photos.file), '\\.([a-z0-9]+)$', 1)
              not in ('jpg', 'jpeg', 'png', 'tif', 'tiff', 'bmp', 'gif', 'webp', 'avif') then 'not an image file'
         when corrupt then 'marked corrupt in its source'
         end as problem,
    md5_number_lower($seed || ':' || image) as draw
from single join photos using (image)
left join fixes on photos.dataset = fixes.dataset and photos.file = fixes.file
"""

_RANKED = """
create temp table ranked as
select image, max_count, row_number() over (
    partition by label order by coalesce(priority.rank, 1000000), draw, image) as place
from candidates join caps using (label)
left join priority on candidates.label = priority.label and lower(trim(candidates.dataset)) = priority.dataset
where problem is null
"""

_CHOSEN = """
select photos.image, photos.dataset, photos.file, location, sequence, frame, datetime, width, height,
    class, label, why, level, boxes is not null as has_truth_boxes
from ranked join candidates using (image) join photos using (image)
where max_count is null or place <= max_count order by photos.image
"""

# A box keeps the class that its annotation named, unless a person has since decided about the photo.
_BOXES = """
select image, cast(number - 1 as integer) as box, boxes[number].category as category,
    case when corrected then null else boxes[number].class end as class,
    boxes[number].x as x, boxes[number].y as y, boxes[number].w as w, boxes[number].h as h
from (
    select image, corrected, boxes, unnest(generate_series(1, len(boxes))) as number
    from ranked join candidates using (image) join photos using (image)
    where boxes is not null and (max_count is null or place <= max_count)
) order by image, box
"""

_LEFT_OUT = """
select image, case when problem = 'marked corrupt in its source' then 'failed' else 'skipped' end as kind,
    coalesce(problem, 'over the cap of ' || max_count || ' photos (max_count)') as reason
from candidates left join ranked using (image)
where problem is not null or place > max_count
union all
select photos.image, 'skipped', 'its label is known to be wrong, the right one unknown'
from photos join fixes using (dataset, file) where correct_class = ''
union all
select photos.image, 'skipped', 'corrected to a class that is not asked for: ' || correct_class
from photos join fixes using (dataset, file)
where correct_class <> '' and image not in (select image from candidates)
order by image
"""

_IDLE = "select dataset || '/' || file from fixes anti join photos using (dataset, file) order by all"


def choose(database: duckdb.DuckDBPyConnection, selection: Selection, corrections: pd.DataFrame, seed: int) -> Chosen:
    """Pick the photos of a label specification.

    Under a cap, datasets of an earlier ``prioritize`` group come first; within a group the order is a hash of
    (seed, image). So the same catalog gives the same photos in every process, and a higher cap keeps earlier picks.

    Args:
        database: the catalog, from `catalog.connect`.
        selection: the resolved specification.
        corrections: rows (dataset, file, correct_class), one a photo; the class is one of the dataset's or a label of
            the specification; an empty one takes the photo out.
        seed: any whole number.

    Raises:
        InputError: no photo is left.
    """
    _register(database, "asked", ["dataset", "class", "label", "why", "level"], _asked(selection, pairs(database)))
    caps = pa.table(
        {
            "label": [rule.label for rule in selection.rules],
            "max_count": pa.array([rule.max_count for rule in selection.rules], pa.int64()),
        }
    )
    database.register("caps", caps)
    ranks = [
        (rule.label, dataset, str(rank))
        for rule in selection.rules
        for rank, group in enumerate(rule.prioritize)
        for dataset in group
    ]
    _register(database, "ranks", ["label", "dataset", "rank"], ranks)
    database.execute(
        "create temp table priority as select label, dataset, min(rank::int) as rank from ranks group by all"
    )
    _register(database, "fixes", ["dataset", "file", "correct_class"], corrections.to_numpy().tolist())
    database.execute(_NAMED)
    database.execute(_CANDIDATES, {"seed": str(seed)})
    database.execute(_RANKED)
    chosen = Chosen(
        photos=_arrow(database, _CHOSEN, QUERIED.schema),
        boxes=_arrow(database, _BOXES, BOXES.schema),
        left_out=database.sql(_LEFT_OUT).to_arrow_table().to_pandas().drop_duplicates("image"),
        num_photos=int(database.execute("select count(*) from photos").fetchall()[0][0]),
        labels=tuple(rule.label for rule in selection.rules),
        idle=[name for (name,) in database.execute(_IDLE).fetchall()],
    )
    if not chosen.photos.num_rows:
        names = ", ".join(sorted({name for _, name in pairs(database)})[:20])
        raise InputError(
            f"the label specification chooses none of {chosen.num_photos} photos; the catalog has: {names}"
        )
    return chosen


def _asked(selection: Selection, known: set[Pair]) -> list[tuple[str, str, str, str, str | None]]:
    """Give (dataset, class, label, why, level); level None is any, and in corrections a label may stand for a class."""
    asked: list[tuple[str, str, str, str, str | None]] = [
        (*pair, *chosen, None) for pair, chosen in sorted(selection.pairs.items())
    ]
    taken = known | set(selection.pairs)
    for dataset in sorted({dataset for dataset, _ in taken}):
        for rule in selection.rules:
            if (dataset, fold(rule.label)) not in taken:
                asked.append((dataset, fold(rule.label), rule.label, "label in a correction", "correction"))
    return asked


def _register(
    database: duckdb.DuckDBPyConnection, name: str, columns: list[str], rows: Sequence[Sequence[str | None]]
) -> None:
    arrays = [pa.array([row[at] for row in rows], pa.string()) for at in range(len(columns))]
    database.register(name, pa.Table.from_arrays(arrays, names=columns))


def _arrow(database: duckdb.DuckDBPyConnection, sql: str, schema: pa.Schema) -> pa.Table:
    return database.sql(sql).to_arrow_table().cast(schema)
