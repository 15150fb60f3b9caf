"""Foreign models: checkpoints in the form of CameraTraps and compiled networks become model folders of ours."""

import warnings

import pytest
import torch
from make_networks import SMALL, ancestral, compiled, efficientnet
from torch import nn

from camtraps import models
from camtraps.errors import InputError, MissingError
from camtraps.foreign_models import Given, adopt, crop_rule
from camtraps.networks import build

torch.set_num_threads(1)
NAMES = ["bear", "NA", "small mammal"]
B0 = Given(architecture="efficientnet-b0", image_size=64, padding=None)
CROP = crop_rule("ancestor", "square")


def refused(error, function, *given):
    with pytest.raises(error) as raised:
        function(*given)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def checkpoint(path, network, **more):
    """Write what CameraTraps writes."""
    optimizer = torch.optim.RMSprop(network.parameters(), lr=0.01, alpha=0.9, momentum=0.9).state_dict()
    torch.save({"epoch": 14, "model": network.state_dict(), "val/acc": 82.76, "optimizer": optimizer, **more}, path)
    return path


def script(path, num_classes=3, size=32):
    """Write what MegaClassifier came as: a compiled network that gives logits."""
    compiled(nn.Sequential(nn.Conv2d(3, num_classes, size), nn.Flatten()), path)
    return path


def test_a_checkpoint_of_camera_traps_becomes_a_model_that_computes_the_same(tmp_path):
    # 6.2: loaded with the padding of 0.7.1, the same weights are another function.
    reference, views = ancestral("efficientnet-b0", 3, 64), torch.randn(2, 3, 64, 64)
    file = checkpoint(tmp_path / "ckpt_14.pt", reference)
    models.save(tmp_path / "model", *adopt(file, NAMES, B0, CROP))
    network, info = models.load(tmp_path / "model")
    assert (info.architecture, info.padding, info.image_size) == ("efficientnet-b0", "ancestor", 64)
    assert (info.classes, info.best_epoch, info.start, info.temperature) == (NAMES, 14, "ckpt_14.pt", 1.0)
    assert info.crop["rule"] == "ancestor"
    with torch.no_grad():
        assert torch.allclose(network(views), reference(views), rtol=1e-3, atol=1e-3)


def test_weights_of_the_package_itself_need_the_padding_said(tmp_path):
    reference, views = efficientnet("efficientnet-b0", 3, 64), torch.randn(2, 3, 64, 64)
    torch.save(reference.state_dict(), tmp_path / "bare.pt")
    assert refused(InputError, adopt, tmp_path / "bare.pt", NAMES, B0, CROP) == (
        f"{tmp_path}/bare.pt: give --padding ancestor if CameraTraps trained it, same if efficientnet-pytorch 0.7.1 "
        "did: they pad otherwise, and nothing in the file tells which"
    )
    given = Given(architecture="efficientnet-b0", image_size=64, padding="same")
    network, info = adopt(tmp_path / "bare.pt", NAMES, given, CROP)
    assert info.padding == "same"
    with torch.no_grad():
        assert torch.allclose(network(views), reference(views), rtol=1e-3, atol=1e-3)


def test_the_image_size_is_demanded_where_nothing_says_it(tmp_path):
    # I1: CameraTraps keeps no image size and runs every model at 224, which degrades a B3 in silence.
    file = checkpoint(tmp_path / "c.pt", build(SMALL, 3, 32))
    given = Given(architecture="efficientnet-b3", image_size=None, padding=None)
    assert refused(InputError, adopt, file, NAMES, given, CROP) == (
        f"{file}: does not say for which size of image it was made; give --image-size "
        "(CameraTraps trains efficientnet-b3 at 300)"
    )
    given = Given(architecture=None, image_size=None, padding=None)
    assert "MegaClassifier v0.1 takes 300" in refused(InputError, adopt, script(tmp_path / "s.pt"), NAMES, given, CROP)


