"""The training and inference of our ancestor as they worked: a JPEG file a crop, Pillow transforms, NCHW.

Written anew from a description of its behaviour, to have something to compare with: its augmentation, RMSprop on every
weight, a loader whose workers start anew each epoch, and scores taken from every step.
"""

from pathlib import Path
from typing import Any

import torch
from efficientnet_pytorch import EfficientNet
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler
from torchvision import transforms

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Crops(Dataset[tuple[Any, int]]):
    """Crops by their paths."""

    def __init__(self, paths: list[Path], labels: list[int], transform: Any) -> None:
        """Take the paths, class indices and the transform of a Pillow image to a tensor."""
        self._paths, self._labels, self._transform = paths, labels, transform

    def __len__(self) -> int:
        """Count the crops."""
        return len(self._paths)

    def __getitem__(self, at: int) -> tuple[Any, int]:
        """Read and transform one crop."""
        with self._paths[at].open("rb") as file, Image.open(file) as image:
            return self._transform(image.convert("RGB")), self._labels[at]


def of_training(size: int) -> Any:
    """Give the transforms of training."""
    return transforms.Compose(
        [
            transforms.RandomResizedCrop(size),
            transforms.RandomRotation((-90, 90)),
            transforms.RandomHorizontalFlip(0.5),
            transforms.RandomVerticalFlip(0.1),
            transforms.RandomGrayscale(0.1),
            transforms.ColorJitter(0.25, 0.25, 0.25),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )


def of_use(size: int) -> Any:
    """Give the transforms of validation and use."""
    return transforms.Compose(
        [
            transforms.Resize(size, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(size),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )


class Trainer:
    """A network and its optimizer."""

    def __init__(self, architecture: str, num_classes: int, size: int, device: torch.device) -> None:
        """Make the network, of random weights."""
        self.network = EfficientNet.from_name(architecture, num_classes=num_classes, image_size=size).to(device)
        self._optimizer = torch.optim.RMSprop(
            self.network.parameters(), lr=3e-5, alpha=0.9, momentum=0.9, weight_decay=1e-6
        )
        self._loss = nn.CrossEntropyLoss()
        self._device = device

    def train(self, crops: Crops, batch_size: int, num_workers: int) -> float:
        """Make one epoch; give its mean top-1 accuracy."""
        sampler = WeightedRandomSampler([1.0] * len(crops), len(crops))
        pin = self._device.type == "cuda"
        loader = DataLoader(crops, batch_size, sampler=sampler, num_workers=num_workers, pin_memory=pin)
        self.network.train()
        right = 0.0
        for views, labels in loader:
            inputs, targets = views.to(self._device, non_blocking=True), labels.to(self._device, non_blocking=True)
            outputs = self.network(inputs)
            loss = self._loss(outputs, targets)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            right += outputs.topk(3).indices[:, 0].eq(targets).sum().item()
        return right / len(crops)

    @torch.no_grad()
    def classify(self, crops: Crops, batch_size: int, num_workers: int) -> list[Any]:
        """Give the probabilities of every crop."""
        loader = DataLoader(crops, batch_size, num_workers=num_workers, pin_memory=self._device.type == "cuda")
        self.network.eval()
        found: list[Any] = []
        for views, _ in loader:
            found.extend(torch.softmax(self.network(views.to(self._device)), dim=1).cpu().numpy())
        return found
