"""Judge a classifier on every split: the scores, and the tables that tell where it is good and how sure it may be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from camtraps import acceptance, metrics
from camtraps.files import climbs
from camtraps.foreign import targets
from camtraps.params import check_range
from camtraps.predictions import Predictions, quantised
from camtraps.schema import SPLIT_NAMES as SPLITS

# Of the scores, those that are told of a part of the crops, and those of a foreign classifier.
OF_A_PART = ["locations", "top1", "top1_low", "top1_high", "top3", "macro_recall", "macro_f1", "log_loss", "ece"]
OF_FOREIGN = ["top1", "top3", "macro_recall", "macro_f1", "macro_ap", "log_loss", "ece"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateParams:
    """Section ``evaluate`` of params.yaml."""

    accept_precision: float
    """Precision, 0 to 1, that the thresholds of data/evaluation/thresholds.csv reach on val."""
    extreme_examples: int
    """Show so many of the most confident right and wrong crops of each label."""
    foreign: str | None
    """Probabilities of another classifier for these crops: a CSV file in data/<name>/foreign; null for none."""
    foreign_mapping: str | None
    """Which of its labels make up ours: a JSON file in the same folder; null if they are called the same."""
    max_failed: float
    """Share of crops that may be damaged, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges, and refuse files that lie elsewhere."""
        check_range(self, accept_precision=(0.0, 1.0), extreme_examples=(0, 100), max_failed=(0.0, 1.0))
        for name in ("foreign", "foreign_mapping"):
            file = getattr(self, name)
            if file is not None and climbs(file):
                raise ValueError(f"{name}: must be a file in data/<name>/foreign, got {file!r}")
        if self.foreign_mapping is not None and self.foreign is None:
            raise ValueError("foreign_mapping: has no effect without evaluate.foreign; set both or none")


@dataclass(frozen=True)
class Evaluation:
    """Scores by split (the metrics contract), and tables by the name of their file."""

    scores: dict[str, dict[str, float]]
    tables: dict[str, pd.DataFrame]

    def with_foreign(self, other: "Evaluation") -> "Evaluation":
        """Add the scores and tables of a foreign classifier to these."""
        scores = {split: values | other.scores.get(split, {}) for split, values in self.scores.items()}
        return Evaluation(scores, self.tables | other.tables)


@dataclass(frozen=True)
class Answers:
    """What is judged, one row each: its split, its class, its location, and logits or probabilities of the classes."""

    splits: NDArray[Any]
    labels: metrics.Labels
    places: NDArray[Any]
    values: NDArray[np.float64]

    def where(self, chosen: NDArray[np.bool_]) -> "Answers":
        """Keep some rows."""
        return Answers(self.splits[chosen], self.labels[chosen], self.places[chosen], self.values[chosen])

    def calibrated(self, temperature: float) -> "Answers":
        """Turn logits into probabilities."""
        return Answers(self.splits, self.labels, self.places, metrics.calibrated(self.values, temperature))


def predictions(crops: pd.DataFrame, probabilities: metrics.Probabilities, classes: list[str]) -> Predictions:
    """Make the predictions table.

    Args:
        crops: rows of the assigned table with ``sequence`` and ``night``, in the order of the probabilities.
        probabilities: (crops, classes), calibrated.
        classes: names of the columns.
    """
    stored = quantised(probabilities)
    confidence = stored.max(axis=1).astype(np.float64).round(6)
    best = np.array(classes, dtype=object)[stored.argmax(axis=1)]
    return Predictions(crops.assign(prediction=pd.array(best, dtype="str"), confidence=confidence), stored)


def evaluate(
    table: pd.DataFrame, logits: NDArray[np.float64], temperature: float, classes: list[str], params: EvaluateParams
) -> Evaluation:
    """Judge the predictions.

    A photo, and a sequence, is judged by the mean of its crops' logits; its label is that of most of its crops. A photo
    without sequence is one of its own.

    Args:
        table: rows of the predictions table.
        logits: the same crops', (crops, classes), before calibration.
        temperature: by which they are divided.
        classes: all classes, in the order of the logits.
        params: section ``evaluate``.
    """
    given = answers(table, logits, classes)
    crops = given.calibrated(temperature)
    sequences = (table["dataset"] + "/" + table["sequence"]).fillna(table["image"])
    levels = [_by_part(crops, "level", "crop")]
    for level, keys in (("image", table["image"]), ("sequence", sequences)):
        levels.append(_by_part(together(given, keys).calibrated(temperature), "level", level))
    by_level = pd.concat(levels, ignore_index=True)
    by_light = _parts(crops, "light", np.where(table["night"], "night", "day"))
    scores = _scores(crops, given)
    for name, rows in (("level", by_level[by_level["level"] != "crop"]), ("light", by_light)):
        for row in rows.itertuples():
            scores[row.split][f"{getattr(row, name)}_top1"] = row.top1
    return Evaluation(
        scores,
        {
            "per_class": per_class(crops, classes),
            "confusion": confusion(table),
            "reliability": _reliability(crops),
            "reliability_uncalibrated": pd.concat(_reliability(part.calibrated(1.0)) for _, part in _splits(given)),
            "per_location": _per_location(table),
            "per_dataset": _parts(crops, "dataset", table["dataset"].to_numpy()),
            "per_light": by_light,
            "levels": by_level.rename(columns={"crops": "examples"}),
            "accept": acceptance.overall(table),
            "accept_per_class": acceptance.per_class(table, classes),
            "thresholds": acceptance.thresholds(table, classes, params.accept_precision),
        },
    )


def evaluate_foreign(table: pd.DataFrame, probabilities: metrics.Probabilities, classes: list[str]) -> Evaluation:
    """Judge a foreign classifier on the splits whose crops it has seen.

    Args:
        table: rows of the predictions table.
        probabilities: of the same crops, from `foreign.of_crops`.
        classes: our classes.
    """
    seen = ~np.isnan(probabilities).any(axis=1)
    given = answers(table[seen], probabilities[seen], classes)
    scores: dict[str, dict[str, float]] = {}
    for split, part in _splits(given):
        found = metrics.scores(part.labels, part.values, part.places, majority=0)
        scores[split] = {f"{name}_foreign": found[name] for name in OF_FOREIGN if name in found}
    return Evaluation(scores, {"per_class_foreign": per_class(given, targets(classes))})


def answers(table: pd.DataFrame, values: NDArray[np.float64], classes: list[str]) -> Answers:
    """Put rows of the predictions table and their logits or probabilities together."""
    index = {name: at for at, name in enumerate(classes)}
    places = (table["dataset"] + "/" + table["location"]).to_numpy(dtype=object).astype(str)
    return Answers(table["split"].to_numpy(), table["label"].map(index).to_numpy(np.int64), places, values)


def together(crops: Answers, keys: pd.Series) -> Answers:
    """Join the crops of a split that have the same key: the mean of their logits, the label of most of them.

    Of labels that are equally frequent the first class counts; its location is that of the first crop.
    """
    codes, names = pd.factorize(pd.Series(crops.splits).astype("str") + "/" + keys.reset_index(drop=True), sort=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(names)))
    sums = np.add.reduceat(crops.values[order], starts, axis=0)
    first = order[starts]
    means = sums / np.bincount(codes)[:, None]
    return Answers(crops.splits[first], _commonest(codes, crops.labels), crops.places[first], means)


def per_class(crops: Answers, classes: list[str]) -> pd.DataFrame:
    """Score each class of each split; columns as in `metrics.per_class`, after split."""
    parts = [metrics.per_class(part.labels, part.values, classes).assign(split=split) for split, part in _splits(crops)]
    return pd.concat(parts, ignore_index=True)[["split", "label", "support", "precision", "recall", "f1", "ap"]]


def confusion(table: pd.DataFrame) -> pd.DataFrame:
    """List split, actual and predicted class of each crop, as DVC's confusion plots want them."""
    pairs = table[["split", "label", "prediction"]].rename(columns={"label": "actual", "prediction": "predicted"})
    return pairs.sort_values(["split", "actual", "predicted"], kind="stable")


