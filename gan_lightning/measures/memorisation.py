"""The nearest training images of samples: are they copies?"""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.measures.point_sets import CHUNK, check_points, squared_distances


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
    # The training images, which can be many and large, are gone through once, a few in double precision at a time.
    found = [distances.min(0) for distances in squared_distances(training, points)]
    least, part = torch.stack([each.values for each in found]).min(0)
    within_part = torch.stack([each.indices for each in found])[part, torch.arange(len(points), device=part.device)]
    return Neighbours(part * CHUNK + within_part, least.sqrt())


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
