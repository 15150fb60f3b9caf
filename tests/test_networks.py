"""Networks: EfficientNets are held equal to the package that their weights come from, in both of its paddings."""

import pytest
import torch
from efficientnet_pytorch import EfficientNet
from make_networks import ancestral, efficientnet
from torch import nn

from camtraps import networks
from camtraps.errors import InputError
from camtraps.networks import EFFICIENTNETS, build, features, head, head_name, set_regularisation

torch.set_num_threads(1)
FAMILIES = ("efficientnet-b0", "resnet18", "mobilenet_v3_small", "squeezenet1_1", "timm/vit_tiny_patch16_224")


def in_order(source, network):
    """Take over weights one to one in order, with a check of the shapes."""
    own, given = network.state_dict(), source.state_dict()
    assert [tuple(value.shape) for value in own.values()] == [tuple(value.shape) for value in given.values()]
    network.load_state_dict(dict(zip(own, given.values(), strict=True)))
    return network.eval()


def difference(one, other, image_size):
    """Compare logits in double precision, as a share of how much they differ between images."""
    views = torch.randn(2, 3, image_size, image_size, dtype=torch.float64)
    with torch.no_grad():
        wanted, got = one.double()(views), other.double()(views)
    return float((wanted - got).abs().max() / wanted.std(dim=0).mean())


@pytest.mark.parametrize(
    ("architecture", "image_size"),
    [("efficientnet-b0", 96), ("efficientnet-b0", 97), ("efficientnet-b0", 224), ("efficientnet-b3", 300)],
)
def test_efficientnets_compute_what_efficientnet_pytorch_does(architecture, image_size):
    reference = efficientnet(architecture, 5, image_size)
    twin = in_order(reference, build(architecture, 5, image_size))
    assert difference(reference, twin, image_size) < 1e-6


@pytest.mark.parametrize(
    ("architecture", "image_size"), [("efficientnet-b0", 96), ("efficientnet-b0", 224), ("efficientnet-b3", 300)]
)
def test_the_padding_of_the_ancestor_computes_what_the_ancestor_did(architecture, image_size):
    # The compatibility trap of 6.2: the same weights are another function under the padding of 0.7.1.
    reference = ancestral(architecture, 5, image_size)
    assert difference(reference, in_order(reference, build(architecture, 5, image_size, "ancestor")), image_size) < 1e-6
    assert difference(reference, in_order(reference, build(architecture, 5, image_size, "same")), image_size) > 0.1


def test_random_weights_are_spread_as_those_of_the_reference():
    """Those that timm draws cost the demo's short run a quarter of its accuracy."""
    pairs = zip(
        EfficientNet.from_name("efficientnet-b0", num_classes=5).parameters(),
        build("efficientnet-b0", 5, 32).parameters(),
        strict=True,
    )
    large = [(one, two) for one, two in pairs if one.ndim > 1 and one.numel() > 1000]
    assert len(large) > 50
    assert all(0.85 < float(two.detach().std() / one.detach().std()) < 1.15 for one, two in large)


@pytest.mark.parametrize(
    ("architecture", "image_size", "layers"), [("efficientnet-b0", 224, 5), ("efficientnet-b3", 300, 3)]
)
def test_the_paddings_differ_in_as_many_layers_as_were_counted(architecture, image_size, layers):
    pairs = [
        [module.widths for module in build(architecture, 2, image_size, padding).modules() if hasattr(module, "widths")]
        for padding in ("same", "ancestor")
    ]
    assert sum(same != ancestor for same, ancestor in zip(*pairs, strict=True)) == layers


@pytest.mark.parametrize("architecture", EFFICIENTNETS)
def test_every_efficientnet_has_the_layers_of_the_package_in_its_order(architecture):
    with torch.device("meta"):
        own = [tuple(value.shape) for value in build(architecture, 3, 224).state_dict().values()]
        given = EfficientNet.from_name(architecture, num_classes=3).state_dict().values()
    assert own == [tuple(value.shape) for value in given]


def test_batch_normalisation_of_efficientnets_keeps_its_epsilon():
    network = build("efficientnet-b0", 2, 32)
    set_regularisation(network, 0.2, 0.05)
    assert {module.eps for module in network.modules() if isinstance(module, nn.BatchNorm2d)} == {1e-3}


@pytest.mark.parametrize("architecture", [*FAMILIES, "mobilenetv3_small_050", "vit_b_16", "googlenet"])
def test_any_classifier_of_torchvision_and_timm_can_be_built(architecture):
    network = build(architecture, 4, 64).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, 64, 64)).shape == (2, 4)


