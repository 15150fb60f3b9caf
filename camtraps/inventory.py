"""The inventory: what a catalog holds by dataset, class and location, and photos of it to look at.

A photo's classes are those that the query stage sees: its own labels, or those of its sequence where it has none of its
own. Classes that differ only by case or outer blanks are one, as `taxonomy.fold` says, written as the first of their
spellings in the alphabet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq

from camtraps import catalog, tables, taxonomy
from camtraps.collections import LOCATION_COLUMNS
from camtraps.errors import InputError, MissingError
from camtraps.files import read_csv
from camtraps.parts import Part
from camtraps.schema import RECORDED
from camtraps.storage import Images
from camtraps.taxonomy import Lineage, Pair, fold

CATEGORIES = ("animal", "person", "vehicle", "group")


@dataclass(frozen=True)
class Summary:
    """Counts of each dataset, one row each, and of all together; see `summary` for the columns."""

    datasets: pd.DataFrame
    total: dict[str, Any]


_DATES = "strftime(min(datetime), '%Y-%m-%d') as first, strftime(max(datetime), '%Y-%m-%d') as last"

_SUMMARY = f"""
with judged as (select *, len([l for l in labels if l.level = 'image']) as own from photos)
select dataset, count(*) as photos,
    count(*) filter (own > 0) as image_level, count(*) filter (own = 0 and len(labels) > 0) as sequence_level,
    count(*) filter (len(labels) = 0) as unlabelled,
    count(*) filter (len(boxes) > 0) as boxed, count(*) filter (len(boxes) = 0) as confirmed_empty,
    count(distinct location) as locations, count(*) - count(location) as unlocated,
    count(distinct sequence) as sequences, count(*) - count(datetime) as untimed,
    {_DATES}, count(*) filter (corrupt) as corrupt
from judged group by dataset order by dataset
"""
_BOXES_OF = """select dataset, b.category as category, count(*) as num
               from (select dataset, unnest(boxes) as b from photos) group by all"""
_FORMATS_OF = r"""
with each as (
    select dataset, coalesce(nullif(regexp_extract(lower(file), '\.([a-z0-9]+)$', 1), ''), 'none') as format,
        count(*) as num
    from photos group by all
)
select dataset, string_agg(format || ' ' || num, ', ' order by num desc, format) as formats from each group by all
"""


def summary(database: duckdb.DuckDBPyConnection) -> Summary:
    """Count what each dataset holds.

    Returns:
        Datasets by name, with photos = image_level + sequence_level (where their classes come from) + unlabelled;
        ``boxed`` photos, ``confirmed_empty`` ones (a person looked, nothing to box; of all others nobody has said);
        ``boxes_animal`` and so on, for each category; ``unlocated`` and ``untimed`` photos; first and last date;
        classes; formats (extensions with their photos). In the total a class of two datasets counts once, and formats
        are left out.
    """
    counts, boxes = (_frame(database, sql) for sql in (_SUMMARY, _BOXES_OF))
    folded = {(dataset, fold(name)) for dataset, name in catalog.spelled(database)}
    classes = pd.DataFrame(sorted(folded), columns=["dataset", "class"])
    formats = _frame(database, _FORMATS_OF).set_index("dataset")["formats"]
    counts["classes"] = _of(counts["dataset"], classes.groupby("dataset").size())
    for category in (*CATEGORIES, *sorted(set(boxes["category"]) - set(CATEGORIES))):
        own = boxes[boxes["category"] == category].set_index("dataset")["num"]
        counts[f"boxes_{category}"] = _of(counts["dataset"], own)
    total = {name: int(value) for name, value in counts.select_dtypes("number").sum().items()}
    total["classes"] = classes["class"].nunique()
    total |= {"first": counts["first"].dropna().min(), "last": counts["last"].dropna().max()}
    return Summary(counts.assign(formats=counts["dataset"].map(formats)), total)


def _of(datasets: pd.Series, numbers: pd.Series) -> pd.Series:
    return datasets.map(numbers).fillna(0).astype("int64")


_BOXED_CLASSES = """select distinct b.class from (select unnest(boxes) as b from photos) where b.class is not null"""

# How a class is written; see `_values`.
_FIRST = "coalesce(map($spellings::text[], $firsts::text[])[{0}], {0})"

# One row a photo: `own` says that its labels are those of the image itself, `classes` are the ones that count.
_JUDGED = f"""
judged as (
    select *, len([l for l in labels if l.level = 'image']) > 0 as own,
        list_distinct([{_FIRST.format("l.class")} for l in labels if not own or l.level = 'image']) as classes
    from photos where ($dataset::text is null or dataset = $dataset)
), wanted as (
    select * from judged where ($label::text is null or list_contains(classes, $label))
)"""

# One row a class and location.
_CELLS = """
cells as (
    select class, dataset, location, count(*) as photos, count(*) filter (own) as image_level, min(datetime) as start,
        max(datetime) as until
    from (select dataset, location, datetime, own, unnest(classes) as class from wanted) group by all
)"""

_LABELS = f"""
with {_JUDGED}, {_CELLS}, boxed as (
    select {_FIRST.format("b.class")} as class, dataset, count(*) as boxes
    from (select dataset, unnest(boxes) as b from photos) where b.class is not null group by all
), counted as (
    select class, dataset, sum(photos) as photos, sum(image_level) as image_level, count(location) as locations,
        min(start) as start, max(until) as until
    from cells group by all
)
select class, {{dataset}} sum(photos)::bigint as photos, sum(image_level)::bigint as image_level,
    sum(photos - image_level)::bigint as sequence_level, coalesce(sum(boxes), 0)::bigint as boxes,
    sum(locations)::bigint as locations, {{datasets}}
    strftime(min(start), '%Y-%m-%d') as first, strftime(max(until), '%Y-%m-%d') as last
