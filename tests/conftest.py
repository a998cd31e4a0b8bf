"""Small data sets in the real file formats, the entry points run in this process, and what all tests share."""

import gc
import hashlib
import json
import logging
import pickle
import re
import shutil
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from copy import deepcopy
from io import TextIOBase
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from filelock import FileLock
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from selenium import webdriver
from torch import Tensor, nn
from torchvision import datasets

from gan_lightning import evaluate, sample, train
from gan_lightning.building import build_player
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.features.classifier import classifier_of

NUM_TRAIN, NUM_TEST = 40, 10


def idx_bytes(array: np.ndarray) -> bytes:
    """An idx file of bytes, as at http://yann.lecun.com/exdb/mnist."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_idx_set(folder: Path, seed: int = 0) -> dict[str, np.ndarray]:
    """The four files of MNIST or FashionMNIST with a few random images; returns what they hold."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    arrays = {}
    for split, number in (("train", NUM_TRAIN), ("t10k", NUM_TEST)):
        arrays[f"{split}-images-idx3-ubyte"] = random.integers(0, 256, (number, 28, 28))
        arrays[f"{split}-labels-idx1-ubyte"] = random.integers(0, 10, number)
    for name, array in arrays.items():
        (folder / name).write_bytes(idx_bytes(array))
    return arrays


def write_cifar10(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict]:
    """CIFAR-10's seven files with a few random images, and their checksums told to torchvision."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    batches = {
        name: {
            "batch_label": name,
            "labels": random.integers(0, 10, number).tolist(),
            "data": random.integers(0, 256, (number, 3072)).astype(np.uint8),
            "filenames": [f"{i}.png" for i in range(number)],
        }
        for name, number in (*((f"data_batch_{i}", NUM_TRAIN // 5) for i in range(1, 6)), ("test_batch", NUM_TEST))
    }
    meta = {"label_names": datasets.MNIST.classes, "num_cases_per_batch": 8, "num_vis": 3072}
    for name, content in (*batches.items(), ("batches.meta", meta)):
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))

    def md5(name: str) -> str:
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    monkeypatch.setattr(
        datasets.CIFAR10, "train_list", [[f"data_batch_{i}", md5(f"data_batch_{i}")] for i in range(1, 6)]
    )
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", md5("test_batch")]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": md5("batches.meta")})
    return batches


@contextmanager
def logging_restored() -> Iterator[None]:
    """An entry point sends what is logged to its run's folder, which is no business of what comes next."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(before):
        handler.close()
    root.handlers[:] = before
    root.setLevel(level)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    with logging_restored():
        yield


@pytest.fixture(autouse=True, scope="session")
def imports_are_no_garbage() -> Iterator[None]:
    """What is imported stays; looking through it for garbage again and again would take a seventh of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="session")
def digits_read_once() -> Iterator[None]:
    """The 5,000 digits are a compressed table, which takes a tenth of a second to read."""
    read: dict[bool, tuple[Tensor, Tensor]] = {}
    load = MNIST5k.load

    def load_once(self: MNIST5k, train: bool) -> tuple[Tensor, Tensor]:
        if train not in read:
            read[train] = load(self, train)
        return read[train]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MNIST5k, "load", load_once)
        yield


@pytest.fixture(autouse=True, scope="session")
def settings_parsed_once() -> Iterator[None]:
    """Every command composes its settings of twenty files, twice, and what parses them is written in Python."""
    parsed: dict[str, Any] = {}
    load = OmegaConf.load

    def load_once(file: Any) -> Any:
        if not isinstance(file, TextIOBase):
            with Path(file).absolute().open(encoding="utf-8") as opened:
                return load_once(opened)
        text = file.read()
        if text not in parsed:
            file.seek(0)
            parsed[text] = load(file)
        return deepcopy(parsed[text])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", load_once)
        yield


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all the data sets that are downloaded otherwise, tiny."""
    folder = tmp_path / "data"
    write_idx_set(folder / "MNIST" / "raw")
    write_idx_set(folder / "FashionMNIST" / "raw", seed=1)
    write_idx_set(folder / "KMNIST" / "raw", seed=2)
    write_cifar10(folder / "cifar-10-batches-py", monkeypatch)
    return folder


