"""Whatever a file holds, and whatever is typed, the answer is the right one or one clear error.

Examples are drawn anew from a fixed seed; what once failed is written below as an example.
"""

import contextlib
import json
import pickle
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from conftest import SHORT, Run, idx_bytes, logging_restored
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from numpy import zeros

from gan_lightning import load, train
from gan_lightning.checkpoints import check_trust, epochs_of, processes_of, read_checkpoint, trained_player
from gan_lightning.data.cifar10 import CIFAR10
from gan_lightning.data.mnist import MNIST
from gan_lightning.errors import UserError
from gan_lightning.exporting.card import card
from gan_lightning.exporting.folder import config_of
from gan_lightning.exporting.measured import measured_before
from gan_lightning.exporting.weights import write_weights
from gan_lightning.loading import trained_generator
from gan_lightning.loop.checkpoint_schema import check_to_go_on
from gan_lightning.mistakes import user_mistakes
from gan_lightning.networks import dcgan, mlp, r3gan, sngan
from gan_lightning.reports import runs
from gan_lightning.reports.event_files import read_events
from gan_lightning.reports.runs import find_runs
from gan_lightning.settings import hyperparameters, read_settings
from gan_lightning.sweeps.status import read_results, read_status
from gan_lightning.sweeps.study import open_study
from gan_lightning.whole_files import write_json

