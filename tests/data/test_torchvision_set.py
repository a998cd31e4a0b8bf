"""Torchvision's sets by name, on small files in their real formats."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import SHORT, Run, the_one_line
from torchvision_files import SETS, Written

from gan_lightning.data.cifar10 import CIFAR10
from gan_lightning.data.fashion_mnist import FashionMNIST
from gan_lightning.data.mnist import MNIST
from gan_lightning.data.torchvision_set import TorchvisionSet
from gan_lightning.errors import UserError

JPEGS = ("CelebA", "Flowers102", "Food101")
LOSSY = 4
"""How far a JPEG of one colour may be from it."""


def as_written(images: torch.Tensor) -> np.ndarray:
    """Images (N, C, H, W) as the files' writers have them: (N, H, W) or (N, H, W, 3)."""
    return images.permute(0, 2, 3, 1).squeeze(-1).numpy()


def made(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **others: object) -> tuple[TorchvisionSet, Written]:
    """A set, and what its files hold, which are written first."""
    settings, write = SETS[name]
    folder.mkdir(exist_ok=True)
    written = write(folder, monkeypatch)
    return TorchvisionSet(name, data_dir=str(folder), **(settings | others)), written


WITH_TEST_SPLIT = [name for name in SETS if name not in ("EuroSAT", "FER2013", "Omniglot")]


@pytest.mark.parametrize("name", WITH_TEST_SPLIT)
def test_a_set_is_what_its_files_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, written = made(name, tmp_path, monkeypatch)
    classes = sorted({label for _, labels in written.values() for label in labels if label is not None})
    assert module.num_classes == max(1, len(classes))
    for train, (pixels, labels) in written.items():
        images, found = module.split(train)
        assert images.shape[1:] == module.image_shape
        assert np.abs(as_written(images).astype(int) - pixels).max() <= (LOSSY if name in JPEGS else 0)
        assert found.tolist() == [0 if label is None else classes.index(label) for label in labels]