class Outcome(NamedTuple):
    """How an entry point ended."""

    exit_code: int
    stdout: str
    stderr: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs an entry point in an empty folder, with the arguments that a person would type."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, entry_point: ModuleType = train) -> Outcome:
        capfd.readouterr()
        exit_code = 0
        try:
            entry_point.main(list(args))
        except SystemExit as ending:
            exit_code = ending.code if isinstance(ending.code, int) else 1
        return Outcome(exit_code, *capfd.readouterr())

    return run


@pytest.fixture
def run_sample(run: Run) -> Run:
    """Runs the entry point that draws samples."""
    return lambda *args: run(*args, entry_point=sample)


@pytest.fixture
def run_evaluate(run: Run) -> Run:
    """Runs the entry point that evaluates."""
    return lambda *args: run(*args, entry_point=evaluate)


def the_one_line(outcome: Outcome) -> str:
    """The line that explains a mistake, which is all that is said."""
    assert outcome.exit_code == 1
    assert "Traceback" not in outcome.stdout + outcome.stderr
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("error: ")
    return line


PICTURED = (
    "dataset=mnist5k",
    "dataset.num_train_images=40",
    "dataset.batch_size=8",
    "model.generator.hidden_dims=[16]",
    "model.discriminator.hidden_dim=16",
    "model.discriminator.maxout_dim=8",
    "callbacks.samples.num_samples=4",
    "trainer.log_every_n_steps=2",
    "trainer.accelerator=cpu",
    "output_dir=run",
)
"""Overrides for a run of five alternations an epoch with all its pictures, which take most of its time."""
DRAWS = ("loss_curves", "real_and_fake", "training_gif", "exhibits")
SHORT = (*PICTURED[:-1], *(f"~callbacks.{name}" for name in DRAWS), PICTURED[-1])
"""The same run without the pictures that are drawn at its end: a moment."""
CONDITIONAL = ("model=dcgan", "model.width=4", "model.conditional=true")
"""Overrides for small players that are given labels."""


def without_model(words: Sequence[str]) -> list[str]:
    """Overrides but for those of the model, to choose another one."""
    return [word for word in words if not word.startswith("model")]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures, which take a third of a sweep's time in its report."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)


TWO_PROCESSES = ("trainer.devices=2", "trainer.strategy=ddp_fork_find_unused_parameters_true")
"""Overrides for a training on two processes that are forked from this one, which costs no start; see `forkable`."""


@pytest.fixture
def forkable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For a test that forks this process: a fork would wait for ever for OpenMP's threads, which are not forked."""
    if torch.cuda.is_initialized():
        pytest.skip("a process that uses a GPU cannot be forked")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # or Lightning would choose for the forks
    yield
    torch.set_num_threads(threads)


