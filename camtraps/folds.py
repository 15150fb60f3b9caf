"""Folds: networks that have not seen a location judge its crops, by the classifier itself or by cross-validation."""

import json
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from camtraps import balancing, features, inference, lookalikes, training
from camtraps.errors import InputError
from camtraps.files import code_digest, digest, replacing, work_dir
from camtraps.lookalikes import Known, Lookalikes
from camtraps.metrics import calibrated
from camtraps.models import ModelInfo
from camtraps.predictions import Predictions
from camtraps.processes import num_workers
from camtraps.recipes import TrainParams
from camtraps.results import prune
from camtraps.review import Seen, codes, rivals
from camtraps.tasks import prepare
from camtraps.transforms import AUGMENTATIONS

REFERENCES = 1000  # crops of a label to look for lookalikes among; of more, evenly spaced ones
MODULES = ("folds", "lookalikes", "features", "balancing", "review")
CODE = (*training.CODE, *(f"camtraps.{name}" for name in MODULES))
UNKNOWN = "its label has too few locations for this fold"
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Bank:
    """The crops of a run: rows of the crops table with ``split`` and ``place``, by image and box, and their classes."""

    crops: pd.DataFrame
    classes: list[str]
    folder: Path

    @classmethod
    def of(cls, crops: pd.DataFrame, assigned: pd.DataFrame, classes: list[str], folder: Path) -> "Bank":
        """Put the assigned crops together.

        Args:
            crops: rows of the crops table.
            assigned: rows of the assigned table.
            classes: names of the labels.
            folder: where the shards are.
        """
        places = assigned[["image", "box", "split", "location"]]
        rows = places.merge(crops.drop(columns="location"), on=["image", "box"], validate="1:1")
        rows = rows.assign(place=rows["dataset"] + "/" + rows["location"]).sort_values(["image", "box"])
        return cls(rows.reset_index(drop=True), classes, folder)

    @property
    def labels(self) -> Numbers:
        """The number of each crop's class."""
        return codes(self.crops["label"], self.classes)

    def seen(self, rows: Numbers, probabilities: NDArray[np.float64], like: Lookalikes, fold: Numbers | None) -> Seen:
        """Say what was seen of some rows."""
        folds = pd.array([None] * len(rows) if fold is None else fold[rows], "Int32")
        crops = self.crops.iloc[rows].reset_index(drop=True).assign(fold=folds)
        return Seen(crops, self.classes, probabilities, like, self.crops[["image", "box"]])


@dataclass(frozen=True)
class Outcome:
    """What was seen, and image and reason of the crops that were not judged."""

    seen: Seen
    unseen: pd.DataFrame


def by_classifier(network: nn.Module, info: ModelInfo, bank: Bank, predicted: Predictions) -> Outcome:
    """Let the classifier judge the crops of val and test.

    Args:
        network: the classifier.
        info: of it.
        bank: the crops.
        predicted: the predictions table.

    Raises:
        InputError: it has no crop of val or test.
    """
    keys = ["image", "box"]
    numbers = bank.crops[[*keys, "split"]].merge(
        predicted.crops[keys].assign(at=range(len(predicted.crops))), on=keys, how="left", validate="1:1"
    )
    is_train, has_none = numbers["split"] == "train", numbers["at"].isna()
    rows = np.flatnonzero(~is_train & ~has_none)
    if not len(rows):
        raise InputError("data/predictions: no crop of val or test; run `dvc repro`")
    own = predicted.probabilities[numbers["at"].iloc[rows].to_numpy(np.int64)].astype(np.float64)
    like = _lookalikes(network, info, bank, rows, rivals(own, bank.labels[rows]))
    reasons = np.where(is_train, "split train: the network has seen its label", "its crops have no prediction")
    unseen = numbers.assign(reason=reasons)[is_train | has_none][["image", "reason"]]
    return Outcome(bank.seen(rows, own, like, None), unseen)


def by_folds(bank: Bank, params: TrainParams, num: int) -> Outcome:
    """Train so many networks, each without a share of the locations, and let each judge those.

    A network is trained on the other locations but for the share of the next fold, which chooses its epoch and
    temperature. What a fold has found is kept in the work folder: a killed run continues.

    Args:
        bank: the crops.
        params: the recipe.
        num: of folds, from 3.

    Raises:
        InputError: there are fewer locations.
    """
    fold = share_out(bank.crops, num, params.seed)
    folder = work_dir("mislabel")
    names = [_fingerprint(bank, params, fold, number) for number in range(num)]
    prune(folder, {f"{name}.npz" for name in names})
    found = []
    for number, name in enumerate(names):
        path = folder / f"{name}.npz"
        if not path.exists():
            result = _fold(bank, params, fold, number)
            with replacing(path) as part, part.open("wb") as file:
                np.savez(file, allow_pickle=False, **result)
        found.append(_read(path))
    rows, probabilities, votes, like_label, like_predicted = (
        np.concatenate([each[name] for each in found])
        for name in ("rows", "probabilities", "votes", "like_label", "like_predicted")
    )
    order = np.argsort(rows)
    like = Lookalikes(votes[order], like_label[order], like_predicted[order])
    unseen = bank.crops[["image"]].drop(index=rows).assign(reason=UNKNOWN)
    return Outcome(bank.seen(rows[order], probabilities[order], like, fold), unseen)


