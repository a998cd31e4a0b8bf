"""Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

All four ask which points lie in the balls around the points of the other set, a ball reaching to the k-th nearest
neighbour in the set of its centre. A point on the boundary lies outside, as in the code of Naeem et al.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.measures.point_sets import CHUNK, check_points, squared_distances


class Neighbourhoods(NamedTuple):
    """The four, each a share in [0, 1], but for the density, which can exceed 1."""

    precision: float
    """The share of generated points that lie in a ball of a real one: are they realistic?"""
    recall: float
    """The share of real points that lie in a ball of a generated one: is the variety of the data covered?"""
    density: float
    """How many real balls a generated point lies in, over k: precision that no outlier can raise."""
    coverage: float
    """The share of real balls that hold a generated point: recall that no outlier can raise."""


def squared_radii(points: Tensor, k: int) -> Tensor:
    """|x - x_k|² from each point (N, D) to its k-th nearest neighbour among the others, (N,)."""
    parts = []
    start = 0
    for distances in squared_distances(points, points):
        rows = torch.arange(len(distances), device=distances.device)
        distances[rows, start + rows] = -1  # a point is no neighbour of its own
        parts.append(distances.kthvalue(k + 1, dim=1).values)
        start += len(distances)
    return torch.cat(parts)


def neighbourhoods(real: Tensor, fake: Tensor, k: int = 5) -> Neighbourhoods:
    """Precision, recall, density and coverage of generated points (M, D) against real ones (N, D).

    Naeem et al. choose k = 5, Kynkäänniemi et al. k = 3.

    Raises:
        ValueError: if a set does not have more than k points, or holds NaN.
    """
    check_points("the real points", real, at_least=k + 1)
    check_points("the generated points", fake, at_least=k + 1)
    real_radii, fake_radii = squared_radii(real, k), squared_radii(fake, k)
    real_balls, in_some_fake_ball, holds_a_fake = 0, 0, 0
    in_some_real_ball = torch.zeros(len(fake), dtype=torch.bool, device=fake.device)
    for radii, distances in zip(real_radii.split(CHUNK), squared_distances(real, fake), strict=True):
        in_real_ball = distances < radii[:, None]
        in_some_real_ball |= in_real_ball.any(0)
        holds_a_fake += int(in_real_ball.any(1).sum())
        real_balls += int(in_real_ball.sum())
        in_some_fake_ball += int((distances < fake_radii[None]).any(1).sum())
    return Neighbourhoods(
        precision=int(in_some_real_ball.sum()) / len(fake),
        recall=in_some_fake_ball / len(real),
        density=real_balls / (k * len(fake)),
        coverage=holds_a_fake / len(real),
    )
