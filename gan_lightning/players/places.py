"""Asking the players, where points of the plane take the place of images, what they say of places in it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan_lightning.players.judge import Judge
from gan_lightning.players.protocol import evaluating, takes_labels
from gan_lightning.players.sampling import judged

AT_ONCE = 10_000
"""Places that are judged at a time."""


def answers(discriminator: nn.Module, places: Tensor, num_classes: int, device: torch.device) -> Tensor:
    """The logits (N,) of places (N, 2, 1, 1); of a discriminator that takes labels their means over the classes."""
    classes = range(num_classes if takes_labels(discriminator) else 1)
    logits = [judged(discriminator, places, torch.full((len(places),), n), AT_ONCE, device) for n in classes]
    return torch.stack(logits).mean(0)


def leaning(logits: Tensor, log_odds: bool, undecided: Tensor) -> Tensor:
    """How far D leans to taking places for real, or below 0 for generated, (N,) in [-1, 1], by its logits (N,).

    Where these are log-odds it is 2 D(x) - 1. Scores mean something beside one another alone: it is how far they are
    from `undecided`, a scalar, by the scale of the farthest.
    """
    if log_odds:
        return 2 * logits.sigmoid() - 1
    away = logits - undecided
    return away / away.abs().max().clamp(min=1e-12)


def pushes(
    generator_loss: Callable[[Judge, Tensor, Tensor], Tensor],
    discriminator: nn.Module,
    real: Tensor,
    generated: Tensor,
    labels: Tensor,
    device: torch.device,
) -> Tensor:
    """Along which way each of N generated points would lower G's loss, (N, 2, 1, 1): -N ∂L/∂x, on the CPU.

    Args:
        generator_loss: that of an objective.
        discriminator: as it judges when it is not trained, without dropout.
        real: points (N, 2, 1, 1), for objectives that compare.
        generated: points (N, 2, 1, 1).
        labels: (N,), of both.
        device: of the discriminator.
    """
    points = generated.to(device).requires_grad_()
    with evaluating(discriminator), torch.enable_grad():
        loss = generator_loss(Judge(discriminator, labels.to(device)), real.to(device), points)
        (slope,) = torch.autograd.grad(loss, points)
    return -len(points) * slope.cpu()