def forks(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a test that forks this process."""
    allowed = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # since Python 3.12
    return pytest.mark.usefixtures("forkable")(allowed(test))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder for what is made once in a session, whichever process needs it first."""
    mine = tmp_path_factory.getbasetemp()
    folder = (mine if worker_id == "master" else mine.parent) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


def trained_once(folder: Path, *words: str) -> Path:
    """The folder `run` that a training left in `folder`, which is not changed any more."""
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            unfinished.mkdir()
            with chdir(unfinished), logging_restored():
                train.main([*words])
            unfinished.rename(folder)
    return folder / "run"


@pytest.fixture
def finished(shared: Path, run: Run) -> Path:
    """A finished run of one epoch in the folder `run`, which the test may change."""
    return shutil.copytree(trained_once(shared / "finished", *SHORT, "trainer.max_epochs=1"), Path("run"))


@pytest.fixture(scope="session")
def whole(shared: Path) -> Path:
    """The folder of an uninterrupted run of three epochs, which no test changes."""
    return trained_once(shared / "whole", *SHORT, "trainer.max_epochs=3")


SWEEP = (*SHORT, "hydra/launcher=basic", "-m", "trainer.max_epochs=1")
"""Jobs one after the other in this process, which costs no start."""


@pytest.fixture
def finished_sweep(shared: Path, run: Run) -> Path:
    """A finished sweep over the seeds 0 and 1 in the folder `run`, which the test may change."""
    return shutil.copytree(trained_once(shared / "sweep", *SWEEP, "seed=0,1"), Path("run"))


@pytest.fixture(scope="session")
def classifiers(shared: Path) -> Path:
    """A data folder in which the classifier of the 5,000 digits is trained already, well enough to tell them apart."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"BATCH_SIZE": 20, "EPOCHS": 1, "MIN_STEPS": 1, "LEARNING_RATE": 0.03}.items():
            patch.setattr(f"gan_lightning.features.classifier.{name}", value)
        classifier_of(MNIST5k(data_dir=str(shared)))
    return shared


def write_checkpoint(path: Path, generator: dict[str, Any], image_shape: Sequence[int], num_classes: int) -> nn.Module:
    """Write a checkpoint of an untrained generator of these settings, its weights and statistics all of a kind."""
    parts = {"gan": {}, "objective": {}, "trainer": {}, "dataset": {"_target_": "gan_lightning.data.mnist5k.MNIST5k"}}
    settings = {**parts, "model": {"generator": generator}, "seed": 0}
    network = build_player(settings, "generator", image_shape, num_classes)
    for weight in network.state_dict().values():
        if weight.is_floating_point():  # some begin as zeros, which would tell nothing
            weight.copy_(weight + 0.1 * torch.randn(weight.shape))
    of_epoch = {"epoch_progress": {"current": {"processed": 3}}, "epoch_loop.batch_progress": {"is_last_batch": True}}
    checkpoint = {
        "state_dict": {f"generator.{name}": weight for name, weight in network.state_dict().items()},
        "hyper_parameters": {**settings, "image_shape": list(image_shape), "num_classes": num_classes},
        "loops": {"fit_loop": of_epoch},
    }
    torch.save(checkpoint, path)
    return network


def weights(checkpoint: str | Path) -> dict[str, Tensor]:
    """All weights in a checkpoint."""
    return torch.load(checkpoint, weights_only=True)["state_dict"]


def assert_same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Bit for bit."""
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@contextmanager
def tensorboard(folder: str) -> Iterator[Callable[..., Any]]:
    """A TensorBoard over a folder: a function that asks it what its tabs would show."""
    words = ["-m", "tensorboard.main", "--samples_per_plugin", "images=500", "--logdir", folder, "--port", "0"]
    with subprocess.Popen([sys.executable, *words], stderr=subprocess.PIPE, text=True) as board:
        try:
            assert board.stderr is not None
            address = next(found[0] for line in board.stderr if (found := re.search(r"http://localhost:\d+/", line)))

            def get(route: str, **body: object) -> Any:
                data = json.dumps(body).encode() if body else None
                request = urllib.request.Request(f"{address}data/{route}", data, {"Content-Type": "application/json"})
                with urllib.request.urlopen(request, timeout=30) as answer:
                    return json.load(answer)

            for _ in range(100):  # it reads the folder in the background
                if get("plugin/hparams/experiment", experimentName="").get("hparamInfos"):
                    break
                time.sleep(0.1)
            yield get
        finally:
            board.terminate()


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    """A real browser, without a screen, of a phone's width."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("there is no chromium with its chromedriver here")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    still = "--force-prefers-reduced-motion"  # a page would glide to where it is sent, and a click miss
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", still):
        options.add_argument(argument)
    with webdriver.Chrome(options, webdriver.ChromeService(driver)) as opened:
        opened.set_window_size(500, 900)
        yield opened
