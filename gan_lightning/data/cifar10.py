"""CIFAR-10: Krizhevsky 2009, "Learning multiple layers of features from tiny images"."""

import hashlib
import pickle
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from gan_lightning.data.downloaded import DownloadedDataModule

MOST_BYTES = 2**26
"""More than twice the 31 million that a batch has: no more is read of a file, which with more is not the original."""


class CIFAR10(DownloadedDataModule):
    """50,000 training and 10,000 test photographs of ten classes, 32 × 32, RGB."""

    title = "CIFAR-10"
    image_shape = (3, 32, 32)
    class_names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    mirrors = True
    dataset = datasets.CIFAR10
    subfolder = datasets.CIFAR10.base_folder

    def files(self) -> list[str]:
        batches = [name for name, _ in (*self.dataset.train_list, *self.dataset.test_list)]
        return [*batches, self.dataset.meta["filename"]]  # the last has the classes' names, for others who look for it

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        checksums = self.dataset.train_list if train else self.dataset.test_list
        batches = [self._batch(name, md5) for name, md5 in checksums]
        images = torch.from_numpy(np.concatenate([batch["data"] for batch in batches]))
        return images.unflatten(1, self.image_shape), torch.tensor([y for batch in batches for y in batch["labels"]])

    def _batch(self, name: str, md5: str) -> dict[str, Any]:
        """What a file holds: `data`, bytes (N, 3 · 32 · 32), and `labels`, a list of N."""
        # A pickle runs code as it is opened: the very bytes that are opened have the right checksum, not only the file.
        with (self.folder / name).open("rb") as file:
            content = file.read(MOST_BYTES)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise self.damaged(name, "its md5 is not that of the original")
        return pickle.loads(content, encoding="latin1")  # noqa: S301  # the original
