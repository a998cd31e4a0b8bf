"""What is measured, and what it is measured against."""

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.points import Mixture
from gan_lightning.features.space import Description

NUM_VALIDATION = 1000
"""Training images that the Parzen window is chosen by, as in the code published with Goodfellow et al. 2014."""


class DivergedError(ValueError):
    """A generator draws NaN or infinity, or a discriminator answers it."""


class Images:
    """A set of images, and what a feature space says of it once a measure asks.

    Args:
        pixels: (N, C, H, W), bytes or points.
        labels: their classes, (N,).
        describe: the feature space; None where no measure asks for one.
        locate: the space of spatial features; None where no measure asks for one.
    """

    def __init__(
        self,
        pixels: Tensor,
        labels: Tensor,
        describe: Callable[[Tensor], Description] | None = None,
        locate: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        self.pixels = pixels
        self.labels = labels
        self._describe = describe
        self._locate = locate

    @cached_property
    def description(self) -> Description:
        assert self._describe is not None
        return self._describe(self.pixels)

    @property
    def points(self) -> Tensor:
        """In the feature space, (N, D)."""
        return self.description.points

    @cached_property
    def spatial_points(self) -> Tensor:
        """In the space of spatial features, (N, D)."""
        assert self._locate is not None
        return self._locate(self.pixels)

    @property
    def vectors(self) -> Tensor:
        """The pixels as points (N, C·H·W) in [0, 1]."""
        return self.pixels.flatten(1).float().div_(255)


class Reference:
    """The real images that generated ones are compared with.

    Args:
        data: the data set.
        num_samples: how many images a set has, if there are as many.
        describe: the feature space; None where no measure asks for one.
        locate: the space of spatial features; None where no measure asks for one.

    Attributes:
        training: all training images, whatever part of them a model was trained on.
        validation: those that the Parzen window is chosen by: the first 1,000 of the last sixth of the training images,
            which of MNIST's are the numbers 50,000 to 50,999.
        held_out: the first test images.
        real: the first training images before the validation images, which stand in for generated ones where the
            floor of a measure is asked for.
        classes: labels whose histogram is the one that drawn classes should have.
        mixture: the data set, if its modes are known; None otherwise.
        labels: those to generate images of, as many of each class as among the first training images.
    """

    def __init__(
        self,
        data: ImageDataModule,
        num_samples: int,
        describe: Callable[[Tensor], Description] | None = None,
        locate: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        training, labels = data.split(train=True)
        held_out, held_out_labels = data.split(train=False)
        first_validation = len(training) * 5 // 6
        self.num_classes = data.num_classes
        self.classes = torch.arange(data.num_classes) if data.uniform_classes else labels
        self.mixture = data if isinstance(data, Mixture) else None
        self.training = Images(training, labels)
        self.validation = Images(
            training[first_validation:][:NUM_VALIDATION], labels[first_validation:][:NUM_VALIDATION]
        )
        self.held_out = Images(held_out[:num_samples], held_out_labels[:num_samples], describe, locate)
        before = slice(min(first_validation, num_samples))
        self.real = Images(training[before], labels[before], describe, locate)
        self.labels = labels[torch.arange(num_samples) % len(labels)]
        self._spaces = describe, locate

    def drawn(self, pixels: Tensor) -> Images:
        """Images (N, C, H, W), bytes or points, that were generated of `labels`, in the same spaces."""
        return Images(pixels, self.labels, *self._spaces)


class Subject(NamedTuple):
    """What is measured."""

    images: Images
    discriminator: Callable[[Tensor, Tensor], Tensor] | None = None
    """The generator's opponent, bytes and their labels to logits, if there is one."""
    log_odds: bool = True
    """Whether the logits are log-odds, not scores."""
    num_train_images: int | None = None
    """How many of the training images both were trained on; None for all."""
    conditional: bool = False
    """Whether the images were asked for by their labels."""


def check_generated(images: Tensor) -> None:
    """Accept images in [-1, 1].

    Raises:
        DivergedError: if some hold NaN or infinity.
    """
    if not images.isfinite().all():
        raise DivergedError("the generator draws NaN or infinity: its training has diverged")