from counted left join boxed using (class, dataset)
group by all order by photos desc, class, {{order}}
"""


def labels(database: duckdb.DuckDBPyConnection, part: Part, by_dataset: bool = False) -> pd.DataFrame:
    """Count the photos of each class, commonest first.

    Args:
        database: the catalog.
        part: from `parts.resolve`; only its dataset is looked at.
        by_dataset: one row a class and dataset instead of one a class.

    Returns:
        class, [dataset], photos = image_level + sequence_level (where the photo has it from), boxes that name the
        class, locations, [datasets], first and last date. A photo of two classes counts for both.
    """
    columns = {"dataset": "", "datasets": "count(*) as datasets,", "order": "first"}
    if by_dataset:
        columns = {"dataset": "dataset,", "datasets": "", "order": "dataset"}
    return _frame(database, _LABELS.format(**columns), _values(database, replace(part, label=None)))


def taxa(
    database: duckdb.DuckDBPyConnection, part: Part, counts: pd.DataFrame, lineages: Mapping[Pair, Lineage]
) -> pd.Series:
    """Name the taxon that the taxonomy gives to the class of each row of `labels`, which was asked for the same part.

    Returns:
        The scientific name of a species, ``level name`` of another taxon, ``none`` where the taxonomy has the class
        without a taxon (``empty``), ``not in taxonomy`` where it has not; several, where datasets differ.
    """
    found: dict[str | Pair, set[str]] = {}
    for dataset, spelled in catalog.spelled(database):
        if part.dataset in (None, dataset):
            name = fold(spelled)
            taxon = _taxon(lineages.get((taxonomy.fold_dataset(dataset), name)))
            found.setdefault(name, set()).add(taxon)
            found.setdefault((dataset, name), set()).add(taxon)
    names = [fold(spelled) for spelled in counts["class"]]
    keys = zip(counts["dataset"], names, strict=True) if "dataset" in counts else names
    return pd.Series(["; ".join(sorted(found[key])) for key in keys], index=counts.index, dtype="str")


def _taxon(lineage: Lineage | None) -> str:
    if lineage is None:
        return "not in taxonomy"
    level, name = lineage[0] if lineage else ("species", "none")
    return name if level == "species" else f"{level} {name}"


_PLACES = f"""
with {_JUDGED}, {_CELLS}, places as (
    select dataset, location, count(*) as photos, count(distinct sequence) as sequences, {_DATES}
    from wanted group by all
), found as (
    select dataset, location, count(*) as classes, first(class order by photos desc, class) as commonest
    from cells group by all
), everything as (select dataset, location, count(*) as of_photos from judged group by all)
select places.location, places.dataset, places.photos, {{columns}} first, last
from places join everything on everything.dataset = places.dataset
    and everything.location is not distinct from places.location
