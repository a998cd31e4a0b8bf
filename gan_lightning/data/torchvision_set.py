"""Any of torchvision's sets of images with one label each, by its name."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image
from torchvision.datasets import VisionDataset

from gan_lightning.data.downloaded import DownloadedDataModule
from gan_lightning.data.fitting import FORMATS
from gan_lightning.data.labelled import LabelledDataModule, Split
from gan_lightning.data.torchvision_class import calls_of_splits, takes, torchvision_class
from gan_lightning.errors import UserError, one_line


class TorchvisionSet(LabelledDataModule, DownloadedDataModule):
    """A data set of torchvision, by its name: used where its files are on disk, downloaded otherwise.

    Its splits are those of torchvision's class; where that has no test split with labels, some images are held out.

    Args:
        name: what torchvision calls it, such as `KMNIST`.
        arguments: what else its class is called with, such as `{"split": "letters"}` for EMNIST.
        train_split: the name of the split to train with, such as `unlabeled` of STL10; None for the class's own.
        test_split: the name of the split that is held out; None for the class's own.
        image_size: height and width of the images; None for those that they have, if they are all alike.
        channels: 1 for gray or 3 for RGB; None for 1 if all of them are gray, else 3.
        fit: what is done with images of other proportions: `crop`, `pad` or `stretch`.
        held_out: the share of the images held out for measuring, where there is no test split.
        mirrors: whether an image's mirror image could be one of the data; a digit's could not.
        batch_size: images a discriminator step sees.
        data_dir: the folder that holds the data sets.
        num_train_images: take only the first so many training images; None for all.
        seed: of the shuffles, which it and the epoch decide.

    Raises:
        ValueError: if torchvision has no such set, or it is none of images with one label each, or has no such
            arguments or splits; and as of every data set.
    """

    subfolder = "."

    def __init__(
        self,
        name: str,
        arguments: dict[str, Any] | None = None,
        train_split: str | None = None,
        test_split: str | None = None,
        image_size: int | None = None,
        channels: int | None = None,
        fit: str = "crop",
        held_out: float = 0.1,
        mirrors: bool = False,
        batch_size: int = 32,
        data_dir: str = "data",
        num_train_images: int | None = None,
        seed: int = 0,
    ) -> None:
        if name in (None, ""):
            raise ValueError("name must be that of one of torchvision's sets of images: dataset.name=KMNIST, SVHN, …")
        if not isinstance(arguments, dict | None):
            raise ValueError(f"arguments must be names and values, such as {{split: letters}}, not {arguments!r}")
        arguments = arguments or {}
        chosen = [*arguments.values(), *(each for each in (train_split,) if each)]
        super().__init__(
            " ".join(map(str, [name, *chosen])),
            image_size, channels, fit, held_out, mirrors, batch_size, data_dir, num_train_images, seed,
        )  # fmt: skip
        self.dataset = torchvision_class(name)  # type: ignore[misc]
        self.training, self.tests = calls_of_splits(self.dataset, arguments, train_split, test_split)
        self.test_split = test_split

    @property
    def made_from(self) -> list[Any]:
        return [self.dataset.__name__, self.training, self.tests]

    def opened(self) -> tuple[Split, Split | None]:
        return self._splits_in(Path(self.data_dir))

    def label_names(self, split: Split) -> Sequence[str]:
        if any(
            argument.startswith("target_type") for argument in self.training
        ):  # other labels than those of its classes
            return ()
        names = getattr(split, "classes", ())
        return [", ".join(name) if isinstance(name, tuple) else str(name) for name in names]  # ImageNet has synonyms

    def missing(self) -> list[str]:
        try:
            self._splits_in(Path(self.data_dir))
        except FileNotFoundError as reason:
            return [f"what torchvision.datasets.{self.dataset.__name__} reads (which says now: {reason})"]
        return []

    def fill(self, temporary: Path) -> None:
        self._splits_in(temporary, download=True)

    def publish(self, temporary: Path) -> None:
        _merge(temporary, Path(self.data_dir))

    def _splits_in(self, folder: Path, download: bool = False) -> tuple[VisionDataset, VisionDataset | None]:
        """The training split, and the test split, if there is one that has labels as well, of the files in a folder.

        Raises:
            FileNotFoundError: if they are not all there, and are not to be downloaded.
            ValueError: if there is no split, or no value of an argument, as the settings have it.
            UserError: if a package is missing that reads them.
        """
        training, labelled = self._split_in(folder, self.training, download)
        for call in self.tests:
            try:
                test, test_labelled = self._split_in(folder, call, download)
            except ValueError:
                if self.test_split:
                    raise
            else:
                if test_labelled or not labelled:
                    return training, test
        return training, None

    def _split_in(self, folder: Path, call: dict[str, Any], download: bool) -> tuple[VisionDataset, bool]:
        """A split, and whether its first image has a label."""
        try:
            split, label = self._called(folder, call)
        except FileNotFoundError:
            if not download:
                raise
            split, label = self._called(folder, call, download=True)
        return split, self.label_of(label) is not None

    def _called(self, folder: Path, call: dict[str, Any], download: bool = False) -> tuple[VisionDataset, Any]:
        """A split, and what it says of its first image."""
        # Files are opened, no more, and in the modes that they have: what is needed of them is read later.
        ours = {"root": str(folder), "download": download, "loader": partial(Image.open, formats=FORMATS)}
        known = takes(self.dataset)
        try:
            split = self.dataset(**{name: value for name, value in ours.items() if name in known}, **call)
            image, label = split[0]  # some classes look for their images only now
        except MemoryError:
            raise
        except ModuleNotFoundError as reason:
            package = str(reason.name).partition(".")[0]
            raise UserError(f"{self.title} needs a package that is missing: pip install {package}") from reason
        except Exception as reason:  # files that are missing or damaged have many ways to say so
            if str(reason).startswith("Unknown value"):
                raise ValueError(f"{self.title}: {one_line(reason)}") from reason
            raise FileNotFoundError(one_line(reason)) from reason
        image.close()
        return split, label


def _merge(source: Path, target: Path) -> None:
    """Move what is in one folder into another, where it replaces what has its name."""
    for each in source.iterdir():
        there = target / each.name
        if each.is_dir() and there.is_dir():
            _merge(each, there)
        else:
            each.replace(there)
