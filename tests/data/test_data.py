"""The data modules, on small files in the real formats."""

import os
import pickle
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import NUM_TEST, NUM_TRAIN, idx_bytes, write_cifar10, write_idx_set

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.cifar10 import CIFAR10
from gan_lightning.data.fashion_mnist import FashionMNIST
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.errors import UserError


def ready(module: ImageDataModule) -> ImageDataModule:
    module.prepare_data()
    module.setup("fit")
    module.setup("test")
    return module


@pytest.mark.parametrize("module_class", [MNIST, FashionMNIST])
def test_idx_files(module_class: type[MNIST], tmp_path: Path) -> None:
    arrays = write_idx_set(tmp_path / module_class.subfolder)
    module = ready(module_class(data_dir=str(tmp_path)))
    for split, part in (("train", module.train_set), ("t10k", module.test_set)):
        images, labels = part.tensors
        assert images.dtype == torch.uint8
        assert np.array_equal(images[:, 0].numpy(), arrays[f"{split}-images-idx3-ubyte"])
        assert np.array_equal(labels.numpy(), arrays[f"{split}-labels-idx1-ubyte"])


def test_cifar_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = write_cifar10(tmp_path / "cifar-10-batches-py", monkeypatch)
    module = ready(CIFAR10(data_dir=str(tmp_path)))
    images, labels = module.train_set.tensors
    assert images.shape == (NUM_TRAIN, 3, 32, 32)
    expected = np.concatenate([batches[f"data_batch_{i}"]["data"] for i in range(1, 6)]).reshape(-1, 3, 32, 32)
    assert np.array_equal(images.numpy(), expected)
    assert labels.tolist() == [label for i in range(1, 6) for label in batches[f"data_batch_{i}"]["labels"]]
    assert len(module.test_set) == NUM_TEST


def test_mnist5k_holds_every_digit_equally_often() -> None:
    module = ready(MNIST5k())
    images, labels = module.train_set.tensors
    assert images.shape == (4000, 1, 28, 28)
    assert labels.bincount().tolist() == [400] * 10
    held_out, held_out_labels = module.test_set.tensors
    assert held_out_labels.bincount().tolist() == [100] * 10
    assert labels[:20].tolist() == 2 * list(range(10))
    assert images.min() == 0
    assert images.max() == 255
    # The digits are upright and not mirrored: a 7 has its bar on top, a 1 almost nothing to the sides.
    sevens, ones = images[labels == 7].float(), images[labels == 1].float()
    assert sevens[..., 4:12, :].mean() > sevens[..., 16:24, :].mean()
    assert ones[..., 10:18].mean() > 10 * ones[..., :8].mean()
    seen = {image.numpy().tobytes() for image in images}
    assert not any(image.numpy().tobytes() in seen for image in held_out)


def test_batches_are_scaled_after_their_transfer(tmp_path: Path) -> None:
    write_idx_set(tmp_path / MNIST.subfolder)
    module = ready(MNIST(batch_size=16, data_dir=str(tmp_path)))
    batches = list(module.train_dataloader())
    assert [tuple(images.shape) for images, _ in batches] == [(1, n, 1, 28, 28) for n in (16, 16, 8)]
    assert [tuple(labels.shape) for _, labels in batches] == [(1, 16), (1, 16), (1, 8)]
    assert batches[0][0].dtype == torch.uint8
    images, labels = module.on_after_batch_transfer(batches[0], 0)
    torch.testing.assert_close(images, batches[0][0].float() / 255 * 2 - 1)
    assert labels is batches[0][1]
    assert sum(len(images) for images, _ in module.test_dataloader()) == NUM_TEST


def test_an_alternation_of_several_batches(tmp_path: Path) -> None:
    write_idx_set(tmp_path / MNIST.subfolder)
    module = ready(MNIST(batch_size=7, data_dir=str(tmp_path)))
    module.batches_per_alternation = 3
    assert [images.shape[1] for images, _ in module.train_dataloader()] == [21, 19]
    module.batch_size = 13  # one image is left over, too few for three batches
    assert [images.shape[1] for images, _ in module.train_dataloader()] == [39]


