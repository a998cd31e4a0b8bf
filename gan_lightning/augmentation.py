"""What the discriminator is shown in place of an image: one like it, so that it cannot learn the images by heart.

Each takes images (B, C, H, W) in [-1, 1], changes each in a way of its own, drawn from torch's global generator, and
lets gradients through. What leaves [-1, 1] is not clipped.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from gan_lightning.schedules import Schedule, Scheduled, number_or_schedule
from gan_lightning.sharding import shard


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    """One number for each image, (B, 1, 1, 1)."""
    drawn = shard(lambda n: torch.rand(n, 1, 1, 1, device=images.device, dtype=images.dtype), len(images))
    return drawn * (high - low) + low


def brightness(images: Tensor) -> Tensor:
    """Add u, from -0.5 to 0.5, to all of an image."""
    return images + _uniform(images, -0.5, 0.5)


def saturation(images: Tensor) -> Tensor:
    """Scale a pixel's distance to the mean of its channels by u, from 0 to 2. Gray images stay what they are."""
    mean = images.mean(1, keepdim=True)
    return mean + _uniform(images, 0.0, 2.0) * (images - mean)


def contrast(images: Tensor) -> Tensor:
    """Scale a pixel's distance to the mean of the image by u, from 0.5 to 1.5."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + _uniform(images, 0.5, 1.5) * (images - mean)


def _below(bound: int, images: Tensor) -> Tensor:
    """A whole number from 0 to bound - 1 for each image, (B, 1)."""
    return shard(lambda n: torch.randint(bound, (n, 1), device=images.device), len(images))


def translation(images: Tensor) -> Tensor:
    """Move an image by up to an eighth of its size, in whole pixels, each way; zeros, mid-gray, come in."""
    height, width = images.shape[2:]
    down, right = (int(size / 8 + 0.5) for size in (height, width))
    rows = torch.arange(height, device=images.device) + _below(2 * down + 1, images)
    columns = torch.arange(width, device=images.device) + _below(2 * right + 1, images)
    padded = pad(images, (right, right, down, down)).permute(0, 2, 3, 1)
    each = torch.arange(len(images), device=images.device)[:, None, None]
    return padded[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cutout(images: Tensor) -> Tensor:
    """Set a rectangle of half the height and half the width to zero; a part of it may lie outside the image."""
    keep = []
    for size in images.shape[2:]:
        half = int(size / 2 + 0.5)
        first = _below(size + 1 - half % 2, images) - half // 2
        places = torch.arange(size, device=images.device)
        keep.append((places < first) | (places >= first + half))
    return images * (keep[0][:, None, :, None] | keep[1][:, None, None, :])


OPERATIONS = {function.__name__: function for function in (brightness, saturation, contrast, translation, cutout)}


class DiffAugment(nn.Module):
    """Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", section 3.2 and its code.

    Args:
        operations: some of brightness, saturation, contrast, translation and cutout, in the order they are done.

    Raises:
        ValueError: if there is no such operation, or none at all is named.
    """

    def __init__(self, operations: Sequence[str] = tuple(OPERATIONS)) -> None:
        super().__init__()
        if isinstance(operations, str) or not operations or not OPERATIONS.keys() >= set(operations):
            raise ValueError(f"operations must be a list of some of {', '.join(OPERATIONS)}, not {operations!r}")
        self.operations = tuple(operations)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] to as many like them."""
        for name in self.operations:
            images = OPERATIONS[name](images)
        return images


class InstanceNoise(nn.Module):
    """x + σ ε, ε normal, of real and of generated images: Sønderby et al. 2017; Arjovsky & Bottou 2017, section 3.
    Two distributions that do not meet do so under noise, and D cannot tell them apart with certainty.

    Args:
        std: σ, or its schedule, such as one that ends at 0.

    Raises:
        ValueError: if `std` is neither a schedule nor a number of at least 0.
    """

    def __init__(self, std: float | Schedule = 0.1) -> None:
        super().__init__()
        number_or_schedule("std", std, at_least=0)
        self.std = Scheduled(std)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] to as many with noise."""
        shape = images.shape[1:]
        noise = shard(lambda n: torch.randn(n, *shape, device=images.device, dtype=images.dtype), len(images))
        return images + self.std.value * noise
