"""Modes found, of mixtures of Gaussians in the plane: the protocol of Srivastava et al. 2017, "VEEGAN", section 4.1,
and of Lin et al. 2018, "PacGAN", section 4.1.

Their divergences differ. Here it is KL(drawn ‖ real) of all points, as of the classes of images, so that real points
are its floor; the code published with PacGAN has the Jensen-Shannon divergence of the near points from uniform ones.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.measures.modes import modes_and_divergence
from gan_lightning.measures.point_sets import check_points

NEAR = 3
"""Deviations within which of its nearest mode a point is of high quality: 98.9 % of the mixture's own points are."""


class ModesFound(NamedTuple):
    """What of a mixture is drawn."""

    found: int
    """The modes that are the nearest of at least one point of high quality."""
    high_quality: float
    """The share of points that lie within three deviations of the nearest mode."""
    divergence: float
    """KL(drawn ‖ real) in nats, of how often a point is nearest to each mode, whether near or far."""


def modes_found(points: Tensor, real: Tensor, centres: Tensor, deviation: float) -> ModesFound:
    """Of generated points (N, 2) and real ones (M, 2), for modes of that deviation around centres (K, 2).

    Raises:
        ValueError: if a set is empty or holds NaN, or a mode is drawn that no real point is nearest to.
    """
    check_points("the points", points, at_least=1)
    check_points("the real points", real, at_least=1)
    distance, nearest = torch.cdist(points.double(), centres.double()).min(1)
    near = distance <= NEAR * deviation
    real_nearest = torch.cdist(real.double(), centres.double()).argmin(1)
    _, divergence = modes_and_divergence(nearest, real_nearest, len(centres))
    return ModesFound(len(nearest[near].unique()), near.double().mean().item(), divergence)