MANY, FEW = (
    settings(
        max_examples=number,
        derandomize=True,
        deadline=5000,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    for number in (150, 25)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
"""Whatever JSON can say, NaN and integers of any length as well."""


@contextlib.contextmanager
def one_clear_error() -> Iterator[None]:
    """A :class:`UserError` of one line, if anything."""
    said = "a message"
    try:
        with user_mistakes():
            yield
    except UserError as error:
        said = str(error)
    assert said.strip()
    assert "\n" not in said
    assert len(said) < 2000


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Random bytes, and a file with some of its bytes changed, cut off, or with others behind."""
    place = st.integers(0, len(content))
    changed = st.tuples(place, st.binary(min_size=1, max_size=8)).map(
        lambda change: content[: change[0]] + change[1] + content[change[0] + len(change[1]) :]
    )
    return st.binary(max_size=200) | changed | place.map(lambda end: content[:end]) | changed.map(lambda one: one + one)


def with_changes(content: Any) -> st.SearchStrategy[Any]:
    """Nested settings with something else in one place, or without it."""

    def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        if path:
            yield path
        if isinstance(node, dict | list):
            for key, part in node.items() if isinstance(node, dict) else enumerate(node):
                yield from places(part, (*path, key))

    def change(path_and_value: tuple[tuple[Any, ...], Any]) -> Any:
        path, value = path_and_value
        whole = deepcopy(content)
        node = whole
        for key in path[:-1]:
            node = node[key]
        if value is ...:
            del node[path[-1]]
        else:
            node[path[-1]] = value
        return whole

    return st.tuples(st.sampled_from(list(places(content))), JSON | st.just(...)).map(change)


@pytest.fixture(scope="module")
def checkpoint(whole: Path) -> dict[str, Any]:
    return torch.load(whole / "checkpoints/last.ckpt", weights_only=True)


IDX = {"images": idx_bytes(zeros((4, 28, 28))), "labels": idx_bytes(zeros(4))}


@pytest.mark.parametrize("what", IDX)
def test_idx(what: str, tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)

    @MANY
    @given(damaged(IDX[what]))
    def check(content: bytes) -> None:
        for kind, whole in IDX.items():
            for split in ("train", "t10k"):
                dims = 3 if kind == "images" else 1
                (folder / f"{split}-{kind}-idx{dims}-ubyte").write_bytes(content if kind == what else whole)
        with one_clear_error():
            data = MNIST(data_dir=str(tmp_path))
            images, labels = data.load(train=True)
            assert images.shape[1:] == data.image_shape
            assert labels.shape == (len(images),)

    check()


def test_cifar10_opens_nothing_whose_checksum_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / CIFAR10.subfolder
    folder.mkdir()
    bomb = tmp_path / "opened"

    class Bomb:
        def __reduce__(self) -> Any:
            return Path.touch, (bomb,)

    @FEW
    @given(damaged(pickle.dumps(Bomb())) | st.just(pickle.dumps(Bomb())))
    def check(content: bytes) -> None:
        data = CIFAR10(data_dir=str(tmp_path))
        for name in data.files():
            (folder / name).write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            data.load(train=True)
        assert not bomb.exists()

    check()


def test_bytes_as_checkpoint(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.ckpt"
    content = (whole / "checkpoints/last.ckpt").read_bytes()

    @MANY
    @given(damaged(content))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        with one_clear_error():
            read_checkpoint(str(path))

    check()


def test_settings_of_a_checkpoint(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "some.ckpt"
    kept = {name: checkpoint[name] for name in ("state_dict", "loops")}

    @MANY
    @given(with_changes(checkpoint["hyper_parameters"]))
    def check(changed: Any) -> None:
        torch.save({**kept, "hyper_parameters": changed}, path)
        with one_clear_error():
            found = read_checkpoint(str(path))
            for player in ("generator", "discriminator"):
                check_trust(found["hyper_parameters"], [player], [])
                trained_player(found, player)

    check()


def test_an_exported_generator(whole: Path, tmp_path: Path) -> None:
    """Its settings and its weights: what is accepted draws."""
    checkpoint = read_checkpoint(str(whole / "checkpoints/last.ckpt"))
    config = config_of(checkpoint, 3, "raw", None)
    write_json(tmp_path / "config.json", config)
    write_weights(trained_generator(checkpoint, "raw"), tmp_path, "raw", [])
    weights = (tmp_path / "model.safetensors").read_bytes()

    @MANY
    @given(with_changes(config), st.just(weights) | damaged(weights[:2000]).map(lambda start: start + weights[2000:]))
    def check(changed: Any, content: bytes) -> None:
        (tmp_path / "config.json").write_text(json.dumps(changed))
        (tmp_path / "model.safetensors").write_bytes(content)
        with one_clear_error():
            found = load(tmp_path)
            assert found.draw(2).shape == (2, *found.image_shape)
            read = read_checkpoint(str(tmp_path))
            again = config_of(read, epochs_of(read), "raw", measured_before(read))
            card(again, found, "safetensors", "digits", None, None)

    check()


def test_what_a_training_would_go_on_from(
    checkpoint: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is accepted can be loaded, and the rest is refused."""
    path = tmp_path / "some.ckpt"
    composed: list[Any] = []
    monkeypatch.setattr(train, "_fit", lambda _, *objects: composed.extend(objects))
    assert run(*SHORT, "trainer.max_epochs=4").exit_code == 0
    gan, data, trainer = composed
    as_read = {name: part for name, part in checkpoint.items() if name != "hyper_parameters"}

    @MANY
    @given(with_changes(as_read))
    def check(changed: Any) -> None:
        torch.save({**changed, "hyper_parameters": checkpoint["hyper_parameters"]}, path)
        with one_clear_error():
            found = read_checkpoint(str(path))
            processes_of(found)
            check_to_go_on(found, gan, trainer, len(data.train_dataloader()))
            gan.load_state_dict(found["state_dict"])
            gan.on_load_checkpoint(found)
            trainer.fit_loop.load_state_dict(found["loops"]["fit_loop"])
            for optimizer, state in zip(gan.configure_optimizers()[0], found["optimizer_states"], strict=True):
                optimizer.load_state_dict(state)

    check()


NETWORKS = {
    mlp: {"hidden_dims": [4]},
    dcgan: {"width": 4},
    sngan: {"width": 4},
    r3gan: {"width": 8},
}


@pytest.mark.parametrize("family", NETWORKS, ids=lambda family: family.__name__.rpartition(".")[2])
def test_shapes(family: Any) -> None:
    """A generator draws images of the shape that it was made for, or says what it can."""

    @MANY
    @given(st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 40)), st.integers(1, 3))
    def check(shape: tuple[int, int, int], number: int) -> None:
        with torch.device("meta"):
            make = partial(family.Generator, shape, num_classes=10, latent_dim=2, **NETWORKS[family])
            if family is not mlp and (shape[1] % 4 or shape[2] % 4):
                with pytest.raises(ValueError, match="multiples of 4"):
                    make()
            else:
                assert make()(torch.zeros(number, 2)).shape == (number, *shape)

    check()


