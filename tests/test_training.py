"""Training: tiny runs on plain colours; a killed one ends where a whole one does."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from make_tables import colour_crops, damage, rows
from torch import nn

from camtraps import training, training_state
from camtraps.datasets import Loader
from camtraps.errors import CamtrapsError, FailuresError, InputError
from camtraps.optimizing import crop_weights, learning_rate, make_optimizer, set_phase
from camtraps.recipes import RECIPES, TrainParams
from camtraps.schema import ASSIGNED
from camtraps.tasks import Part, prepare
from camtraps.training import describe, train
from camtraps.training_state import begun
from camtraps.transforms import AUGMENTATIONS

torch.set_num_threads(1)
CHANGES = {"recipe": "camtraps-small", "model": "mobilenet_v3_small", "image_size": 32, "epochs": 3, "batch_size": 4}
CHANGES |= {
    "learning_rate": 0.002,
    "dropout": 0.2,
    "batch_norm_momentum": 0.3,
    "metric": "macro_recall",
    "seed": 1,
    "ema": 0.0,
}
CHANGES |= {"accumulate": 1, "compile": False, "devices": 1, "tensorboard": False, "num_workers": 0, "max_failed": 0.0}
CHANGES |= {"ema": 0.0}
PARAMS = TrainParams(**RECIPES["camtraps-small"] | CHANGES)
TRAIN, VAL = ["red", "blue", "green"] * 4, ["blue", "red", "green"]


@pytest.fixture(autouse=True)
def chance_as_before():
    """Take back what training sets for the whole process."""
    yield
    torch.use_deterministic_algorithms(False)


def learn(folder, train_labels=TRAIN, val_labels=VAL, params=PARAMS):
    """Prepare drawn crops of train and val, and one of test."""
    labels = [*train_labels, *val_labels, train_labels[0]]
    splits = ["train"] * len(train_labels) + ["val"] * len(val_labels) + ["test"]
    crops = colour_crops(folder, labels)
    given = zip(crops["image"], labels, splits, strict=True)
    assigned = rows(ASSIGNED, *({"image": image, "label": label, "split": split} for image, label, split in given))
    return prepare(crops, assigned, folder, params.image_size, AUGMENTATIONS[params.augmentation])


def run(task, params=PARAMS):
    """Train; give the result and what was logged."""
    logged = []
    return train(task, params, logged.append), logged


def same_weights(one, other):
    pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_after(epoch):
    def log(scores):
        if scores["epoch"] == epoch:
            raise Killed

    return log


def kill_at_step(number, monkeypatch):
    """End training once, before that step; give a list that grows with each step."""
    normalise, calls = training.normalise, []

    def killing(levels):
        calls.append(1)
        if len(calls) == number:
            raise Killed
        return normalise(levels)

    monkeypatch.setattr(training, "normalise", killing)
    return calls


def test_two_classes_can_be_trained(tmp_path):
    trained, logged = run(learn(tmp_path, ["fox", "blue"] * 6, ["fox", "blue"]))
    assert [scores["epoch"] for scores in logged] == [0, 1, 2]
    assert set(logged[0]) >= {"epoch", "train_loss", "val_log_loss", "val_top1", "val_macro_recall"}
    assert 0.2 <= trained.temperature <= 5


def test_plain_colours_are_learned(tmp_path, monkeypatch):
    def build(*_):  # a real network needs more than twelve crops
        head = (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
        return nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), *head)

    monkeypatch.setattr(training_state, "build", build)
    params = replace(PARAMS, epochs=12, learning_rate=0.1, label_smoothing=0.0)
    _, logged = run(learn(tmp_path, val_labels=VAL * 3), params)
    assert logged[-1]["val_macro_recall"] == 1.0
    assert logged[-1]["train_loss"] < logged[0]["train_loss"]


def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path, monkeypatch):
    task, results = learn(tmp_path), []
    for name, params in (("one", PARAMS), ("two", PARAMS), ("three", replace(PARAMS, seed=2))):
        monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / name))
        results.append(train(task, params, lambda scores: None))
    assert same_weights(results[0], results[1])
    assert not same_weights(results[0], results[2])


def test_training_resumed_after_a_kill_ends_as_an_uninterrupted_run(tmp_path, monkeypatch):
    task = learn(tmp_path)
    with pytest.raises(Killed):
        train(task, PARAMS, kill_after(epoch=1))
    trained_epochs, train_epoch = [], training._train_epoch
    monkeypatch.setattr(training, "_train_epoch", lambda *given: trained_epochs.append(1) or train_epoch(*given))
    resumed, logged = run(task)
    assert len(trained_epochs) == 1
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "uninterrupted"))
    whole, all_logged = run(task)
    assert len(trained_epochs) == 1 + 3
    assert same_weights(resumed, whole)
    assert resumed.history == whole.history == logged == all_logged
    assert (resumed.best_epoch, resumed.temperature) == (whole.best_epoch, whole.temperature)


def test_training_killed_within_an_epoch_ends_as_an_uninterrupted_run(tmp_path, monkeypatch):
    task = learn(tmp_path)
    kill_at_step(5, monkeypatch)  # the second one of the second epoch
    with pytest.raises(Killed):
        run(task)
    resumed, _ = run(task)
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "uninterrupted"))
    whole, _ = run(task)
    assert same_weights(resumed, whole)
    assert resumed.history == whole.history


def test_other_params_do_not_continue_from_a_checkpoint(tmp_path):
    task = learn(tmp_path)
    short = replace(PARAMS, epochs=1)
    run(task, short)
    _, logged = run(task, replace(short, learning_rate=0.0001))
    _, again = run(task, short)
    assert logged != again


# Python 3.12 warns of every fork of a process that has threads.
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_number_of_workers_changes_nothing(tmp_path, monkeypatch):
    """R16: seeds did not reach the views that worker processes drew."""
    task, params = learn(tmp_path), replace(PARAMS, epochs=2)
    alone, _ = run(task, params)
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "with a worker"))
    helped, _ = run(task, replace(params, num_workers=1))
    assert same_weights(alone, helped)
    assert alone.history == helped.history


def test_every_epoch_has_an_order_and_views_of_its_own(tmp_path, monkeypatch):
    given, epochs = Loader.batches, []

    def watched(self, steps):
        epochs.append([pick for step in steps for pick in step])
        return given(self, steps)

    monkeypatch.setattr(Loader, "batches", watched)
    run(learn(tmp_path), replace(PARAMS, epochs=2))
    first, second = (picks for picks in epochs if picks[0].seed)
    assert sorted(pick.row for pick in first) == sorted(pick.row for pick in second) == list(range(12))
    assert [pick.row for pick in first] != [pick.row for pick in second]
    assert len({pick.seed for pick in first + second}) == 24


def test_a_last_batch_of_one_crop_is_no_harm(tmp_path):
    _, logged = run(learn(tmp_path, TRAIN[:9]), replace(PARAMS, epochs=1))
    assert math.isfinite(logged[0]["train_loss"])


def test_training_keeps_the_latest_epoch_not_clearly_worse_than_the_best_and_stops_when_patience_is_out(
    tmp_path, monkeypatch
):
    recalls, kept = [0.5, 0.6, 0.51, 0.4, 0.5, 0.9], []

    def validate(state, job):
        kept.append({name: value.clone() for name, value in state.network.state_dict().items()})
        scores = {"val_log_loss": 1.0, "val_top1": 0.5, "val_macro_recall": recalls[len(kept) - 1]}
        return scores | {"val_macro_recall_error": 0.05}

    monkeypatch.setattr(training, "_validate", validate)
    trained, logged = run(learn(tmp_path), replace(PARAMS, epochs=6, patience=2))
    assert [scores["val_macro_recall"] for scores in logged] == [0.5, 0.6, 0.51, 0.4, 0.5]
    assert trained.best_epoch == 2
    assert all(torch.equal(value, kept[2][name]) for name, value in trained.network.state_dict().items())


def test_a_loss_that_is_no_number_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "normalise", lambda views: views * math.nan)
    with pytest.raises(CamtrapsError) as error:
        run(learn(tmp_path))
    assert str(error.value) == "params.yaml: train.learning_rate: the loss became nan; try a tenth of it"


def test_the_learning_rate_warms_up_and_falls_as_a_cosine():
    params = replace(PARAMS, epochs=5, warmup_epochs=1, learning_rate=0.1)
    rates = [learning_rate(step, 4, params) for step in range(20)]
    assert rates[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert rates[4] == pytest.approx(0.1)
    assert rates[12] == pytest.approx(0.1 * (0.01 + 0.99 / 2))
    assert learning_rate(20, 4, params) == pytest.approx(0.001)
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_a_run_shorter_than_its_warm_up_is_all_warm_up():
    params = replace(PARAMS, epochs=1, warmup_epochs=2, learning_rate=0.1)
    assert [learning_rate(step, 2, params) for step in range(2)] == pytest.approx([0.025, 0.05])


@pytest.mark.parametrize(
    ("by_label", "by_confidence", "expected"),
    [
        (False, False, [1, 1, 1, 1]),
        (False, True, [0.9, 0.8, 1.0, 0.5]),
        (True, False, [2 / 3, 2 / 3, 2 / 3, 2]),
        (True, True, [0.5333, 0.4741, 0.5926, 1.6]),
    ],
)
def test_crops_are_weighted_as_asked(by_label, by_confidence, expected):
    part = Part(None, None, np.array([0, 0, 0, 1]), np.array([0.9, 0.8, 1.0, 0.5]), np.array(["a"] * 4))
    params = replace(PARAMS, label_weighted=by_label, weight_by_detection_conf=by_confidence)
    assert crop_weights(part, params) == pytest.approx(expected, abs=1e-4)


def test_the_task_takes_the_crops_of_train_and_val(tmp_path):
    """R6: the test split was looked at whenever val got better; here training never sees it."""
    task = learn(tmp_path)
    assert task.classes == ["blue", "green", "red"]
    assert [task.classes[at] for at in task.train.labels] == TRAIN
    assert [task.classes[at] for at in task.val.labels] == VAL
    counts = task.counts(task.failures({"train": {}, "val": {}}))
    assert (counts.rows_in, counts.rows_out, counts.skipped) == (16, 15, 1)


def test_the_hash_of_the_data_changes_with_a_crop_and_not_with_the_order(tmp_path):
    crops = colour_crops(tmp_path, [*TRAIN, *VAL])
    given = zip(crops["image"], crops["label"], ["train"] * 12 + ["val"] * 3, strict=True)
    assigned = rows(ASSIGNED, *({"image": image, "label": label, "split": split} for image, label, split in given))

    def digest(crops, assigned):
        return prepare(crops, assigned, tmp_path, 32, AUGMENTATIONS["camtraps"]).data

    expected = digest(crops, assigned)
    assert digest(crops.iloc[::-1], assigned) == expected
    assert digest(crops.assign(offset=crops["offset"] + 1), assigned) != expected
    assert (
        digest(crops, assigned.replace({"split": {"val": "train"}}).assign(split=["val"] + ["train"] * 14)) != expected
    )


@pytest.mark.parametrize(
    ("train_labels", "val_labels", "what"),
    [
        (["red", "red"], ["red", "blue", "green"], "label blue, green has no crop in train"),
        (["red", "blue"], [], "val has no crop"),
    ],
)
def test_a_split_that_lacks_crops_is_a_clear_error(tmp_path, train_labels, val_labels, what):
    """R15: an assertion, after all data had been read."""
    with pytest.raises(InputError) as error:
        learn(tmp_path, train_labels, val_labels)
    assert str(error.value) == f"data/splits: {what}; raise split.min_locations or change split.seed"


def test_the_description_says_all_that_the_model_must_know(tmp_path):
    """R16: params.json had neither classes, image size nor hashes of the data."""
    task = learn(tmp_path)
    trained = training.Trained(None, 1.5, best_epoch=2, history=[], start="none", failed={})
    taxa = {name: {"taxa": [f"species {name}"]} for name in ("red", "green", "blue", "unused")}
    info = describe(task, trained, replace(PARAMS, num_workers=7), taxa, {"square": True})
    assert (info.classes, info.temperature, info.best_epoch) == (["blue", "green", "red"], 1.5, 2)
    assert (info.architecture, info.image_size, info.crop) == ("mobilenet_v3_small", 32, {"square": True})
    assert info.taxa == {name: {"taxa": [f"species {name}"]} for name in ("blue", "green", "red")}
    assert (info.params["epochs"], "num_workers" in info.params) == (3, False)
    assert info.data == task.data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs: must be at least 1, got 0"),  # R3: the default, which ended in a KeyError
        ({"batch_size": 1}, "batch_size: must be at least 2, got 1"),
        ({"image_size": 16}, "image_size: must be from 32 to 2048, got 16"),
        ({"label_smoothing": 0.9}, "label_smoothing: must be from 0.0 to 0.5, got 0.9"),
    ],
)
def test_a_value_out_of_range_is_refused(change, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        replace(PARAMS, **change)


def test_training_killed_after_a_checkpoint_within_an_epoch_ends_as_an_uninterrupted_run(tmp_path, monkeypatch):
    """R4: nothing was ever resumed."""
    monkeypatch.setattr(training, "CHECKPOINT_STEPS", 2)
    params = replace(PARAMS, ema=0.9, clip_norm=1.0, optimizer="rmsprop", schedule="exponential")
    task = learn(tmp_path)
    calls = kill_at_step(6, monkeypatch)  # the third one of the second epoch
    with pytest.raises(Killed):
        run(task, params)
    resumed, _ = run(task, params)
    assert len(calls) == 6 + 1 + 3  # no step was made twice but the one in which it was killed
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "uninterrupted"))
    whole, _ = run(task, params)
    assert same_weights(resumed, whole)
    assert resumed.history == whole.history


def test_only_one_checkpoint_is_kept(tmp_path, monkeypatch):
    """R5: every epoch that was better kept its own."""
    monkeypatch.setenv("CAMTRAPS_WORK", str(tmp_path / "work"))
    run(learn(tmp_path))
    assert len(list((tmp_path / "work/train").iterdir())) == 1


def test_parts_of_a_step_add_up_to_it(tmp_path, monkeypatch):
    task = learn(tmp_path, [*TRAIN, *TRAIN])
    params = replace(PARAMS, model="squeezenet1_1", image_size=32, batch_size=8, dropout=0.0, epochs=1)
    whole, _ = run(task, params)
    parts, _ = run(task, replace(params, accumulate=2))
    pairs = zip(whole.network.state_dict().values(), parts.network.state_dict().values(), strict=True)
    assert all(torch.allclose(one, two, atol=1e-5) for one, two in pairs)


def test_the_head_learns_alone_at_first(tmp_path):
    """The tutorial's first phase: the rest stays as it was, its batch statistics too."""
    task = learn(tmp_path)
    before = begun(["a", "b", "c"], PARAMS)[0].network.state_dict()
    trained, _ = run(task, replace(PARAMS, epochs=1, head_epochs=1))
    changed = {name for name, value in trained.network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"classifier.3.weight", "classifier.3.bias"}
    both, _ = run(task, replace(PARAMS, epochs=2, head_epochs=1))
    assert not torch.equal(both.network.state_dict()["features.0.0.weight"], before["features.0.0.weight"])


