"""Deployed models: one file that takes crops of any size and gives what our own pipeline gives."""

import json
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from make_networks import INFO, SMALL, compiled, settled
from PIL import Image
from torch import nn

from camtraps.deploying import Deployed, export_onnx, export_torchscript
from camtraps.errors import InputError, MissingError
from camtraps.networks import build
from camtraps.transforms import eval_view, normalise

torch.set_num_threads(1)
onnxruntime = pytest.importorskip("onnxruntime")


def crop(width, height):
    """Draw a blurred crop."""
    pixels = np.random.default_rng(0).integers(0, 256, (height // 4 + 2, width // 4 + 2, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def as_input(*images):
    return torch.stack([torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in images]).float() / 255


def ours(network, info, *images):
    """Give probabilities as the pipeline does."""
    views = torch.stack([eval_view(image, info.image_size) for image in images])
    with torch.no_grad():
        return torch.softmax(network(normalise(views)) / info.temperature, dim=1)


def torchscript(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.load(path)


def onnx(path):
    session = onnxruntime.InferenceSession(path)
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


FORMS = {"torchscript": (export_torchscript, torchscript), "onnx": (export_onnx, onnx)}


@pytest.fixture(scope="module", params=FORMS)
def exported(request, tmp_path_factory):
    """Export a small network; give it, what is known of it, the file and what the file computes."""
    torch.manual_seed(0)
    export, load = FORMS[request.param]
    network, info = settled(build(SMALL, 3, 32), 32), replace(INFO, image_size=32)
    path = tmp_path_factory.mktemp(request.param) / "model.bin"
    export(network, info, path)
    return network, info, path, load(path)


def test_a_crop_of_the_models_size_gives_what_the_pipeline_gives(exported):
    network, info, _, run = exported
    images = [crop(32, 32), crop(32, 32).rotate(90)]
    assert torch.allclose(run(as_input(*images)), ours(network, info, *images), atol=1e-5)


@pytest.mark.parametrize("size", [(64, 64), (97, 45), (33, 200), (20, 31), (640, 480), (32, 33)])
def test_a_crop_of_any_size_gives_about_what_the_pipeline_gives(exported, size):
    network, info, _, run = exported
    assert torch.allclose(run(as_input(crop(*size))), ours(network, info, crop(*size)), atol=0.02)


@pytest.mark.parametrize("size", [(64, 64), (97, 45), (33, 200), (20, 31), (640, 480), (32, 33)])
def test_views_are_those_of_pillow_to_a_grey_level_here_and_there(size):
    view = Deployed(nn.Identity(), replace(INFO, image_size=32)).views(as_input(crop(*size)))[0]
    difference = (view * 255 - eval_view(crop(*size), 32)).abs()
    assert difference.max() <= 1.001
    assert (difference > 0.5).float().mean() < 0.005


def test_classes_are_in_the_file_and_beside_it(exported):
    _, info, path, _ = exported
    assert json.loads((path.parent / "label_index.json").read_text()) == {"0": "fox", "1": "NA", "2": "<img>"}
    if path.parent.name.startswith("onnx"):
        about = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    else:
        about = {"classes": "", "image_size": "", "input": "", "output": ""}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.load(path, _extra_files=about)
    assert json.loads(about["classes"]) == info.classes
    assert int(about["image_size"]) == 32
    assert all(word in str(about) for word in ("0 to 1", "RGB", "probabilities", "height, width"))


def test_an_efficientnet_can_be_exported_both_ways(tmp_path):
    torch.manual_seed(0)
    info = replace(INFO, architecture="efficientnet-b0")
    network = settled(build("efficientnet-b0", 3, 32), 32)
    for name, (export, load) in FORMS.items():
        export(network, info, tmp_path / name)
        assert torch.allclose(
            load(tmp_path / name)(as_input(crop(32, 32))), ours(network, info, crop(32, 32)), atol=1e-4
        )


def test_a_file_that_would_give_other_probabilities_is_not_written(tmp_path):
    class Fickle(nn.Module):
        def forward(self, views):
            return views.mean((2, 3)) * (1 if len(views) == 2 else -5)  # a tracer sees one branch only

    for name, (export, _) in FORMS.items():
        with pytest.raises(InputError, match=f"^{SMALL} cannot be exported: the file would give other probabilities"):
            export(Fickle(), INFO, tmp_path / name / "m")
        assert list((tmp_path / name).iterdir()) == []


def test_a_compiled_model_can_be_exported_as_torchscript_only(tmp_path):
    network = compiled(nn.Sequential(nn.Conv2d(3, 3, 32), nn.Flatten()))
    info = replace(INFO, architecture="torchscript")
    export_torchscript(network, info, tmp_path / "m.pt")
    assert torch.allclose(
        torchscript(tmp_path / "m.pt")(as_input(crop(32, 32))), ours(network, info, crop(32, 32)), atol=1e-5
    )
    with pytest.raises(InputError, match=r"^a compiled model cannot be written as ONNX"):
        export_onnx(network, info, tmp_path / "m.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line_with_the_command(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError, match=r"run `pip install '\.\[onnx\]'`$"):
        export_onnx(build(SMALL, 3, 32), INFO, tmp_path / "m.onnx")
