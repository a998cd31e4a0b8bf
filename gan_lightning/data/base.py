"""The base of all data modules."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, TensorDataset

from gan_lightning.data.pixels import are_points, as_seen
from gan_lightning.data.shuffled_batches import ResumableLoader, ShuffledBatches
from gan_lightning.errors import whole_number
from gan_lightning.wording import counted

FEWEST = 2
"""Images that a training takes: one alone has no variance to normalise by."""
MOST_AT_ONCE = 2**31
"""Bytes of images that are kept in memory, or on the device; of more than these, batches are moved there."""


class ImageDataModule(LightningDataModule):
    """Images and labels in memory: bytes until they are on their device, whole batches indexed at once.

    A training batch is (images, labels): images (A, B, C, H, W) for A alternations, float32 in [-1, 1], and labels
    (A, B), int64; a test batch has no A. The training images are kept on the device, unless they are very large. A
    subclass says where the images come from, in :meth:`load` and, where they must first be put on disk, in
    `prepare_data`.

    Args:
        batch_size: images a discriminator step sees.
        data_dir: the folder that holds the data sets.
        num_train_images: take only the first so many training images; None for all.
        seed: of the shuffles, which it and the epoch decide.

    Attributes:
        batches_per_alternation: how many times `batch_size` images B is.
        alternations_per_step: A, for how many alternations the training loader hands over images at a time.

    Raises:
        ValueError: if `batch_size` or `num_train_images` is less than 1 (here) or too large for the data (in `setup`),
            there are fewer than two training images (in `setup`), or `seed` is negative.
    """

    title: str
    """What people call the data set."""
    image_shape: tuple[int, int, int]
    """(C, H, W)."""
    num_classes: int = 10
    """How many kinds of images there are; labels are 0 … num_classes - 1."""
    class_names: Sequence[str] = ()
    """What people call each of them; empty where that is not known, or nothing but the number."""
    mirrors: bool
    """Whether an image's mirror image could be one of the data; a digit's could not."""
    uniform_classes: ClassVar[bool] = False
    """Whether drawn classes are compared with classes equally frequent, not with those of the training images."""
    of_channels: "ImageDataModule | None" = None
    """The data set of which each channel is an image, if a class is one of its classes for each channel."""

    def __init__(
        self,
        batch_size: int = 32,
        data_dir: str = "data",
        num_train_images: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        whole_number("batch_size", batch_size, at_least=1)
        if num_train_images is not None:
            whole_number("num_train_images (unless null)", num_train_images, at_least=1)
        whole_number("seed", seed, at_least=0)
        self.batch_size = batch_size
        self.data_dir = data_dir
        self.num_train_images = num_train_images
        self.batches_per_alternation = 1
        self.alternations_per_step = 1
        self.seed = seed
        self._splits: dict[bool, tuple[Tensor, Tensor]] = {}
        self.train_set: TensorDataset | None = None
        self.test_set: TensorDataset | None = None

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        """Read images (N, C, H, W), uint8, and labels (N,), int64, of the training split or of the test split; points
        of the plane are (N, 2, 1, 1), float32.
        """
        raise NotImplementedError

    def split(self, train: bool) -> tuple[Tensor, Tensor]:
        """All images and labels of the training split or of the test split, read once."""
        if train not in self._splits:
            images, labels = self.load(train)
            self._check(images, labels)
            self._splits[train] = images, labels
        return self._splits[train]

    def _check(self, images: Tensor, labels: Tensor) -> None:
        """See that images are bytes, or points, of the shape that is promised, and labels their classes."""
        dtype = torch.float32 if are_points(self.image_shape) else torch.uint8
        found = [(part.dtype, tuple(part.shape)) for part in (images, labels)]
        if found != [(dtype, (len(images), *self.image_shape)), (torch.int64, (len(images),))]:
            given = " and ".join(f"{dtype} {shape}" for dtype, shape in found)
            raise ValueError(
                f"{self.title} should load images (N, {', '.join(map(str, self.image_shape))}) of {dtype}"
                f" and labels (N,) of torch.int64, but it loads {given}"
            )
        if len(labels) and not 0 <= labels.min() <= labels.max() < self.num_classes:
            raise ValueError(
                f"the labels of {self.title} should be from 0 to {self.num_classes - 1},"
                f" but they are from {labels.min()} to {labels.max()}"
            )

    def setup(self, stage: str) -> None:
        """Read the split that `stage` needs: the training split for `fit`, else the test split; once."""
        if stage == "fit" and self.train_set is None:
            images, labels = self.split(train=True)
            self._at_most("num_train_images", len(images))
            images, labels = images[: self.num_train_images], labels[: self.num_train_images]
            if len(images) < FEWEST:
                images_now = counted(len(images), "training image")
                raise ValueError(f"{self.title} has only {images_now}; a training takes at least {FEWEST}")
            self._at_most("batch_size", len(images))
            if (needed := self.batch_size * self.batches_per_alternation) > len(images):
                raise ValueError(
                    f"one alternation takes {needed} images ({self.batches_per_alternation} batches of"
                    f" {self.batch_size}), but {self.title} has only {len(images)} training images"
                )
            self.train_set = TensorDataset(images, labels)
            self.introduce()
        if stage != "fit" and self.test_set is None:
            self.test_set = TensorDataset(*self.split(train=False))

    def introduce(self) -> None:
        """Say, before a training, what there is, where people cannot know."""

    def _at_most(self, name: str, num_images: int) -> None:
        value = getattr(self, name)
        if value is not None and value > num_images:
            raise ValueError(
                f"dataset.{name} is {value}, but {self.title} has only {num_images} training images;"
                f" it can be at most that"
            )

    @property
    def train_images(self) -> Tensor:
        """All training images (N, C, H, W), bytes or points, after `setup("fit")`."""
        assert self.train_set is not None
        return self.train_set.tensors[0]

    def train_dataloader(self) -> ResumableLoader:
        assert self.train_set is not None
        images, labels = self.train_set.tensors
        device = torch.device("cpu")
        if self.trainer and images.nbytes <= MOST_AT_ONCE:
            device = self.trainer.strategy.root_device
        sampler = ShuffledBatches(
            len(self.train_set),
            batch_size=self.batch_size * self.batches_per_alternation,
            min_batch_size=FEWEST * self.batches_per_alternation,
            batches_at_once=self.alternations_per_step,
            seed=self.seed,
            rank=self.trainer.global_rank if self.trainer else 0,
            world_size=self.trainer.world_size if self.trainer else 1,
            device=device,
        )
        return ResumableLoader(images.to(device), labels.to(device), sampler)

    def test_dataloader(self) -> DataLoader:
        assert self.test_set is not None
        batches = BatchSampler(SequentialSampler(self.test_set), self.batch_size, drop_last=False)
        return DataLoader(self.test_set, sampler=batches, batch_size=None)

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        images, labels = batch
        return as_seen(images), labels
