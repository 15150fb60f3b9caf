"""Which labels are probably wrong: all evidence put together, candidates for a person to look at, the worst first."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from camtraps import failures, noise
from camtraps.confident_learning import off_diagonal
from camtraps.kinship import closeness
from camtraps.lookalikes import Lookalikes
from camtraps.noise import Company, Evidence, NoiseModel
from camtraps.params import check_range
from camtraps.schema import JUDGED, NEIGHBOURS

SOURCES = ("own probabilities", "probabilities of the sequence", "labels of lookalikes")
FOR_LABEL, DECIDED = "the evidence is for the label", "a person has decided"
LEAST = 1e-6  # probability that a source gives a class: no source is so sure
Values = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class MislabelParams:
    """Section ``mislabel`` of params.yaml."""

    folds: int | None
    """So many trainings, each without a share of the locations, judge every photo, those of train too; null: the
    classifier judges those of val and test."""
    min_score: float
    """List photos whose label is wrong with at least this probability, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, min_score=(0.0, 1.0))
        if self.folds is not None:
            check_range(self, folds=(3, 100))


@dataclass(frozen=True)
class Seen:
    """What networks that have not seen a crop's location say of it.

    ``crops``: image, box, dataset, location, sequence, split, label, fold; ``probabilities``: (crops, classes);
    ``every``: image and box of the crops whose rows ``lookalikes`` names.
    """

    crops: pd.DataFrame
    classes: list[str]
    probabilities: Values
    lookalikes: Lookalikes
    every: pd.DataFrame


@dataclass(frozen=True)
class Judged:
    """Rows of the table of judged crops, in the order of `Seen`, and the model that gave the scores."""

    crops: pd.DataFrame
    model: NoiseModel

    def describe(self, classes: list[str]) -> dict[str, Any]:
        """Say how the scores come about: the model's parameters, by name."""
        states = [state.name.lower() for state in Company]
        right, wrong = self.model.company.round(4).tolist()
        return {
            "share_of_wrong_labels": round(self.model.rate, 4),
            "weights": dict(zip(SOURCES, self.model.weights.round(4).tolist(), strict=True)),
            "company_of_right_labels": dict(zip(states, right, strict=True)),
            "company_of_wrong_labels": dict(zip(states, wrong, strict=True)),
            "classes": classes,
            "confusion": self.model.confusion.round(4).tolist(),
        }


def rivals(probabilities: Values, labels: Numbers) -> Numbers:
    """Give the most probable class but for the label, (crops,)."""
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1.0
    return np.asarray(others.argmax(axis=1))


def codes(labels: pd.Series, classes: list[str]) -> Numbers:
    """Number labels by the order of the classes."""
    numbers = labels.map({name: at for at, name in enumerate(classes)})
    return np.asarray(numbers.to_numpy(np.int64))


def judge(seen: Seen, distances: Values) -> Judged:
    """Give each crop the probability that its label is wrong.

    The model of label noise is fitted to photos, each spoken for by the crop that is most like its label; it then
    judges every crop.

    Args:
        seen: at least one crop.
        distances: between the labels' taxa, (classes, classes), from `kinship`.
    """
    labels, crops = codes(seen.crops["label"], seen.classes), np.arange(len(seen.crops))
    predicted = rivals(seen.probabilities, labels)
    of_label, of_predicted = seen.probabilities[crops, labels], seen.probabilities[crops, predicted]
    margin = of_predicted - of_label
    mates = _Mates.of(seen, labels)
    votes = seen.lookalikes.votes
    evidence = _evidence(seen, labels, mates)
    speakers = _speakers(seen.crops, margin)
    model = noise.fit(evidence.of(speakers), closeness(distances))
    few = np.where(votes.sum(axis=1) > 0, votes.sum(axis=1), np.nan)
    alone = np.where(mates.num > 0, 1.0, np.nan)
    names = np.array(seen.classes)
    table = seen.crops.assign(
        predicted=names[predicted],
        margin=margin.round(6),
        score=model.doubts(evidence).round(6),
        p_label=of_label.round(6),
        p_predicted=of_predicted.round(6),
        is_confident=off_diagonal(seen.probabilities, labels),
        sequence_photos=mates.num,
        sequence_same_label=(mates.same / np.maximum(mates.num, 1) * alone).round(6),
        sequence_p_label=(mates.mean[crops, labels] * alone).round(6),
        sequence_p_predicted=(mates.mean[crops, predicted] * alone).round(6),
        neighbours_label=(votes[crops, labels] / few).round(6),
        neighbours_predicted=(votes[crops, predicted] / few).round(6),
        taxon_distance=pd.array(distances[labels, predicted], "Int32"),
    )
    return Judged(table[JUDGED.schema.names], model)


def candidates(judged: pd.DataFrame, min_score: float, decided: set[str]) -> pd.DataFrame:
    """Give the rows of the candidates table: the photos whose label is wrong with at least this probability.

    Args:
        judged: the table of judged crops.
        min_score: 0 to 1.
        decided: photos of which a person has said what they show.
    """
    photos = judged.iloc[_speakers(judged, judged["margin"].to_numpy())]
    listed = photos[(photos["score"] >= min_score) & ~photos["image"].isin(decided)]
    listed = listed.sort_values(["score", "margin", "image"], ascending=[False, False, True])
    files = [
        image.removeprefix(f"{dataset}/") for image, dataset in zip(listed["image"], listed["dataset"], strict=True)
    ]
    texts = [_text(row) for row in listed.itertuples()]
    return listed.assign(rank=np.arange(1, len(listed) + 1), file=files, evidence=pd.Series(texts, listed.index, "str"))


