"""Stacked MNIST: Srivastava et al. 2017, "VEEGAN", section 4.2; sizes as in Lin et al. 2018, "PacGAN", section 4."""

import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.errors import whole_number

SOURCES: dict[str, type[ImageDataModule]] = {"mnist": MNIST, "mnist5k": MNIST5k}
"""The data sets whose digits can be stacked."""
NUM_TEST_IMAGES = 26_000
SEEDS = {True: 0, False: 1}
"""Of the training and of the test stacks: everybody has the same ones."""


class StackedMNIST(ImageDataModule):
    """Three digits as the three channels of one image, 28 × 28: a thousand modes, of which one can count the found.

    Each channel is drawn by itself, with replacement, from the training digits, and for the 26,000 test images from
    the test digits. The label of the digits a, b, c is 100 a + 10 b + c. A histogram of classes is compared with one
    in which all are equally frequent, as in the published results.

    Args:
        source: whose digits are stacked: `mnist`, or `mnist5k`, which comes with the install.
        num_images: how many training stacks there are; the first ones are the same for any number.
        batch_size: images a discriminator step sees.
        data_dir: the folder that holds the data sets.
        num_train_images: take only the first so many training images; None for all.
        seed: of the shuffles, which it and the epoch decide; not of the stacks.

    Raises:
        ValueError: if there is no such source, or `num_images` is less than 1; and as of every data set.
    """

    image_shape = (3, 28, 28)
    num_classes = 1000
    mirrors = False
    uniform_classes = True
    of_channels: ImageDataModule

    def __init__(
        self,
        source: str = "mnist",
        num_images: int = 128_000,
        batch_size: int = 32,
        data_dir: str = "data",
        num_train_images: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, data_dir, num_train_images, seed)
        if source not in SOURCES:
            raise ValueError(f"source must be {' or '.join(SOURCES)}, not {source!r}")
        whole_number("num_images", num_images, at_least=1)
        self.num_images = num_images
        self.of_channels = SOURCES[source](data_dir=data_dir)
        self.title = f"Stacked {self.of_channels.title}"

    def prepare_data(self) -> None:
        """Make sure that the digits are there."""
        self.of_channels.prepare_data()

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        digits, labels = self.of_channels.split(train)
        number = self.num_images if train else NUM_TEST_IMAGES
        chosen = torch.randint(len(digits), (number, 3), generator=torch.Generator().manual_seed(SEEDS[train]))
        return digits[:, 0][chosen], labels[chosen] @ torch.tensor([100, 10, 1])
