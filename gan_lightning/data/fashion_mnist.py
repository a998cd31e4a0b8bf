"""FashionMNIST: Xiao et al. 2017, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
algorithms".
"""

from pathlib import Path

from torchvision import datasets
from torchvision.datasets.utils import extract_archive

from gan_lightning.data.mnist import MNIST
from gan_lightning.errors import UserError

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the compressed files."""


class FashionMNIST(MNIST):
    """60,000 training and 10,000 test images of clothing, 28 × 28, gray."""

    title = "FashionMNIST"
    class_names = tuple(datasets.FashionMNIST.classes)
    dataset = datasets.FashionMNIST
    subfolder = "FashionMNIST/raw"

    def fill(self, temporary: Path) -> None:
        archives = [DEBIAN_FOLDER / f"{name}.gz" for name in self.files()]
        if all(archive.is_file() for archive in archives):
            (temporary / self.subfolder).mkdir(parents=True)
            for archive in archives:
                try:
                    extract_archive(str(archive), str(temporary / self.subfolder))
                except (OSError, EOFError) as reason:
                    raise UserError(f"{archive} is damaged ({reason}); install its package again") from reason
        else:
            super().fill(temporary)
