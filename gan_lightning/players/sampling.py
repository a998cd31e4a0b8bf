"""Asking the trained players for images and for judgements."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lightning.data.pixels import as_kept, as_seen
from gan_lightning.players.judge import Judge
from gan_lightning.players.protocol import call, evaluating, sample_latent, takes_labels


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
    """Images (N, C, H, W), bytes or points, to logits (N,) on the CPU, `batch_size` at a time on `device`.

    The labels (N,) are for a discriminator that takes them.
    """
    parts = zip(pixels.split(batch_size), labels.split(batch_size), strict=True)
    with evaluating(discriminator):
        return torch.cat(
            [Judge(discriminator, some.to(device))(as_seen(part.to(device))).cpu() for part, some in parts]
        )


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
    """Images (N, C, H, W), bytes or points, from latents that `seed` alone decides, of labels (N,) if it takes them."""
    num_samples = len(labels)
    return as_kept(generate(generator, seeded_latent(generator, num_samples, seed), labels, num_samples, device))
