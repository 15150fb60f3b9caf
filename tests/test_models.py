"""The model folder: what goes in comes out, and what is broken is one clear line."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from make_networks import INFO, SMALL, compiled
from torch import nn

from camtraps import models
from camtraps.errors import InputError, MissingError
from camtraps.models import load, read_info, save
from camtraps.networks import build

torch.set_num_threads(1)


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


def test_the_padding_travels_with_the_model(tmp_path):
    # Without it weights of CameraTraps would be loaded as another function (the trap of 6.2).
    network, views = build("efficientnet-b0", 3, 32, "ancestor").eval(), torch.rand(1, 3, 32, 32)
    save(tmp_path / "model", network, replace(INFO, architecture="efficientnet-b0", padding="ancestor"))
    loaded, info = load(tmp_path / "model")
    assert info.padding == "ancestor"
    with torch.no_grad():
        assert torch.equal(loaded(views), network(views))


def test_a_compiled_network_is_kept_as_it_is(tmp_path):
    network = compiled(nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    save(tmp_path / "model", network, replace(INFO, architecture="torchscript", classes=["fox", "owl"]))
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.pt"]
    loaded, _ = load(tmp_path / "model")
    views = torch.rand(2, 3, 32, 32)
    assert not loaded.training
    assert torch.equal(loaded(views), network(views))


@pytest.mark.parametrize("content", [None, b"", b"PK no script"])
def test_a_compiled_network_that_is_damaged_is_a_clear_error(tmp_path, content):
    path = tmp_path / "model" / "model.pt"
    save(tmp_path / "model", build(SMALL, 3, 32), replace(INFO, architecture="torchscript"))
    if content is not None:
        path.write_bytes(content)
    text = message(MissingError if content is None else InputError, tmp_path / "model")
    assert text.startswith(f"{path}: not found; " if content is None else f"{path}: damaged, or no TorchScript: ")


def test_compiled_networks_are_loaded_for_the_cpu_wherever_they_were_saved(tmp_path, monkeypatch):
    # I3: torch.jit.load without map_location fails on machines without the GPU that the file was saved on.
    asked, load_script = [], torch.jit.load
    monkeypatch.setattr(torch.jit, "load", lambda path, map_location: asked.append(map_location) or load_script(path))
    network = compiled(nn.Sequential(nn.Conv2d(3, 2, 3)))
    save(tmp_path / "model", network, replace(INFO, architecture="torchscript"))
    load(tmp_path / "model")
    assert asked == ["cpu"]
