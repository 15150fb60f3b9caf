"""Starts of training: ImageNet, an earlier model, a checkpoint of somebody else; each says what became of the head."""

from dataclasses import replace

import pytest
import torch
from make_networks import INFO, SMALL, ancestral
from photo_server import photo_server
from safetensors.torch import save_file

from camtraps import models, starting
from camtraps.errors import InputError, MissingError
from camtraps.networks import build, head
from camtraps.starting import Wanted, begin, fingerprint

torch.set_num_threads(1)
CLASSES = ["NA", "fox", "owl", "wolf"]


@pytest.fixture
def earlier(tmp_path):
    """Save a model whose classes are fox, NA and <img>; give it too."""
    network = build(SMALL, 3, 32)
    models.save(tmp_path / "earlier", network, INFO)
    return tmp_path / "earlier", network


def wanted(classes=CLASSES, architecture=SMALL, padding="same"):
    return Wanted(architecture, classes, 32, padding)


def refused(error, start, **changes):
    with pytest.raises(error) as raised:
        begin(build(SMALL, 4, 32), wanted(**changes), start)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def same_body(one, other):
    own, given = one.state_dict(), other.state_dict()
    return all(torch.equal(own[name], given[name]) for name in own if not name.startswith("fc."))


def test_no_start_changes_nothing():
    network = build(SMALL, 4, 32)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert begin(network, wanted(), "none") == "starts from random weights"
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_earlier_model_of_the_same_classes_is_continued_whole(earlier):
    folder, given = earlier
    network = build(SMALL, 3, 32)
    assert begin(network, wanted(INFO.classes), str(folder)) == f"starts from {folder}, with its last layer"
    assert same_body(network, given)
    assert torch.equal(head(network).weight, head(given).weight)


def test_an_earlier_model_of_other_classes_keeps_the_outputs_of_those_it_knows(earlier):
    # R4: CameraTraps fails if the number of classes differs, though its documents recommend just that.
    folder, given = earlier
    network = build(SMALL, 4, 32)
    note = begin(network, wanted(), str(folder))
    assert note == f"starts from {folder}, with a new last layer: 2 classes of 4 as in the old one"
    assert same_body(network, given)
    assert torch.equal(head(network).weight[0], head(given).weight[1])  # NA
    assert torch.equal(head(network).bias[1], head(given).bias[0])  # fox


def test_an_earlier_model_that_knows_no_class_gets_a_new_head(earlier):
    folder, given = earlier
    network = build(SMALL, 2, 32)
    before = head(network).weight.detach().clone()
    note = begin(network, wanted(["a", "b"]), str(folder))
    assert note == f"starts from {folder}, with a new last layer: no class is known"
    assert same_body(network, given)
    assert torch.equal(head(network).weight, before)


def test_a_checkpoint_of_another_number_of_classes_gets_a_new_head(tmp_path):
    # R4, for files of CameraTraps.
    given = build(SMALL, 169, 32)
    torch.save({"epoch": 2, "model": given.state_dict(), "val/acc": 80.0, "optimizer": {}}, tmp_path / "ckpt_2.pt")
    network = build(SMALL, 4, 32)
    note = begin(network, wanted(), str(tmp_path / "ckpt_2.pt"))
    assert note.startswith(f"starts from {tmp_path}/ckpt_2.pt, with a new last layer: the file names no classes")
    assert same_body(network, given)


def test_a_start_of_another_architecture_is_refused(earlier):
    folder, _ = earlier
    message = f"train.start: {folder} is {SMALL}, and train.model asks for resnet18; make them equal"
    assert refused(InputError, str(folder), architecture="resnet18") == message


def test_a_start_that_is_not_there_or_will_be_removed_is_refused(tmp_path):
    assert refused(MissingError, f"{tmp_path}/x") == (
        f"train.start: {tmp_path}/x not found; expected none, imagenet, a model folder or a checkpoint"
    )
    assert refused(InputError, "models/classifier").startswith("train.start: models/classifier is removed before ")


