"""Which labels are probably wrong: candidates for a person to look at, most suspicious first."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from camtraps import failures
from camtraps.params import check_range
from camtraps.predictions import Predictions

# The network has learned the labels of train by heart, the wrong ones too: only what it has not seen can be judged.
JUDGED = ("val", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class MislabelParams:
    """Section ``mislabel`` of params.yaml."""

    min_margin: float
    """List photos whose predicted class beats the labelled one by at least this probability, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range(self, min_margin=(0.0, 1.0))


@dataclass(frozen=True)
class Ranked:
    """Rows of the candidates table, and the photos that were not judged."""

    candidates: pd.DataFrame
    skipped: pd.DataFrame
    num_photos: int


def rank(predictions: Predictions, classes: list[str], min_margin: float) -> Ranked:
    """Rank the photos of val and test by the evidence against their label.

    The margin of a crop is p(predicted) - p(labelled): above 0 the prediction differs from the label. A photo's
    margin is the smallest of its crops', since one animal of the label is enough to make the label right. Photos are
    ordered by the log ratio, the score, which still tells saturated margins apart.

    Args:
        predictions: the predictions table.
        classes: in the order of the probabilities.
        min_margin: smallest margin to list.
    """
    rows, probabilities = predictions.crops, predictions.probabilities.astype(np.float64)
    index = {name: at for at, name in enumerate(classes)}
    labels = rows["label"].map(index).to_numpy(np.int64)
    crops = np.arange(len(labels))
    of_label = probabilities[crops, labels]
    others = probabilities.copy()
    others[crops, labels] = -1.0
    rival = others.argmax(axis=1)
    margin = others[crops, rival] - of_label
    score = np.log(np.clip(others[crops, rival], 1e-9, 1)) - np.log(np.clip(of_label, 1e-9, 1))
    evidence = [
        f"p({a})={p:.3f} p({b})={q:.3f}"
        for a, p, b, q in zip(np.array(classes)[rival], others[crops, rival], rows["label"], of_label, strict=True)
    ]
    table = rows[["image", "dataset", "box", "split", "label"]].assign(
        predicted=np.array(classes)[rival], margin=margin.round(6), score=score.round(6), evidence=evidence
    )
    photos = table.sort_values(["margin", "score", "image"], kind="stable").drop_duplicates("image")
    judged = photos[photos["split"].isin(JUDGED)]
    listed = judged[judged["margin"] > max(min_margin, 0.0) - 1e-12].query("margin > 0")
    listed = listed.sort_values(["score", "image"], ascending=[False, True], kind="stable")
    unseen = photos[~photos["split"].isin(JUDGED)]["image"]
    rest = judged[~judged["image"].isin(listed["image"])]
    reasons = [(image, None, "split train: the network has seen its label") for image in unseen]
    reasons += [
        (image, None, "margin below mislabel.min_margin" if margin > 0 else "prediction does not contradict the label")
        for image, margin in zip(rest["image"], rest["margin"], strict=True)
    ]
    files = [
        image.removeprefix(f"{dataset}/") for image, dataset in zip(listed["image"], listed["dataset"], strict=True)
    ]
    candidates = listed.assign(rank=np.arange(1, len(listed) + 1), file=files).reset_index(drop=True)
    return Ranked(candidates, failures.rows("mislabel", "skipped", reasons), len(photos))
