"""The base of the data sets that a library hands out image by image, each with its label."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.fitting import FITS, UnreadableImageError, fitted, is_gray
from gan_lightning.data.prepared import Item, Prepared, digest, folder_of, prepare, read_prepared
from gan_lightning.errors import UserError, number, one_line, true_or_false, whole_number
from gan_lightning.wording import counted

TEST_SPLITS = ("test", "validation", "valid", "val")
"""What a test split is called, and what else is held out where there is none, or it has no labels."""


class Split(Protocol):
    """Images, which are only opened, each with its label; None, or -1, where it has none."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Image.Image, Any]: ...


class LabelledDataModule(ImageDataModule):
    """Images that a library hands out one by one: made bytes of one shape once, and kept in the data folder.

    A subclass says what there is, in :meth:`opened` and :attr:`made_from`. Where not every image has a label, all are
    of one class; else the classes are the labels that there are, in their order.

    Args:
        title: what people call it, but for the size.
        image_size: height and width of the images; None for those that they have, if they are all alike.
        channels: 1 for gray or 3 for RGB; None for 1 if all of them are gray, else 3.
        fit: what is done with images of other proportions: `crop`, `pad` or `stretch`.
        held_out: the share of the images held out for measuring, where there is no test split.
        mirrors: whether an image's mirror image could be one of the data.
        batch_size: images a discriminator step sees.
        data_dir: the folder that holds the data sets.
        num_train_images: take only the first so many training images; None for all.
        seed: of the shuffles, which it and the epoch decide.

    Raises:
        ValueError: if one of them is none of these; and as of every data set.
    """

    def __init__(
        self,
        title: str,
        image_size: int | None,
        channels: int | None,
        fit: str,
        held_out: float,
        mirrors: bool,
        batch_size: int,
        data_dir: str,
        num_train_images: int | None,
        seed: int,
    ) -> None:
        super().__init__(batch_size, data_dir, num_train_images, seed)
        if image_size is not None:
            whole_number("image_size (unless null)", image_size, at_least=1)
        if channels not in (None, 1, 3):
            raise ValueError(f"channels must be 1, 3 or null, not {channels!r}")
        if fit not in FITS:
            raise ValueError(f"fit must be {', '.join(FITS)}, not {fit!r}")
        number("held_out", held_out, at_least=0)
        if held_out >= 1:
            raise ValueError(f"held_out must be a share less than 1, not {held_out!r}")
        true_or_false("mirrors", mirrors)
        self.image_size, self.channels, self.fit, self.held_out = image_size, channels, fit, held_out
        self.title = title if image_size is None else f"{title} ({image_size} × {image_size})"
        self.mirrors = mirrors
        self._prepared: Prepared | None = None

    @property
    def made_from(self) -> list[Any]:
        """What decides which images there are, beside how they are fitted."""
        raise NotImplementedError

    def opened(self) -> tuple[Split, Split | None]:
        """The training split, and the test split if there is one with labels; they are on disk."""
        raise NotImplementedError

    def label_names(self, split: Split) -> Sequence[str]:
        """What the labels 0, 1 … of a split are called; empty where the library does not say."""
        return ()

    def label_of(self, found: Any) -> int | str | None:
        """The one label that a library gives with an image; None where it has none, which some say by -1.

        Raises:
            ValueError: if it is something else, such as several labels or a box.
        """
        if isinstance(found, Tensor | np.generic) and found.ndim == 0:
            found = found.item()
        if found is not None and not isinstance(found, int | str):
            raise ValueError(f"{self.title} should have one label an image, but has a {type(found).__name__}")
        return None if found == -1 else found

    @property
    def image_shape(self) -> tuple[int, int, int]:  # type: ignore[override]
        """(C, H, W), for which the images must be there."""
        _, channels, height, width = self.prepared.splits[True][0].shape
        return channels, height, width

    @property
    def num_classes(self) -> int:  # type: ignore[override]
        """How many kinds of images there are, for which the images must be there."""
        return 1 + max(int(labels.max()) for _, labels in self.prepared.splits.values() if len(labels))

    @property
    def class_names(self) -> Sequence[str]:  # type: ignore[override]
        """What they are called, if the library says so, or the labels are words; the images must be there."""
        return self.prepared.class_names[: self.num_classes]

    @property
    def prepared(self) -> Prepared:
        """The images of both splits, for which they may have to be downloaded and decoded."""
        if self._prepared is None:
            how = self.image_size, self.channels, self.fit, self.held_out
            folder = folder_of(self.data_dir, self.title, *self.made_from, *how)
            found = read_prepared(folder)
            if found is None:
                super().prepare_data()
                found = self._prepare(folder)
            if not len(found.splits[True][0]):
                raise UserError(f"{self.title} has no images that can be read")
            self._prepared = found
        return self._prepared

    def prepare_data(self) -> None:
        """Make sure that the images are there, decoded.

        Raises:
            UserError: if they are not to be had, or the data folder cannot be written.
            ValueError: if the settings do not fit them.
        """
        assert self.prepared is not None

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        return self.prepared.splits[train]

    def introduce(self) -> None:
        classes = "no classes" if self.num_classes == 1 else counted(self.num_classes, "class")
        self.prepared.introduce(self.title, classes)

    def _prepare(self, folder: Path) -> Prepared:
        training, test = self.opened()
        splits: dict[bool, Split] = {True: training, False: [] if test is None else test}
        where = [(train, index) for train, split in splits.items() for index in range(len(split))]
        labels, shape, unreadable = self._look_through(splits, where)
        kinds, classes = _classes(list(labels.values()))
        class_of = dict(zip(labels, classes, strict=True))
        items = [
            Item(f"{'train' if train else 'test'} {index}", 0, class_of.get(item, 0), None if test is None else train)
            for item, (train, index) in enumerate(where)
        ]

        def read(item: int) -> tuple[Tensor, str]:
            if item in unreadable:
                raise unreadable[item]
            train, index = where[item]
            try:
                with splits[train][index][0] as image:
                    pixels = fitted(image, shape, self.fit)
            except MemoryError:
                raise
            except Exception as reason:  # a damaged file has many ways to fail
                raise _unreadable(reason) from reason
            return pixels, digest(pixels.contiguous().numpy())

        names = _names(kinds, self.label_names(training))
        return prepare(folder, self.title, items, read, shape, self.held_out, names)

    def _look_through(
        self, splits: dict[bool, Split], where: list[tuple[bool, int]]
    ) -> tuple[dict[int, int | str | None], tuple[int, int, int], dict[int, UnreadableImageError]]:
        """The label of each image, the shape that all are to have, and which of them cannot be opened."""
        labels: dict[int, int | str | None] = {}
        sizes, all_gray = set(), True
        unreadable: dict[int, UnreadableImageError] = {}
        for item, (train, index) in enumerate(tqdm(where, desc=f"{self.title}, looked through", unit="image")):
            try:
                image, label = splits[train][index]
            except MemoryError:
                raise
            except Exception as reason:
                unreadable[item] = _unreadable(reason)
                continue
            with image:
                sizes.add((image.height, image.width))
                all_gray = all_gray and is_gray(image)
            labels[item] = self.label_of(label)
        if not labels:
            first = next(iter(unreadable.values()), "there are none")
            raise UserError(f"{self.title} has no images that can be read: {first}")
        if self.image_size is None and len(sizes) > 1:
            some = " to ".join(f"{height} × {width}" for height, width in (min(sizes), max(sizes)))
            raise ValueError(f"dataset.image_size must be a number, such as 64: {self.title} has images of {some}")
        height, width = sizes.pop() if self.image_size is None else (self.image_size, self.image_size)
        return labels, (self.channels or (1 if all_gray else 3), height, width), unreadable


def _unreadable(reason: Exception) -> UnreadableImageError:
    return UnreadableImageError(one_line(reason) or type(reason).__name__)


def _classes(labels: Sequence[int | str | None]) -> tuple[list[int | str], list[int]]:
    """The label of each class, and the classes of images with such labels: all the same if one of them has none."""
    if any(label is None for label in labels):
        return [], [0] * len(labels)
    kinds, classes = np.unique(np.array(labels), return_inverse=True)
    return kinds.tolist(), classes.tolist()


def _names(kinds: Sequence[int | str], names: Sequence[str]) -> list[str]:
    """What classes of these labels are called, given the names of the labels 0, 1 …; none if one is not known."""
    known: dict[int | str, str] = {**dict(enumerate(names)), **{kind: kind for kind in kinds if isinstance(kind, str)}}
    return [known[kind] for kind in kinds] if known.keys() >= set(kinds) else []
