"""The training images that are nearest to an image."""

from typing import NamedTuple

import torch
from torch import Tensor

AT_ONCE = 500
"""Images that are compared at a time: few enough for a processor's cache."""


class Near(NamedTuple):
    """Some images, the nearest first."""

    places: Tensor
    """(K,), in the set."""
    distances: Tensor
    """(K,), the root of the mean square of the pixels' differences, from 0 to 255."""


def nearest(images: Tensor, image: Tensor, number: int) -> Near:
    """Which of images (N, C, H, W), bytes, are nearest to an image (C, H, W), bytes; all, if they are fewer."""
    squares = torch.cat([(some.float() - image).square().flatten(1).mean(1) for some in images.split(AT_ONCE)])
    least = squares.topk(min(number, len(images)), largest=False)
    return Near(least.indices, least.values.sqrt())