def test_the_mean_of_the_weights_is_what_is_judged_and_kept(tmp_path):
    task = learn(tmp_path)
    before = begun(["a", "b", "c"], PARAMS)[0].network.state_dict()
    slow, _ = run(task, replace(PARAMS, epochs=1, ema=0.999))
    fast, _ = run(task, replace(PARAMS, epochs=1))

    def way(trained):
        moved = trained.network.state_dict()["features.0.0.weight"] - before["features.0.0.weight"]
        return float(moved.abs().sum())

    assert 0 < way(slow) < 0.5 * way(fast)  # the mean begins with the weights of the first step


def test_a_crop_that_cannot_be_decoded_is_counted_and_not_learned(tmp_path):
    task = learn(tmp_path)
    damage(tmp_path, task.train.crops._offsets[3])
    trained, logged = run(task, replace(PARAMS, epochs=1, max_failed=0.1))
    failed = task.failures(trained.failed)
    assert failed["image"].tolist() == ["d/003.jpg"]
    assert failed["reason"][0].startswith("data/crops: a crop is damaged; ")
    counts = task.counts(failed)
    assert (counts.rows_in, counts.rows_out, counts.skipped, counts.failed) == (16, 14, 1, 1)
    assert math.isfinite(logged[0]["train_loss"])


