"""CIFAR-10: Krizhevsky 2009, "Learning multiple layers of features from tiny images"."""

import torch
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import check_integrity

from gan_lightning.data.downloaded import DownloadedDataModule


class CIFAR10(DownloadedDataModule):
    """50,000 training and 10,000 test photographs of ten classes, 32 × 32, RGB."""

    title = "CIFAR-10"
    image_shape = (3, 32, 32)
    mirrors = True
    dataset = datasets.CIFAR10
    subfolder = datasets.CIFAR10.base_folder

    def _checksums(self) -> dict[str, str]:
        meta = self.dataset.meta
        return {**dict(self.dataset.train_list), **dict(self.dataset.test_list), meta["filename"]: meta["md5"]}

    def files(self) -> list[str]:
        return list(self._checksums())

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        # The files are pickles, which run code as they are opened: none is opened before its checksum is right.
        for name, md5 in self._checksums().items():
            if not check_integrity(str(self.folder / name), md5):
                raise self.damaged(name, "its md5 is not that of the original")
        data = self.dataset(self.data_dir, train=train)
        images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
        return images, torch.tensor(data.targets)
