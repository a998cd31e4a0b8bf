"""A small classifier of the data set at hand: the feature space that needs no network.

Trained once, from a fixed seed, by the first evaluation that needs it, and kept in the data folder. What it tells apart
is its task: the classes of the data, or what needs none, see `clusters.py`.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from filelock import FileLock
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from tqdm import tqdm

from gan_lightning.data.base import ImageDataModule
from gan_lightning.errors import UserError
from gan_lightning.features.space import Description, FeatureSpace, describe, fingerprint
from gan_lightning.whole_files import remove_unfinished, whole_file

NUM_POINTS_DIMS = 128
"""D, the dimensions of the feature space; few, so that a Fréchet distance needs few images."""
EPOCHS = 6
MIN_STEPS = 500
"""Small data sets are gone through more often, until there are so many batches."""
BATCH_SIZE = 200
MAX_STEPS = 2000
"""Large ones less often, but once."""
LEARNING_RATE = 0.25
"""The highest of a one-cycle schedule."""
SHIFT = 2
"""Training images are moved by up to so many pixels, each way."""
SEED = 0
RECIPE = 1
"""Raised with every change of the network or of its training, so that no older file is taken for it."""
MOST_NUMBERS = 2**28
"""Pixels, a gigabyte of them as floats, that say what is normal; of more, images are taken at regular distances."""


class Task(NamedTuple):
    """What a network is trained to tell apart."""

    name: str
    """That of the feature space."""
    num_classes: int
    mirrors: bool
    """Whether what the network says of an image and of its mirror image is averaged."""
    labels: Callable[[], tuple[Tensor, Tensor]]
    """Of the training and of the test images, (N,) and (M,)."""
    examples: Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
    """Images (B, C, H, W), their labels (B,) and random numbers to what the network is shown and should say of it."""
    made_from: tuple[Tensor, ...]
    """What decides its weights, beside the recipe: networks of other images are not taken for them."""
    suffix: str = ""
    """How the name of its file ends."""


def _convolution(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False), nn.BatchNorm2d(channels_out), nn.ReLU()
    )


class _Residual(nn.Module):
    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Classifier(FeatureSpace):
    """A convolutional network; its points are the outputs of the last hidden layer, (B, 128), not negative.

    The first layer sees half the resolution, with the four pixels of each square as channels: convolutions at the
    full one would take most of the time and add little.

    Args:
        image_shape: (C, H, W) of the images.
        num_classes: how many there are.
        mirrors: whether an image's mirror image could be one of the data. Then both are looked at and averaged: they
            have the same points, and one in a hundred of CIFAR-10's images more is classified rightly.
    """

    name = "classifier"

    def __init__(self, image_shape: tuple[int, int, int], num_classes: int, mirrors: bool) -> None:
        super().__init__()
        self.mirrors = mirrors
        channels = image_shape[0]
        self.hidden = nn.Sequential(
            nn.PixelUnshuffle(2),
            _convolution(4 * channels, 48),
            nn.MaxPool2d(2),
            _convolution(48, 96),
            _Residual(_convolution(96, 96)),
            nn.MaxPool2d(2),
            _convolution(96, 192),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(192, NUM_POINTS_DIMS),
            nn.ReLU(),
        )
        self.classes = nn.Linear(NUM_POINTS_DIMS, num_classes)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("deviation", torch.ones(1, channels, 1, 1))
        self.to(memory_format=torch.channels_last)  # twice as fast on the CPU

    def points(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W), bytes, to points (B, 128)."""
        height, width = images.shape[2:]
        if height % 2 or width % 2:
            images = pad(images.float(), (0, width % 2, 0, height % 2), mode="replicate")
        normalised: Any = (images.float() - self.mean) / self.deviation
        return self.hidden(normalised.contiguous(memory_format=torch.channels_last))

    def forward(self, images: Tensor) -> Description:
        views = [self.points(view) for view in ([images, images.flip(3)] if self.mirrors else [images])]
        probabilities = [self.classes(points).softmax(1) for points in views]
        return Description(torch.stack(views).mean(0), torch.stack(probabilities).mean(0))