def test_a_name_that_both_libraries_know_is_torchvisions_unless_timm_is_named():
    assert type(build("resnet18", 2, 32)).__module__.startswith("torchvision.")
    assert type(build("timm/resnet18", 2, 32)).__module__.startswith("timm.")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("efficientnet_b0x", "near it are efficientnet_b0, "),
        ("resnet_50", "near it are resnet50, "),
        ("hf-hub:timm/resnet50", "no network is called 'hf-hub:timm/resnet50'"),
        ("?", "choose efficientnet-b0 to efficientnet-b8, resnet50 ..."),
    ],
)
def test_an_unknown_network_is_refused_with_names_near_it(name, message):
    with pytest.raises(InputError) as error:
        build(name, 3, 32)
    assert str(error.value).startswith(f"no network is called {name!r} (train.model in params.yaml); ")
    assert message in str(error.value)


def test_a_size_that_a_network_cannot_have_is_a_clear_error():
    with pytest.raises(InputError, match=r"^vit_b_16 cannot be built for images of 100 px: Input shape indivisible"):
        build("vit_b_16", 3, 100)


def test_other_networks_have_no_padding_to_choose():
    with pytest.raises(
        InputError, match=r"^padding ancestor is for efficientnet-b0 to b8; 'resnet18' pads in one way only$"
    ):
        build("resnet18", 3, 32, "ancestor")


@pytest.mark.parametrize("architecture", FAMILIES)
def test_the_head_is_the_layer_that_gives_the_classes(architecture):
    network = build(architecture, 7, 64).eval()
    head(network).weight.data.zero_()
    head(network).bias.data[:] = torch.arange(7.0) + 1
    with torch.no_grad():
        assert network(torch.rand(1, 3, 64, 64))[0].tolist() == list(range(1, 8))


@pytest.mark.parametrize(("architecture", "num"), list(zip(FAMILIES, (1280, 512, 1024, 512, 192), strict=True)))
def test_features_are_what_the_head_makes_the_logits_of(architecture, num):
    network, views = build(architecture, 3, 64).eval(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        found = features(network, views)
        assert found.shape == (2, num)
        if isinstance(head(network), nn.Linear):
            assert torch.allclose(head(network)(found), network(views), atol=1e-5)


def test_features_of_an_efficientnet_are_those_of_the_package_pooled():
    reference = efficientnet("efficientnet-b0", 3, 96).double()
    views = torch.randn(2, 3, 96, 96, dtype=torch.float64)
    with torch.no_grad():
        wanted = reference.extract_features(views).mean((2, 3))
        assert torch.allclose(features(in_order(reference, build("efficientnet-b0", 3, 96)).double(), views), wanted)


@pytest.mark.parametrize("architecture", ["mobilenet_v3_small", "efficientnet-b0", "timm/vit_tiny_patch16_224"])
def test_dropout_and_batch_norm_are_set_in_every_layer(architecture):
    network = build(architecture, 2, 32)
    set_regularisation(network, dropout=0.37, batch_norm_momentum=0.05)
    drops = {module.p for module in network.modules() if isinstance(module, nn.Dropout)}
    norms = {module.momentum for module in network.modules() if isinstance(module, nn.BatchNorm2d)}
    assert drops <= {0.37}
    assert norms <= {0.05}
    assert drops or network.drop_rate == 0.37


@pytest.mark.parametrize(
    ("architecture", "kind", "rate", "first"),
    [("efficientnet-b0", "DropPath", "drop_prob", 1), ("efficientnet_b0", "StochasticDepth", "p", 0)],
)
def test_residual_branches_are_dropped_more_often_with_depth(architecture, kind, rate, first):
    # As efficientnet-pytorch does: rate * index / number of blocks, of which b0 has 16.
    network = build(architecture, 2, 32)
    for dropout in (0.0, 0.32):  # in any order, and again
        set_regularisation(network, dropout, 0.1)
        found = [getattr(module, rate) for module in network.modules() if type(module).__name__ == kind]
        assert found == pytest.approx([dropout * at / 16 for at in range(first, 16)])


def test_without_dropout_efficientnet_trains_without_chance():
    network = build("efficientnet-b0", 2, 32)
    set_regularisation(network, dropout=0.0, batch_norm_momentum=0.1)
    views = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network.train()(views), network(views))


def test_with_dropout_efficientnet_trains_by_the_seeded_chance():
    network, views, found = build("efficientnet-b0", 2, 32), torch.rand(2, 3, 32, 32), []
    set_regularisation(network, dropout=0.3, batch_norm_momentum=0.1)
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        with torch.no_grad():
            found.append(network.train()(views))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_building_asks_no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("asked the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    for name in ("efficientnet-b0", "resnet18", "timm/resnet18"):
        build(name, 2, 32)


def test_a_compiled_network_has_no_head_to_look_into():
    compiled = torch.jit.ScriptModule()
    with pytest.raises(InputError, match=r"^a compiled model \(torchscript\) cannot be trained or looked into"):
        head_name(compiled)
    assert networks.head_name(nn.Sequential(nn.Conv2d(3, 8, 1), nn.Flatten(), nn.Linear(8, 3))) == "2"
