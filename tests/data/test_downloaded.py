"""Downloads, from a server of our own that may be slow, silent or wrong."""

import gzip
import hashlib
import multiprocessing
import socket
import tarfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
import torch
from conftest import NUM_TRAIN, Run, forks, the_one_line, write_cifar10, write_idx_set
from torchvision import datasets
from torchvision_files import SETS

from gan_lightning.data import downloaded, fashion_mnist
from gan_lightning.data.cifar10 import CIFAR10
from gan_lightning.data.downloaded import DownloadedDataModule
from gan_lightning.data.fashion_mnist import FashionMNIST
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.torchvision_set import TorchvisionSet
from gan_lightning.errors import UserError

URLOPEN = urllib.request.urlopen


def urlopen(*args: Any, **kwargs: Any) -> Any:
    """As it is, but that an answer of 404 leaves no socket open."""
    try:
        return URLOPEN(*args, **kwargs)
    except HTTPError as answer:
        answer.close()
        raise


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise URLError("no network in tests")

    monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", refuse)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", Path("/nowhere"))


class Handler(SimpleHTTPRequestHandler):
    """Answers with the files of a folder; its server keeps what it is asked for."""

    timeout = 30  # not what the downloads set for all sockets of this process
    asked: Counter[str]

    def log_request(self, *args: object) -> None:
        self.asked[self.path] += 1

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def serving(handler: Callable[..., Handler], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that torchvision may download from."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", urlopen)
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the server was asked for what."""
    counter: Counter[str] = Counter()
    monkeypatch.setattr(Handler, "asked", counter, raising=False)
    return counter


@pytest.fixture
def address(tmp_path: Path, asked: Counter[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Of a server of the folder `server`."""
    with serving(partial(Handler, directory=str(tmp_path / "server")), monkeypatch) as address:
        yield address


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


