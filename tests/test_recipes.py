"""Recipes: null in params.yaml is the recipe's value, anything else counts itself."""

import dataclasses

import pytest
import yaml
from imports import ROOT

from camtraps.errors import ParamsError
from camtraps.params import load
from camtraps.recipes import RECIPES, TrainParams

SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]


def loaded(folder, **changes):
    (folder / "params.yaml").write_text(yaml.safe_dump({"train": SHIPPED | changes}))
    return load(TrainParams, "train", folder / "params.yaml")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_whole_and_in_range(tmp_path, name):
    params = loaded(tmp_path, recipe=name)
    assert all(getattr(params, key) == value for key, value in RECIPES[name].items())


def test_what_is_written_down_counts_before_the_recipe(tmp_path):
    params = loaded(tmp_path, recipe="ancestor-b1", learning_rate=0.01, label_weighted=False)
    assert (params.learning_rate, params.label_weighted, params.model) == (0.01, False, "efficientnet-b1")


def test_the_ancestors_recipe_is_what_megaclassifier_was_trained_with(tmp_path):
    b1, b3 = (loaded(tmp_path, recipe=f"ancestor-{name}") for name in ("b1", "b3"))
    assert (b1.model, b1.image_size, b1.batch_size) == ("efficientnet-b1", 240, 192)
    assert (b3.model, b3.image_size, b3.batch_size) == ("efficientnet-b3", 300, 160)
    for params in (b1, b3):
        assert (params.optimizer, params.learning_rate, params.weight_decay) == ("rmsprop", 3e-5, 1e-6)
        assert (params.epochs, params.patience, params.label_smoothing, params.warmup_epochs) == (50, 8, 0, 0)


def test_an_unknown_recipe_is_a_clear_error(tmp_path):
    with pytest.raises(ParamsError, match=r"train.recipe: expected one of camtraps, .*ancestor-resnet, got 'b1'$"):
        loaded(tmp_path, recipe="b1")


def test_recipes_name_only_keys_that_there_are():
    keys = {field.name for field in dataclasses.fields(TrainParams)}
    assert all(set(values) <= keys for values in RECIPES.values())
    assert {frozenset(values) for values in RECIPES.values()} == {frozenset(RECIPES["camtraps"])}
