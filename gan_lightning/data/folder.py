"""One's own images."""

import io
import logging
import os
import posixpath
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from gan_lightning.data.base import FEWEST, ImageDataModule
from gan_lightning.data.fitting import FITS, read_image
from gan_lightning.data.image_files import SUFFIXES, image_files
from gan_lightning.data.prepared import Item, Prepared, digest, folder_of, prepare
from gan_lightning.errors import UserError, is_number, true_or_false, whole_number
from gan_lightning.wording import counted

log = logging.getLogger(__name__)

TRAINING = "train"
HELD_OUT = ("test", "val", "valid", "validation")
"""Folders beside the one for training that hold images to measure with; the first of these that is there."""

MORE = "add images, choose another dataset.held_out, or put them into two folders, train and test"
"""What helps where a split has too few."""


class Layout(NamedTuple):
    """What the folders of some images mean."""

    classes: list[str]
    """Their names; none where all images are of one class."""
    of_folder: dict[str, tuple[int, bool | None]]
    """The label, and whether it is for training or for measuring, None where nothing says so; a folder that is in
    neither part is missing."""


def layout(folders: Iterable[str]) -> Layout:
    """What folders mean, given as relative paths of all that have images, the outermost as an empty text.

    A folder that holds all the others says nothing. Then come, if they are there, the parts for training and for
    measuring; then the classes, if each image is in the folder of one and there are at least two.
    """
    folders = set(folders)
    above = posixpath.commonpath(folders) if folders else ""
    inner = {folder: posixpath.relpath(folder or ".", above or ".").split("/") for folder in folders}
    inner = {folder: [part for part in parts if part != "."] for folder, parts in inner.items()}
    outermost = {parts[0].lower() for parts in inner.values() if parts}
    measuring = next((name for name in HELD_OUT if name in outermost), None)
    part_of: dict[str, bool | None] = dict.fromkeys(folders)
    if TRAINING in outermost and measuring is not None:
        inner = {
            folder: parts for folder, parts in inner.items() if parts and parts[0].lower() in (TRAINING, measuring)
        }
        part_of = {folder: parts[0].lower() == TRAINING for folder, parts in inner.items()}
        inner = {folder: parts[1:] for folder, parts in inner.items()}
    names = {parts[0] if parts else None for parts in inner.values()}
    classes = [] if None in names or len(names) < 2 else sorted((name for name in names if name), key=with_numbers)
    labels = {name: label for label, name in enumerate(classes)}
    return Layout(
        classes, {folder: (labels[parts[0]] if classes else 0, part_of[folder]) for folder, parts in inner.items()}
    )