@pytest.mark.parametrize("module_class", [MNIST, FashionMNIST, CIFAR10])
def test_a_set_that_is_nowhere_is_one_line(module_class: type[DownloadedDataModule], tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        module_class(data_dir=str(tmp_path / "data")).prepare_data()
    message = str(error.value)
    assert "\n" not in message
    assert "no network in tests" in message
    assert str(tmp_path / "data" / module_class.subfolder) in message
    assert all(name in message for name in module_class(data_dir=str(tmp_path)).files())
    assert "dataset=mnist5k" in message


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
    assert [path.name for path in data_dir.iterdir()] == ["MNIST"]  # nothing else is left
    assert len(modules[0].split(train=True)[0]) == NUM_TRAIN


def prepared_by_two(data_dir: Path) -> list[int]:
    """The exit codes of two processes that need the digits at once, the lower one first."""
    context = multiprocessing.get_context("fork")
    both_are_there = context.Barrier(2)  # before the server has anything to do: its threads are not forked

    def prepare() -> None:
        both_are_there.wait(30)
        MNIST(data_dir=str(data_dir)).prepare_data()

    processes = [context.Process(target=prepare) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    return sorted(-1 if process.exitcode is None else process.exitcode for process in processes)


@forks
def test_of_two_processes_one_downloads_and_the_other_waits(
    server: Path, tmp_path: Path, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    MNIST(data_dir=str(tmp_path / "alone")).prepare_data()
    alone = asked.copy()
    asked.clear()

    def slowly(self: Handler) -> None:
        time.sleep(0.05)
        SimpleHTTPRequestHandler.do_GET(self)

    monkeypatch.setattr(Handler, "do_GET", slowly)
    assert prepared_by_two(tmp_path / "data") == [0, 0]
    assert asked == alone
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["MNIST"]


@forks
def test_who_waits_downloads_where_the_first_could_not(
    server: Path, tmp_path: Path, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_first_not(self: Handler) -> None:
        if not asked:
            time.sleep(0.3)
            self.send_error(503)
        else:
            SimpleHTTPRequestHandler.do_GET(self)

    monkeypatch.setattr(Handler, "do_GET", at_first_not)
    assert prepared_by_two(tmp_path / "data") == [0, 1]
    assert MNIST(data_dir=str(tmp_path / "data")).missing() == []
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["MNIST"]


def test_downloads_cifar10(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = write_cifar10(tmp_path / "server" / "cifar-10-batches-py", monkeypatch)
    archive = tmp_path / "server" / datasets.CIFAR10.filename
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "server" / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(datasets.CIFAR10, "url", f"{address}{archive.name}")
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    module = CIFAR10(data_dir=str(tmp_path / "data"))
    module.prepare_data()
    assert module.split(train=False)[1].tolist() == batches["test_batch"]["labels"]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-10-batches-py"]


def closes(self: Handler) -> None:
    """Says nothing."""


def hangs(self: Handler) -> None:
    self.rfile.read(1)  # until who asks gives up


def breaks_off(self: Handler) -> None:
    self.send_response(200)
    self.send_header("Content-Length", "1000")
    self.end_headers()
    self.wfile.write(bytes(500))


def hangs_in_the_middle(self: Handler) -> None:
    breaks_off(self)
    hangs(self)


def serves_a_page(self: Handler) -> None:
    self.send_response(200)
    self.send_header("Content-Type", "text/html")
    self.end_headers()
    self.wfile.write(b"<html>\n<body>\nYou are not logged in to this network.\n</body>\n</html>\n")


def has_no_such_file(self: Handler) -> None:
    self.send_error(404)


FAILURES = {
    closes: "closed connection without response",
    hangs: "timed out",
    breaks_off: "corrupted",
    hangs_in_the_middle: "timed out",
    serves_a_page: "corrupted",
    has_no_such_file: "404",
}


@pytest.fixture
def failing(
    request: pytest.FixtureRequest, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Handler], None]]:
    """How the server answers that torchvision downloads from."""
    monkeypatch.setattr(Handler, "do_GET", request.param)
    monkeypatch.setattr(downloaded, "CONNECTION_TIMEOUT", 0.2)
    with serving(Handler, monkeypatch) as address:
        monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
        monkeypatch.setattr(datasets.CIFAR10, "url", f"{address}{datasets.CIFAR10.filename}")
        yield request.param


@pytest.mark.parametrize("failing", FAILURES, indirect=True)
@pytest.mark.parametrize("module_class", [MNIST, CIFAR10])
def test_a_server_that_fails_is_one_line_and_leaves_nothing(
    module_class: type[DownloadedDataModule], failing: Callable[[Handler], None], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"could not be downloaded .*{FAILURES[failing]}") as error:
        module_class(data_dir=str(tmp_path / "data")).prepare_data()
    assert "\n" not in str(error.value)
    assert list((tmp_path / "data").iterdir()) == []
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize("failing", [hangs, has_no_such_file], indirect=True)
def test_a_run_whose_data_cannot_be_downloaded(failing: Callable[[Handler], None], run: Run) -> None:
    line = the_one_line(run("dataset=mnist", "data_dir=data", "trainer.accelerator=cpu", "output_dir=run"))
    assert FAILURES[failing] in line
    assert not Path("run").exists()


def test_an_archive_with_a_wrong_checksum_is_refused(server: Path, tmp_path: Path) -> None:
    archive = server / "t10k-labels-idx1-ubyte.gz"
    archive.write_bytes(archive.read_bytes() + b"!")
    with pytest.raises(UserError, match="could not be downloaded"):
        MNIST(data_dir=str(tmp_path / "data")).prepare_data()
    assert list((tmp_path / "data").iterdir()) == []


def test_a_half_finished_folder_is_completed(server: Path, tmp_path: Path) -> None:
    module = MNIST(data_dir=str(tmp_path / "data"))
    module.prepare_data()
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
    module = FashionMNIST(data_dir=str(tmp_path / "data"))
    module.prepare_data()
    assert np.array_equal(module.split(train=True)[0][:, 0].numpy(), arrays["train-images-idx3-ubyte"])


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match=r"cannot write to the data folder .*/file/data .*data_dir="):
        MNIST(data_dir=str(tmp_path / "file" / "data")).prepare_data()


@pytest.fixture
def usps(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two files of USPS, from which torchvision downloads, with its own checks of them."""
    folder = tmp_path / "server"
    folder.mkdir()
    SETS["USPS"][1](folder, monkeypatch)
    resources = {
        split: [f"{address}{name}", name, hashlib.md5((folder / name).read_bytes()).hexdigest()]
        for split, name in (("train", "usps.bz2"), ("test", "usps.t.bz2"))
    }
    monkeypatch.setattr(datasets.USPS, "split_list", resources)
    return folder


def test_a_set_by_name_is_downloaded_whole_and_once(usps: Path, tmp_path: Path, asked: Counter[str]) -> None:
    there = TorchvisionSet("USPS", data_dir=str(usps))
    first = TorchvisionSet("USPS", data_dir=str(tmp_path / "data"))
    for train in (True, False):
        for found, expected in zip(first.split(train), there.split(train), strict=True):
            assert torch.equal(found, expected)
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["prepared", "usps.bz2", "usps.t.bz2"]
    requests = asked.total()
    (tmp_path / "data/usps.bz2").unlink()  # which is not needed any more
    assert TorchvisionSet("USPS", data_dir=str(tmp_path / "data")).image_shape == (1, 16, 16)
    assert asked.total() == requests


@pytest.mark.parametrize("missing", ["usps.bz2", "usps.t.bz2"])
def test_a_set_by_name_is_there_whole_or_not_at_all(usps: Path, missing: str, tmp_path: Path) -> None:
    (usps / missing).unlink()
    with pytest.raises(UserError, match=r"^USPS is not in .*/data and could not be downloaded \(.*404.*reads") as error:
        TorchvisionSet("USPS", data_dir=str(tmp_path / "data")).prepare_data()
    assert "\n" not in str(error.value)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_set_by_name_is_completed(
    server: Path, tmp_path: Path, asked: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.KMNIST, "mirrors", datasets.MNIST.mirrors)
    monkeypatch.setattr(datasets.KMNIST, "resources", datasets.MNIST.resources)
    folder = tmp_path / "data/KMNIST/raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(b"half")
    module = TorchvisionSet("KMNIST", data_dir=str(tmp_path / "data"))
    assert len(module.split(train=True)[0]) == NUM_TRAIN
    assert sorted(path.name for path in folder.iterdir() if path.suffix != ".gz") == sorted(MNIST().files())


def test_a_set_that_torchvision_does_not_download(run: Run) -> None:
    line = the_one_line(run("dataset=torchvision", "dataset.name=FER2013", "data_dir=data", "output_dir=run"))
    assert "FER2013 is not in data and could not be downloaded" in line
    assert "kaggle.com" in line
    assert list(Path("data").iterdir()) == []
    assert not Path("run").exists()
