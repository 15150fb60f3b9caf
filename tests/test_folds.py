"""Folds: whole locations, each judged by a network that has not seen it; a killed run continues."""

import numpy as np
import pandas as pd
import pytest
import torch
from make_tables import colour_crops, predictions

from camtraps import folds, models, training
from camtraps.errors import InputError
from camtraps.folds import Bank, by_classifier, by_folds, recipe, share_out
from camtraps.recipes import RECIPES, TrainParams

torch.set_num_threads(1)
CHANGES = {"model": "mobilenet_v3_small", "image_size": 32, "epochs": 2, "batch_size": 4, "learning_rate": 0.002}
CHANGES |= {"batch_norm_momentum": 0.3, "ema": 0.0, "recipe": "camtraps-small", "metric": "macro_recall", "seed": 1}
CHANGES |= {"accumulate": 1, "compile": False, "devices": 1, "tensorboard": False, "num_workers": 0, "max_failed": 0.0}
PARAMS = TrainParams(**RECIPES["camtraps-small"] | CHANGES)
CLASSES = ["blue", "green", "red"]


def placed(places):
    """Make crops of a label at each place: rows with place and label."""
    return pd.DataFrame(places, columns=["place", "label"])


def test_a_location_is_in_one_fold_and_labels_are_shared_out():
    crops = placed([(f"d/{at}", label) for at in range(9) for label in CLASSES for _ in range(at + 1)])
    fold = share_out(crops, 3, 1)
    assert crops.assign(fold=fold).groupby("place")["fold"].nunique().max() == 1
    shares = np.bincount(fold) / len(fold)
    assert shares.tolist() == pytest.approx([1 / 3] * 3, abs=0.05)


def test_a_label_of_few_locations_is_in_different_folds():
    crops = placed([(f"d/{at}", "red") for at in range(6)] + [("d/1", "blue"), ("d/2", "blue"), ("d/5", "blue")])
    fold = share_out(crops, 3, 1)
    assert sorted(fold[6:]) == [0, 1, 2]


def test_more_folds_than_locations_are_refused():
    with pytest.raises(InputError) as caught:
        share_out(placed([("d/1", "red"), ("d/2", "red")]), 3, 1)
    assert str(caught.value) == "params.yaml: mislabel.folds: 3 is more than the 2 locations; choose fewer"


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """Give three crops of each class at each of three locations, one of them called wrong; a fourth class is at one."""
    folder = tmp_path_factory.mktemp("crops")
    labels = [*CLASSES * 9, "owl"]
    crops = colour_crops(folder, labels, (32, 32))
    locations = [f"{at // 9}" for at in range(27)] + ["0"]
    crops = crops.assign(location=locations)
    crops.loc[0, "label"] = "red"
    splits = crops["location"].map({"0": "train", "1": "val", "2": "test"})
    assigned = crops[["image", "box", "dataset", "location", "label"]].assign(split=splits)
    return Bank.of(crops, assigned, [*CLASSES[:2], "owl", "red"], folder)


@pytest.fixture(scope="module")
def outcome(bank, tmp_path_factory):
    """Judge by folds; the first run is killed when its second training begins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAMTRAPS_WORK", str(tmp_path_factory.mktemp("work")))
        original, calls = training.train, []

        def train(*arguments):
            calls.append(arguments)
            if len(calls) == 2:
                raise KeyboardInterrupt
            return original(*arguments)

        patch.setattr(training, "train", train)
        with pytest.raises(KeyboardInterrupt):
            by_folds(bank, PARAMS, 3)
        found = by_folds(bank, PARAMS, 3)
        assert len(calls) == 4  # the first fold is not trained again
        again = by_folds(bank, PARAMS, 3)
        assert len(calls) == 4
        assert np.array_equal(again.seen.probabilities, found.seen.probabilities)
    torch.use_deterministic_algorithms(False)
    return found


def test_every_crop_gets_probabilities_those_of_train_too(outcome):
    """Defect B4: CameraTraps judges crops of train by the network that has learned them."""
    seen = outcome.seen
    assert seen.crops["split"].value_counts().to_dict() == {"train": 9, "val": 9, "test": 9}
    assert seen.probabilities.sum(axis=1).tolist() == pytest.approx([1] * 27)
    assert sorted(seen.crops.groupby("location")["fold"].first()) == [0, 1, 2]


def test_a_label_without_other_locations_is_not_judged_and_said_so(outcome):
    assert outcome.unseen.to_numpy().tolist() == [["d/027.jpg", folds.UNKNOWN]]
    of_its_location = (outcome.seen.crops["location"] == "0").to_numpy()
    assert (outcome.seen.probabilities[of_its_location, 2] == 0).all()


def test_lookalikes_are_at_other_locations(outcome, bank):
    places, like = bank.crops["place"], outcome.seen.lookalikes
    own = outcome.seen.crops["place"]
    for shown in (like.like_label, like.like_predicted):
        at, position = np.nonzero(shown >= 0)
        assert len(at) > 20
        assert not (places.iloc[shown[at, position]].to_numpy() == own.iloc[at].to_numpy()).any()
    named = like.like_label[1][like.like_label[1] >= 0]
    assert set(bank.crops["label"].iloc[named]) == {outcome.seen.crops["label"].iloc[1]}


def test_another_recipe_or_label_is_another_result(bank):
    fold = np.zeros(len(bank.crops), np.int64)
    changed = Bank(bank.crops.assign(label="red"), bank.classes, bank.folder)
    names = {folds._fingerprint(each, PARAMS, fold, 0) for each in (bank, changed)}
    names |= {folds._fingerprint(bank, PARAMS, fold, 1), folds._fingerprint(bank, PARAMS, 1 - fold, 0)}
    assert len(names) == 4


def test_a_damaged_result_says_what_to_do(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="damaged; delete it and run again"):
        folds._read(tmp_path / "x.npz")


@pytest.fixture(scope="module")
def classifier(bank):
    """Make an untrained classifier of the bank's classes."""
    from camtraps.networks import build

    info = models.ModelInfo(
        format=1, architecture="mobilenet_v3_small", classes=bank.classes, taxa={}, image_size=32, mean=[], std=[],
        crop={}, temperature=1.0, params={k: v for k, v in CHANGES.items() if k not in training.SPEED_ONLY}, data={},
        best_epoch=0,
    )  # fmt: skip
    return build("mobilenet_v3_small", len(bank.classes), 32).eval(), info


def test_the_classifier_judges_val_and_test_alone(bank, classifier):
    keys = bank.crops[["image", "box", "label", "split"]].to_dict("records")
    predicted = predictions(
        *(key | {"probabilities": [0.1, 0.2, 0.3, 0.4]} for key in keys if key["image"] != "d/009.jpg")
    )
    found = by_classifier(*classifier, bank, predicted)
    assert set(found.seen.crops["split"]) == {"val", "test"}
    assert found.seen.crops["fold"].isna().all()
    reasons = found.unseen.set_index("image")["reason"]
    assert reasons["d/009.jpg"] == "its crops have no prediction"
    assert set(reasons.drop("d/009.jpg")) == {"split train: the network has seen its label"}
    assert len(found.seen.crops) + len(reasons) == len(bank.crops)


def test_the_recipe_is_that_of_the_classifier_on_one_device(classifier):
    info = classifier[1]
    whole = {**RECIPES["camtraps-small"], **info.params, "devices": 4}
    params = recipe(models.ModelInfo(**{**vars(info), "params": whole}))
    assert (params.epochs, params.devices, params.tensorboard) == (2, 1, False)
