"""Between what a data set keeps, bytes of images or points of the plane, and the numbers that networks see."""

from collections.abc import Sequence

import torch
from torch import Tensor

POINT = (2, 1, 1)
"""The shape (C, H, W) of a point of the plane, which takes the place of an image: two coordinates in [-1, 1]."""


def are_points(image_shape: Sequence[int]) -> bool:
    """Whether images (C, H, W) are points of the plane."""
    return tuple(image_shape) == POINT


def from_uint8(images: Tensor) -> Tensor:
    """Scale bytes 0 … 255, any shape, to float32 in [-1, 1]: x / 127.5 - 1."""
    return images.to(torch.float32).div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """The inverse of :func:`from_uint8`: [-1, 1] to the nearest byte; what lies outside is clamped."""
    return images.detach().float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def as_seen(kept: Tensor) -> Tensor:
    """What networks see, float32 in [-1, 1], of images as a data set keeps them: bytes, or points as they are."""
    return from_uint8(kept) if kept.dtype == torch.uint8 else kept


def as_kept(images: Tensor) -> Tensor:
    """The inverse: images (B, C, H, W) in [-1, 1] as a data set would keep them, bytes, or points as they are."""
    return images.detach().float() if are_points(images.shape[1:]) else to_uint8(images)
