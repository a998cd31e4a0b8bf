"""Hugging Face data sets, of files of this machine; and what is said of those that are not to be had."""

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from conftest import SHORT, Run, the_one_line, without_model
from PIL import Image
from pyarrow import parquet

from gan_lightning.data.huggingface import HuggingFaceSet
from gan_lightning.errors import UserError

datasets = pytest.importorskip("datasets")

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 9, 7, 3), dtype=np.uint8)
LABELS = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
CLASSES = datasets.ClassLabel(names=["cat", "dog", "owl"])


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


def table(numbers: Sequence[int] = range(12), **columns: tuple[Any, list]) -> Any:
    """Some of the images, and columns with their kinds: if none are given, that of their labels."""
    columns = {"image": (datasets.Image(), [Image.fromarray(image) for image in PIXELS])} | (
        columns or {"label": (CLASSES, LABELS)}
    )
    return datasets.Dataset.from_dict(
        {name: [values[number] for number in numbers] for name, (_, values) in columns.items()},
        features=datasets.Features({name: kind for name, (kind, _) in columns.items()}),
    )


def write(folder: Path, **splits: Any) -> Path:
    """A folder of parquet files, as the Hub has them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in splits.items():
        rows.to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return folder


def of(name: Path, tmp_path: Path, **settings: Any) -> HuggingFaceSet:
    return HuggingFaceSet(str(name), data_dir=str(tmp_path / "data"), **settings)


def assert_holds(module: HuggingFaceSet, train: bool, numbers: Sequence[int]) -> None:
    images, labels = module.split(train)
    assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), PIXELS[list(numbers)])
    assert labels.tolist() == [LABELS[number] for number in numbers]


@pytest.mark.parametrize("held_out", ["test", "validation"])
def test_the_splits_of_a_folder_of_parquet_files(held_out: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "owls", **{"train": table(range(8)), held_out: table(range(8, 12))})
    module = of(folder, tmp_path)
    assert (module.title, module.image_shape, module.num_classes) == ("owls", (3, 9, 7), 3)
    assert list(module.class_names) == CLASSES.names
    assert_holds(module, True, range(8))
    assert_holds(module, False, range(8, 12))
    swapped = of(folder, tmp_path, train_split=held_out, test_split="train")
    assert_holds(swapped, True, range(8, 12))
    assert_holds(swapped, False, range(8))


def test_a_test_split_that_hides_its_labels_is_not_taken(tmp_path: Path) -> None:
    hidden = table(range(8, 10), label=(CLASSES, [-1] * 12))
    folder = write(tmp_path / "owls", train=table(range(8)), test=hidden, validation=table(range(10, 12)))
    assert_holds(of(folder, tmp_path), False, range(10, 12))


def test_one_parquet_file(tmp_path: Path) -> None:
    path = write(tmp_path / "owls", all=table()) / "all-00000-of-00001.parquet"
    training, held_out = (of(path, tmp_path, held_out=0.4).split(train)[1] for train in (True, False))
    assert len(training) + len(held_out) == 12
    assert 0 < len(held_out) < 8


def test_a_folder_of_images_and_one_that_datasets_saved(tmp_path: Path) -> None:
    for number, image in enumerate(PIXELS):
        path = tmp_path / f"images/train/{'cdo'[LABELS[number]]}/{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    datasets.DatasetDict(train=table()).save_to_disk(tmp_path / "saved")
    assert_holds(of(tmp_path / "saved", tmp_path, held_out=0), True, range(12))
    assert_holds(of(tmp_path / "images", tmp_path, held_out=0), True, np.argsort(LABELS, kind="stable").tolist())


@pytest.mark.parametrize("as_struct", [True, False])
def test_a_column_of_encoded_images_that_another_program_wrote(as_struct: bool, tmp_path: Path) -> None:
    encoded = []
    for image in PIXELS:
        Image.fromarray(image).save(file := io.BytesIO(), "PNG")
        encoded.append({"bytes": file.getvalue(), "path": None} if as_struct else file.getvalue())
    (tmp_path / "owls").mkdir()
    words = [CLASSES.names[label] for label in LABELS]
    parquet.write_table(pyarrow.table({"img": encoded, "word": words}), tmp_path / "owls/train.parquet")
    column = {} if as_struct else {"image_column": "img"}
    assert_holds(of(tmp_path / "owls", tmp_path, held_out=0, label_column="word", **column), True, range(12))
    named = of(tmp_path / "owls", tmp_path, held_out=0, label_column="word", **column)  # prepared a moment ago
    assert list(named.class_names) == sorted(CLASSES.names)
    without = of(tmp_path / "owls", tmp_path, held_out=0, **column)
    assert (without.num_classes, list(without.class_names)) == (1, [])
    assert without.split(True)[1].tolist() == [0] * 12


def test_what_changes_is_noticed_and_what_does_not_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "owls", train=table(range(8)), test=table(range(8, 12)))
    assert of(folder, tmp_path).image_shape == (3, 9, 7)
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "load_dataset", None)
        assert_holds(of(folder, tmp_path), True, range(8))
    write(folder, train=table(range(4)))
    os.utime(folder / "train-00000-of-00001.parquet", (1, 1))
    assert_holds(of(folder, tmp_path), True, range(4))


COARSE = {"fine": (CLASSES, LABELS), "coarse": (CLASSES, LABELS), "score": (datasets.Value("float32"), [0.5] * 12)}
TWO = {"left": (datasets.Image(), [Image.fromarray(image) for image in PIXELS]), "label": (CLASSES, LABELS)}


@pytest.mark.parametrize(
    ("columns", "settings", "expected"),
    [
        (
            {},
            {"train_split": "training"},
            "dataset.train_split should be a split of owls: train, validation; .*'training'",
        ),
        (
            {},
            {"test_split": "test"},
            "dataset.test_split should be a split of owls: train, validation; there is no 'test'",
        ),
        ({}, {"image_column": "img"}, "dataset.image_column should be a column of owls: image, label; .*'img'"),
        ({}, {"label_column": "kind"}, "dataset.label_column should be a column of owls: .*'kind'"),
        ({}, {"image_column": "label"}, "dataset.image_column: label holds no images"),
        (COARSE, {}, "dataset.label_column must be said: of owls's columns .* fine and coarse could be it"),
        (COARSE, {"label_column": "score"}, "owls should have one label an image, but has a float"),
        (TWO, {}, "dataset.image_column must be said: .* image and left could be it"),
        ({}, {"subset": "small"}, "owls is not to be had .*'small' not found. Available: .*default"),
    ],
)
def test_what_cannot_be_is_refused(
    columns: dict[str, Any], settings: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "owls", train=table(**columns), validation=table(**columns))
    with pytest.raises((ValueError, UserError), match=expected) as error:
        of(folder, tmp_path, **settings).prepare_data()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nobody/nothing", "Couldn't reach 'nobody/nothing' on the Hub"),
        ("empty", "empty is not to be had"),
        ("text.parquet", "text.parquet is not to be had"),
    ],
)
def test_a_set_that_is_not_to_be_had_is_one_line(name: str, expected: str, run: Run) -> None:
    Path("empty").mkdir()
    Path("text.parquet").write_text("no parquet")
    line = the_one_line(run("dataset=huggingface", f"dataset.name={name}", "data_dir=data", "output_dir=run"))
    assert expected in line
    assert not Path("run").exists()


def test_without_the_package_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"needs the package datasets; pip install 'gan-lightning\[huggingface\]'"):
        of(tmp_path, tmp_path).prepare_data()


@pytest.mark.parametrize("name", [None, "", 7])
def test_a_name_is_a_text(name: Any) -> None:
    with pytest.raises(ValueError, match="name must be a data set of the Hub, such as ylecun/mnist, or a path, not"):
        HuggingFaceSet(name)


def test_it_trains(run: Run) -> None:
    write(Path("owls"), train=table(), test=table(range(6)))
    words = [word for word in without_model(SHORT) if not word.startswith("dataset")]
    outcome = run(
        "dataset=huggingface", "dataset.name=owls", "dataset.image_size=8", "dataset.batch_size=4", "data_dir=data",
        "model=dcgan", "model.width=4", "model.conditional=true", "trainer.max_epochs=1", *words,
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    assert "owls (8 × 8): 12 images for training, 6 for measuring, 3 classes\n" in outcome.stdout
