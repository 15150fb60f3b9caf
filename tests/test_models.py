"""The model folder: what goes in comes out, and what is broken is one clear line."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from camtraps import models
from camtraps.errors import InputError, MissingError
from camtraps.models import ModelInfo, build, load, read_info, save, set_regularisation

torch.set_num_threads(1)
SMALL = "shufflenet_v2_x0_5"
INFO = ModelInfo(
    format=1,
    architecture=SMALL,
    classes=["fox", "NA", "<img>"],
    taxa={"fox": {"taxa": ["genus vulpes"], "dataset_labels": [["d", "fox"]]}},
    image_size=32,
    mean=[0.5, 0.5, 0.5],
    std=[0.2, 0.2, 0.2],
    crop={"square": True, "max_side": None},
    temperature=1.25,
    params={"epochs": 3},
    data={"crops": "0" * 64},
    best_epoch=2,
)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    save(tmp_path / "model", build(SMALL, 3, 32), INFO)
    return tmp_path / "model"


def message(error, folder):
    with pytest.raises(error) as raised:
        load(folder)
    text = str(raised.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("architecture", [SMALL, "efficientnet-b0"])
def test_a_model_that_was_saved_and_loaded_gives_the_same_logits(tmp_path, architecture):
    network, views = build(architecture, 3, 32), torch.rand(4, 3, 32, 32)
    network(views)  # moves the running statistics, which must be kept too
    save(tmp_path / "model", network, replace(INFO, architecture=architecture))
    loaded, info = load(tmp_path / "model")
    assert info == replace(INFO, architecture=architecture)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(views), network.eval()(views))


def test_saving_replaces_the_whole_folder(folder):
    (folder / "stray").touch()
    save(folder, build(SMALL, 2, 32), replace(INFO, classes=["fox", "owl"]))
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "weights.safetensors"]
    assert read_info(folder).classes == ["fox", "owl"]


def test_saving_that_fails_leaves_the_old_model(folder, monkeypatch):
    before = (folder / "weights.safetensors").read_bytes()
    monkeypatch.setattr(models, "write_json", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(folder, build(SMALL, 2, 32), INFO)
    assert (folder / "weights.safetensors").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_an_absent_folder_is_a_clear_error(tmp_path):
    assert message(MissingError, tmp_path / "model") == f"{tmp_path}/model/model.json: not found; check the path"


def test_absent_weights_are_a_clear_error(folder):
    (folder / "weights.safetensors").unlink()
    assert message(MissingError, folder) == f"{folder}/weights.safetensors: not found; run `dvc pull {folder}`"


@pytest.mark.parametrize("damage", [lambda data: data[:-100], lambda data: b"", lambda data: b"\xff" * 99])
def test_damaged_weights_are_a_clear_error(folder, damage):
    path = folder / "weights.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    assert message(InputError, folder).startswith(
        f"{path}: damaged, or not of {SMALL}; run `dvc checkout {folder}`: Error while"
    )


def test_weights_of_another_architecture_are_a_clear_error(folder):
    info = json.loads((folder / "model.json").read_text()) | {"architecture": "resnet18"}
    (folder / "model.json").write_text(json.dumps(info))
    assert message(InputError, folder).startswith(
        f"{folder}/weights.safetensors: damaged, or not of resnet18; run `dvc checkout {folder}`: "
    )


def test_nothing_is_unpickled(folder, tmp_path):
    for write in (pickle.dump, torch.save):
        with (folder / "weights.safetensors").open("wb") as file:
            write(Bomb(tmp_path / "trace"), file)
        message(InputError, folder)
    assert not (tmp_path / "trace").exists()
    pickle.loads(pickle.dumps(Bomb(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()  # the bomb does go off where it is unpickled


def test_a_cut_off_model_json_is_a_clear_error(folder):
    (folder / "model.json").write_text('{"format": 1, "arch')
    assert message(InputError, folder).startswith(f"{folder}/model.json:1:15: not valid JSON: ")


@pytest.mark.parametrize("change", [{"format": 2}, {"surplus": 1}, {"classes": ...}], ids=["format", "more", "less"])
def test_a_model_json_of_another_form_is_a_clear_error(folder, change):
    info = {k: v for k, v in (json.loads((folder / "model.json").read_text()) | change).items() if v is not ...}
    (folder / "model.json").write_text(json.dumps(info))
    expected = f"{folder}/model.json: not a model of format 1 with architecture, best_epoch, classes, crop, "
    assert message(InputError, folder).startswith(expected)


def test_an_unknown_network_is_refused_with_examples():
    with pytest.raises(InputError) as error:
        build("efficientnet_b0x", 3, 32)
    assert str(error.value).startswith(
        "no network is called 'efficientnet_b0x' (train.model in params.yaml); choose efficientnet-b0 to "
        "efficientnet-b8, or of torchvision "
    )


@pytest.mark.parametrize("architecture", ["mobilenet_v3_small", "efficientnet-b0"])
def test_dropout_and_batch_norm_are_set_in_every_layer(architecture):
    network = build(architecture, 2, 32)
    set_regularisation(network, dropout=0.37, batch_norm_momentum=0.05)
    drops = [module.p for module in network.modules() if isinstance(module, torch.nn.Dropout)]
    norms = {module.momentum for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)}
    assert (set(drops), norms) == ({0.37}, {0.05})


def test_without_dropout_efficientnet_trains_without_chance():
    network = build("efficientnet-b0", 2, 32)
    set_regularisation(network, dropout=0.0, batch_norm_momentum=0.1)
    views = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.train()(views), network(views))
