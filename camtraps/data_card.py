"""The data card: where the photos of a run come from, how they are shared out, and what was left out, as a page."""

from typing import Any

import pandas as pd

from camtraps.pages import note, page, sections, table, tiles
from camtraps.runs import Run
from camtraps.schema import SPLIT_NAMES as SPLITS
from camtraps.shards import Reader
from camtraps.storage import address
from camtraps.thumbnails import Album, gallery

MOST_LOCATIONS = 400  # of which the labels are listed
MOST_FAILURES = 500
PER_LABEL, MAX_PICTURES = 12, 600
KEY = ["image", "box"]


def compose(run: Run, reader: Reader, max_bytes: int) -> str:
    """Put the page together; ``max_bytes`` is for its pictures, which ``reader`` reads."""
    crops = known(run)
    sample = sample_of_labels(run.crops)
    failed = run.failures[["stage", "image", "box", "reason"]]
    parts = [
        ("Sources", note(SOURCES) + table(sources(run))),
        ("Labels", note(LABELS) + table(labels(crops), "tall" if len(run.classes) > 20 else "wide")),
        ("Locations", note(_of_locations(crops)) + table(locations(crops), "tall")),
        ("What was left out, and why", note(LEFT_OUT) + counts_table(run.counts)),
        (
            f"What could not be used: {len(failed):,}",
            table(failed.head(MOST_FAILURES), "tall") if len(failed) else note("Nothing failed."),
        ),
        ("Crops of each label", gallery(sample, sample["label"].tolist(), reader, Album(max_bytes))),
    ]
    head = f"<h1>Data card</h1>{note(_lead(run, crops), 'lead')}{tiles(_tiles(run, crops))}"
    return page(f"camtraps: {run.name}", head + sections(parts), here="data.html")


SOURCES = (
    "Licences are those in the column licence of datasets.csv, which a person adds in the folder of the collection."
)
LABELS = (
    "Crops and locations of each label, by split: train is what the classifier learned from, val what its settings "
    "were chosen on, test what it is judged on. Locations are never shared by two splits. Night: photos without colour."
)
LEFT_OUT = "Each stage of the pipeline, what went in and out of it, and the commonest reasons why the rest did not."


def known(run: Run) -> pd.DataFrame:
    """Give the crops that are in a split: image, box, dataset, location, label, split, day, night (empty: unknown)."""
    days = run.crops[[*KEY, "datetime"]]
    nights = run.predictions.crops[[*KEY, "night"]]
    return run.assigned.merge(days, on=KEY, how="left").merge(nights, on=KEY, how="left")


def sources(run: Run) -> pd.DataFrame:
    """List the datasets with their origin, licence, photos in all, and photos and crops used."""
    used = run.assigned.groupby("dataset").agg(used=("image", "nunique"), crops=("image", "size"))
    rows = [
        {
            "dataset": row["dataset"],
            "photos": int(row["photos"]),
            "photos used": int(used["used"].get(row["dataset"], 0)),
            "crops": int(used["crops"].get(row["dataset"], 0)),
            "imported from": row["source"],
            "photos lie at": address(row["images"]),
            "licence": row["licence"] or "not known",
        }
        for row in run.datasets
    ]
    return pd.DataFrame(rows)


def labels(crops: pd.DataFrame) -> pd.DataFrame:
    """Count crops, locations and the share of night of each label, by split."""
    place = crops["dataset"] + "/" + crops["location"]
    grouped = crops.assign(place=place, night=crops["night"].astype("Float64")).groupby(["label", "split"])
    found = grouped.agg(crops=("image", "size"), locations=("place", "nunique"), night=("night", "mean")).unstack(
        "split"
    )
    columns: dict[str, Any] = {"label": found.index.tolist(), "crops": found["crops"].sum(axis=1).astype(int).tolist()}
    for split in SPLITS:
        for name in ("crops", "locations"):
            given = found.get((name, split), pd.Series(0, found.index))
            columns[f"{split}: {name}"] = given.fillna(0).astype(int).tolist()
        nights = found.get(("night", split), pd.Series(float("nan"), found.index))
        columns[f"{split}: night"] = [_percent(each) for each in nights]
    return pd.DataFrame(columns)


