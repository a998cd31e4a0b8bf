"""The nearest training images of samples: are they copies?"""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.measures.point_sets import check_points, squared_distances


class Neighbours(NamedTuple):
    """For each point, which training image is nearest, (N,), and the Euclidean distance to it, (N,)."""

    nearest: Tensor
    distance: Tensor


def nearest_neighbours(points: Tensor, training: Tensor) -> Neighbours:
    """The nearest of the training images (M, D) to each of the points (N, D).

    Raises:
        ValueError: if a set is empty or holds NaN.
    """
    check_points("the points", points, at_least=1)
    check_points("the training images", training, at_least=1)
    found = [distances.min(1) for distances in squared_distances(points, training, chunk=200)]
    return Neighbours(torch.cat([f.indices for f in found]), torch.cat([f.values for f in found]).sqrt())


def memorisation(samples: Tensor, held_out: Tensor, training: Tensor) -> float:
    """The median distance of samples to their nearest training image, over that of held-out real images.

    About 1 where samples are as far from the training images as new real ones are; near 0 where they are copies;
    above 1 where they are not like the data at all. Somewhat below 1 also where only the plainest of the data are
    drawn, such as ones among digits: a collapse, which coverage and the histogram of classes tell.

    Raises:
        ValueError: if a set is empty or holds NaN.
    """
    ours, real = (nearest_neighbours(points, training).distance.median() for points in (samples, held_out))
    return (ours / real).item()
