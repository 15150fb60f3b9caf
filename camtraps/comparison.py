"""The comparison of two classifiers on the same crops or photos: who is right where, and which thresholds are alike."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from camtraps import metrics
from camtraps.contenders import Results

Flags = NDArray[np.bool_]

SURE = 0.05  # chance of such a difference between equally good ones, below which one of them wins
STEPS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Pairs:
    """What both say of the same crops or photos.

    ``rows`` has prediction_a, prediction_b, confidence_a, confidence_b, and where the truth is known label and place.
    ``num_a`` and ``num_b`` are all that each has, ``num_moved`` are those left out since their split differs.
    """

    rows: pd.DataFrame
    unit: str
    num_a: int
    num_b: int
    num_moved: int
    num_relabelled: int

    @property
    def has_labels(self) -> bool:
        """Whether the truth is known."""
        return "label" in self.rows.columns


def pair(a: Results, b: Results, split: str | None) -> Pairs:
    """Put the predictions of two classifiers side by side; by photo, unless both are of crops.

    Labels are those of B where both have some, since B is mostly the later one.

    Args:
        a: results.
        b: others.
        split: only what is in this split of both; None for all.
    """
    unit = "crops" if a.is_of_crops and b.is_of_crops else "photos"
    left, right = (each.rows if unit == "crops" else each.by_photo().rows for each in (a, b))
    keys = ["image", "box"] if unit == "crops" else ["image"]
    both = left.merge(right, on=keys, suffixes=("_a", "_b"))
    num_moved = 0
    if "split_a" in both.columns:
        stays = both["split_a"] == both["split_b"]
        num_moved = int((~stays).sum())
        both = both[stays].rename(columns={"split_b": "split"})
    num_relabelled = int((both["label_a"] != both["label_b"]).sum()) if "label_a" in both.columns else 0
    names = {f"{name}_b": name for name in ("label", "dataset", "location")}
    both = both.rename(columns={old: new for old, new in names.items() if old in both.columns})
    if split is not None and "split" in both.columns:
        both = both[both["split"] == split]
    wanted = [f"{name}_{side}" for name in ("prediction", "confidence") for side in "ab"]
    if "label" in both.columns:
        both = both.assign(place=both["dataset"] + "/" + both["location"])
        wanted += ["label", "place"]
    return Pairs(both[wanted].reset_index(drop=True), unit, len(left), len(right), num_moved, num_relabelled)


def overall(pairs: Pairs) -> pd.DataFrame:
    """Say how often both agree, and who is right how often: what and value, as text.

    The interval of the difference is of 95%, by bootstrap over locations.
    """
    rows = pairs.rows
    agree = rows["prediction_a"] == rows["prediction_b"]
    said = {
        f"{pairs.unit} that both have": f"{len(rows):,} (A {pairs.num_a:,}, B {pairs.num_b:,})",
        "same prediction": f"{agree.mean():.1%}",
        "agreement beyond chance (kappa)": f"{kappa(rows['prediction_a'], rows['prediction_b']):.3f}",
    }
    if pairs.has_labels:
        a, b = _right(rows)
        low, high = metrics.interval(b.astype(float) - a.astype(float), rows["place"].to_numpy(object).astype(str))
        said |= {
            "A right": f"{a.mean():.1%}",
            "B right": f"{b.mean():.1%}",
            "B better than A by": f"{b.mean() - a.mean():+.1%} ({low:+.1%} to {high:+.1%})",
            "only A right": f"{(a & ~b).sum():,}",
            "only B right": f"{(b & ~a).sum():,}",
            "both wrong": f"{(~a & ~b).sum():,}",
        }
    if pairs.num_moved:
        said["left out, in another split"] = f"{pairs.num_moved:,}"
    if pairs.num_relabelled:
        said["labels that differ; those of B count"] = f"{pairs.num_relabelled:,}"
    return pd.DataFrame({"what": list(said), "value": list(said.values())})


def kappa(a: pd.Series, b: pd.Series) -> float:
    """Agreement beyond what chance would give (Cohen 1960): 1 for always, 0 for as much as chance."""
    by_chance = float((a.value_counts(normalize=True) * b.value_counts(normalize=True)).sum())
    return 1.0 if by_chance == 1 else (float((a == b).mean()) - by_chance) / (1 - by_chance)


def by_label(pairs: Pairs) -> pd.DataFrame:
    """Compare both on each label: how much of it they find, how often they are right in saying it, and who wins."""
    table = _by(pairs, "label")
    for side in "ab":
        said = pairs.rows[f"prediction_{side}"]
        precision = (pairs.rows["label"] == said).groupby(said).mean().round(4)
        table.insert(2 + "ab".index(side), f"precision {side.upper()}", table["label"].map(precision))
    return table.rename(columns={"right A": "recall A", "right B": "recall B"})


def by_location(pairs: Pairs) -> pd.DataFrame:
    """Compare both at each location."""
    return _by(pairs, "place").rename(columns={"place": "location"})


def thresholds(pairs: Pairs) -> pd.DataFrame:
    """For thresholds of A, give that of B at which B is as precise: from there on, both can be trusted alike.

    Returns:
        threshold A, precision A, accepted A (share of all), and the lowest threshold of B from which on its predictions
        are at least as precise, with its precision and accepted; empty where none is.
    """
    a, b = _right(pairs.rows)
    confidence = {side: pairs.rows[f"confidence_{side}"].to_numpy() for side in "ab"}
    rows = []
    for threshold in STEPS:
        taken = confidence["a"] >= threshold
        if not taken.any():
            continue
        precision = a[taken].mean()
        other = _lowest(confidence["b"], b, precision)
        kept = confidence["b"] >= other
        found = (b[kept].mean(), kept.mean()) if kept.any() else (np.nan, np.nan)
        rows.append((threshold, precision, taken.mean(), other, *found))
    columns = ["threshold A", "precision A", "accepted A", "threshold B", "precision B", "accepted B"]
    return pd.DataFrame(rows, columns=columns).round(4)


def _lowest(confidences: NDArray[np.float64], right: Flags, precision: float) -> float:
    """Find the lowest confidence from which on predictions are this precise; equal confidences count together."""
    order = np.argsort(-confidences, kind="stable")
    hits = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    sorted_ = confidences[order]
    is_last = np.append(sorted_[1:] != sorted_[:-1], True)
    enough = np.flatnonzero((hits >= precision - 1e-12) & is_last)
    return float(sorted_[enough[-1]]) if len(enough) else np.nan


def _by(pairs: Pairs, column: str) -> pd.DataFrame:
    """Count by a column; one wins whose lead among those that only one has right is no mere chance (sign test)."""
    a, b = _right(pairs.rows)
    counted = pd.DataFrame({column: pairs.rows[column], "a": a, "b": b, "only_a": a & ~b, "only_b": b & ~a})
    grouped = counted.groupby(column)
    table = grouped[["a", "b"]].mean().assign(only_a=grouped["only_a"].sum(), only_b=grouped["only_b"].sum())
    table.insert(0, pairs.unit, grouped.size())
    table["wins"] = [_winner(int(x), int(y)) for x, y in zip(table["only_a"], table["only_b"], strict=True)]
    names = {"a": "right A", "b": "right B", "only_a": "only A right", "only_b": "only B right"}
    return table.rename(columns=names).round(4).reset_index()


def _winner(only_a: int, only_b: int) -> str:
    if not only_a + only_b or binomtest(only_a, only_a + only_b).pvalue >= SURE:
        return "–"
    return "A" if only_a > only_b else "B"


def _right(rows: pd.DataFrame) -> tuple[Flags, Flags]:
    a, b = ((rows[f"prediction_{side}"] == rows["label"]).to_numpy(bool) for side in "ab")
    return a, b
