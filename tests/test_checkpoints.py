"""Foreign checkpoints: weights in every form they come in; what would need unpickling is refused."""

import pickle
from pathlib import Path

import pytest
import torch
from make_networks import ancestral, compiled, efficientnet
from safetensors.torch import save_file
from torch import nn

from camtraps import checkpoints
from camtraps.checkpoints import Checkpoint, fill, read
from camtraps.errors import InputError, MissingError
from camtraps.networks import build

torch.set_num_threads(1)
EVERY = {0: 0, 1: 1, 2: 2}


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def refused(error, function, *given):
    with pytest.raises(error) as raised:
        function(*given)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def in_every_form(weights):
    parallel = {f"module.{name}": value for name, value in weights.items()}
    optimizer = torch.optim.RMSprop([torch.zeros(2, requires_grad=True)], lr=0.1).state_dict()
    return {
        "ancestor.pt": {"epoch": 7, "model": weights, "val/acc": 81.5, "optimizer": optimizer},
        "bare.pth": weights,
        "parallel.pt": parallel,
        "lightning.ckpt": {"epoch": 7, "state_dict": parallel, "global_step": 3},
    }


@pytest.mark.parametrize("form", ["ancestor.pt", "bare.pth", "parallel.pt", "lightning.ckpt", "plain.safetensors"])
def test_weights_of_efficientnet_pytorch_are_found_by_name_in_every_form(tmp_path, form):
    reference, views = efficientnet("efficientnet-b0", 3, 64), torch.randn(2, 3, 64, 64)
    if form == "plain.safetensors":  # which keeps no order
        save_file(reference.state_dict(), tmp_path / form)
    else:
        torch.save(in_every_form(reference.state_dict())[form], tmp_path / form)
    network = build("efficientnet-b0", 3, 64)
    fill(network, read(tmp_path / form), EVERY, form)
    with torch.no_grad():
        assert torch.allclose(network.eval()(views), reference(views), rtol=1e-3, atol=1e-4)


def test_names_are_mapped_as_the_order_of_both_state_dicts_does():
    reference, network = efficientnet("efficientnet-b1", 3, 32), build("efficientnet-b1", 3, 32)
    fill(network, Checkpoint(reference.state_dict()), EVERY, "x")
    pairs = zip(network.state_dict().values(), reference.state_dict().values(), strict=True)
    assert all(torch.equal(own, given) for own, given in pairs)


@pytest.mark.parametrize("architecture", ["resnet18", "timm/mobilenetv3_small_050"])
def test_weights_with_the_networks_own_names_are_taken(tmp_path, architecture):
    given, network = build(architecture, 3, 32), build(architecture, 3, 32)
    torch.save({"model": given.state_dict(), "epoch": 3, "val/acc": 50.0, "optimizer": {}}, tmp_path / "c.pt")
    checkpoint = read(tmp_path / "c.pt")
    fill(network, checkpoint, EVERY, "c.pt")
    assert checkpoint.epoch == 3
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), given.state_dict().values(), strict=True)
    )


def test_counters_that_old_files_lack_are_not_needed():
    given = {name: value for name, value in build("resnet18", 3, 32).state_dict().items() if "num_batches" not in name}
    network = build("resnet18", 3, 32)
    fill(network, Checkpoint(given), EVERY, "x")
    assert torch.equal(network.conv1.weight, given["conv1.weight"])


def test_only_the_named_rows_of_the_last_layer_are_taken():
    given, network = build("resnet18", 5, 32), build("resnet18", 3, 32)
    before = network.fc.weight.detach().clone()
    fill(network, Checkpoint(given.state_dict()), {0: 4, 2: 1}, "x")
    assert torch.equal(network.fc.weight[0], given.fc.weight[4])
    assert torch.equal(network.fc.weight[1], before[1])
    assert torch.equal(network.fc.bias[2], given.fc.bias[1])
    assert torch.equal(network.layer4[1].conv2.weight, given.layer4[1].conv2.weight)


def test_the_number_of_classes_is_read_from_the_last_layer():
    assert checkpoints.num_classes(build("resnet18", 9, 32), Checkpoint(build("resnet18", 5, 32).state_dict())) == 5
    assert checkpoints.num_classes(build("resnet18", 9, 32), Checkpoint({"x": torch.zeros(1)})) is None
    given = Checkpoint(efficientnet("efficientnet-b0", 4, 32).state_dict())
    assert checkpoints.num_classes(build("efficientnet-b0", 9, 32), given) == 4


