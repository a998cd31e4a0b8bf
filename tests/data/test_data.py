"""The data modules, on small files in the real formats."""

import gzip
import hashlib
import tarfile
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from conftest import NUM_TEST, NUM_TRAIN, write_cifar10, write_idx_set
from torchvision import datasets

from gan_lightning.data import fashion_mnist
from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.cifar10 import CIFAR10
from gan_lightning.data.fashion_mnist import FashionMNIST
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.errors import UserError

URLOPEN = urllib.request.urlopen


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("no network in tests")

    monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", refuse)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", Path("/nowhere"))


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


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_truncated_cifar_batch_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cifar10(tmp_path / "cifar-10-batches-py", monkeypatch)
    path = tmp_path / "cifar-10-batches-py" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{name} is damaged: its md5"):
        ready(CIFAR10(data_dir=str(tmp_path)))


@pytest.mark.parametrize("module_class", [MNIST, FashionMNIST, CIFAR10])
def test_a_set_that_is_nowhere_is_one_line(module_class: type[MNIST], tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        ready(module_class(data_dir=str(tmp_path / "data")))
    message = str(error.value)
    assert "\n" not in message
    assert "no network in tests" in message
    assert str(tmp_path / "data" / module_class.subfolder) in message
    assert all(name in message for name in module_class(data_dir=str(tmp_path)).files())
    assert "dataset=mnist5k" in message


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server of the folder `server`, which torchvision may download from."""
    handler = partial(QuietHandler, directory=str(tmp_path / "server"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", URLOPEN)
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


@pytest.fixture
def server(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with MNIST's archives, from which torchvision downloads, with its own checks of them."""
    folder = tmp_path / "server"
    write_idx_set(folder)
    resources = []
    for path in sorted(folder.iterdir()):
        archive = gzip.compress(path.read_bytes())
        (folder / f"{path.name}.gz").write_bytes(archive)
        resources.append((f"{path.name}.gz", hashlib.md5(archive).hexdigest()))
    monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    return folder


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def test_downloads_whole_and_once(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = tmp_path / "data"
    downloads = []
    download = datasets.MNIST.download
    monkeypatch.setattr(datasets.MNIST, "download", lambda self: downloads.append(1) or download(self))
    modules = [MNIST(data_dir=str(data_dir)) for _ in range(4)]
    threads = [threading.Thread(target=module.prepare_data) for module in modules]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert downloads == [1]
    assert sorted(path.name for path in (data_dir / "MNIST" / "raw").iterdir()) == sorted(modules[0].files())
    assert [path.name for path in data_dir.iterdir() if path.is_dir()] == ["MNIST"]  # nothing temporary is left
    assert len(ready(modules[0]).train_set) == NUM_TRAIN


def test_downloads_cifar10(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = write_cifar10(tmp_path / "server" / "cifar-10-batches-py", monkeypatch)
    archive = tmp_path / "server" / datasets.CIFAR10.filename
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "server" / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(datasets.CIFAR10, "url", f"{address}{archive.name}")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    module = ready(CIFAR10(data_dir=str(tmp_path / "data")))
    assert module.test_set.tensors[1].tolist() == batches["test_batch"]["labels"]
    assert {path.name for path in (tmp_path / "data").iterdir() if path.is_dir()} == {"cifar-10-batches-py"}


def test_an_archive_with_a_wrong_checksum_is_refused(server: Path, tmp_path: Path) -> None:
    archive = server / "t10k-labels-idx1-ubyte.gz"
    archive.write_bytes(archive.read_bytes() + b"!")
    with pytest.raises(UserError, match="could not be downloaded"):
        ready(MNIST(data_dir=str(tmp_path / "data")))
    assert not (tmp_path / "data" / "MNIST").exists()


def test_a_half_finished_folder_is_completed(server: Path, tmp_path: Path) -> None:
    module = ready(MNIST(data_dir=str(tmp_path / "data")))
    (module.folder / "t10k-labels-idx1-ubyte").unlink()
    assert module.missing() == ["t10k-labels-idx1-ubyte"]
    module.prepare_data()
    assert module.missing() == []


def test_fashion_mnist_where_debian_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = write_idx_set(tmp_path / "plain")
    debian = tmp_path / "fashion-mnist"
    debian.mkdir()
    for path in (tmp_path / "plain").iterdir():
        (debian / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", debian)
    module = ready(FashionMNIST(data_dir=str(tmp_path / "data")))
    assert np.array_equal(module.train_set.tensors[0][:, 0].numpy(), arrays["train-images-idx3-ubyte"])


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=r"cannot write to the data folder .*/file/data .*data_dir="):
        ready(MNIST(data_dir=str(tmp_path / "file" / "data")))


class Given(ImageDataModule):
    """Loads what it is given."""

    title, image_shape, num_classes, mirrors = "given", (1, 2, 2), 3, False

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        super().__init__(batch_size=1)
        self.given = images, labels

    def load(self, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
        return self.given


BYTES, LABELS = torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("images", "labels", "expected"),
    [
        (BYTES / 255, LABELS, r"it loads torch.float32 \(4, 1, 2, 2\) and torch.int64 \(4,\)"),
        (BYTES[:, 0], LABELS, r"images \(N, 1, 2, 2\) of torch.uint8 .* it loads torch.uint8 \(4, 2, 2\)"),
        (BYTES, LABELS[:3], r"torch.int64 \(3,\)"),
        (BYTES, LABELS.float(), r"torch.float32 \(4,\)"),
        (BYTES, LABELS + 1, "should be from 0 to 2, but they are from 1 to 3"),
        (BYTES, LABELS - 1, "from -1 to 1"),
    ],
)
def test_what_is_loaded_is_looked_at(images: torch.Tensor, labels: torch.Tensor, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Given(images, labels).split(train=True)
    assert Given(BYTES, LABELS).split(train=True)[0] is BYTES
