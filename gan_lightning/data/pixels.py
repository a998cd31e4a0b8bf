"""Between the bytes of an image file and the numbers the networks see."""

import torch
from torch import Tensor


def from_uint8(images: Tensor) -> Tensor:
    """Scale bytes 0 … 255, any shape, to float32 in [-1, 1]: x / 127.5 - 1."""
    return images.to(torch.float32).div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """The inverse of :func:`from_uint8`: [-1, 1] to the nearest byte; what lies outside is clamped."""
    return images.detach().float().add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