@pytest.mark.parametrize(
    ("architecture", "given", "what"),
    [
        ("resnet18", "resnet34", "layer1.2.conv1.weight is left over"),
        ("resnet34", "resnet18", "layer1.2.conv1.weight is missing"),
        ("resnet18", "resnet50", "layer1.0.conv3.weight is left over"),
        ("efficientnet-b0", "efficientnet_b0", "conv_stem.weight is missing"),
    ],
)
def test_weights_of_another_network_are_refused_whatever_fits(architecture, given, what):
    network, weights = build(architecture, 2, 32), build(given, 2, 32).state_dict()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for rows in ({}, {0: 0, 1: 1}):
        text = refused(InputError, fill, network, Checkpoint(weights), rows, "c.pt")
        assert text.startswith(f"c.pt: its weights are of another network: {what}, and ")
        assert text.endswith(" more do not fit; give the architecture it was trained as")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_padding_is_known_where_the_file_tells_it(tmp_path):
    old = ancestral("efficientnet-b0", 2, 32).state_dict()
    torch.save({"epoch": 1, "model": old, "val/acc": 1.0, "optimizer": {}}, tmp_path / "ancestor.pt")
    torch.save(old, tmp_path / "bare.pt")
    torch.save(build("efficientnet-b0", 2, 32).state_dict(), tmp_path / "timm.pt")
    found = {name: read(tmp_path / f"{name}.pt").padding for name in ("ancestor", "bare", "timm")}
    assert found == {"ancestor": "ancestor", "bare": None, "timm": "same"}


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_what_would_need_unpickling_is_refused_in_one_line_and_not_run(tmp_path, save):
    path, trace = tmp_path / "c.pt", tmp_path / "trace"
    save({"model": build("resnet18", 2, 32).state_dict(), "extra": Bomb(trace)}, path)
    text = refused(InputError, read, path)
    assert text.startswith(f"{path}: damaged, or it holds more than weights, whose loading could run any code; ")
    assert not trace.exists()


def test_a_whole_module_is_refused(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "c.pt")
    assert "it holds more than weights" in refused(InputError, read, tmp_path / "c.pt")


@pytest.mark.parametrize("name", ["c.pt", "c.safetensors"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut off", b"\x80\x02}q\x00.", bytes(range(256))])
def test_damaged_files_are_clear_errors(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert refused(InputError, read, tmp_path / name).startswith(f"{tmp_path / name}: ")


def test_files_without_weights_are_clear_errors(tmp_path):
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "c.pt")
    assert refused(InputError, read, tmp_path / "c.pt") == f"{tmp_path}/c.pt: no weights in it; it has epoch, lr"
    torch.save([torch.zeros(2)], tmp_path / "c.pt")
    assert refused(InputError, read, tmp_path / "c.pt") == f"{tmp_path}/c.pt: no weights in it; it has nothing"
    assert refused(MissingError, read, tmp_path / "absent.pt") == f"{tmp_path}/absent.pt: not found; check the path"


def test_a_compiled_network_is_told_from_a_checkpoint(tmp_path):
    compiled(nn.Linear(2, 2), tmp_path / "script.pt")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt")
    assert checkpoints.is_script(tmp_path / "script.pt")
    assert not checkpoints.is_script(tmp_path / "weights.pt")
    assert "a compiled model (TorchScript)" in refused(InputError, read, tmp_path / "script.pt")


def test_weights_without_a_last_layer_serve_as_a_start_only():
    given = {name: value for name, value in build("resnet18", 3, 32).state_dict().items() if not name.startswith("fc")}
    fill(build("resnet18", 2, 32), Checkpoint(given), {}, "x")
    text = refused(InputError, fill, build("resnet18", 2, 32), Checkpoint(given), {0: 0, 1: 1}, "c.pt")
    assert ": fc.weight is missing, and 1 more do not fit; " in text


def test_a_weight_of_another_shape_is_told():
    given = build("resnet18", 2, 32).state_dict() | {"conv1.weight": torch.zeros(64, 3, 3, 3)}
    text = refused(InputError, fill, build("resnet18", 2, 32), Checkpoint(given), {}, "c.pt")
    assert ": conv1.weight is [64, 3, 3, 3] instead of [64, 3, 7, 7], and 0 more do not fit; " in text