def test_the_image_size_is_taken_from_where_it_is_stored(tmp_path):
    # I1.
    small = Given(architecture=SMALL, image_size=None, padding=None)
    file = checkpoint(tmp_path / "c.pt", build(SMALL, 3, 48), image_size=48)
    assert adopt(file, NAMES, small, CROP)[1].image_size == 48
    (tmp_path / "params.json").write_text('{"model_name": "resnet18", "image_size": 40, "lr": 1}')
    assert small.completed(tmp_path / "params.json") == Given(architecture=SMALL, image_size=40, padding=None)
    nothing = Given(architecture=None, image_size=None, padding=None)
    assert nothing.completed(tmp_path / "params.json").architecture == "resnet18"
    assert nothing.completed(tmp_path / "absent.json") == nothing


@pytest.mark.parametrize("text", ["[]", '{"model_name": 3}', '{"image_size": "300"}'])
def test_a_params_json_of_another_form_is_a_clear_error(tmp_path, text):
    (tmp_path / "params.json").write_text(text)
    message = refused(InputError, B0.completed, tmp_path / "params.json")
    assert message.startswith(f"{tmp_path}/params.json: expected ")


def test_a_resnet_of_camera_traps_has_torchvisions_names(tmp_path):
    reference = build("resnet18", 3, 32).eval()
    file = checkpoint(tmp_path / "c.pt", reference)
    network, info = adopt(file, NAMES, Given(architecture="resnet18", image_size=32, padding=None), CROP)
    assert (info.architecture, info.padding) == ("resnet18", "same")
    views = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(views), reference(views))


def test_an_architecture_nobody_names_is_asked_for(tmp_path):
    file = checkpoint(tmp_path / "c.pt", build(SMALL, 3, 32))
    given = Given(architecture=None, image_size=32, padding=None)
    assert refused(InputError, adopt, file, NAMES, given, CROP) == (
        f"{file}: does not say what network it is; give --architecture or its params.json (--params)"
    )


def test_another_number_of_names_is_a_clear_error(tmp_path):
    file = checkpoint(tmp_path / "c.pt", build(SMALL, 5, 32))
    given = Given(architecture=SMALL, image_size=32, padding=None)
    expected = f"{file}: has 5 classes, and the label index names 3"
    assert refused(InputError, adopt, file, NAMES, given, CROP) == expected


def test_a_compiled_network_becomes_a_model_that_computes_the_same(tmp_path):
    file, views = script(tmp_path / "megaclassifier_compiled.pt"), torch.rand(2, 3, 32, 32)
    given = Given(architecture=None, image_size=32, padding=None)
    models.save(tmp_path / "model", *adopt(file, NAMES, given, CROP))
    network, info = models.load(tmp_path / "model")
    assert (info.architecture, info.image_size, info.classes) == ("torchscript", 32, NAMES)
    with torch.no_grad():
        assert torch.equal(network(views), models.load_script(file)(views))


@pytest.mark.parametrize(
    ("num_classes", "size", "what"),
    [
        (5, 32, "gives [1, 5] for one image, and the label index names 3 classes"),
        (3, 64, "does not run on an image of 32 px: "),
    ],
)
def test_a_compiled_network_that_does_not_fit_is_a_clear_error(tmp_path, num_classes, size, what):
    file = script(tmp_path / "s.pt", num_classes, size)
    given = Given(architecture=None, image_size=32, padding=None)
    assert refused(InputError, adopt, file, NAMES, given, CROP).startswith(f"{file}: {what}")


def test_a_frozen_network_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.freeze(compiled(nn.Sequential(nn.Conv2d(3, 3, 32), nn.Flatten()))).save(tmp_path / "f.pt")
    given = Given(architecture=None, image_size=32, padding=None)
    assert ": a frozen model, " in refused(InputError, adopt, tmp_path / "f.pt", NAMES, given, CROP)


def test_absent_files_are_clear_errors(tmp_path):
    assert (
        refused(MissingError, adopt, tmp_path / "x.pt", NAMES, B0, CROP)
        == f"{tmp_path}/x.pt: not found; check the path"
    )