def test_refuses_an_alternation_larger_than_the_data_set(tmp_path: Path) -> None:
    write_idx_set(tmp_path / MNIST.subfolder)
    module = MNIST(batch_size=10, data_dir=str(tmp_path))
    module.batches_per_alternation = 5
    with pytest.raises(ValueError, match=r"one alternation takes 50 images \(5 batches of 10\), but MNIST has only 40"):
        module.setup("fit")


def test_the_first_so_many_images(tmp_path: Path) -> None:
    arrays = write_idx_set(tmp_path / MNIST.subfolder)
    module = ready(MNIST(data_dir=str(tmp_path), batch_size=4, num_train_images=4))
    assert np.array_equal(module.train_set.tensors[0][:, 0].numpy(), arrays["train-images-idx3-ubyte"][:4])


@pytest.mark.parametrize("name", ["batch_size", "num_train_images"])
def test_refuses_sizes_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}.* must be a whole number of at least 1"):
        MNIST5k(**{name: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["batch_size", "num_train_images"])
def test_refuses_sizes_larger_than_the_data_set(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 4001, but .* only 4000 training images"):
        MNIST5k(**{name: 4001}).setup("fit")  # type: ignore[arg-type]


@pytest.mark.parametrize("part", ["images-idx3", "labels-idx1"])
@pytest.mark.parametrize("kept", [0, 3, 6, 15])
def test_a_truncated_idx_file_is_named(part: str, kept: int, tmp_path: Path) -> None:
    write_idx_set(tmp_path / MNIST.subfolder)
    path = tmp_path / MNIST.subfolder / f"train-{part}-ubyte"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=rf"{path} is damaged: .*; delete it"):
        ready(MNIST(data_dir=str(tmp_path)))


def test_images_without_labels_are_refused(tmp_path: Path) -> None:
    write_idx_set(tmp_path / MNIST.subfolder)
    folder = tmp_path / MNIST.subfolder
    (folder / "train-labels-idx1-ubyte").write_bytes((folder / "t10k-labels-idx1-ubyte").read_bytes())
    with pytest.raises(UserError, match="40 images, but 10 labels"):
        ready(MNIST(data_dir=str(tmp_path)))


IMAGES, LABELS = "images-idx3", "labels-idx1"


@pytest.mark.parametrize("split", ["train", "t10k"])
@pytest.mark.parametrize(
    ("part", "held", "expected"),
    [
        (IMAGES, np.zeros((0, 28, 28)), r"says 0 × 28 × 28 and should say N × 28 × 28, N from 1 to \d0,000"),
        (IMAGES, np.zeros((40, 32, 32)), "says 40 × 32 × 32 and should say N × 28 × 28"),
        (IMAGES, np.zeros((40, 784)), "says 40 × 784 and"),
        (IMAGES, np.zeros((40, 28, 28, 1)), "says 40 × 28 × 28 × 1 and"),
        (LABELS, np.zeros(0), "says 0 and should say N, N from 1 to"),
        (LABELS, np.zeros((40, 2)), "says 40 × 2 and should say N,"),
        (LABELS, np.full(10, 10), "has the label 10, and 9 is the last"),
    ],
)
def test_an_idx_file_of_something_else_is_named(
    split: str, part: str, held: np.ndarray, expected: str, tmp_path: Path
) -> None:
    write_idx_set(tmp_path / MNIST.subfolder)
    for each in ("train", "t10k"):  # as many images as the labels above are
        (tmp_path / MNIST.subfolder / f"{each}-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((10, 28, 28))))
        (tmp_path / MNIST.subfolder / f"{each}-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(10)))
    path = tmp_path / MNIST.subfolder / f"{split}-{part}-ubyte"
    path.write_bytes(idx_bytes(held))
    with pytest.raises(UserError, match=rf"^{path} is damaged: .*{expected}.*; delete it"):
        MNIST(data_dir=str(tmp_path)).split(train=split == "train")


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A gigabyte more than there is in use, so that reading too much fails instead of bringing the machine down."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize(("promised", "expected"), [(60_000_000, "N from 1 to 60,000"), (40, "should have 31,376")])
def test_an_idx_file_of_47_gigabytes_is_not_read(promised: int, expected: str, tmp_path: Path) -> None:
    write_idx_set(tmp_path / MNIST.subfolder)
    path = tmp_path / MNIST.subfolder / "train-images-idx3-ubyte"
    path.write_bytes(idx_bytes(np.zeros((0, 28, 28)))[:4] + promised.to_bytes(4, "big") + path.read_bytes()[8:])
    os.truncate(path, 16 + 60_000_000 * 28 * 28)  # most of it is a hole
    with pytest.raises(UserError, match=f"{path} is damaged: .*{expected}"):
        MNIST(data_dir=str(tmp_path)).split(train=True)


@pytest.mark.usefixtures("little_memory")
def test_a_cifar_batch_of_47_gigabytes_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path / CIFAR10.subfolder, monkeypatch)
    os.truncate(tmp_path / CIFAR10.subfolder / "test_batch", 47 * 10**9)
    with pytest.raises(UserError, match="test_batch is damaged: its md5"):
        CIFAR10(data_dir=str(tmp_path)).split(train=False)


@pytest.mark.parametrize("size", [16, 1_000, 40_000])
def test_an_idx_file_whose_size_changes_while_it_is_read(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx_set(tmp_path / MNIST.subfolder)
    path = tmp_path / MNIST.subfolder / "train-images-idx3-ubyte"
    fromfile = np.fromfile

    def changed(*args: Any) -> np.ndarray:
        os.truncate(path, size)
        return fromfile(*args)

    monkeypatch.setattr(np, "fromfile", changed)
    with pytest.raises(UserError, match=f"{path} is damaged: it has {size:,} bytes and should have 31,376"):
        MNIST(data_dir=str(tmp_path)).split(train=True)


def test_what_is_unpickled_is_what_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = write_cifar10(tmp_path / CIFAR10.subfolder, monkeypatch)

    class Bomb:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "exploded",)

    bomb = pickle.dumps(Bomb())

    def too_late(read: Any) -> Any:
        def replaced(*args: Any, **kwargs: Any) -> Any:
            (tmp_path / CIFAR10.subfolder / "test_batch").write_bytes(bomb)
            return read(*args, **kwargs)

        return replaced

    for name in ("load", "loads"):
        monkeypatch.setattr(pickle, name, too_late(getattr(pickle, name)))
    _, labels = CIFAR10(data_dir=str(tmp_path)).split(train=False)
    assert labels.tolist() == batches["test_batch"]["labels"]
    with pytest.raises(UserError, match="test_batch is damaged: its md5"):
        CIFAR10(data_dir=str(tmp_path)).split(train=False)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch"])
def test_a_truncated_cifar_batch_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path / "cifar-10-batches-py", monkeypatch)
    path = tmp_path / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{name} is damaged: its md5"):
        ready(CIFAR10(data_dir=str(tmp_path)))


class Given(ImageDataModule):
    """Loads what it is given."""

    title, image_shape, num_classes, mirrors = "given", (1, 2, 2), 3, False

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        super().__init__(batch_size=1)
        self.given = images, labels

    def load(self, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
        return self.given


FOUR, KINDS = torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (FOUR / 255, KINDS, r"it loads torch.float32 \(4, 1, 2, 2\) and torch.int64 \(4,\)"),
        (FOUR[:, 0], KINDS, r"images \(N, 1, 2, 2\) of torch.uint8 .* it loads torch.uint8 \(4, 2, 2\)"),
        (FOUR, KINDS[:3], r"torch.int64 \(3,\)"),
        (FOUR, KINDS.float(), r"torch.float32 \(4,\)"),
        (FOUR, KINDS + 1, "should be from 0 to 2, but they are from 1 to 3"),
        (FOUR, KINDS - 1, "from -1 to 1"),
    ],
)
def test_what_is_loaded_is_looked_at(images: torch.Tensor, labels: torch.Tensor, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Given(images, labels).split(train=True)
    assert Given(FOUR, KINDS).split(train=True)[0] is FOUR
