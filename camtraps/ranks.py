"""The ranks of one training: processes that `torchrun` starts, on one machine or several, and what they must agree on.

Without torchrun there is one rank, and nothing here does anything.
"""

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import distributed, nn
from torch.distributed.rendezvous import rendezvous

from camtraps import processes
from camtraps.errors import CamtrapsError

T = TypeVar("T")


def world() -> int:
    """Count the ranks."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Give this process's number among them, from 0."""
    return int(os.environ.get("RANK", "0"))


def device() -> torch.device:
    """Give this rank's GPU if there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def launch(devices: int, module: str) -> None:
    """Become `torchrun` of a module when it is to use several devices or machines; nothing happens within torchrun.

    The process keeps its number, so that what ends it ends all. The options of torchrun can be given by
    ``$CAMTRAPS_TORCHRUN``, such as those that join several machines.

    Args:
        devices: GPUs, or processes on a CPU; 0 stands for every GPU. Those of ``$CAMTRAPS_TORCHRUN`` go first.
        module: what to run, as behind ``python -m``.

    Raises:
        CamtrapsError: there are fewer GPUs, or SLURM has started several processes without torchrun.
    """
    if "WORLD_SIZE" in os.environ:
        return
    if processes.world() > 1:
        raise CamtrapsError(
            "CAMTRAPS_ENGINE: ranks alone do not train together; use `srun torchrun ... -m stages.train`"
        )
    if given := shlex.split(os.environ.get("CAMTRAPS_TORCHRUN", "")):
        _become_torchrun(given, module)
        return
    there = torch.cuda.device_count()
    if there and devices > there:
        raise CamtrapsError(f"params.yaml: train.devices: {devices} GPUs asked for, {there} here")
    num = devices or max(1, there)
    if num > 1:
        _become_torchrun(["--standalone", f"--nproc-per-node={num}"], module)


def _become_torchrun(options: list[str], module: str) -> None:
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "torch.distributed.run", *options, "-m", module])


@contextmanager
def joined() -> Iterator[None]:
    """Bring the ranks together, and part at the end."""
    if world() == 1:
        yield
        return
    where = device()
    if where.type == "cuda":
        torch.cuda.set_device(where)
    # After a restart the keys of the ranks that were lost are still in torchrun's store: they would be waited for.
    store, number, num = next(rendezvous("env://"))
    store = distributed.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)  # type: ignore[attr-defined]
    # Objects travel by gloo, gradients on a GPU by NCCL.
    backend = "cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo"
    distributed.init_process_group(backend, store=store, rank=number, world_size=num)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def agreed(value: T) -> T:
    """Give every rank the value of rank 0."""
    if world() == 1:
        return value
    values: list[Any] = [value]
    distributed.broadcast_object_list(values, src=0, device=torch.device("cpu"))
    return values[0]  # type: ignore[no-any-return]


def gathered(value: T) -> list[T]:
    """Give every rank the values of all, in the order of the ranks."""
    if world() == 1:
        return [value]
    values: list[Any] = [None] * world()
    distributed.all_gather_object(values, value)
    return values


def parallel(network: nn.Module) -> nn.Module:
    """Wrap a network so that the ranks' gradients are averaged; what is frozen now must stay so."""
    if world() == 1:
        return network
    where = next(network.parameters()).device
    return nn.parallel.DistributedDataParallel(network, [where] if where.type == "cuda" else None)


def synchronised(network: nn.Module) -> nn.Module:
    """On GPUs, let batch normalisation see the crops of all ranks; on CPUs torch has nothing for it."""
    if world() == 1 or device().type == "cpu":
        return network
    from timm.layers.norm_act import convert_sync_batchnorm  # torch's own loses the activation in timm's layers

    return convert_sync_batchnorm(network)  # type: ignore[no-untyped-call,no-any-return]


def same_buffers(network: nn.Module) -> None:
    """Give every rank the running statistics of rank 0."""
    if world() > 1:
        for buffer in network.buffers():
            distributed.broadcast(buffer, src=0)