def locations(crops: pd.DataFrame) -> pd.DataFrame:
    """Count the crops of each location, those with most of them first, by label."""
    keys = ["dataset", "location"]
    grouped = crops.assign(night=crops["night"].astype("Float64")).groupby(keys)
    found = grouped.agg(
        split=("split", "first"),
        crops=("image", "size"),
        night=("night", "mean"),
        first_day=("datetime", "min"),
        last_day=("datetime", "max"),
    )
    for name in ("first_day", "last_day"):
        found[name] = found[name].dt.strftime("%Y-%m-%d").fillna("–")
    found["night"] = found["night"].map(_percent)
    by_label = pd.crosstab([crops["dataset"], crops["location"]], crops["label"])
    first = found.sort_values("crops", ascending=False, kind="stable").head(MOST_LOCATIONS).reset_index()
    counts = by_label.reindex(pd.MultiIndex.from_frame(first[keys])).reset_index(drop=True)
    named = first.rename(columns={"first_day": "first day", "last_day": "last day"})
    # Side by side, since a label may be called as one of our columns.
    return pd.concat([named, counts], axis=1)


def counts_table(counts: dict[str, dict[str, Any]]) -> str:
    """Show what went in and out of every stage, and why the rest did not."""
    rows = []
    for stage, count in counts.items():
        reasons = [f"{n:,} {reason}" for kind in count["reasons"].values() for reason, n in _commonest(kind)]
        numbers = [count[name] for name in ("rows_in", "rows_out", "skipped", "failed")]
        rows.append([stage, count["unit"], *numbers, "; ".join(reasons)])
    return table(pd.DataFrame(rows, columns=["stage", "unit", "in", "out", "skipped", "failed", "why"]))


def sample_of_labels(crops: pd.DataFrame) -> pd.DataFrame:
    """Choose crops of each label, spread over its locations."""
    number = max(1, min(PER_LABEL, MAX_PICTURES // max(1, crops["label"].nunique())))
    ordered = crops.assign(turn=crops.groupby(["label", "dataset", "location"], dropna=False).cumcount())
    return ordered.sort_values(["label", "turn", "image", "box"]).groupby("label").head(number)


def _lead(run: Run, crops: pd.DataFrame) -> str:
    days = crops["datetime"].dropna()
    when = f", taken from {days.min():%Y-%m-%d} to {days.max():%Y-%m-%d}" if len(days) else ""
    return (
        f"{crops['image'].nunique():,} photos of the collection {run.name}{when}, in which {len(crops):,} animals were "
        "found and cut out as crops."
    )


def _tiles(run: Run, crops: pd.DataFrame) -> list[tuple[str, str]]:
    places = crops[["dataset", "location"]].drop_duplicates()
    night = _percent(crops["night"].astype("Float64").mean())
    return [
        (f"{run.counts['query']['rows_in']:,}", "photos in the catalog"),
        (f"{len(crops):,}", "crops of animals"),
        (f"{len(run.classes):,}", "labels"),
        (f"{len(places):,}", f"locations in {places['dataset'].nunique():,} datasets"),
        (night, "of the crops from the night"),
    ]


def _of_locations(crops: pd.DataFrame) -> str:
    num = len(crops[["dataset", "location"]].drop_duplicates())
    few = f"The {MOST_LOCATIONS} of {num:,} with most crops. " if num > MOST_LOCATIONS else ""
    return f"{few}Crops of each label at each location; a click on a heading sorts."


def _percent(share: Any) -> str:
    return "–" if pd.isna(share) else f"{share:.0%}"


def _commonest(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:5]
