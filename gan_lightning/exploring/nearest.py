"""The training images that are nearest to an image."""

from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.measures.point_sets import squared_distances


class Near(NamedTuple):
    """Some images, the nearest first."""

    places: Tensor
    """(K,), in the set."""
    distances: Tensor
    """(K,), the root of the mean square of the pixels' differences, from 0 to 255."""


def nearest(images: Tensor, image: Tensor, number: int) -> Near:
    """Which of images (N, C, H, W), bytes, are nearest to an image (C, H, W), bytes; all, if they are fewer."""
    point = image.flatten()[None]
    squares = torch.cat([part[:, 0] for part in squared_distances(images.flatten(1), point)])
    least = squares.topk(min(number, len(images)), largest=False)
    return Near(least.indices, (least.values / point.numel()).sqrt())