def test_weights_of_another_padding_are_refused(tmp_path, earlier):
    # They would be another function (spec 6.2).
    folder, network = earlier
    models.save(folder, network, replace(INFO, padding="ancestor"))
    weights = ancestral("efficientnet-b0", 2, 32).state_dict()
    torch.save({"epoch": 1, "model": weights, "val/acc": 1.0, "optimizer": {}}, tmp_path / "c.pt")
    for start in (folder, tmp_path / "c.pt"):
        assert refused(InputError, str(start)) == (
            f"train.start: {start} was trained with padding ancestor, and train.padding is same; make them equal"
        )


def test_the_fingerprint_follows_the_content_of_the_start(tmp_path, earlier):
    folder, network = earlier
    torch.save({"a": torch.zeros(1)}, tmp_path / "c.pt")
    starts = ("none", "imagenet", str(folder), str(tmp_path / "c.pt"))
    before = [fingerprint(start) for start in starts]
    assert len(set(before)) == 4
    assert [fingerprint(start) for start in starts] == before
    models.save(folder, network, replace(INFO, classes=["a", "b", "c"]))
    torch.save({"a": torch.ones(1)}, tmp_path / "c.pt")
    assert [fingerprint(start) == old for start, old in zip(starts, before, strict=True)] == [True, True, False, False]


def test_imagenet_weights_of_an_efficientnet_come_from_timm_once(tmp_path, monkeypatch):
    given, path = build("efficientnet-b0", 1000, 32), tmp_path / "model.safetensors"
    save_file(given.state_dict(), path)
    with photo_server() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        place = "/timm/tf_efficientnet_b0.ns_jft_in1k/resolve/main/model.safetensors"
        server.photos[place] = path.read_bytes()
        network = build("efficientnet-b0", 4, 32)
        note = begin(network, wanted(architecture="efficientnet-b0"), "imagenet")
        assert server.asked == [place]
    assert note == "starts from the ImageNet weights tf_efficientnet_b0.ns_jft_in1k of timm, with a new last layer"
    own, published = network.state_dict(), given.state_dict()
    assert all(torch.equal(own[name], published[name]) for name in own if not name.startswith("classifier."))


def test_imagenet_weights_of_torchvision_leave_out_what_only_their_training_had(tmp_path, monkeypatch):
    given = build("googlenet", 1000, 32).state_dict() | {"aux1.conv.conv.weight": torch.zeros(1)}
    torch.save(given, tmp_path / "googlenet-1378be20.pth")
    asked = []
    monkeypatch.setattr(
        starting.downloads, "fetch", lambda url: asked.append(url) or tmp_path / "googlenet-1378be20.pth"
    )
    network = build("googlenet", 4, 64)
    note = begin(network, Wanted("googlenet", CLASSES, 64, "same"), "imagenet")
    assert asked == ["https://download.pytorch.org/models/googlenet-1378be20.pth"]
    assert note == (
        "starts from the ImageNet weights GoogLeNet_Weights.IMAGENET1K_V1 of torchvision, with a new last layer"
    )
    assert torch.equal(network.state_dict()["conv1.conv.weight"], given["conv1.conv.weight"])


def test_weights_that_nobody_published_are_a_clear_error():
    # R13: CameraTraps ends in a KeyError.
    assert refused(InputError, "imagenet", architecture="coatnet_0_224") == (
        "train.start: nobody has published ImageNet weights of coatnet_0_224; set train.start to none or to a file of "
        "weights"
    )


def test_the_largest_efficientnet_has_weights_for_our_normalisation():
    # R13: CameraTraps knows no weights of b8; timm's first ones want views of another mean.
    assert starting._at_timm("tf_efficientnet_b8")[0] == "tf_efficientnet_b8.ra_in1k of timm"


def test_without_a_network_there_is_one_line_that_says_what_to_do(monkeypatch):
    # R13: CameraTraps has no way to start without the network.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert refused(MissingError, "imagenet", architecture="efficientnet-b0") == (
        "train.start: the ImageNet weights tf_efficientnet_b0.ns_jft_in1k of timm cannot be fetched here: "
        "http://127.0.0.1:9/timm/tf_efficientnet_b0.ns_jft_in1k/resolve/main/model.safetensors: cannot be downloaded: "
        "no connection to http://127.0.0.1:9; fetch that file elsewhere and give its path as train.start"
    )
