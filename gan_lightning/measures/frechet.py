"""Fréchet distance between Gaussians fitted to two sets of features: Heusel et al. 2017, equation 6."""

import torch
from torch import Tensor

from gan_lightning.measures.point_sets import check_points


def gaussian_frechet_distance(mean: Tensor, covariance: Tensor, other_mean: Tensor, other_covariance: Tensor) -> Tensor:
    """|μ₁ - μ₂|² + Tr(Σ₁ + Σ₂ - 2 (Σ₁ Σ₂)^½), a scalar, for means (D,) and covariances (D, D)."""
    # Σ₁ Σ₂ has the eigenvalues of the symmetric Σ₁^½ Σ₂ Σ₁^½, which are real and not negative.
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    trace_of_root = torch.linalg.eigvalsh(root @ other_covariance @ root).clamp(min=0).sqrt().sum()
    return (mean - other_mean).square().sum() + covariance.trace() + other_covariance.trace() - 2 * trace_of_root


def frechet_distance(features: Tensor, other_features: Tensor) -> float:
    """The distance between two sets of features (N, D) and (M, D); 0 for the same set.

    It is the FID if the features are those of the Inception network, and may not be called so otherwise.

    Raises:
        ValueError: if a set does not have more points than dimensions, which leaves its covariance singular, or
            holds NaN.
    """
    for name, points in (("the features", features), ("the other features", other_features)):
        check_points(name, points, at_least=points.shape[-1] + 1)
    moments = [(points.double().mean(0), points.double().T.cov()) for points in (features, other_features)]
    return max(gaussian_frechet_distance(*moments[0], *moments[1]).item(), 0.0)
