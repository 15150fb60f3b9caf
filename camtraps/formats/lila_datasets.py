"""LILA's table of datasets: where the files of each dataset lie on three clouds, and in which countries it was made.

Format: ``lila_camera_trap_datasets.csv`` of lila.science.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from camtraps import taxonomy
from camtraps.errors import MAX_SHOWN, InputError, raise_all
from camtraps.files import read_csv

Cloud = Literal["gcp", "aws", "azure"]
Results = Literal["mdv4", "mdv5a", "mdv5b", "rde"]

BASES: dict[str, str] = {
    "gcp": "https://storage.googleapis.com/public-datasets-lila",
    "aws": "http://us-west-2.opendata.source.coop.s3.amazonaws.com/agentmorris/lila-wildlife",
    "azure": "https://lilawildlife.blob.core.windows.net/lila-wildlife",
}
REMEDY = "get lila_camera_trap_datasets.csv from lila.science"
_RESULTS: dict[str, str] = {
    "mdv4": "mdv4_results_raw",
    "mdv5a": "mdv5a_results_raw",
    "mdv5b": "mdv5b_results_raw",
    "rde": "md_results_with_rde",
}


@dataclass(frozen=True)
class Dataset:
    """A row of the table of datasets; ``values`` are its cells by column, those with nothing in them left out."""

    name: str
    values: Mapping[str, str]

    @property
    def countries(self) -> set[str]:
        """The countries of its cameras, folded: the cell as a whole and its parts."""
        cell = self.values.get("country", "")
        return {taxonomy.fold(part) for part in (cell, *re.split(r"[,;/]", cell)) if part.strip()}


def read_datasets(path: Path) -> dict[str, Dataset]:
    """Read the table of datasets; its keys are names folded by `taxonomy.fold_dataset`.

    Raises:
        MissingError: no such file.
        InputError: not CSV, a column is missing, a name stands twice or an image base is no web address.
    """
    columns = (
        "name",
        "country",
        *(f"{kind}_{cloud}" for kind in ("image_base_url", "metadata_url") for cloud in BASES),
    )
    datasets: dict[str, Dataset] = {}
    problems = []
    for line, row in read_csv(path, columns, REMEDY):
        cells = {column: (cell or "").strip() for column, cell in row.items()}
        given = {column: cell for column, cell in cells.items() if cell.lower() not in ("", "nan")}
        if "name" not in given:
            continue
        key = taxonomy.fold_dataset(given["name"])
        if key in datasets:
            problems.append(f"line {line}: dataset {given['name']!r} stands twice")
        datasets[key] = Dataset(given["name"], given)
        problems += [
            f"line {line}: {column} is no web address: {given[column]!r}"
            for column in (f"image_base_url_{cloud}" for cloud in BASES)
            if column in given and not re.match("https?://", given[column])
        ]
    raise_all(path, problems)
    return datasets


def choose(known: Mapping[str, Dataset], datasets: Iterable[str] = (), countries: Iterable[str] = ()) -> list[Dataset]:
    """Give the datasets that have one of the names (full or short) and lie in one of the countries, in table order.

    Raises:
        InputError: a name or country is not in the table, with the nearest ones, or no dataset fits both.
    """
    by_name = {taxonomy.fold_dataset(each.values.get("short_name", each.name)): key for key, each in known.items()}
    by_name |= {key: key for key in known}
    names = {name: by_name.get(taxonomy.fold_dataset(name)) for name in datasets}
    asked = {country: taxonomy.fold(country) for country in countries}
    lands = {each.values["country"] for each in known.values() if "country" in each.values}
    folded = set().union(*(each.countries for each in known.values()))
    problems = [
        f"dataset {name!r} is not in LILA's table of datasets; {nearest(name, [each.name for each in known.values()])}"
        for name, key in names.items()
        if key is None
    ]
    problems += [
        f"country {country!r} is not in LILA's table of datasets; {nearest(country, lands)}"
        for country, name in asked.items()
        if name not in folded
    ]
    if problems:
        raise InputError("; ".join(problems))
    fitting = [
        each
        for key, each in known.items()
        if (not names or key in names.values()) and (not asked or each.countries & set(asked.values()))
    ]
    if not fitting:
        raise InputError(f"none of the datasets {', '.join(names)} lies in {' or '.join(asked)}")
    return fitting


def metadata_url(dataset: Dataset, cloud: Cloud) -> str | None:
    """Give the address of a dataset's COCO Camera Traps JSON, mostly in a zip; None if LILA has none."""
    return dataset.values.get(f"metadata_url_{cloud}")


def boxes_url(dataset: Dataset, cloud: Cloud) -> str | None:
    """Give the address of a dataset's COCO Camera Traps JSON of boxes; None if LILA has none."""
    return dataset.values.get(f"bbox_url_{cloud}")


def results_url(dataset: Dataset, kind: Results) -> str | None:
    """Give the address of a dataset's MegaDetector results; None if LILA has none.

    Args:
        dataset: of `read_datasets`.
        kind: the detector's version, or ``rde`` for results without repeated detections.
    """
    return dataset.values.get(_RESULTS[kind])


def root(dataset: str, cloud: Cloud, known: Mapping[str, Dataset] | None = None) -> str:
    """Give the address that the files of a dataset are relative to, without a slash at its end.

    Args:
        dataset: its name, folded or not.
        cloud: where to get the photos from.
        known: the table of datasets; without it, the base of all of LILA.

    Raises:
        InputError: the table does not have the dataset, or no base of it on this cloud.
    """
    if known is None:
        return BASES[cloud]
    (each,) = choose(known, [dataset])
    if f"image_base_url_{cloud}" not in each.values:
        raise InputError(f"dataset {each.name!r}: LILA's table of datasets has no image_base_url_{cloud} of it")
    return each.values[f"image_base_url_{cloud}"].rstrip("/")


def roots(datasets: Iterable[str], cloud: Cloud, known: Mapping[str, Dataset] | None = None) -> dict[str, str]:
    """Give the image root of each dataset, as `root` does; the keys are the names as given."""
    return {dataset: root(dataset, cloud, known) for dataset in datasets}


def nearest(name: str, known: Iterable[str]) -> str:
    """Name the known names that are spelled like one that is not known; where there are none, the first of them."""
    by_folded = {each.lower(): each for each in sorted(known)}
    near = difflib.get_close_matches(name.lower(), by_folded, n=3)
    if near:
        return "did you mean " + " or ".join(by_folded[each] for each in near) + "?"
    more = f" and {len(by_folded) - MAX_SHOWN} more" if len(by_folded) > MAX_SHOWN else ""
    return f"there are {', '.join(list(by_folded.values())[:MAX_SHOWN]) or 'none'}{more}"
