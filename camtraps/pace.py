"""The pace of this machine: photos and crops a second, measured, and the hours that many photos would take."""

import io
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from camtraps import images, models
from camtraps.networks import build
from camtraps.processes import keep_buffers, num_workers, start_worker
from camtraps.ranks import device

SIZE = (2048, 1536)  # of the photo that is drawn, in pixels
RECTANGLE, MAX_SIDE, QUALITY = (640, 384, 1408, 1152), 512, 92  # of its crop
SECONDS = 5.0  # of each measurement, after its start
BATCH_ON_CPU, BATCH_ON_GPU = 32, 256
START_SECONDS = 300.0  # a worker process that takes longer to start has died


@dataclass(frozen=True)
class Subject:
    """The network whose pace is asked for: one by name with random weights, or a model folder, and its classes."""

    name: str
    size: int
    num_classes: int
    folder: Path | None = None

    @classmethod
    def of(cls, folder: Path) -> "Subject":
        """Take a model folder; errors as `models.read_info`."""
        info = models.read_info(folder)
        return cls(info.architecture, info.image_size, len(info.classes), folder)

    def network(self) -> nn.Module:
        """Build it where it is to compute."""
        network = models.load(self.folder)[0] if self.folder else build(self.name, self.num_classes, self.size)
        return network.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def views(self, num: int) -> Tensor:
        """Make so many views for it to look at."""
        views = torch.randn(num, 3, self.size, self.size, device=device())  # (num, 3, size, size)
        return views.contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Pace:
    """How many photos or crops a second, of all processes together, and what was measured."""

    work: str
    per_second: float
    unit: str
    how: str

    def line(self) -> str:
        """Say it."""
        return f"{self.work:10}{self.per_second:>10,.1f} {self.unit}/s   {self.how}"

    def hours(self, num: int) -> float:
        """Give the hours that so many photos or crops take."""
        return num / self.per_second / 3600


def measure(subject: Subject, seconds: float = SECONDS) -> list[Pace]:
    """Measure cutting, classifying and training, in this order, each for so many seconds."""
    photo, workers = _draw(), num_workers()
    megabytes = len(photo) / 1e6
    cut = _by_workers(_cut, (photo, seconds), workers)
    how = f"{_counted(workers)}, a crop of a JPEG of {SIZE[0]} x {SIZE[1]} px, {megabytes:.1f} MB"
    network = f"{subject.name} at {subject.size} px"
    if device().type == "cuda":
        seen, by = _classify(subject, seconds, BATCH_ON_GPU), torch.cuda.get_device_name()
    else:
        seen, by = _by_workers(_classify, (subject, seconds, BATCH_ON_CPU), workers), _counted(workers)
    return [
        Pace("cut", cut, "photos", how),
        Pace("classify", seen, "crops", f"{by}, {network}"),
        Pace("train", _train(subject, seconds), "crops", f"{_trainer()}, {network}, without reading them"),
    ]


def table(paces: list[Pace], num: int) -> list[str]:
    """Say the paces, and the hours for so many photos with one crop each."""
    hours = [f"{pace.work:10}{pace.hours(num):>10,.1f} hours" for pace in paces]
    hours[-1] += " an epoch"
    title = f"{num:,} photos with one crop each, on this machine alone:"
    return [*(pace.line() for pace in paces), "", title, *hours]


def _counted(workers: int) -> str:
    return f"{workers} processes" if workers > 1 else "1 process"


def _trainer() -> str:
    where = device()
    return torch.cuda.get_device_name() if where.type == "cuda" else f"{torch.get_num_threads()} threads"


def _by_workers(function: Callable[..., float], arguments: tuple[object, ...], workers: int) -> float:
    """Let so many processes do the same at the same time; give the sum of what they give."""
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, _wait_for_all, (context.Barrier(workers),)) as pool:
        return sum(each.result() for each in [pool.submit(function, *arguments) for _ in range(workers)])


def _wait_for_all(others: Barrier) -> None:
    start_worker()
    torch.set_num_threads(1)
    others.wait(START_SECONDS)


def _rate(work: Callable[[], int], seconds: float) -> float:
    """Do some work again and again; give how much of it a second, the first time not counted."""
    work()
    num, start = 0, time.monotonic()
    while (passed := time.monotonic() - start) < seconds or not num:
        num += work()
    return num / passed


def _cut(photo: bytes, seconds: float) -> float:
    def work() -> int:
        opened = images.opened(photo)
        opened.expect([RECTANGLE])
        images.encode(opened.cut(RECTANGLE, MAX_SIDE), QUALITY, 420)
        return 1

    return _rate(work, seconds)


def _classify(subject: Subject, seconds: float, num: int) -> float:
    network, views = subject.network().eval(), subject.views(num)

    def work() -> int:
        with torch.inference_mode(), torch.autocast(views.device.type, torch.bfloat16, enabled=views.is_cuda):
            network(views).float().cpu()
        return num

    return _rate(work, seconds)


def _train(subject: Subject, seconds: float) -> float:
    keep_buffers()
    num = BATCH_ON_GPU if device().type == "cuda" else BATCH_ON_CPU
    network, views = subject.network().train(), subject.views(num)
    targets = torch.arange(num, device=views.device) % subject.num_classes
    optimizer = torch.optim.AdamW(network.parameters())

    def work() -> int:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(views.device.type, torch.bfloat16, enabled=views.is_cuda):
            predicted = network(views)  # (num, classes)
        loss = functional.cross_entropy(predicted.float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        float(loss.detach())  # wait for it
        return num

    return _rate(work, seconds)


def _draw() -> bytes:
    """Draw a JPEG that compresses about as photos of cameras do: soft shapes and the noise of a sensor."""
    rng = np.random.default_rng(1)
    pixels = np.zeros((SIZE[1], SIZE[0], 3))
    for cell, contrast in ((256, 40), (64, 25), (16, 12), (4, 6)):
        coarse = rng.normal(0, contrast, (SIZE[1] // cell, SIZE[0] // cell)).astype(np.float32)
        pixels += np.asarray(Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC))[:, :, None]
    pixels += 115 + rng.normal(0, 2.5, pixels.shape)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()
