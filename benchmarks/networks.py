"""``python -m benchmarks.networks``: steps of EfficientNet as efficientnet-pytorch computes them, and as we do.

Both take turns, in one thread, and the median of the processor's time is told, which other programs disturb least.
Training steps are forward, backward and an update by SGD; ours are channels last, as in `camtraps.training`.
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from efficientnet_pytorch import EfficientNet
from torch import nn

from camtraps.networks import build

BATCH_SIZE = 16
CASES = (("efficientnet-b0", 96), ("efficientnet-b0", 224))


def packaged(architecture: str, image_size: int) -> nn.Module:
    """Make the network of efficientnet-pytorch, in its faster mode."""
    network = EfficientNet.from_name(architecture, num_classes=10, image_size=image_size)
    network.set_swish(memory_efficient=False)
    return network


def ours(architecture: str, image_size: int) -> nn.Module:
    """Make the network as training does."""
    network: Any = build(architecture, 10, image_size)
    return network.to(memory_format=torch.channels_last)


def steps(network: nn.Module, image_size: int, is_channels_last: bool) -> dict[str, Callable[[], None]]:
    """Give a training and an inference step of a network."""
    views = torch.randn(BATCH_SIZE, 3, image_size, image_size)
    if is_channels_last:
        views = views.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4)

    def train() -> None:
        optimizer.zero_grad()
        network.train()(views).square().mean().backward()
        optimizer.step()

    def infer() -> None:
        with torch.inference_mode():
            network.eval()(views)

    return {"training": train, "inference": infer}


def seconds(one: Callable[[], None], other: Callable[[], None], repetitions: int) -> tuple[float, float]:
    """Give the median processor seconds of two functions that take turns, after one turn that is not counted."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repetitions + 1):
        for function, taken in zip((one, other), times, strict=True):
            start = time.process_time()
            function()
            taken.append(time.process_time() - start)
    first, second = (statistics.median(taken[1:]) for taken in times)
    return first, second


def main(repetitions: int = 5) -> None:
    """Measure all cases and print a table."""
    torch.set_num_threads(1)
    sys.stdout.write(
        f"batch of {BATCH_SIZE}; milliseconds of one processor for efficientnet-pytorch and ours, and the ratio\n"
    )
    for architecture, size in CASES:
        old = steps(packaged(architecture, size), size, is_channels_last=False)
        new = steps(ours(architecture, size), size, is_channels_last=True)
        for name in old:
            before, after = seconds(old[name], new[name], repetitions)
            line = f"{architecture}@{size} {name:9} {before * 1e3:7.0f} {after * 1e3:7.0f} {before / after:6.2f}"
            sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
