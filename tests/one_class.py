"""A data set without classes."""

import torch
from torch import Tensor

from gan_lightning.data.mnist5k import MNIST5k


class Digits(MNIST5k):
    """The 5,000 digits as if nobody had said which is which."""

    title = "digits of one class"
    num_classes = 1

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        images, labels = super().load(train)
        return images, torch.zeros_like(labels)
