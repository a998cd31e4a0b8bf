"""What is where in an image: a feature space that is trained on nothing, so that it knows no classes.

A classifier's last layer is blind to what its classes do not need, such as noise or fog. sFID (Nash et al. 2021)
therefore takes features of a middle layer with their positions; the ones here are those of a scattering transform
(Bruna & Mallat 2013), first order: how strong edges and ripples of each direction and size are, in each part of the
image.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, conv2d, pad

from gan_lightning.data.base import ImageDataModule

NUM_SPATIAL_DIMS = 128
"""The most dimensions, D, that the space has; few, so that a Fréchet distance needs few images."""
SCALES = 3
"""Filters see the image, its half and its quarter."""
GRID = 2
"""Positions each way: with more of them the distance sees patches that change places better, and all else less."""
NUM_IMAGES = 5000
"""Training images that say how much each feature varies."""
BATCH_SIZE = 100
"""A thousand images at a time take twice as long: they do not fit in the cache."""
SEED = 0


def _ripples() -> Tensor:
    """The filters (8, 1, 3, 3): products of cosines, orthonormal, without the constant one, so that each sums to 0."""
    along = torch.arange(3)
    cosines = torch.cos(math.pi / 3 * (along + 0.5) * along[:, None])
    cosines = cosines / cosines.norm(dim=1, keepdim=True)
    return torch.einsum("ij,kl->ikjl", cosines, cosines).flatten(0, 1)[1:, None]


class Spatial(nn.Module):
    """Images (B, C, H, W), bytes, to points (B, D), whose dimensions have a variance of about 1.

    In each quarter of the image it takes the mean of each channel and, at each of three scales, the mean |x ∗ ψ| of
    each channel and each of eight 3 × 3 filters ψ: 100 numbers a channel. Each is divided by its standard deviation
    among training images; a rotation that a seed decides then mixes them, and the first 128, or all 100, are kept.

    Args:
        typical: training images (N, C, H, W), bytes, which decide means and deviations; H and W at least 4.
    """

    def __init__(self, typical: Tensor) -> None:
        super().__init__()
        self.filters: Tensor
        self.mean: Tensor
        self.into_points: Tensor
        self.register_buffer("filters", _ripples())
        strengths = torch.cat([self._strengths(batch) for batch in typical[:NUM_IMAGES].split(BATCH_SIZE)])
        deviation = strengths.std(0)
        # Where an image hardly ever has anything, as in a digit's corner, a speck would count for more than all else.
        deviation = deviation.clamp(min=deviation.max() / 100)
        random = torch.Generator().manual_seed(SEED)
        rotation = torch.linalg.qr(torch.randn(2 * [len(deviation)], generator=random)).Q
        self.register_buffer("mean", strengths.mean(0))
        self.register_buffer("into_points", rotation[:, :NUM_SPATIAL_DIMS] / deviation[:, None])

    def _strengths(self, images: Tensor) -> Tensor:
        """(B, 25 · C · 4): the mean and the |x ∗ ψ| in each quarter."""
        x: Any = images.float() / 255
        found = [x]
        for scale in range(SCALES):
            x = avg_pool2d(x, 2) if scale else x
            channels = pad(x, (1, 1, 1, 1), mode="replicate").flatten(0, 1)[:, None]
            found.append(conv2d(channels, self.filters).abs().unflatten(0, x.shape[:2]).flatten(1, 2))
        return torch.cat([adaptive_avg_pool2d(maps, GRID).flatten(1) for maps in found], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        return (self._strengths(images) - self.mean) @ self.into_points


@torch.no_grad()
def spatial_of(data: ImageDataModule) -> Spatial:
    """The space of a data set, whose training images say how much each feature varies."""
    return Spatial(data.split(train=True)[0])


@torch.no_grad()
def spatial_points(space: Spatial, images: Tensor, device: torch.device) -> Tensor:
    """The points (N, D) of images (N, C, H, W), bytes, found on `device`; the answer is on the CPU."""
    space.to(device)
    return torch.cat([space(batch.to(device)) for batch in images.split(BATCH_SIZE)]).cpu()