def neighbours(listed: pd.DataFrame, seen: Seen) -> pd.DataFrame:
    """Give the rows of the neighbours table for candidates."""
    keys = ["image", "box"]
    places = listed[keys].merge(seen.crops[keys].assign(row=range(len(seen.crops))), on=keys, how="left")["row"]
    parts = []
    for like, rows in (("label", seen.lookalikes.like_label), ("predicted", seen.lookalikes.like_predicted)):
        found = rows[places.to_numpy(np.int64)]  # (candidates, shown)
        at, position = np.nonzero(found >= 0)
        near = seen.every.iloc[found[at, position]]
        part = listed[keys].iloc[at].reset_index(drop=True)
        part = part.assign(like=like, position=position + 1)
        parts.append(part.assign(neighbour_image=near["image"].to_numpy(), neighbour_box=near["box"].to_numpy()))
    return pd.concat(parts)[NEIGHBOURS.schema.names]


def skipped(judged: pd.DataFrame, listed: pd.DataFrame, decided: set[str], unseen: pd.DataFrame) -> pd.DataFrame:
    """Give rows of the failures table for the photos that are no candidates.

    Args:
        judged: the table of judged crops.
        listed: candidates.
        decided: as in `candidates`.
        unseen: image and reason of crops that were not judged.
    """
    rest = sorted(set(judged["image"]) - set(listed["image"]))
    reasons = [(image, None, DECIDED if image in decided else FOR_LABEL) for image in rest]
    others = unseen[~unseen["image"].isin(judged["image"])].drop_duplicates("image")
    reasons += [(image, None, reason) for image, reason in zip(others["image"], others["reason"], strict=True)]
    return failures.rows("mislabel", "skipped", reasons)


@dataclass(frozen=True)
class _Mates:
    """The other photos of each crop's sequence: how many, how many of the same label, mean probabilities."""

    num: Numbers  # (crops,)
    same: Numbers  # (crops,)
    mean: Values  # (crops, classes)
    sums: Values  # (crops, classes)

    @classmethod
    def of(cls, seen: Seen, labels: Numbers) -> "_Mates":
        photo, names = pd.factorize(seen.crops["image"])
        first = np.unique(photo, return_index=True)[1]
        own = np.zeros((len(names), len(seen.classes)))
        np.add.at(own, photo, seen.probabilities)
        own /= np.bincount(photo)[:, None]
        rows = seen.crops.iloc[first]
        sequence = (rows["dataset"] + "/" + rows["sequence"]).where(rows["sequence"].notna(), "\0" + rows["image"])
        group, found = pd.factorize(sequence)
        label = labels[first]
        sums = np.zeros((len(found), own.shape[1]))
        np.add.at(sums, group, own)
        counts = np.zeros(sums.shape, np.int64)
        np.add.at(counts, (group, label), 1)
        num = np.bincount(group)[group] - 1
        others = sums[group] - own
        mean = others / np.maximum(num, 1)[:, None]
        same = counts[group, label] - 1
        return cls(num[photo], same[photo], mean[photo], others[photo])

    def company(self) -> Numbers:
        states = [self.num == 0, self.same == self.num, self.same > 0]
        return np.select(states, [Company.ALONE, Company.SAME, Company.MIXED], Company.OTHER).astype(np.int64)


def _evidence(seen: Seen, labels: Numbers, mates: _Mates) -> Evidence:
    """Put together what is known of each crop; sources that know little are drawn towards knowing nothing."""
    votes, even = seen.lookalikes.votes, 1 / len(seen.classes)
    sources = [
        seen.probabilities,
        (mates.sums + even) / (mates.num + 1)[:, None],
        (votes + even) / (votes.sum(axis=1) + 1)[:, None],
    ]
    logs = [np.log(np.maximum(source, LEAST)) for source in sources]
    return Evidence(np.stack(logs, axis=1), labels, mates.company())


def _speakers(crops: pd.DataFrame, margin: Values) -> Numbers:
    """Choose the crop of each photo that is most like its label: one animal of it is enough to make the label right."""
    order = crops[["image", "box"]].assign(margin=margin, row=range(len(crops)))
    chosen = order.sort_values(["margin", "image", "box"], kind="stable").drop_duplicates("image")
    return np.sort(chosen["row"].to_numpy(np.int64))


def _text(row: Any) -> str:
    """Say in words what speaks against a label."""
    items = [f"p({row.predicted})={row.p_predicted:.3f} p({row.label})={row.p_label:.3f}"]
    if row.sequence_photos:
        same = round(row.sequence_same_label * row.sequence_photos)
        what = f"p({row.predicted})={row.sequence_p_predicted:.2f} p({row.label})={row.sequence_p_label:.2f}"
        items.append(f"{same} of {row.sequence_photos} other photos of the sequence are labelled so, there {what}")
    if not np.isnan(row.neighbours_label):
        shares = f"{row.neighbours_predicted:.0%} are {row.predicted}, {row.neighbours_label:.0%} {row.label}"
        items.append(f"of the most similar crops at other locations {shares}")
    if row.is_confident:
        items.append("confident learning counts it as wrong")
    return "; ".join(items)
