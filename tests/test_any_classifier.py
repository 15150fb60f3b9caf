"""Classifiers of any origin: what they say of themselves, what must be said of them, and the same answers from all."""

import json
import re
import warnings

import numpy as np
import pytest
import torch
from make_networks import compiled
from PIL import Image
from torch import nn

from camtraps import any_classifier, deploying, models
from camtraps.errors import InputError, MissingError
from camtraps.foreign_models import crop_rule
from camtraps.models import FORMAT, ModelInfo

CPU = torch.device("cpu")
SIZE, CLASSES = 32, ["bear", "NA", "small mammal"]
RULE = crop_rule("camtraps", "box")


class Pooled(nn.Module):
    """Looks at the mean colour, at any size; gives logits, or probabilities."""

    def __init__(self, is_probable=False):
        super().__init__()
        self.linear, self.is_probable = nn.Linear(3, 3), is_probable

    def forward(self, views):
        found = self.linear(views.mean((2, 3)))
        return torch.softmax(found, 1) if self.is_probable else found


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8) for _ in range(3)]


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """A model folder, and what `export-model` makes of it."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    network = compiled(Pooled())
    info = ModelInfo(
        format=FORMAT, architecture=models.TORCHSCRIPT, classes=CLASSES, taxa={}, image_size=SIZE,
        mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], crop=RULE, temperature=2.0,
        params={}, data={}, best_epoch=0,
    )  # fmt: skip
    models.save(folder / "ours", network, info)
    torch.manual_seed(0)
    deploying.export_torchscript(Pooled(), info, folder / "classifier.pt")
    torch.manual_seed(0)
    deploying.export_onnx(Pooled(), ModelInfo(**vars(info) | {"architecture": "pooled"}), folder / "classifier.onnx")
    return folder


def refused(path, names=None, size=None, error=InputError):
    with pytest.raises(error) as raised:
        any_classifier.load(path, names, size, CPU)
    assert "\n" not in str(raised.value)
    return str(raised.value).removeprefix(f"{path}: ")


def probabilities(path, pictures, names=None, size=None):
    found = any_classifier.load(path, names, size, CPU)
    return found.info.classes, found.probabilities(found.logits(pictures))


def script(path, network):
    compiled(network, path)
    return path


def test_what_we_export_knows_its_classes_and_size_and_answers_as_the_model_does(ours, pictures):
    # I1: the size was not kept with the model, and 224 taken for all.
    classes, expected = probabilities(ours / "ours", pictures)
    for name in ("classifier.pt", "classifier.onnx"):
        found_classes, found = probabilities(ours / name, pictures)
        assert found_classes == classes == CLASSES
        assert any_classifier.load(ours / name, None, None, CPU).info.crop == RULE
        assert found == pytest.approx(expected, abs=1e-5)


def test_the_size_of_another_model_must_be_said(ours, tmp_path, pictures):
    # I1: a model for 300 px was silently run at 224.
    path = script(tmp_path / "mega.pt", Pooled())
    assert refused(path).startswith("does not say for which size of image it was made; give --image-size")
    assert any_classifier.load(path, None, 48, CPU).info.image_size == 48
    (tmp_path / "params.json").write_text(json.dumps({"model_name": "efficientnet-b3", "image_size": 300}))
    assert any_classifier.load(path, None, None, CPU).info.image_size == 300
    message = f"--image-size: {ours / 'ours'} was made for 32 px; leave it out"
    assert refused(ours / "ours", size=48) == message


def test_classes_get_the_names_of_the_label_index_or_their_numbers(tmp_path, pictures):
    path = script(tmp_path / "mega.pt", Pooled())
    classes, _ = probabilities(path, pictures, size=SIZE)
    assert any_classifier.numbered(classes) == ["0", "1", "2"]
    assert probabilities(path, pictures, CLASSES, SIZE)[0] == CLASSES
    assert refused(path, ["a", "b"], SIZE) == "gives 3 classes, and the label index names 2"


def test_a_model_that_gives_probabilities_is_not_asked_for_their_softmax(tmp_path, pictures):
    torch.manual_seed(1)
    logits = script(tmp_path / "logits.pt", Pooled())
    torch.manual_seed(1)
    probable = script(tmp_path / "probable.pt", Pooled(is_probable=True))
    expected = probabilities(logits, pictures, size=SIZE)[1]
    assert probabilities(probable, pictures, size=SIZE)[1] == pytest.approx(expected, abs=1e-6)


def test_an_onnx_file_from_elsewhere_may_say_its_size_by_its_shape(tmp_path, pictures):
    torch.manual_seed(1)
    network, path = Pooled().eval(), tmp_path / "other.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(1, 3, SIZE, SIZE),), str(path), dynamo=False, input_names=["x"],
            dynamic_axes={"x": {0: "batch"}},
        )  # fmt: skip
    torch.manual_seed(1)
    expected = probabilities(script(tmp_path / "same.pt", Pooled()), pictures, size=SIZE)[1]
    assert probabilities(path, pictures)[1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (nn.Sequential(nn.Conv2d(3, 3, SIZE), nn.Flatten(), nn.Linear(3, 3)), "does not run on images of 40 px: "),
        (nn.Conv2d(3, 3, 8), "gives [2, 3, 33, 33] for two images of 40 px, and should give [2, classes]"),
    ],
)
def test_a_model_that_does_not_fit_the_size_is_refused(tmp_path, network, said):
    assert refused(script(tmp_path / "s.pt", network), size=40).startswith(said)


def test_files_that_are_no_models_are_refused(tmp_path):
    assert refused(tmp_path / "x.pt", error=MissingError) == "not found; check the path"
    assert refused(tmp_path / "x.onnx", error=MissingError) == "not found; check the path"
    torch.save({"model": {"weight": torch.zeros(1)}}, tmp_path / "ckpt.pt")
    said = "neither TorchScript nor ONNX; make a model folder of a checkpoint by `import-model`"
    assert refused(tmp_path / "ckpt.pt") == said
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    assert re.match("damaged, or no ONNX: ", refused(tmp_path / "bad.onnx"))


def test_a_model_runs_where_it_is_put_wherever_it_was_saved(ours, monkeypatch):
    # I3: models saved on a GPU could not be loaded without one.
    asked, load = [], torch.jit.load

    def spied(*args, map_location, **more):
        asked.append(map_location)
        return load(*args, map_location=map_location, **more)

    monkeypatch.setattr(torch.jit, "load", spied)
    any_classifier.load(ours / "classifier.pt", None, None, CPU)
    assert asked == ["cpu"]


def test_pictures_of_all_sizes_are_seen(ours):
    found = any_classifier.load(ours / "classifier.pt", None, None, CPU)
    logits = found.logits([Image.new("RGB", size, (200, 10, 10)) for size in ((5, 90), (300, 20), (32, 32))])
    assert logits.shape == (3, 3)
    assert np.isfinite(logits).all()
