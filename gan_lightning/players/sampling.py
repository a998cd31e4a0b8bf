"""Asking the trained players for images and for judgements, and laying images out in a picture."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.utils import make_grid

from gan_lightning.data.pixels import from_uint8, to_uint8
from gan_lightning.players.judge import Judge
from gan_lightning.players.protocol import call, evaluating, sample_latent, takes_labels
from gan_lightning.whole_files import whole_file


@torch.no_grad()
def generate(generator: nn.Module, latent: Tensor, labels: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """Latents (N, latent_dim) to images (N, C, H, W) in [-1, 1] on the CPU, `batch_size` at a time on `device`.

    The labels (N,) are for a generator that takes them.
    """
    parts = zip(latent.split(batch_size), labels.split(batch_size), strict=True)
    with evaluating(generator):
        return torch.cat([call(generator, *(part.to(device) for part in both)).cpu() for both in parts])


@torch.no_grad()
def judged(discriminator: nn.Module, pixels: Tensor, labels: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """Images (N, C, H, W), bytes, to logits (N,) on the CPU, `batch_size` at a time on `device`.

    The labels (N,) are for a discriminator that takes them.
    """
    parts = zip(pixels.split(batch_size), labels.split(batch_size), strict=True)
    with evaluating(discriminator):
        return torch.cat(
            [Judge(discriminator, some.to(device))(from_uint8(part.to(device))).cpu() for part, some in parts]
        )


MOST_COLUMNS = 10
"""Of a picture with a class a row."""


def seeded_latent(generator: nn.Module, num_samples: int, seed: int) -> Tensor:
    """Latents (num_samples, latent_dim) that `seed` alone decides, for any device; training's random numbers stay."""
    return sample_latent(generator, num_samples, torch.Generator().manual_seed(seed))


def labels_to_draw(generator: nn.Module, num_samples: int, classes: Sequence[int]) -> Tensor:
    """Labels (num_samples,) of these classes, one class after the other, as many of each as can be.

    The images of a generator that takes no labels are all of one kind: 0.
    """
    classes = classes if takes_labels(generator) else [0]
    return torch.tensor(classes)[torch.arange(num_samples) * len(classes) // num_samples]


def draw(generator: nn.Module, labels: Tensor, seed: int, device: torch.device) -> Tensor:
    """Images (N, C, H, W), bytes, from latents that `seed` alone decides, of labels (N,) if it takes them."""
    num_samples = len(labels)
    return to_uint8(generate(generator, seeded_latent(generator, num_samples, seed), labels, num_samples, device))


def grid(images: Tensor, columns: int = 8) -> Tensor:
    """One picture (3, H', W') of images (B, C, H, W), bytes, `columns` in a row; gray where C is neither 1 nor 3."""
    if images.shape[1] not in (1, 3):
        images = images.float().mean(1, keepdim=True).round().to(torch.uint8)
    return make_grid(images, nrow=columns, padding=2, pad_value=255)


def grid_of_classes(images: Tensor, labels: Tensor, columns: int = 8) -> Tensor:
    """One picture (3, H', W') of images (B, C, H, W), bytes, with labels (B,) that stand together: a class a row.

    A class of more than ten images has several rows. What a row lacks is white. Of a single class, or of fewer than two
    images a class, it is the plain grid.
    """
    sizes = labels.unique_consecutive(return_counts=True)[1].tolist()
    if len(sizes) == 1 or len(images) < 2 * len(sizes):
        return grid(images, columns)
    columns = min(max(sizes), MOST_COLUMNS)
    rows = [pad(row, (0, 0, 0, 0, 0, 0, 0, -len(row) % columns), value=255) for row in images.split(sizes)]
    return grid(torch.cat(rows), columns)


def save_png(picture: Tensor, path: Path) -> None:
    """Write a picture (3, H, W), bytes."""
    with whole_file(path) as file:
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, "png")
