"""The inspection page: the crops of each label, how the split shares them out, and where there is little."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from camtraps.pages import note, page, sections, table
from camtraps.schema import SPLIT_NAMES as SPLITS
from camtraps.shards import Reader
from camtraps.thumbnails import Album, gallery

PER_LABEL, MAX_PICTURES = 6, 400
MAX_BYTES = 10_000_000
MAX_PAIRS = 50
BINS = 10  # of confidence
NOWHERE = "not there"
WARN, HUE = "hsl(35 95% 55% / .45)", "hsl(var(--hue) 70% 55% / {:.2f})"

Row = tuple[str, Sequence[tuple[str, str]]]  # a heading, then text and background colour of each cell


@dataclass(frozen=True)
class Inspected:
    """What the page shows: rows of the crops and assigned tables, ``balance.csv``, and ``duplicates.csv`` if there is.

    ``other`` has the splits of another split file by dataset and location, called ``other_name``; None for none.
    """

    name: str
    crops: pd.DataFrame
    assigned: pd.DataFrame
    balance: pd.DataFrame
    duplicates: pd.DataFrame | None
    other: pd.Series | None
    other_name: str


def compose(given: Inspected, reader: Reader) -> str:
    """Put the page together."""
    assigned = given.assigned.merge(given.crops.drop(columns=["dataset", "location", "label"]), on=["image", "box"])
    parts = [
        ("Splits", table(splits_table(assigned))),
        ("Locations of each label", note(LOCATIONS_NOTE) + balance_table(given.balance, "location", "few locations")),
        ("Crops of each label", note(CROPS_NOTE) + balance_table(given.balance, "crop", "few crops")),
        ("Share of each label within each split", shares_table(assigned)),
        ("Confidence of the detector", confidence_table(assigned)),
        ("Crops of each label at a location", table(cardinality(assigned))),
        ("Datasets of each label", table(datasets_table(assigned))),
    ]
    if given.other is not None:
        parts.append((f"Locations, beside {given.other_name}", overlap_table(assigned, given.other)))
    if given.duplicates is not None:
        pairs = given.duplicates
        heading = f"Crops that are the same across splits, {min(len(pairs), MAX_PAIRS)} of {len(pairs)} pairs"
        parts.append((heading, table(pairs.head(MAX_PAIRS))))
    samples = sample(assigned)
    captions = (samples["label"] + ", " + samples["location"] + ", " + samples["split"]).tolist()
    parts.append(("Random crops of each label", gallery(samples, captions, reader, Album(MAX_BYTES))))
    return page(f"camtraps: crops of {given.name}", sections(parts))


LOCATIONS_NOTE = "Coloured: fewer than 10 locations in train, 5 elsewhere; or less than 40% in train, 10% elsewhere."
CROPS_NOTE = (
    "Coloured: fewer than 1,000 crops and less than 40% in train; fewer than 300 and less than 9% elsewhere. Weight: "
    "how often a crop in train is drawn where labels are drawn equally often, beside the mean."
)


def splits_table(assigned: pd.DataFrame) -> pd.DataFrame:
    """Count crops, locations and labels of each split."""
    grouped = assigned.assign(place=assigned["dataset"] + "/" + assigned["location"]).groupby("split")
    counts = grouped.agg(crops=("image", "size"), locations=("place", "nunique"), labels=("label", "nunique"))
    counts = counts.reindex(list(SPLITS), fill_value=0).assign(share=lambda each: each["crops"] / len(assigned))
    return counts.reset_index()


def balance_table(balance: pd.DataFrame, what: str, warning: str) -> str:
    """Show the number and share of locations or crops by label and split; those with the warning are coloured."""
    rows = []
    num_train = balance.loc[balance["split"] == "train", "crops"].sum()
    for label, mine in balance.groupby("label", sort=False):
        cells = [
            (f"{number:,} ({share:.0%})", WARN if warning in str(said) else "")
            for number, share, said in zip(mine[f"{what}s"], mine[f"{what}_fraction"], mine["warning"], strict=True)
        ]
        total = [(f"{mine[f'{what}s'].sum():,}", "")]
        if what == "crop":
            in_train = mine.loc[mine["split"] == "train", "crops"].sum()
            weight = num_train / (max(1, in_train) * balance["label"].nunique())
            total.append((f"{weight:.2f}", ""))
        rows.append((str(label), [*cells, *total]))
    return _grid([*SPLITS, "all", *(["weight"] if what == "crop" else [])], rows)


def shares_table(assigned: pd.DataFrame) -> str:
    """Show what share of each split's crops is of each label."""
    counts = pd.crosstab(assigned["label"], assigned["split"]).reindex(columns=list(SPLITS), fill_value=0)
    shares = counts / counts.sum().clip(lower=1)
    cells = {label: [(f"{share:.1%}", HUE.format(share)) for share in row] for label, *row in shares.itertuples()}
    return _grid(SPLITS, list(cells.items()))