@pytest.mark.parametrize("name", sorted(SETS.keys() - set(WITH_TEST_SPLIT)))
def test_where_there_is_no_test_split_some_are_held_out(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, written = made(name, tmp_path, monkeypatch, held_out=0.3)
    pixels, labels = written[True]
    number = {image.tobytes(): number for number, image in enumerate(pixels)}
    found = []
    for train in (True, False):
        images, kinds = module.split(train)
        numbers = [number[image.tobytes()] for image in as_written(images)]
        assert numbers
        found += zip(numbers, kinds.tolist(), strict=True)
    assert sorted(number for number, _ in found) == list(range(len(pixels)))
    # Omniglot's classes are in the order in which the file system names their folders.
    assert len({(labels[number], kind) for number, kind in found}) == module.num_classes == len(set(labels))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"name": None}, "name must be that of one of torchvision's sets of images: dataset.name=KMNIST, SVHN, …"),
        ({"name": "kmnist"}, "no set of images 'kmnist' to take; did you mean KMNIST or MNIST or QMNIST"),
        ({"name": "Flower"}, "did you mean Flowers102"),
        ({"name": "ImageFolder"}, "images of your own: dataset=folder"),
        ({"name": 7}, "no set of images 7 to take; KMNIST would be one"),
        ({"name": "VOCDetection"}, "VOCDetection has no images with one label each"),
        (
            {"arguments": {"split": "letters"}},
            "arguments: torchvision's KMNIST takes no 'split'; it has none to choose",
        ),
        ({"name": "EMNIST", "arguments": {"fold": 1}}, "takes no 'fold'; there is split"),
        ({"name": "EMNIST", "train_split": "letters"}, "EMNIST has no splits by name"),
        ({"arguments": "letters"}, "arguments must be names and values, such as {split: letters}, not 'letters'"),
        ({"image_size": 0}, r"image_size \(unless null\) must be a whole number of at least 1, not 0"),
        ({"channels": 4}, "channels must be 1, 3 or null, not 4"),
        ({"fit": "squeeze"}, "fit must be crop, pad, stretch, not 'squeeze'"),
        ({"held_out": 1}, "held_out must be .* less than 1"),
        ({"mirrors": 1}, "mirrors must be true or false"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        TorchvisionSet(**{"name": "KMNIST", **settings})


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("SVHN", {"test_split": "tset"}, "SVHN: Unknown value 'tset' for argument split. .*'train'.*'test'"),
        ("SVHN", {"train_split": "more"}, "SVHN more: Unknown value 'more' for argument split"),
        ("EMNIST", {"arguments": {"split": "digit"}}, "Unknown value 'digit' for argument split. .*digits"),
        (
            "CelebA",
            {"arguments": {"target_type": "attr"}},
            "CelebA attr should have one label an image, but has a Tensor",
        ),
        (
            "Flowers102",
            {"image_size": None},
            "image_size must be a number, such as 64: Flowers102 has images of 500 × 501 to 600 × 500",
        ),
    ],
)
def test_what_only_the_files_tell(
    name: str, settings: dict[str, Any], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(*args: object, **kwargs: object) -> None:
        raise AssertionError("nothing is missing")

    monkeypatch.setattr(TorchvisionSet, "fill", download)
    module, _ = made(name, tmp_path, monkeypatch, **settings)
    with pytest.raises((ValueError, UserError), match=expected) as error:
        module.prepare_data()
    assert "\n" not in str(error.value)


def test_a_set_that_has_a_data_set_of_its_own_here_is_the_same(data_dir: Path) -> None:
    for name, own in (("MNIST", MNIST), ("FashionMNIST", FashionMNIST), ("CIFAR10", CIFAR10)):
        by_name, as_ever = TorchvisionSet(name, data_dir=str(data_dir)), own(data_dir=str(data_dir))
        assert (by_name.image_shape, by_name.num_classes) == (as_ever.image_shape, as_ever.num_classes)
        for train in (True, False):
            for found, expected in zip(by_name.split(train), as_ever.split(train), strict=True):
                assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("KMNIST", ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]),
        ("EMNIST", [*"abcdefghi"]),  # the labels of letters begin with 1
        ("Food101", ["apple_pie", "pizza"]),
        ("SVHN", []),
    ],
)
def test_what_classes_are_called(
    name: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, _ = made(name, tmp_path, monkeypatch)
    assert list(module.class_names) == expected
    again = TorchvisionSet(name, data_dir=str(tmp_path), **SETS[name][0])
    monkeypatch.setattr(TorchvisionSet, "opened", None)  # they are kept beside the images
    assert list(again.class_names) == expected


def test_names_of_classes_are_not_those_of_other_labels() -> None:
    class Pets(list):
        classes = ("Abyssinian", "Beagle")

    by_breed = TorchvisionSet("OxfordIIITPet")
    by_kind = TorchvisionSet("OxfordIIITPet", arguments={"target_types": "binary-category"})
    assert (list(by_breed.label_names(Pets())), list(by_kind.label_names(Pets()))) == (["Abyssinian", "Beagle"], [])


@pytest.mark.parametrize("split", ["unlabeled", "train+unlabeled"])
def test_images_without_labels_are_of_one_class(split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, written = made("STL10", tmp_path, monkeypatch, train_split=split, image_size=8, channels=1)
    assert (module.title, module.num_classes, module.image_shape) == (f"STL10 {split} (8 × 8)", 1, (1, 8, 8))
    assert len(module.split(True)[0]) == 30 + 24 * ("+" in split)
    assert module.split(False)[1].tolist() == [0] * len(written[False][0])


def test_files_that_cannot_be_read_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    module, written = made("Food101", tmp_path, monkeypatch)
    truncated, missing = (tmp_path / f"food-101/images/pizza/True{number}.jpg" for number in (4, 8))
    truncated.write_bytes(truncated.read_bytes()[:700])
    missing.unlink()
    images, labels = module.split(train=True)
    pixels, kinds = written[True]
    kept = [n for n in range(len(pixels)) if n not in (2, 4)]
    assert np.abs(as_written(images).astype(int) - pixels[kept]).max() <= LOSSY
    assert labels.tolist() == [kinds[n] for n in kept]
    assert "2 of 33 files cannot be read and are left out" in caplog.text
    assert "True8.jpg" in caplog.text


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _ = made("SVHN", tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(UserError, match=r"SVHN needs a package that is missing: pip install scipy$"):
        module.prepare_data()


def test_another_size_is_prepared_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _ = made("SVHN", tmp_path, monkeypatch)
    small = TorchvisionSet("SVHN", data_dir=str(tmp_path), image_size=16)
    assert (module.image_shape, small.image_shape) == ((3, 32, 32), (3, 16, 16))
    assert torch.equal(module.split(True)[1], small.split(True)[1])


def test_arguments_on_the_command_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SETS["EMNIST"][1](tmp_path / "data", monkeypatch)
    choice = ("dataset=torchvision", "dataset.name=EMNIST", "data_dir=data", "output_dir=run")
    line = the_one_line(run(*choice, "dataset.arguments={split: leters}"))
    assert "EMNIST leters: Unknown value 'leters' for argument split" in line
    assert not Path("run").exists()
    outcome = run(*choice, "dataset.arguments={split: letters}", *SHORT[2:-1], "trainer.max_epochs=1")
    assert outcome.exit_code == 0, outcome.stderr
    settings = yaml.safe_load(Path("run/config.yaml").read_text())
    assert settings["dataset"]["arguments"] == {"split": "letters"}