def _distort(images: Tensor, mirror: bool, random: torch.Generator) -> Tensor:
    """Move each image (B, C, H, W) by up to `SHIFT` pixels and mirror half of them, if that is allowed."""
    size, height, width = len(images), *images.shape[2:]
    down, right = torch.randint(0, 2 * SHIFT + 1, (2, size, 1), generator=random)
    rows, columns = down + torch.arange(height), right + torch.arange(width)
    if mirror:
        mirrored = torch.rand(size, 1, generator=random) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = pad(images, (SHIFT,) * 4).permute(0, 2, 3, 1)
    moved = padded[torch.arange(size)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _untrained(data: ImageDataModule, task: Task) -> Classifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        network = Classifier(data.image_shape, task.num_classes, task.mirrors)
    network.name = task.name
    return network


def train_network(data: ImageDataModule, task: Task) -> Classifier:
    """Train on the whole training split, on the CPU, with a progress bar.

    Torch's global random numbers are left as they are. The same machine with the same number of threads trains the
    same weights, bit for bit.
    """
    images = data.split(train=True)[0]
    labels = task.labels()[0]
    network = _untrained(data, task)
    random = torch.Generator().manual_seed(SEED)
    typical = images[:: math.ceil(images.numel() / MOST_NUMBERS)]
    channels = typical.transpose(0, 1).flatten(1).float()
    network.mean.copy_(channels.mean(1)[:, None, None])
    network.deviation.copy_(channels.std(1).clamp(min=1)[:, None, None])
    del channels
    batch_size = min(BATCH_SIZE, len(images))
    batches = len(images) // batch_size
    epochs = max(1, min(max(EPOCHS, math.ceil(MIN_STEPS / batches)), MAX_STEPS // batches))
    optimizer = torch.optim.SGD(network.parameters(), momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, epochs * batches, pct_start=0.25)
    with tqdm(total=epochs * batches, desc=f"{task.name} of {data.title}, trained once", unit="batch") as progress:
        for _ in range(epochs):
            for chosen in torch.randperm(len(images), generator=random).split(batch_size)[:batches]:
                distorted = _distort(images[chosen], data.mirrors, random)
                shown, right = task.examples(distorted, labels[chosen], random)
                loss = cross_entropy(network.classes(network.points(shown)), right, label_smoothing=0.1)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                progress.update()
    return network.eval().requires_grad_(False)


def classifier_of(data: ImageDataModule) -> Classifier:
    """The classifier of a data set's classes, its accuracy the share of the test images it classifies rightly."""
    (images, labels), (_, test_labels) = data.split(train=True), data.split(train=False)
    task = Task(
        "classifier",
        data.num_classes,
        data.mirrors,
        labels=lambda: (labels, test_labels),
        examples=lambda images, labels, _: (images, labels),
        made_from=(images, labels),
    )
    return network_of(data, task)


def network_of(data: ImageDataModule, task: Task) -> Classifier:
    """The network of a data set that knows a task, from `<data_dir>/classifiers/`, or trained and put there.

    Its fingerprint is that of its weights, its accuracy that on the test split. A file that other images, another
    recipe or an accident left there is replaced.

    Raises:
        UserError: if the data folder cannot be written.
    """
    made_from = fingerprint([*task.made_from, torch.tensor(RECIPE)])
    name = re.sub(r"[^\w.-]", "_", data.title.lower())  # which may be that of a folder, with what no file may be called
    path = Path(data.data_dir) / "classifiers" / f"{name}{task.suffix}.pt"
    try:
        kept = _read(path, made_from) or _make(path, made_from, data, task)
    except OSError as reason:
        raise UserError(
            f"cannot keep a classifier in {path.parent} ({reason.strerror or reason}); choose another data_dir"
        ) from reason
    network = _untrained(data, task)
    network.load_state_dict(kept["weights"])
    network.accuracy = kept["accuracy"]
    network.fingerprint = fingerprint(kept["weights"].values())
    return network.eval().requires_grad_(False)


def _make(path: Path, made_from: str, data: ImageDataModule, task: Task) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # of two evaluations, one trains and the other waits
        if (kept := _read(path, made_from)) is not None:
            return kept
        network = train_network(data, task)
        kept = {"made_from": made_from, "weights": network.state_dict(), "accuracy": _accuracy(network, data, task)}
        remove_unfinished(path.parent)
        with whole_file(path) as file:
            torch.save(kept, file)
        return kept


def _read(path: Path, made_from: str) -> dict[str, Any] | None:
    """What is kept at `path`, if it is whole and was made from the same images by the same recipe."""
    if not path.exists():
        return None
    try:
        kept = torch.load(path, weights_only=True)
        return kept if kept["made_from"] == made_from else None
    except Exception:  # torch raises many kinds, depending on where a damaged file stops making sense
        return None


def _accuracy(network: Classifier, data: ImageDataModule, task: Task) -> float:
    images = data.split(train=False)[0]
    shown, right = task.examples(images, task.labels()[1], torch.Generator().manual_seed(SEED))
    found = describe(network, shown, batch_size=500, device=torch.device("cpu")).probabilities.argmax(1)
    return (found == right).double().mean().item()