def test_a_crop_without_a_view_has_no_loss():
    part = Part(type("Crops", (), {"augmentation": AUGMENTATIONS["camtraps"]}), None, *[np.zeros(2)] * 3)
    shown = torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64), torch.arange(2)
    batch = training.Batch(*shown, torch.ones(2, 4) * torch.tensor([0, 1, 1, 1]), torch.tensor([True, False]), [])
    loss = training._loss_sum(lambda views: torch.zeros(2, 3), batch, part, PARAMS)
    assert float(loss) == pytest.approx(math.log(3))


def test_too_many_crops_that_cannot_be_decoded_end_training(tmp_path):
    task = learn(tmp_path)
    damage(tmp_path, task.val.crops._offsets[0])
    with pytest.raises(FailuresError) as error:
        run(task)
    expected = "data/crops: 1 of 3 crops of val cannot be read, over train.max_failed 0.0%; first: data/crops: a crop "
    assert str(error.value).startswith(expected)


def test_too_few_crops_for_a_step_are_a_clear_error(tmp_path):
    with pytest.raises(InputError) as error:
        run(learn(tmp_path, TRAIN[:3]), replace(PARAMS, accumulate=2))
    assert str(error.value) == "data/splits: train has 3 crops; a step needs at least 4"


def decays(network, **changes):
    optimizer = make_optimizer(network, replace(PARAMS, weight_decay=0.1, **changes))
    return type(optimizer).__name__, {group["weight_decay"] for group in optimizer.param_groups}, optimizer.defaults


