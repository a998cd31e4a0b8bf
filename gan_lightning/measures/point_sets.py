"""What all measures of sets of points have in common: which sets they accept, and distances in little memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 1000
"""Points whose distances to a whole set, or products with it, are held at a time: 80 MB against 10,000 others."""


def check_points(name: str, points: Tensor, at_least: int) -> None:
    """Accept a set of points (N, D).

    Raises:
        ValueError: if the set is not a matrix, has fewer than `at_least` points, or holds NaN or infinity.
    """
    if points.ndim != 2:
        raise ValueError(f"{name} must be points (N, D), not of shape {tuple(points.shape)}")
    if len(points) < at_least:
        raise ValueError(f"{name}: {len(points)} points are too few; at least {at_least} are needed")
    if points.is_floating_point() and not torch.isfinite(points).all():
        raise ValueError(f"{name} hold NaN or infinity")


def squared_distances(points: Tensor, others: Tensor, chunk: int = CHUNK) -> Iterator[Tensor]:
    """|x - y|² between each of `points` (N, D) and all `others` (M, D), as (at most chunk, M) at a time, float64."""
    others = others.double()
    lengths = others.square().sum(1)
    for part in map(Tensor.double, points.split(chunk)):
        # The cross term is a matrix product; rounding may leave a tiny negative number where two points are the same.
        yield torch.addmm(lengths[None] + part.square().sum(1, keepdim=True), part, others.T, alpha=-2).clamp_(min=0)