def confidence_table(assigned: pd.DataFrame) -> str:
    """Show how the confidences of each label's boxes are distributed; boxes of people have none."""
    rows = []
    for label, values in assigned.groupby("label")["confidence"]:
        given = values.dropna().to_numpy()
        counts = np.histogram(given, BINS, (0, 1))[0]
        quartiles = np.quantile(given, (0.25, 0.5, 0.75)) if len(given) else []
        texts = [(f"{q:.2f}", "") for q in quartiles] or [("–", "")] * 3
        cells = [(f"{n:,}" if n else "", HUE.format(n / max(1, len(values)))) for n in (values.isna().sum(), *counts)]
        rows.append((str(label), [*cells, *texts]))
    bins = [f"{at / BINS:.1f}+" for at in range(BINS)]
    return _grid(["person", *bins, "quarter", "median", "three quarters"], rows)


def cardinality(assigned: pd.DataFrame) -> pd.DataFrame:
    """Say how the crops of each label are spread over its locations."""
    sizes = assigned.groupby(["label", "dataset", "location"]).size().groupby("label")
    spread = sizes.agg(locations="size", fewest="min", median="median", most="max", crops="sum")
    return spread.assign(share_of_largest=spread["most"] / spread["crops"]).drop(columns="crops").reset_index()


def datasets_table(assigned: pd.DataFrame) -> pd.DataFrame:
    """Count the datasets of each label and split."""
    counts = assigned.groupby(["label", "split"])["dataset"].nunique().unstack(fill_value=0)
    counts = counts.reindex(columns=list(SPLITS), fill_value=0)
    return counts.assign(all=assigned.groupby("label")["dataset"].nunique()).reset_index()


def overlap_table(assigned: pd.DataFrame, other: pd.Series) -> str:
    """Count locations by their split here (columns) and in another split file (rows); those that moved are coloured."""
    here = assigned.drop_duplicates(["dataset", "location"]).set_index(["dataset", "location"])["split"]
    both = pd.DataFrame({"here": here, "other": other}).fillna(NOWHERE)
    names = [*SPLITS, NOWHERE]
    counts = pd.crosstab(both["other"], both["here"]).reindex(index=names, columns=names, fill_value=0)
    rows = [
        (there, [(f"{n:,}", WARN if n and len({there, at, NOWHERE}) == 3 else "") for at, n in row.items()])
        for there, row in counts.iterrows()
    ]
    return _grid([f"{name} here" if name in SPLITS else "not here" for name in names], rows)


def sample(assigned: pd.DataFrame) -> pd.DataFrame:
    """Choose random crops of each label, the same for the same crops."""
    number = max(1, min(PER_LABEL, MAX_PICTURES // max(1, assigned["label"].nunique())))
    shuffled = assigned.sort_values(["image", "box"]).sample(frac=1, random_state=1)
    return shuffled.groupby("label").head(number).sort_values("label", kind="stable").head(MAX_PICTURES)


def _grid(columns: Sequence[str], rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    lines = ["<tr><th>" + html.escape(name) + "</th>" + "".join(map(_cell, cells)) + "</tr>" for name, cells in rows]
    return f'<div class="wide"><table><tr><th></th>{head}</tr>\n' + "\n".join(lines) + "</table></div>"


def _cell(cell: tuple[str, str]) -> str:
    text, colour = cell
    style = f' style="background: {colour}"' if colour else ""
    return f"<td{style}>{html.escape(text)}</td>"
