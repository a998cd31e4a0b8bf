"""Whether an exported generator draws what the generator draws."""

from collections.abc import Callable

import torch
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.loading import TrainedGenerator

BATCHES = (1, 2, 7)
"""How many images are drawn at a time."""
TOLERANCE = 1e-3
"""The largest difference between two pixels in [-1, 1] that passes: an eighth of what tells two bytes apart."""


def inputs(generator: TrainedGenerator, num_samples: int) -> tuple[Tensor, ...]:
    """Latents (N, latent_dim) and, of a generator that takes them, labels (N,): the same each time."""
    latent = generator.sample_latent(num_samples, torch.Generator().manual_seed(num_samples))
    labels = torch.arange(num_samples) % generator.num_classes
    return (latent, labels) if generator.conditional else (latent,)


@torch.no_grad()
def largest_difference(generator: TrainedGenerator, exported: Callable[..., Tensor], where: str) -> float:
    """Between two pixels, over batches of several sizes; pixels are in [-1, 1].

    Raises:
        UserError: if it is too large, or no number, or the images have another shape.
    """
    largest = 0.0
    for num_samples in BATCHES:
        given = inputs(generator, num_samples)
        images, others = generator(*given), exported(*given)
        if others.shape != images.shape:
            raise UserError(f"{where} draws images {tuple(others.shape)}, not {tuple(images.shape)}: it is not kept")
        difference = (others - images).abs().max().item()
        if not difference <= TOLERANCE:
            raise UserError(f"{where} draws pixels that are off by {difference:.2g} of [-1, 1]: it is not kept")
        largest = max(largest, difference)
    return largest