def test_optimizers_are_those_of_the_recipes():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    assert decays(network)[:2] == ("AdamW", {0.0, 0.1})
    name, groups, settings = decays(network, optimizer="rmsprop")
    assert (name, groups) == ("RMSprop", {0.1})
    assert [settings[key] for key in ("alpha", "momentum", "eps")] == [0.9, 0.9, 1e-8]
    name, groups, settings = decays(network, optimizer="sgd")
    assert (name, groups, settings["momentum"]) == ("SGD", {0.1}, 0.9)


def test_the_ancestors_learning_rate_falls_as_it_did():
    params = replace(PARAMS, schedule="exponential", warmup_epochs=0, learning_rate=3e-5, epochs=60)
    rates = [learning_rate(4 * epoch, 4, params) for epoch in range(51)]
    assert rates[1] / rates[0] == pytest.approx(0.987389, abs=1e-6)
    assert rates[50] == pytest.approx(1.59e-5, abs=1e-7)
    assert learning_rate(3, 4, params) == rates[0]


def test_the_learning_rate_of_resnets_falls_in_steps():
    params = replace(PARAMS, schedule="step", warmup_epochs=0, learning_rate=1.0, epochs=30)
    assert [learning_rate(epoch, 1, params) for epoch in (0, 7, 8, 15, 16)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_a_network_in_its_first_phase_has_only_its_head_in_training():
    network = begun(["a", "b", "c"], PARAMS)[0].network
    set_phase(network, only_head=True)
    assert [name for name, value in network.named_parameters() if value.requires_grad] == [
        "classifier.3.weight",
        "classifier.3.bias",
    ]
    assert not any(module.training for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    set_phase(network, only_head=False)
    assert all(value.requires_grad for value in network.parameters())
    assert all(module.training for module in network.modules())


@pytest.mark.parametrize("metric", ["macro_recall", "top1", "log_loss"])
def test_the_metric_that_chooses_the_epoch_has_one_name_and_one_meaning(tmp_path, metric):
    """R14: acc_top1 was balanced or not, as the sampling of training was."""
    _, logged = run(learn(tmp_path), replace(PARAMS, metric=metric, epochs=1))
    assert {"val_macro_recall", "val_top1", "val_log_loss", f"val_{metric}_error"} <= set(logged[0])
    # Three crops of three classes: the mean over crops is that over classes.
    assert logged[0]["val_macro_recall"] == logged[0]["val_top1"]


def test_a_compiled_network_trains_the_one_that_is_kept(tmp_path, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    task = learn(tmp_path)
    run(task, replace(PARAMS, epochs=2, head_epochs=1, compile=True))
    assert len(compiled) == 2  # anew once the whole network learns
    assert isinstance(compiled[0], nn.Module)