def test_config(whole: Path, tmp_path: Path) -> None:
    text = (whole / "config.yaml").read_bytes()

    @MANY
    @given(damaged(text))
    def check(content: bytes) -> None:
        (tmp_path / "config.yaml").write_bytes(content)
        with one_clear_error():
            hyperparameters(read_settings(tmp_path))

    check()


@pytest.mark.parametrize(
    ("name", "read"), [("metrics.json", read_results), ("status.json", read_status), ("jobs.json", None)]
)
def test_what_a_run_says_of_itself(
    name: str, read: Callable[[Path], Any] | None, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report of it, and of a good run beside it, comes to an end, and the good one is in it."""
    monkeypatch.setattr(runs, "read_settings", cache(read_settings))  # always the same, and most of the time
    for job in ("good", "bad"):
        (tmp_path / job).mkdir()
        (tmp_path / job / "config.yaml").write_bytes((whole / "config.yaml").read_bytes())
    (tmp_path / "good/metrics.json").write_bytes((whole / "metrics.json").read_bytes())
    good = (whole / "metrics.json").read_bytes() if name == "metrics.json" else b'{"state": "completed"}'
    path = tmp_path / "bad" / name if read else tmp_path / name

    @MANY
    @given(damaged(good) | JSON.map(lambda value: json.dumps(value).encode()))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        if read is not None:
            with one_clear_error():
                read(path.parent)
        found, left_out = find_runs([str(tmp_path)])
        assert "good" in [run.folder.name for run in found]
        assert len(found) + len(left_out) == 2
        assert all("\n" not in line for line in left_out)

    check()


def test_event_files(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    event = b"\x09\0\0\0\0\0\0\0\xcd\xcd\xcd\xcd" + b"\x09\0\0\0\0\0\0\xf0?" + b"\xcd\xcd\xcd\xcd"

    @MANY
    @given(damaged(3 * event))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        stored = b"".join(part for part, _ in read_events(path))
        assert content.startswith(stored)

    check()


def test_journals(tmp_path: Path) -> None:
    """A search in a folder whose journal is damaged."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = tmp_path / "study.journal"
    open_study(str(path), "minimize")
    good = path.read_bytes()

    @FEW
    @given(damaged(good))
    def check(content: bytes) -> None:
        path.write_bytes(content)
        with one_clear_error():
            open_study(str(path), "minimize")

    check()


KEYS = (
    *("dataset.batch_size", "dataset.num_train_images", "model.latent_dim", "model.generator.hidden_dims"),
    *("model.discriminator.dropout", "optimizer.lr", "optimizer.betas", "gan.discriminator_steps"),
    *("gan.ema.half_life", "objective.switch_epoch", "trainer.max_epochs", "trainer.limit_train_batches"),
    *("trainer.precision", "trainer.log_every_n_steps", "trainer.accelerator", "seed", "matmul_precision"),
    *("callbacks.samples.num_samples", "callbacks.collapse.epochs", "callbacks.checkpoints.every_n_epochs"),
    *("penalty", "augmentation", "objective", "callbacks.divergence.stop", "gan.generator_clip_norm"),
)
VALUES = st.sampled_from(
    ["null", "-1", "0", "0.5", "[]", "[0.5]", "[a]", "{}", "{a: 1}", "abc", "true", "''", "nan", "inf", "-inf", "1e400"]
) | st.integers(-(10**25), 10**25).map(str)


@pytest.mark.slow
def test_settings_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """They are refused in one line that names the key, or a run begins: the plug that is pulled then says so."""
    monkeypatch.chdir(tmp_path)

    class Began(BaseException):
        pass

    def begin(*_: Any) -> None:
        raise Began

    monkeypatch.setattr(train, "_fit", begin)
    monkeypatch.setattr(train, "_introduce", lambda *_: None)
    monkeypatch.setattr(train, "write_text", lambda *_: None)

    @settings(FEW, max_examples=40, phases=[Phase.explicit, Phase.generate])  # each example composes all settings
    @given(st.sampled_from(KEYS), VALUES)
    def check(key: str, value: str) -> None:
        capfd.readouterr()
        with logging_restored(), contextlib.suppress(Began):
            with pytest.raises(SystemExit) as ending:
                train.main([*SHORT, "trainer.max_epochs=1", f"{key}={value}"])
            error = capfd.readouterr().err
            assert ending.value.code == 1, error
            (line,) = error.splitlines()
            assert key.rpartition(".")[2] in line or value.strip("'") in line

    check()
