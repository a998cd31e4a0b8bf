"""MNIST: LeCun et al. 1998, "Gradient-based learning applied to document recognition"."""

import math
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets

from gan_lightning.data.downloaded import DownloadedDataModule

NUM_IMAGES = {"train": 60_000, "t10k": 10_000}
"""How many images the data sets have, by how the names of their files begin."""


def read_idx(path: Path, item_shape: tuple[int, ...], at_most: int) -> Tensor:
    """Read an idx file of bytes: N of a shape, in one tensor of bytes; N is from 1 to `at_most`.

    Such a file begins with the bytes 0, 0, 8 and the number of its dimensions; then come the dimensions, 4 bytes
    each, big-endian, and the data. No more is read than the header may promise, whatever else the file holds.

    Raises:
        ValueError: if the file is anything else; the message says what is wrong with it.
    """
    with path.open("rb") as file:
        start = file.read(4)
        num_dims = start[3] if len(start) == 4 else 0
        header = file.read(4 * num_dims)
        if start[:3] != b"\0\0\x08" or num_dims == 0 or len(header) < 4 * num_dims:
            raise ValueError("it does not begin like an idx file")
        shape = struct.unpack(f">{num_dims}I", header)
        if shape[1:] != item_shape or not 1 <= shape[0] <= at_most:
            found, expected = (" × ".join(map(str, dims)) for dims in (shape, ("N", *item_shape)))
            raise ValueError(f"its header says {found} and should say {expected}, N from 1 to {at_most:,}")
        size = math.prod(shape)
        data = np.fromfile(file, np.uint8, size + 1)
        if len(data) != size:  # the file may have changed since it was opened
            whole = file.seek(0, 2)
            raise ValueError(f"it has {whole:,} bytes and should have {4 + len(header) + size:,}")
    return torch.from_numpy(data).view(shape)


class MNIST(DownloadedDataModule):
    """60,000 training and 10,000 test images of handwritten digits, 28 × 28, gray."""

    title = "MNIST"
    image_shape = (1, 28, 28)
    mirrors = False
    dataset = datasets.MNIST
    subfolder = "MNIST/raw"

    def files(self) -> list[str]:
        return [Path(archive).stem for archive, _ in self.dataset.resources]

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        split = "train" if train else "t10k"
        image_file, label_file = f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"
        parts = {}
        for name, item_shape in ((image_file, self.image_shape[1:]), (label_file, ())):
            try:
                parts[name] = read_idx(self.folder / name, item_shape, at_most=NUM_IMAGES[split])
            except ValueError as why:
                raise self.damaged(name, str(why)) from None
        images, labels = parts.values()
        if len(images) != len(labels):
            raise self.damaged(image_file, f"{len(images)} images, but {len(labels)} labels")
        if labels.max() >= self.num_classes:
            raise self.damaged(label_file, f"it has the label {labels.max()}, and {self.num_classes - 1} is the last")
        return images.unsqueeze(1), labels.long()