def in_order(names: Sequence[str]) -> list[str]:
    """Relative paths of images in the order in which they are a data set.

    Files whose names are numbers are in the order of these, in all folders together: 9 before 10, `cats/1.png` before
    `dogs/1.png`. Others are in an order that the hash of each path decides, so that any stretch of them holds all
    kinds, as the measures presume, which look at the first so many: by their names, all cats may come before all dogs.
    """
    if all(_stem(name).isdecimal() for name in names):
        return sorted(names, key=lambda name: (int(_stem(name)), with_numbers(name)))
    return sorted(names, key=lambda name: digest(os.fsencode(name)))


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def with_numbers(name: str) -> tuple[str, str]:
    """Sorts 9 before 10."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), name), name


class ImageFolder(ImageDataModule):
    """The images of a folder, or of a `.zip` archive of one, whatever their sizes and kinds.

    They are decoded once, and again where they have changed, into files of bytes below `data_dir/prepared/`, in the
    order of :func:`in_order`. A film is its first frame. What cannot be read is left out, and named.

    The subfolders are the classes, if each image is in one of at least two. If there are two folders `train` and `test`
    above them, these are the two splits; `val` may stand in for `test`. Else the content of a file decides whether it
    is held out for measuring: it stays so, whatever becomes of the others.

    Args:
        path: of the folder or the archive.
        image_size: H and W, in pixels.
        channels: 3 for RGB, 1 for gray.
        fit: what is done with images that are not square: `crop` to their middle, `pad` with black, or `stretch`.
        held_out: the share of the images that are held out where no folders say which.
        mirrors: whether an image's mirror image could be one of the data.
        batch_size: images a discriminator step sees.
        data_dir: the folder that holds the data sets, and the decoded images.
        num_train_images: take only the first so many training images; None for all.
        seed: of the shuffles, which it and the epoch decide.

    Raises:
        ValueError: if there is no image or one alone, or a setting is not as above; and as of every data set.
    """

    def __init__(
        self,
        path: str,
        image_size: int = 32,
        channels: int = 3,
        fit: str = "crop",
        held_out: float = 0.1,
        mirrors: bool = True,
        batch_size: int = 32,
        data_dir: str = "data",
        num_train_images: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, data_dir, num_train_images, seed)
        if path in (None, ""):
            raise ValueError("path must be a folder of images, or a zip archive of one: dataset.path=…")
        whole_number("image_size", image_size, at_least=1)
        if type(channels) is not int or channels not in (1, 3):
            raise ValueError(f"channels must be 1 (gray) or 3 (RGB), not {channels!r}")
        if fit not in FITS:
            raise ValueError(f"fit must be {', '.join(FITS)}, not {fit!r}")
        if not is_number(held_out) or not 0 <= held_out < 1:
            raise ValueError(f"held_out must be a share from 0 to less than 1, not {held_out!r}")
        true_or_false("mirrors", mirrors)
        self.path = Path(str(path)).expanduser()
        self.image_shape = (channels, image_size, image_size)
        self.fit = fit
        self.held_out = float(held_out)
        self.mirrors = mirrors
        whole = self.path.resolve()
        self.title = f"{whole.name if whole.is_dir() else whole.stem} ({image_size} × {image_size})"
        self.files = image_files(self.path)
        stamps = self.files.stamps()
        if not stamps:
            raise ValueError(f"path must be a folder with images ({', '.join(SUFFIXES)}); {str(path)!r} has none")
        if len(stamps) < FEWEST:
            raise ValueError(f"path must be a folder with at least {FEWEST} images; {str(path)!r} has one alone")
        folders = {name: name.rpartition("/")[0] for name in stamps}
        found = layout(folders.values())
        self.classes = self.class_names = found.classes
        self.num_classes = max(1, len(found.classes))
        of_a_part = in_order([name for name, folder in folders.items() if folder in found.of_folder])
        self.items = [Item(name, stamps[name], *found.of_folder[folders[name]]) for name in of_a_part]
        self.beside = len(stamps) - len(self.items)
        self._prepared: Prepared | None = None

    def prepare_data(self) -> None:
        """Decode what has not been decoded.

        Raises:
            UserError: if no image can be read, or so few are for training that there can be none, or the data folder
                cannot be written.
        """
        if self._prepared is not None:
            return
        made_from = (str(self.path.resolve()), self.image_shape, self.fit, self.held_out)
        folder = folder_of(self.data_dir, self.title, *made_from)
        with self.files.reading() as content:

            def read(number: int) -> tuple[Tensor, str]:
                file = content(self.items[number].name)
                return read_image(io.BytesIO(file), self.image_shape, self.fit), digest(file)

            prepared = prepare(folder, self.title, self.items, read, self.image_shape, self.held_out)
        training, held_out = (len(prepared.splits[train][1]) for train in (True, False))
        if training < FEWEST:
            shutil.rmtree(folder, ignore_errors=True)  # they are of no use
            if len(prepared.unreadable) == len(self.items):
                files = counted(len(self.items), "file")
                raise UserError(f"none of the {files} in {self.path} can be read as an image")
            raise UserError(
                f"{self.title} has {counted(training, 'training image')}, and {held_out:,} held out for measuring; a"
                f" training takes at least {FEWEST}: {MORE}"
            )
        self._prepared = prepared

    def introduce(self) -> None:
        assert self._prepared is not None
        classes = f"{len(self.classes):,} classes ({_some(self.classes)})" if self.classes else "no classes"
        self._prepared.introduce(self.title, classes)
        if self.beside:
            log.warning(
                "%s: %s beside the folders of the two parts, left out", self.title, counted(self.beside, "file")
            )

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        self.prepare_data()
        assert self._prepared is not None
        images, labels = self._prepared.splits[train]
        if not len(images):  # of the test images, then
            raise UserError(
                f"{self.title} has no test images, and {len(self._prepared.splits[True][1]):,} training images; {MORE}"
            )
        return images, labels


def _some(names: list[str]) -> str:
    shown = [repr(name)[1:-1] for name in names]
    return ", ".join(shown if len(shown) <= 12 else [*shown[:10], "…", shown[-1]])
