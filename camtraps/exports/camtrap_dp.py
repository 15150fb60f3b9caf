"""A Camera Trap Data Package (Camtrap DP 1.0.2) of a catalog, and of what models say of its photos if wanted.

Each location is one deployment, from its first to its last photo. A photo's labels and boxes are observations of its
medium, labels of sequences those of an event; a photo that only its sequence says something of is unclassified.
"""

import hashlib
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from camtraps.errors import InputError, raise_all
from camtraps.exports import camtrap_dp_sql
from camtraps.exports.camtrap_dp_terms import (
    COLUMNS,
    HOME,
    Project,
    Said,
    Term,
    contributor,
    mediatype,
    taxonomic,
    term,
)
from camtraps.files import replacing, write_json
from camtraps.intake import Opened
from camtraps.schema import DETECTIONS, PREDICTIONS
from camtraps.storage import is_web
from camtraps.taxonomy import Lineage, Pair

LOCATION_COLUMNS = "dataset,location,latitude,longitude"
LEFT_OUT = "left_out.csv"
BATCH = 100_000  # photos that are copied at once


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a package is made from.

    ``locations`` has the columns dataset, location, latitude, longitude (degrees, WGS 84; an empty dataset stands for
    all of them) and came from ``locations_path``. ``roots`` are the datasets' image roots: those that are URIs become
    part of ``filePath``, which may not be an absolute path. ``predictions`` and ``detections`` are tables of `schema`,
    ``classifier`` names the model, ``names`` gives scientific names of its labels.
    """

    database: duckdb.DuckDBPyConnection
    """With the view ``photos``, as from `catalog.connect`."""
    locations: pd.DataFrame
    locations_path: Path = Path("data/<name>/locations.csv")
    roots: Mapping[str, str] = field(default_factory=dict)
    lineages: Mapping[Pair, Lineage] = field(default_factory=dict)
    predictions: pd.DataFrame | None = None
    detections: pd.DataFrame | None = None
    classifier: str = "classifier"
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """What a package holds; ``left_out`` counts the photos that could not be media, by reason."""

    num_deployments: int
    num_media: int
    num_observations: int
    left_out: dict[str, int]
    num_unmatched: int
    """Detections and predictions of photos that are no media."""


def export(source: Source, project: Project, out: Path) -> Summary:
    """Write a package, whole or not at all; an older package at ``out`` is replaced.

    Photos without a time or a location, or with a name that the standard forbids, are listed in ``left_out.csv``.

    Raises:
        InputError: locations have no coordinates or wrong ones, no photo can be a medium, or ``out`` is something else
            than a package.
    """
    _check_place(out)
    with Opened() as database, replacing(out) as part:
        _prepare(database, source, project.timezone)
        left_out = _left_out(database)
        _register_coordinates(database, source)
        part.mkdir()
        for name, sql in camtrap_dp_sql.TABLES.items():
            given, order = database.sql(sql).columns, camtrap_dp_sql.ORDER[name]
            columns = ", ".join(each if each in given else f'null as "{each}"' for each in COLUMNS[name])
            _copy(database, f"select {columns} from ({sql}) order by {order}", part / f"{name}.csv")
        if left_out:
            sql = "select dataset, file, reason from shots where reason is not null order by all"
            _copy(database, sql, part / LEFT_OUT)
        write_json(part / "datapackage.json", _document(database, source, project, part))
        counts = database.execute(camtrap_dp_sql.COUNTS).fetchall()[0]
    num_deployments, num_media, num_observations, num_unmatched = counts
    return Summary(num_deployments, num_media, num_observations, left_out, num_unmatched)


def _check_place(out: Path) -> None:
    if out.is_dir() and any(out.iterdir()) and not (out / "datapackage.json").is_file():
        raise InputError(f"{out}: is a folder with other things in it; name a new one")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; name a folder")


def _prepare(database: duckdb.DuckDBPyConnection, source: Source, timezone: str) -> None:
    """Make the tables that the statements read."""
    database.register("given", source.database.sql("from photos").to_arrow_reader(BATCH))
    database.execute("create table photos as from given")
    database.unregister("given")
    datasets = [name for (name,) in database.execute("select distinct dataset from photos order by 1").fetchall()]
    roots = {name: source.roots.get(name, "").rstrip("/") for name in datasets}
    prefixes = {name: f"{name}/" if len(datasets) > 1 else "" for name in datasets}
    homes = {
        "dataset": datasets,
        "prefix": list(prefixes.values()),
        "root": [f"{root}/" if "://" in root else prefixes[name] for name, root in roots.items()],
        "web": [is_web(root) for root in roots.values()],
    }
    types = {name: pa.bool_() if name == "web" else pa.string() for name in homes}
    database.register("homes", pa.table({name: pa.array(values, types[name]) for name, values in homes.items()}))
    for name, frame, table in (
        ("detections", source.detections, DETECTIONS),
        ("predictions", source.predictions, PREDICTIONS),
    ):
        # As Arrow, since an empty column of a data frame has no type.
        schema = pa.schema([each for each in table.schema if each.name in camtrap_dp_sql.MODEL_COLUMNS])
        empty = schema.empty_table()
        rows = empty if frame is None else pa.Table.from_pandas(frame[schema.names], schema, preserve_index=False)
        database.register(name, rows)
    database.execute(f"set variable timezone = '{timezone}'")
    database.execute("set variable classifier = ?", [source.classifier])
    database.execute(camtrap_dp_sql.SHOTS)
    _register_terms(database, source)
    _register_mediatypes(database)
    database.execute(camtrap_dp_sql.SAID)


def _register_terms(database: duckdb.DuckDBPyConnection, source: Source) -> None:
    rows = [Said(*row) for row in database.execute(camtrap_dp_sql.CLASSES).fetchall()]
    terms = [term(said, source.lineages) for said in rows]
    for (label,) in database.execute("select distinct prediction from predictions order by 1").fetchall():
        said = Said("", label, None)
        meant = term(said, {})
        rows.append(said)
        terms.append(Term(meant.type, source.names.get(label, meant.name) if meant.type == "animal" else None, None))
    columns = {name: [getattr(row, name) for row in rows] for name in Said._fields}
    columns = {"dataset": columns["dataset"], "class": columns["name"], "category": columns["category"]}
    columns |= {name: [getattr(row, name) for row in terms] for name in Term._fields}
    database.register("terms", pa.table({name: pa.array(each, pa.string()) for name, each in columns.items()}))


def _register_mediatypes(database: duckdb.DuckDBPyConnection) -> None:
    suffixes = [name for (name,) in database.execute("select distinct suffix from shots").fetchall()]
    types = [mediatype(f"photo.{name}") for name in suffixes]
    columns = {"suffix": pa.array(suffixes, pa.string()), "mediatype": pa.array(types, pa.string())}
    database.register("mediatypes", pa.table(columns))


def _left_out(database: duckdb.DuckDBPyConnection) -> dict[str, int]:
    sql = "select reason, count(*) from shots where reason is not null group by reason order by reason"
    left_out: dict[str, int] = dict(database.execute(sql).fetchall())
    if not database.execute("select count(*) from media").fetchall()[0][0]:
        counts = ", ".join(f"{reason} ({number:,})" for reason, number in left_out.items()) or "there is none"
        raise InputError(f"no photo can go into a Camtrap DP: {counts}")
    return left_out


def _register_coordinates(database: duckdb.DuckDBPyConnection, source: Source) -> None:
    """Give each location its place; raises what is missing or wrong, all at once."""
    used = database.execute("select distinct dataset, location from media order by all").fetchall()
    known = _coordinates(source)
    found = [known.get(pair) or known.get(("", pair[1])) for pair in used]
    missing = [f"{dataset} {location}" for (dataset, location), place in zip(used, found, strict=True) if not place]
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise InputError(
            f"{source.locations_path}: {len(missing):,} of {len(used):,} locations have no coordinates: {shown}; "
            f"add a row {LOCATION_COLUMNS} for each"
        )
    columns = {"dataset": [pair[0] for pair in used], "location": [pair[1] for pair in used]}
    places = [place or (0.0, 0.0) for place in found]
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    for at, name in enumerate(("latitude", "longitude")):
        table = table.append_column(name, pa.array([place[at] for place in places], pa.float64()))
    database.register("coordinates", table)


def _coordinates(source: Source) -> dict[tuple[str, str], tuple[float, float]]:
    known: dict[tuple[str, str], tuple[float, float]] = {}
    problems = []
    for dataset, location, *given in source.locations[LOCATION_COLUMNS.split(",")].itertuples(index=False):
        pair = ("" if pd.isna(dataset) else str(dataset), str(location))
        if any(pd.isna(value) or not str(value).strip() for value in given):
            continue  # as good as a row that is not there
        place, name = _place(given), " ".join(pair).strip()
        if place is None:
            problems.append(f"{name}: {given[0]}, {given[1]} are no latitude and longitude in degrees")
        elif known.setdefault(pair, place) != place:
            problems.append(f"{name} stands twice with different coordinates")
    raise_all(source.locations_path, problems)
    return known


def _place(given: list[Any]) -> tuple[float, float] | None:
    try:
        latitude, longitude = map(float, given)
    except ValueError:
        return None
    inside = math.isfinite(latitude + longitude) and abs(latitude) <= 90 and abs(longitude) <= 180
    return (latitude, longitude) if inside else None


def _copy(database: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    target = str(path).replace("'", "''")
    database.execute(f"copy ({sql}) to '{target}' (format csv, header true, delimiter ',')")


def _document(database: duckdb.DuckDBPyConnection, source: Source, project: Project, part: Path) -> dict[str, Any]:
    """Make datapackage.json, when the tables are written."""
    first, last, end, *bounds = database.execute(camtrap_dp_sql.EXTENT).fetchall()[0]
    names, levels = (
        [value for (value,) in database.execute(f"select distinct {column} from observed order by 1").fetchall()]
        for column in ("scientificName", "observationLevel")
    )
    return {
        "resources": [_resource(name) for name in COLUMNS],
        "profile": f"{HOME}/camtrap-dp-profile.json",
        "name": project.name,
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, _digest(part))),
        "created": project.created or end,
        "title": project.title,
        "contributors": [contributor(each) for each in project.contributors],
        "project": {
            "title": project.title,
            "samplingDesign": project.sampling_design,
            "captureMethod": list(dict.fromkeys(project.capture_method)),
            "individualAnimals": project.individual_animals,
            "observationLevel": sorted(levels, reverse=True) or ["media"],
        },
        "spatial": _spatial(*bounds),
        "temporal": {"start": first, "end": last},
        "taxonomic": taxonomic(filter(None, names), source.lineages),
    }


def _resource(name: str) -> dict[str, str]:
    fixed = {"profile": "tabular-data-resource", "format": "csv", "mediatype": "text/csv", "encoding": "utf-8"}
    return {"name": name, "path": f"{name}.csv", **fixed, "schema": f"{HOME}/{name}-table-schema.json"}


def _digest(folder: Path) -> str:
    state = hashlib.sha256()
    for name in COLUMNS:
        with (folder / f"{name}.csv").open("rb") as file:
            state.update(hashlib.file_digest(file, "sha256").digest())
    return state.hexdigest()


def _spatial(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """Give the extent of the locations as GeoJSON: a rectangle, or a point where it has no extent."""
    if (west, south) == (east, north):
        return {"type": "Point", "coordinates": [west, south]}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "bbox": [west, south, east, north], "coordinates": [ring]}
