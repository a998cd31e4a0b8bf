"""Asking the trained players for images and for judgements, and laying images out in a picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gan_lightning.pixels import from_uint8, to_uint8


@contextmanager
def _evaluating(network: torch.nn.Module) -> Iterator[None]:
    """In evaluation mode, where batch normalisation uses its running statistics; then again in the mode it was in."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


@torch.no_grad()
def generate(generator: torch.nn.Module, latent: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """Latents (N, latent_dim) to images (N, C, H, W) in [-1, 1] on the CPU, `batch_size` at a time on `device`."""
    with _evaluating(generator):
        return torch.cat([generator(part.to(device)).cpu() for part in latent.split(batch_size)])


@torch.no_grad()
def judge(discriminator: torch.nn.Module, pixels: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """Images (N, C, H, W), bytes, to logits (N,) on the CPU, `batch_size` at a time on `device`."""
    with _evaluating(discriminator):
        batches = (from_uint8(part.to(device)) for part in pixels.split(batch_size))
        return torch.cat([discriminator(batch).float().cpu() for batch in batches])


def seeded_latent(generator: torch.nn.Module, num_samples: int, seed: int) -> Tensor:
    """Latents (num_samples, latent_dim) that `seed` alone decides, for any device; training's random numbers stay."""
    return generator.sample_latent(num_samples, torch.Generator().manual_seed(seed))  # type: ignore[operator]


def draw(generator: torch.nn.Module, num_samples: int, seed: int, device: torch.device) -> Tensor:
    """Images (num_samples, C, H, W), bytes, from latents that `seed` alone decides."""
    return to_uint8(generate(generator, seeded_latent(generator, num_samples, seed), num_samples, device))


def grid(images: Tensor, columns: int = 8) -> Tensor:
    """One picture (3, H', W') of images (B, C, H, W), bytes, `columns` in a row."""
    return make_grid(images, nrow=columns, padding=2, pad_value=255)


def save_png(picture: Tensor, path: Path) -> None:
    """Write a picture (3, H, W), bytes."""
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)