def share_out(crops: pd.DataFrame, num: int, seed: int) -> Numbers:
    """Give each crop a fold, 0 to num - 1, whole locations each, with the labels shared out as evenly as they can be.

    Args:
        crops: with place and label.
        num: of folds.
        seed: of the tries.

    Raises:
        InputError: there are fewer locations.
    """
    table = pd.crosstab(crops["place"], crops["label"])
    if len(table) < num:
        raise InputError(f"params.yaml: mislabel.folds: {num} is more than the {len(table)} locations; choose fewer")
    counts = table.to_numpy(np.float64)
    shares, free = np.full(num, 1 / num), np.full(len(table), balancing.FREE)
    problem = balancing.Problem(counts, (counts > 0).astype(np.float64), shares, free, 0.5)
    rng = np.random.default_rng(seed)
    chosen = balancing.assign(problem, [rng.permutation(len(table)) for _ in range(balancing.ORDERS)])
    return np.asarray(chosen[table.index.get_indexer(crops["place"])])


def recipe(info: ModelInfo) -> TrainParams:
    """Give the params that a classifier was trained with, for one device."""
    free: dict[str, Any] = {"num_workers": num_workers() - 1, "tensorboard": False, "max_failed": 1.0}
    return TrainParams(**info.params | free | {"devices": 1})


def _fold(bank: Bank, params: TrainParams, fold: Numbers, number: int) -> dict[str, NDArray[Any]]:
    """Train the network of one fold and let it judge the fold's crops."""
    num = fold.max() + 1
    split = np.where(fold == number, "test", np.where(fold == (number + 1) % num, "val", "train"))
    known = set(bank.crops.loc[split == "train", "label"])
    is_known = bank.crops["label"].isin(known).to_numpy()
    used = bank.crops.assign(split=split)[is_known & (split != "test")]
    keys = used[["image", "box", "dataset", "location", "split"]]
    task = prepare(
        used.drop(columns=["split", "place"]), keys, bank.folder, params.image_size, AUGMENTATIONS[params.augmentation]
    )
    trained = training.train(task, params, lambda scores: None)
    info = training.describe(task, trained, params, dict.fromkeys(task.classes), {})
    rows = np.flatnonzero(is_known & (split == "test"))
    asked = bank.crops.iloc[rows]
    found = inference.in_one_go(trained.network, info, asked, bank.folder)
    good = ~np.isnan(found.logits).any(axis=1)
    rows = rows[good]
    probabilities = np.zeros((len(rows), len(bank.classes)))
    own = [bank.classes.index(name) for name in task.classes]
    probabilities[:, own] = calibrated(found.logits[good], trained.temperature)
    like = _lookalikes(trained.network, info, bank, rows, rivals(probabilities, bank.labels[rows]))
    return {"rows": rows, "probabilities": probabilities} | asdict(like)


def _lookalikes(network: nn.Module, info: ModelInfo, bank: Bank, asked: Numbers, predicted: Numbers) -> Lookalikes:
    """Find the lookalikes of some rows among all."""
    labels = bank.labels
    places = pd.factorize(bank.crops["place"])[0].astype(np.int64)
    references = np.concatenate([_spaced(np.flatnonzero(labels == at)) for at in range(len(bank.classes))])
    rows = np.union1d(asked, references)
    found = features.of_crops(network, info, bank.crops.iloc[rows].drop(columns=["split", "place"]), bank.folder)
    known = np.sort(references)
    known = known[np.isfinite(found[np.searchsorted(rows, known)]).all(axis=1)]
    mine, theirs = (
        Known(found[np.searchsorted(rows, some)], labels[some], places[some], some) for some in (asked, known)
    )
    return lookalikes.find(mine, predicted, theirs, len(bank.classes))


def _spaced(rows: Numbers) -> Numbers:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), REFERENCES)).astype(np.int64))]


def _fingerprint(bank: Bank, params: TrainParams, fold: Numbers, number: int) -> str:
    columns = ["image", "box", "label", "place", "confidence", "calibrated", "shard", "offset", "length"]
    rows = bank.crops[columns].assign(fold=fold).to_csv(index=False)
    given = [asdict(replace(params, num_workers=0)), bank.classes, number]
    return digest(json.dumps(given), rows, code_digest(CODE))


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Read what a fold has found.

    Raises:
        InputError: the file is damaged.
    """
    try:
        with np.load(path) as found:
            return dict(found)
    except (OSError, ValueError, EOFError, KeyError, zlib.error) as error:
        raise InputError(f"{path}: damaged; delete it and run again: {error}") from None
