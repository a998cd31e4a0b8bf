"""Parzen-window log-likelihood: Goodfellow et al. 2014, section 5, after Breuleux et al. 2011."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.measures.point_sets import check_points, squared_distances

OFFICIAL_SIGMAS = torch.logspace(-1, 0, 10, dtype=torch.float64)
"""The window widths that the code published with the paper tries; 29 % lie between two of them."""
FINE_SIGMAS = torch.logspace(-1, 0, 100, dtype=torch.float64)
"""A finer choice from the same range, because the optimum of the official one is coarse."""


class ParzenLikelihood(NamedTuple):
    """The log-likelihood in nats, its standard error over the test images, and the width it was computed with."""

    mean: float
    standard_error: float
    sigma: float


def log_likelihoods(points: Tensor, samples: Tensor, sigmas: Tensor) -> Tensor:
    """Of each point (N, D) under Gaussians on the samples (M, D), for each of S widths: (S, N), in nats.

    log p(x) = logmeanexp_i(-|x - μ_i|² / 2σ²) - D log(σ √(2π)), one isotropic Gaussian on each sample μ_i.

    Raises:
        ValueError: if a set is empty or holds NaN.
    """
    check_points("the points", points, at_least=1)
    check_points("the samples", samples, at_least=1)
    columns = []
    for distances in squared_distances(points, samples):
        nearest = distances.min(1, keepdim=True).values
        # What is left after the nearest sample is taken out is exact enough, and much faster, in single precision.
        further = (distances - nearest).float()
        exponents = torch.empty_like(further)
        sums = [
            # Below -80 nothing is left of a term beside the nearest one's 1, but denormal numbers, which are slow.
            torch.mul(further, -0.5 / sigma**2, out=exponents).clamp_(min=-80).exp_().sum(1).double()
            for sigma in sigmas.tolist()
        ]
        scale = -0.5 / sigmas.double().square().to(points.device)
        columns.append(torch.stack(sums).log() + scale[:, None] * nearest.T)
    normaliser = points.shape[1] * torch.log(sigmas.double() * math.sqrt(2 * math.pi)) + math.log(len(samples))
    return torch.cat(columns, dim=1) - normaliser[:, None].to(points.device)


def parzen_likelihoods(samples: Tensor, validation: Tensor, test: Tensor, *grids: Tensor) -> list[ParzenLikelihood]:
    """The paper's protocol: the width that is best on validation images, then the mean over the test images.

    Args:
        samples: generated images (M, D), pixels in [0, 1]; the paper takes 10,000.
        validation: training images kept aside (V, D); the paper takes 1,000.
        test: test images (N, D); the paper takes 10,000.
        grids: the widths to choose from; several grids are each chosen from, which costs hardly more than one.

    Returns:
        One likelihood for each grid.

    Raises:
        ValueError: if a set is empty or holds NaN, or there are fewer than two test images.
    """
    check_points("the test images", test, at_least=2)
    on_validation = log_likelihoods(validation, samples, torch.cat(grids)).mean(1).cpu().split([len(g) for g in grids])
    best = torch.stack([grid[found.argmax()] for grid, found in zip(grids, on_validation, strict=True)])
    on_test = log_likelihoods(test, samples, best)
    return [
        ParzenLikelihood(found.mean().item(), found.std().item() / math.sqrt(len(test)), sigma.item())
        for found, sigma in zip(on_test, best, strict=True)
    ]
