"""What this project's generators and discriminators have in common; a network of one's own may do without."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gan_lightning.errors import whole_number


class Generator(nn.Module):
    """G: latents (B, latent_dim) to images (B, C, H, W) in [-1, 1].

    Args:
        latent_dim: the number of latent variables.
        latent_distribution: `normal`, `uniform` on [-√3, √3], or `spherical`, uniform on the sphere of radius
            √latent_dim; each way mean 0 and variance 1.

    Raises:
        ValueError: if `latent_dim` is not a whole number of at least 1, or the distribution is unknown.
    """

    def __init__(self, latent_dim: int, latent_distribution: str = "normal") -> None:
        super().__init__()
        whole_number("latent_dim", latent_dim, at_least=1)
        if latent_distribution not in ("normal", "uniform", "spherical"):
            raise ValueError(f"latent_distribution must be normal, uniform or spherical, not {latent_distribution!r}")
        self.latent_dim = latent_dim
        self.latent_distribution = latent_distribution

    def sample_latent(self, num_samples: int, random: torch.Generator | None = None) -> Tensor:
        """Draw z (num_samples, latent_dim), on the device of `random`, from it or from torch's global generator."""
        device = None if random is None else random.device
        if self.latent_distribution == "uniform":
            unit = torch.rand(num_samples, self.latent_dim, generator=random, device=device)
            return unit.mul_(2).sub_(1).mul_(math.sqrt(3))
        latent = torch.randn(num_samples, self.latent_dim, generator=random, device=device)
        if self.latent_distribution == "spherical":
            latent = normalize(latent).mul_(math.sqrt(self.latent_dim))
        return latent


class Discriminator(nn.Module):
    """D: images (B, C, H, W) in [-1, 1] to logits (B,), its score before the sigmoid."""

    def probability(self, images: Tensor) -> Tensor:
        """How likely each image is real, (B,) in [0, 1], if the logits are log-odds: their sigmoid."""
        return torch.sigmoid(self(images))


def lowest_resolution(image_shape: Sequence[int]) -> tuple[tuple[int, int], int]:
    """The (H, W) that images (C, H, W) have after as many halvings as leave whole numbers of at least 4, and how many
    those are; at least one, which may leave 2.

    Raises:
        ValueError: if height or width is not a multiple of 4.
    """
    height, width = image_shape[1:]
    if height % 4 or width % 4:
        raise ValueError(
            f"a convolutional network here takes images whose height and width are multiples of 4,"
            f" such as 28 × 28 and 32 × 32, not {height} × {width}"
        )
    height, width, halvings = height // 2, width // 2, 1
    while height % 2 == width % 2 == 0 and min(height, width) >= 8:
        height, width, halvings = height // 2, width // 2, halvings + 1
    return (height, width), halvings
