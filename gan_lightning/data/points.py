"""The base of all data sets of points of the plane, which are drawn as they are needed and need no files."""

import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.pixels import POINT

NUM_POINTS = 10_000
"""Of the training split, and of the test split."""
SEEDS = {True: 0, False: 1}
"""Of the training and of the test points: everybody has the same ones."""


class Points(ImageDataModule):
    """Points of the plane in place of images: (N, 2, 1, 1), float32 in [-1, 1], not bytes.

    Args:
        batch_size: points a discriminator step sees.
        num_train_images: take only the first so many training points; None for all 10,000.
        seed: of the shuffles, which it and the epoch decide; not of the points.
    """

    image_shape = POINT
    mirrors = False

    def __init__(self, batch_size: int = 200, num_train_images: int | None = None, seed: int = 0) -> None:
        super().__init__(batch_size, num_train_images=num_train_images, seed=seed)

    def sampled(self, number: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """So many points (number, 2) of the distribution, and their labels (number,)."""
        raise NotImplementedError

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        points, labels = self.sampled(NUM_POINTS, torch.Generator().manual_seed(SEEDS[train]))
        return points[:, :, None, None], labels


class Mixture(Points):
    """Gaussians of one width, all equally likely; the label of a point says which it is of, so that modes are classes.

    Attributes:
        centres: of the K modes, (K, 2).
        deviation: the standard deviation of each, in both directions.
    """

    centres: Tensor
    deviation: float

    def sampled(self, number: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        labels = torch.randint(len(self.centres), (number,), generator=random)
        return self.centres[labels] + self.deviation * torch.randn(number, 2, generator=random), labels
