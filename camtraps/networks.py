"""Networks: built by name with random weights; their head, their features, what only training sees of them.

EfficientNets are those of timm that compute the same as the package efficientnet-pytorch (`tf_efficientnet_bN`), only
faster. Their "same" convolutions pad by fixed widths, as in that package, for the size of image they are built for.
"""

import difflib
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from camtraps.errors import InputError

Padding: TypeAlias = Literal["same", "ancestor"]
EFFICIENTNETS = {f"efficientnet-b{number}": f"tf_efficientnet_b{number}" for number in range(9)}
WITH_BRANCHES = {"aux_logits": False, "init_weights": True}  # of training only, which our loop does not know


class _PaddedConv(nn.Conv2d):
    """A convolution whose input gets zeros first: a width before it, another behind it, in both directions."""

    def __init__(self, like: nn.Conv2d, before: int, behind: int) -> None:
        """Take over the weights of another convolution."""
        sizes = (like.in_channels, like.out_channels, like.kernel_size, like.stride)
        super().__init__(*sizes, groups=like.groups, bias=like.bias is not None)  # type: ignore[arg-type]
        self.weight, self.bias = like.weight, like.bias
        self.widths = (before, behind, before, behind)

    def forward(self, views: Tensor) -> Tensor:
        return super().forward(functional.pad(views, self.widths))


def build(architecture: str, num_classes: int, image_size: int, padding: Padding = "same") -> nn.Module:
    """Make a network with random weights; nothing is downloaded.

    Args:
        architecture: ``efficientnet-b0`` to ``b8``; a classifier of torchvision such as ``resnet50``; one of timm such
            as ``convnextv2_nano``, or ``timm/resnet50`` where torchvision has one of that name too.
        num_classes: length of its output.
        image_size: side of the square input in pixels.
        padding: ``ancestor`` for weights that CameraTraps has trained: its EfficientNet (a vendored 0.7.0) pads
            convolutions of stride 2 by the same width on all sides, which is another function.

    Raises:
        InputError: no such network, or it cannot be had for this size or padding.
    """
    if padding == "ancestor" and architecture not in EFFICIENTNETS:
        raise InputError(f"padding ancestor is for efficientnet-b0 to b8; {architecture!r} pads in one way only")
    try:
        if name := timm_name(architecture):
            import timm

            network: nn.Module = timm.create_model(name, num_classes=num_classes, **timm_options(name, image_size))
            if architecture in EFFICIENTNETS:
                _pad(network, image_size, padding)
                _draw(network)
            return network
        return _of_torchvision(architecture, num_classes, image_size)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{architecture} cannot be built for images of {image_size} px: {why}") from None


def timm_name(architecture: str) -> str | None:
    """Give timm's name of a network, None if it is one of torchvision.

    Raises:
        InputError: no such network.
    """
    if architecture in EFFICIENTNETS:
        return EFFICIENTNETS[architecture]
    known = _names_of_torchvision()
    if architecture in known:
        return None
    import timm

    name = architecture.removeprefix("timm/")
    if ":" not in name and timm.is_model(name):  # a colon would lead to the hub
        return str(name)
    names = [*EFFICIENTNETS, *known, *timm.list_models()]
    near = ", ".join(difflib.get_close_matches(name, dict.fromkeys(names), n=5, cutoff=0.5))
    raise InputError(
        f"no network is called {architecture!r} (train.model in params.yaml); "
        + (f"near it are {near}" if near else "choose efficientnet-b0 to efficientnet-b8, resnet50 ...")
    )


def timm_options(name: str, image_size: int) -> dict[str, Any]:
    """Give what else timm must be told to build a network."""
    from timm.models import get_pretrained_cfg

    if name in EFFICIENTNETS.values():
        return {"drop_path_rate": 0.2}  # so that blocks can be dropped; `set_regularisation` says how often
    config = get_pretrained_cfg(name)
    return {"img_size": image_size} if config and config.fixed_input_size else {}


def head_name(network: nn.Module) -> str:
    """Name the last layer, whose outputs are the classes.

    Raises:
        InputError: a compiled network, which cannot be looked into.
    """
    if isinstance(network, torch.jit.ScriptModule):
        raise InputError("a compiled model (torchscript) cannot be trained or looked into, only run")
    names: list[str] = [name for name, each in network.named_modules() if isinstance(each, nn.Linear | nn.Conv2d)]
    return names[-1]


def head(network: nn.Module) -> nn.Module:
    """Give the last layer; errors as in `head_name`."""
    return network.get_submodule(head_name(network))


def features(network: nn.Module, views: Tensor) -> Tensor:
    """Compute what the last layer is given, pooled over the image: (batch, features).

    Args:
        network: from `build`, in evaluation mode.
        views: (batch, 3, size, size), normalised.
    """
    seen: list[Tensor] = []
    handle = head(network).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        network(views)
    finally:
        handle.remove()
    return seen[0].mean((2, 3)) if seen[0].ndim == 4 else seen[0]


def set_regularisation(network: nn.Module, dropout: float, batch_norm_momentum: float) -> None:
    """Set what only training sees.

    Args:
        network: from `build`.
        dropout: share of features dropped before the last layer; in EfficientNets, and others that were built with
            stochastic depth, also of residual branches: none in the first block, growing linearly with depth.
        batch_norm_momentum: how fast running statistics follow; 0.01 lags on runs of a few hundred steps.
    """
    own: Any = network
    if hasattr(own, "drop_rate"):  # of timm, which drops without a module
        own.drop_rate = dropout
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = batch_norm_momentum
        if isinstance(module, nn.Dropout):
            module.p = dropout
    rates = {"StochasticDepth": "p", "DropPath": "drop_prob"}  # of torchvision and timm
    branches = [module for module in network.modules() if type(module).__name__ in rates]
    # The first block is never dropped, and timm gives it no module.
    first = int(any(type(module).__name__ == "DropPath" for module in branches))
    for at, module in enumerate(branches, start=first):
        setattr(module, rates[type(module).__name__], dropout * at / (len(branches) + first))


def _names_of_torchvision() -> list[str]:
    import torchvision

    return torchvision.models.list_models(module=torchvision.models)  # type: ignore[no-any-return]


def _of_torchvision(name: str, num_classes: int, image_size: int) -> nn.Module:
    import torchvision

    options: dict[str, Any] = WITH_BRANCHES if name in ("googlenet", "inception_v3") else {}
    options = {"image_size": image_size} if name.startswith("vit_") else options
    return torchvision.models.get_model(name, weights=None, num_classes=num_classes, **options)  # type: ignore[no-any-return]


def _draw(network: nn.Module) -> None:
    """Draw random weights as efficientnet-pytorch does: those of timm make the first epochs of a short run useless."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()


def _pad(network: nn.Module, image_size: int, padding: Padding) -> None:
    """Replace convolutions that pad by the size of what they get: they pad as an image of ``image_size`` asks for.

    These are those of stride 2, in the order of the computation; all others pad alike for every size.
    """
    from timm.layers.conv2d_same import Conv2dSame

    size = image_size
    for name, conv in list(network.named_modules()):
        if isinstance(conv, Conv2dSame):
            (stride, _), (kernel, _) = conv.stride, conv.kernel_size
            size_out = -(-size // stride)
            total = max((size_out - 1) * stride + kernel - size, 0)
            behind = -(-total // 2)
            before = behind if padding == "ancestor" else total // 2
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, _PaddedConv(conv, before, behind))
            size = size_out