def _commonest(codes: NDArray[np.int64], labels: metrics.Labels) -> metrics.Labels:
    pairs, counts = np.unique(np.stack([codes, labels]), axis=1, return_counts=True)
    order = np.lexsort((pairs[1], -counts, pairs[0]))
    _, first = np.unique(pairs[0][order], return_index=True)
    return np.asarray(pairs[1][order][first])


def _splits(given: Answers) -> Iterator[tuple[str, Answers]]:
    for split in SPLITS:
        here = given.splits == split
        if here.any():
            yield split, given.where(here)


def _scores(crops: Answers, logits: Answers) -> dict[str, dict[str, float]]:
    """Score the crops of each split, their calibration also as it was before."""
    trained = logits.labels[logits.splits == "train"]
    majority = int(np.bincount(trained, minlength=logits.values.shape[1]).argmax())
    scores = {split: metrics.scores(a.labels, a.values, a.places, majority) for split, a in _splits(crops)}
    for split, part in _splits(logits):
        raw = metrics.calibrated(part.values, 1.0)
        scores[split]["ece_uncalibrated"] = round(metrics.calibration_error(part.labels, raw), 4)
        scores[split]["brier_uncalibrated"] = round(metrics.brier(part.labels, raw), 4)
    return scores


def _by_part(part: Answers, name: str, value: str) -> pd.DataFrame:
    rows = []
    for split, each in _splits(part):
        scores = metrics.scores_of_part(each.labels, each.values, each.places)
        chosen = {key: scores[key] for key in OF_A_PART if key in scores}
        rows.append({"split": split, name: value, "crops": len(each.labels)} | chosen)
    return pd.DataFrame(rows)


def _parts(crops: Answers, name: str, values: NDArray[Any]) -> pd.DataFrame:
    parts = [_by_part(crops.where(values == value), name, value) for value in sorted(set(values))]
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values("split", key=lambda column: column.map(SPLITS.index), kind="stable", ignore_index=True)


def _reliability(crops: Answers) -> pd.DataFrame:
    parts = [metrics.reliability(part.labels, part.values).assign(split=split) for split, part in _splits(crops)]
    return pd.concat(parts, ignore_index=True)[["split", "bin", "crops", "confidence", "accuracy"]]


def _per_location(table: pd.DataFrame) -> pd.DataFrame:
    right = table.assign(top1=(table["label"] == table["prediction"]).astype(float))
    grouped: Any = right.groupby(["split", "dataset", "location"])
    return (
        grouped.agg(crops=("top1", "size"), top1=("top1", "mean"), labels=("label", "nunique")).round(4).reset_index()
    )
