"""Kernel distance between two sets of features: KID, Bińkowski et al. 2018, section 4."""

from torch import Tensor

from gan_lightning.measures.point_sets import CHUNK, check_points


def _kernel_sum(points: Tensor, others: Tensor) -> float:
    """Σ k(x, y) over all pairs, with k(x, y) = (x · y / D + 1)³."""
    return sum((part @ others.T).div_(points.shape[1]).add_(1).pow_(3).sum().item() for part in points.split(CHUNK))


def kernel_distance(features: Tensor, other_features: Tensor) -> float:
    """The unbiased estimate of the squared maximum mean discrepancy between sets (N, D) and (M, D).

    Being unbiased it is 0 on average for two sets from one distribution, and may be slightly negative. Computed on
    the whole sets, where KID averages over random subsets of 1,000, it depends on no random numbers.

    Raises:
        ValueError: if a set has fewer than two points or holds NaN.
    """
    check_points("the features", features, at_least=2)
    check_points("the other features", other_features, at_least=2)
    x, y = features.double(), other_features.double()
    within = []
    for points in (x, y):
        with_themselves = (points.square().sum(1) / points.shape[1] + 1).pow(3).sum().item()
        within.append((_kernel_sum(points, points) - with_themselves) / (len(points) * (len(points) - 1)))
    return sum(within) - 2 * _kernel_sum(x, y) / (len(x) * len(y))
