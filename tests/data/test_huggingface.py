"""Hugging Face data sets, of files of this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_lightning.data.huggingface import HuggingFaceSet

datasets = pytest.importorskip("datasets")

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 9, 7, 3), dtype=np.uint8)
LABELS = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Hub is not asked, and progress bars are not left in threads."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


def table(numbers: Sequence[int] = range(12), **columns: Any) -> datasets.Dataset:
    """Some of the images and their labels, with other columns, or other kinds of them."""
    names = datasets.ClassLabel(names=["cat", "dog", "owl"])
    content = {"image": [Image.fromarray(PIXELS[n]) for n in numbers], "label": [LABELS[n] for n in numbers]}
    kinds = {"image": datasets.Image(), "label": names}
    given = {name: [values[n] for n in numbers] for name, (values, _) in columns.items()}
    return datasets.Dataset.from_dict(
        content | given, features=datasets.Features(kinds | {name: kind for name, (_, kind) in columns.items()})
    )


def made(name: Path, tmp_path: Path, **settings: Any) -> HuggingFaceSet:
    module = HuggingFaceSet(str(name), data_dir=str(tmp_path / "data"), **settings)
    module.prepare_data()
    return module


def assert_holds(module: HuggingFaceSet, train: bool, numbers: Sequence[int]) -> None:
    images, labels = module.split(train)
    assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), PIXELS[list(numbers)])
    assert labels.tolist() == [LABELS[n] for n in numbers]


@pytest.mark.parametrize("held_out", ["test", "validation"])
def test_the_splits_of_a_folder_of_parquet_files(held_out: str, tmp_path: Path) -> None:
    (tmp_path / "owls").mkdir()
    table(range(8)).to_parquet(tmp_path / "owls/train-00000-of-00001.parquet")
    table(range(8, 12)).to_parquet(tmp_path / f"owls/{held_out}-00000-of-00001.parquet")
    module = made(tmp_path / "owls", tmp_path)
    assert (module.title, module.image_shape, module.num_classes) == ("owls", (3, 9, 7), 3)
    assert_holds(module, True, range(8))
    assert_holds(module, False, range(8, 12))
    assert made(tmp_path / "owls", tmp_path, train_split=held_out, test_split="train").split(True)[1].tolist() == [
        LABELS[n] for n in range(8, 12)
    ]
