"""Drawing from a generator, and laying the images out in a picture."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gan_lightning.pixels import to_uint8


@torch.no_grad()
def generate(generator: torch.nn.Module, latent: Tensor, batch_size: int, device: torch.device) -> Tensor:
    """Latents (N, latent_dim) to images (N, C, H, W) in [-1, 1], `batch_size` at a time on `device`, then on the CPU.

    The generator runs in evaluation mode, so batch normalisation uses its running statistics, and is left in the
    mode it was in.
    """
    was_training = generator.training
    generator.eval()
    images = torch.cat([generator(part.to(device)).cpu() for part in latent.split(batch_size)])
    generator.train(was_training)
    return images


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
