"""MNIST: LeCun et al. 1998, "Gradient-based learning applied to document recognition"."""

import math
import struct
from pathlib import Path

from torch import Tensor
from torchvision import datasets

from gan_lightning.data.downloaded import DownloadedDataModule


def idx_damage(path: Path) -> str | None:
    """What is wrong with an idx file of bytes, judged by its header; None if nothing is.

    Such a file begins with the bytes 0, 0, 8 and the number of its dimensions; then come the dimensions, 4 bytes
    each, big-endian, and the data.
    """
    with path.open("rb") as file:
        start = file.read(4)
        num_dims = start[3] if len(start) == 4 else 0
        header = file.read(4 * num_dims)
    if start[:3] != b"\0\0\x08" or num_dims == 0 or len(header) < 4 * num_dims:
        return "it does not begin like an idx file"
    actual, expected = path.stat().st_size, 4 + len(header) + math.prod(struct.unpack(f">{num_dims}I", header))
    return None if actual == expected else f"it has {actual:,} bytes and should have {expected:,}"


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
        for name in self.files():
            if name.startswith("train" if train else "t10k") and (why := idx_damage(self.folder / name)):
                raise self.damaged(name, why)
        data = self.dataset(self.data_dir, train=train)
        if len(data.data) != len(data.targets):
            raise self.damaged(self.files()[0], f"{len(data.data)} images, but {len(data.targets)} labels")
        return data.data.unsqueeze(1), data.targets