left join found on found.dataset = places.dataset and found.location is not distinct from places.location
order by places.photos desc, places.dataset, places.location
"""


def locations(
    database: duckdb.DuckDBPyConnection, part: Part, coordinates: Mapping[Pair, tuple[str, str]] | None = None
) -> pd.DataFrame:
    """Count the photos of each location, the one with most first; an empty location stands for photos without one.

    Args:
        database: the catalog.
        part: from `parts.resolve`; its dataset, and its class if only photos of that are to be counted.
        coordinates: from `read_coordinates`.

    Returns:
        location, dataset, photos, sequences, classes and the commonest one (of a part with a class: ``of_photos``,
        all photos of the location, instead), first and last date, [latitude, longitude].
    """
    columns = "of_photos, sequences," if part.label else "sequences, coalesce(classes, 0) as classes, commonest,"
    found = _frame(database, _PLACES.format(columns=columns), _values(database, part))
    if coordinates is None:
        return found
    degrees = [coordinates.get(key, (None, None)) for key in zip(found["dataset"], found["location"], strict=True)]
    return found.assign(latitude=[each[0] for each in degrees], longitude=[each[1] for each in degrees])


def read_coordinates(path: Path) -> dict[Pair, tuple[str, str]]:
    """Read the latitude and longitude of (dataset, location), as text; errors as in `files.read_csv`."""
    rows = read_csv(path, LOCATION_COLUMNS, "import a format that has coordinates")
    return {(row["dataset"], row["location"]): (row["latitude"], row["longitude"]) for _, row in rows}


_SAMPLE = f"""
with {_JUDGED}
select image, dataset, file, array_to_string(list_sort(list_distinct(
        [l.class for l in labels if not own or l.level = 'image'])), ', ') as class, datetime
from wanted where $location::text is null or location = $location
order by md5_number_lower($seed || ':' || image), image limit $num
"""


def sample(database: duckdb.DuckDBPyConnection, part: Part, num: int, seed: int = 0) -> pd.DataFrame:
    """Draw photos of a part by a hash of seed and image: a larger sample of the same seed begins with the smaller one.

    Returns:
        image, dataset, file, class (several with commas), datetime; fewer than ``num`` where the part has fewer.

    Raises:
        InputError: the part has no photo.
    """
    values = {"location": part.location, "seed": str(seed), "num": num}
    photos = _frame(database, _SAMPLE, _values(database, part) | values)
    if photos.empty:
        raise InputError(f"no photo of {part}")
    return photos


def uris(photos: pd.DataFrame, images: Images) -> list[str]:
    """Give the path or URI of photos, from `collections.read_images`.

    Raises:
        InputError: a file name leads out of its folder.
        MissingError: the image folder of a dataset is not known.
    """
    unknown = sorted(set(photos["dataset"]) - set(images.roots))
    if unknown:
        raise MissingError(f"datasets.csv has no image folder of {', '.join(unknown)}; import the dataset again")
    return [images.uri(dataset, file) for dataset, file in zip(photos["dataset"], photos["file"], strict=True)]


def recorded(collection: Path) -> list[str]:
    """Say which recorded detections a collection has, a line a version.

    Raises:
        TableError: a file of them is no such table.
    """
    found: dict[str, list[str]] = {}
    for path in sorted((collection / "detections").glob("*/*.parquet")):
        tables.check_schema(path, RECORDED)
        found.setdefault(path.parent.name, []).append(f"{path.stem} {pq.read_metadata(path).num_rows:,}")
    return [f"{version}: photos of {', '.join(datasets)}" for version, datasets in found.items()]


def _values(database: duckdb.DuckDBPyConnection, part: Part) -> dict[str, Any]:
    """Give what `_JUDGED` has to know of a part.

    ``spellings`` are those of labels and boxes that are to be written in another way, ``firsts`` that way. SQL could
    not tell them, because it folds fewer letters and blanks than Python.
    """
    labels = sorted(name for dataset, name in catalog.spelled(database) if part.dataset in (None, dataset))
    boxes = sorted(name for (name,) in database.execute(_BOXED_CLASSES).fetchall())
    first: dict[str, str] = {}
    for name in (*labels, *boxes):
        first.setdefault(fold(name), name)
    others = {name: first[fold(name)] for name in (*labels, *boxes) if first[fold(name)] != name}
    label = None if part.label is None else first.get(part.label, part.label)
    spellings = {"spellings": list(others), "firsts": list(others.values())}
    return {"dataset": part.dataset, "label": label, **spellings}


def _frame(database: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any] | None = None) -> pd.DataFrame:
    return database.execute(sql, values).fetch_df()
