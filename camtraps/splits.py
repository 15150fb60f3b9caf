"""Whole locations to train, val and test, balanced over labels, the same for the same seed on every platform."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from camtraps import failures
from camtraps.errors import InputError
from camtraps.placing import split_locations
from camtraps.schema import SPLIT_NAMES as SPLITS
from camtraps.split_params import SplitParams as SplitParams

KEY = ["dataset", "location"]
# Below both of its numbers of crops, or below one of its numbers of locations, a split says little about a label: the
# fewest locations, their least share, the fewest crops, their least share. As in CameraTraps' inspection notebook.
LEAST = {"train": (10, 0.4, 1000, 0.4), "val": (5, 0.1, 300, 0.09), "test": (5, 0.1, 300, 0.09)}
MAX_SAID = 5  # labels that are named one by one on stderr


@dataclass(frozen=True)
class Placed:
    """Rows of the splits and assigned tables, the crops left out, the balance, and crops that are twice across splits.

    ``duplicates`` has, of each pair, image, box, location and split of both, with ``_a`` and ``_b``; kind and distance.
    """

    splits: pd.DataFrame
    assigned: pd.DataFrame
    skipped: pd.DataFrame
    balance: pd.DataFrame
    duplicates: pd.DataFrame


def place(
    crops: pd.DataFrame, params: SplitParams, known: pd.Series | None = None, links: pd.DataFrame | None = None
) -> Placed:
    """Place every location in one split.

    Args:
        crops: rows of the crops table.
        params: fractions, method and seed.
        known: splits of locations that are placed already, by dataset and location; others may be among them.
        links: pairs of crops that are (nearly) the same, from `duplicates.find`.

    Raises:
        InputError: fewer than two labels, or fewer than three locations, are left; a split gets no location; or none
            of the known ones is here.
    """
    columns = ["image", "box", "dataset", "label"]
    named = crops[columns].assign(location=stand_in(crops, params.without_location)).reset_index(drop=True)
    reasons = _reasons(named, params.min_locations)
    kept, left_out = named[reasons == ""], named[reasons != ""]
    table = kept.groupby([*KEY, "label"]).size().unstack(fill_value=0)
    if table.shape[0] < len(SPLITS) or table.shape[1] < 2:
        raise InputError(
            f"data/crops: {table.shape[1]} labels at {table.shape[0]} locations are left to split; needs at least 2 "
            "labels at 3 locations: choose more photos in the label specification or lower split.min_locations"
        )
    if known is not None and not table.index.isin(known.index).any():
        raise InputError(
            f"data/<name>/splits: none of the {len(known)} locations of split.previous and split.match_test has crops "
            "here; are datasets and locations called the same?"
        )
    pairs = _located(links, kept)
    split = split_locations(table, params, known, pairs if params.duplicates == "together" else pairs[:0])
    for name in SPLITS:
        if not (split == name).any():
            raise InputError(f"data/crops: {name} gets no location; change split.method or the split files")
    splits = split.reset_index().assign(crops=table.sum(axis=1).to_numpy())
    assigned = kept.merge(splits[[*KEY, "split"]], on=KEY)[[*columns[:3], "location", "label", "split"]]
    skipped = failures.rows(
        "split", "skipped", zip(left_out["image"], left_out["box"], reasons[reasons != ""], strict=True)
    )
    return Placed(splits, assigned, skipped, balance(assigned, params.fractions), _across(pairs, split))


def stand_in(crops: pd.DataFrame, without: str = "sequence") -> pd.Series:
    """Give each crop's location, or what stands for it where the location is unknown.

    That is the location of another photo of its sequence. Else, ``without`` says: the sequence, or the day on which the
    sequence begins; where these are unknown too, the photo itself; under ``leave_out`` nothing. So there is never one
    giant pseudo-location.
    """
    if crops["location"].notna().all():
        return crops["location"].astype("str")
    together = crops.groupby(["dataset", "sequence"])
    known = crops["location"].fillna(together["location"].transform("min"))
    if without == "leave_out":
        return known.astype("str")
    names = ("sequence " + crops["sequence"]).where(crops["sequence"].notna(), "photo " + crops["image"])
    if without == "day":
        first = together["datetime"].transform("min").fillna(crops["datetime"])
        days = pd.Series(np.datetime_as_string(first.to_numpy("datetime64[D]")), crops.index, "str")
        names = names.where(first.isna(), "day " + days)
    return known.where(known.notna(), names).astype("str")


def balance(assigned: pd.DataFrame, wanted: Sequence[float]) -> pd.DataFrame:
    """Count crops and locations by label and split, absent combinations included.

    Args:
        assigned: rows of the assigned table.
        wanted: shares of train, val and test.

    Returns:
        label, split, crops, locations, crop_fraction and location_fraction (of the label's), deviation (of the crop
        fraction from the wanted one), warning (empty, or what there is too little of).
    """
    index = pd.MultiIndex.from_product([sorted(assigned["label"].unique()), SPLITS], names=["label", "split"])
    crops = assigned.groupby(["label", "split"]).size().reindex(index, fill_value=0)
    places = assigned.drop_duplicates(["label", "split", *KEY]).groupby(["label", "split"]).size()
    places = places.reindex(index, fill_value=0)
    shares = [(counts / counts.groupby("label").transform("sum")).round(4) for counts in (crops, places)]
    table = pd.DataFrame({"crops": crops, "locations": places, "crop_fraction": shares[0]})
    table["location_fraction"] = shares[1]
    table["deviation"] = (shares[0] - np.tile(wanted, len(table) // len(SPLITS))).round(4)
    return table.assign(warning=[_warning(row) for row in table.itertuples()]).reset_index()


def warnings_of(placed: Placed) -> list[str]:
    """Say which labels are left out or absent from a split, where there is little, and what stands twice."""
    table = placed.balance
    absent = table[table["crops"] == 0].groupby("label")["split"].agg(", ".join)
    lines = _some(sorted(set(placed.skipped["reason"])), "more reasons to leave crops out")
    lines += _some(
        [f"label {label} has no crop in {names}: more locations of it would help" for label, names in absent.items()],
        "more labels without crops in a split",
    )
    few = int((table["warning"] != "").sum())
    if few:
        lines.append(f"{few} of {len(table)} rows of data/splits/balance.csv have a warning: few locations or crops")
    if len(placed.duplicates):
        kinds = placed.duplicates["kind"].value_counts(sort=False).sort_index()
        said = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())
        lines.append(f"{len(placed.duplicates):,} pairs of crops across splits (data/splits/duplicates.csv): {said}")
    return lines


def _some(lines: list[str], rest: str) -> list[str]:
    more = len(lines) - MAX_SAID
    return [*lines[:MAX_SAID], f"{more:,} {rest}"] if more > 1 else lines


def _warning(row: Any) -> str:
    _, name = row.Index
    places, place_share, crops, crop_share = LEAST[name]
    few = {
        "locations": row.locations < places or row.location_fraction < place_share,
        "crops": row.crops < crops and row.crop_fraction < crop_share,
    }
    return "; ".join(f"few {what}" for what, is_few in few.items() if is_few)


def _reasons(named: pd.DataFrame, least: int) -> pd.Series:
    """Say why a crop is left out; empty where it is not."""
    locations = named.dropna().drop_duplicates([*KEY, "label"]).groupby("label").size()
    reason_of = {
        label: f"label {label} has {number} locations, fewer than split.min_locations {least}" if number < least else ""
        for label, number in locations.reindex(named["label"].unique(), fill_value=0).items()
    }
    reasons = named["label"].map(reason_of).astype("str")
    return reasons.where(named["location"].notna(), "no location (split.without_location: leave_out)")


def _located(links: pd.DataFrame | None, kept: pd.DataFrame) -> pd.DataFrame:
    """Put image, box, dataset and location of both crops beside the links between crops that are kept."""
    if links is None:
        links = pd.DataFrame({"a": 0, "b": 0, "kind": "", "distance": 0}, range(0))
    links = links[links["a"].isin(kept.index) & links["b"].isin(kept.index)].reset_index(drop=True)
    crops = kept[["image", "box", *KEY]]
    sides = [crops.loc[links[side]].reset_index(drop=True).add_suffix(f"_{side}") for side in "ab"]
    return pd.concat([*sides, links[["kind", "distance"]]], axis=1)


def _across(pairs: pd.DataFrame, split: pd.Series) -> pd.DataFrame:
    """Choose the pairs that lie in different splits."""
    for side in "ab":
        keys = pd.MultiIndex.from_frame(pairs[[f"{name}_{side}" for name in KEY]])
        pairs = pairs.assign(**{f"split_{side}": split.reindex(keys).to_numpy()})
    columns = [f"{name}_{side}" for side in "ab" for name in ("split", *KEY, "image", "box")]
    across = pairs.loc[pairs["split_a"] != pairs["split_b"], ["kind", "distance", *columns]]
    return across.sort_values(["kind", "distance", "image_a", "box_a", "image_b", "box_b"], ignore_index=True)
