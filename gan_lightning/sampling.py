"""Drawing from a generator, and laying the images out in a picture."""

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from gan_lightning.pixels import to_uint8


@torch.no_grad()
def draw(generator: torch.nn.Module, num_samples: int, seed: int, device: torch.device) -> Tensor:
    """Images (num_samples, C, H, W), bytes, from latents that `seed` alone decides, on any device.

    The generator runs in evaluation mode, so batch normalisation uses its running statistics, and is left in the
    mode it was in.
    """
    latent = generator.sample_latent(num_samples, torch.Generator().manual_seed(seed)).to(device)  # type: ignore
    was_training = generator.training
    generator.eval()
    images = to_uint8(generator(latent))
    generator.train(was_training)
    return images.cpu()


def grid(images: Tensor, columns: int = 8) -> Tensor:
    """One picture (3, H', W') of images (B, C, H, W), bytes, `columns` in a row."""
    return make_grid(images, nrow=columns, padding=2, pad_value=255)


def save_png(picture: Tensor, path: Path) -> None:
    """Write a picture (3, H, W), bytes."""
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(path)
