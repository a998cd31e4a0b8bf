"""Stacks of digits: which, and that they are the same for everybody."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import NUM_TRAIN, write_idx_set

from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.data.stacked_mnist import NUM_TEST_IMAGES, StackedMNIST
from gan_lightning.measures.subject import Reference


def test_each_channel_is_a_digit_and_the_label_names_all_three(tmp_path: Path) -> None:
    arrays = write_idx_set(tmp_path / "MNIST" / "raw")
    data = StackedMNIST(num_images=500, data_dir=str(tmp_path))
    data.prepare_data()
    data.setup("fit")
    assert data.title == "Stacked MNIST"
    images, labels = data.train_set.tensors
    assert images.dtype == torch.uint8
    assert images.shape == (500, 3, 28, 28)
    digits, digit_labels = arrays["train-images-idx3-ubyte"], arrays["train-labels-idx1-ubyte"]
    which = {digit.astype(np.uint8).tobytes(): number for number, digit in enumerate(digits)}
    chosen = np.array([[which[channel.numpy().tobytes()] for channel in image] for image in images])
    assert set(chosen.flatten()) == set(range(NUM_TRAIN))
    assert labels.tolist() == (digit_labels[chosen] @ [100, 10, 1]).tolist()
    # The channels are drawn independently.
    assert abs(np.corrcoef(chosen.T)[np.triu_indices(3, 1)]).max() < 0.15


def test_the_stacks_are_the_same_for_every_seed_and_the_first_for_every_number() -> None:
    few, more = StackedMNIST("mnist5k", num_images=20), StackedMNIST("mnist5k", num_images=50, seed=7)
    assert torch.equal(few.split(train=True)[0], more.split(train=True)[0][:20])
    assert more.split(train=True)[1][:5].tolist() == [493, 39, 737, 316, 698]
    held_out, labels = few.split(train=False)
    assert held_out.shape == (NUM_TEST_IMAGES, 3, 28, 28)
    seen = {digit.numpy().tobytes() for digit in MNIST5k().split(train=True)[0]}
    assert not any(channel.numpy().tobytes() in seen for channel in held_out[:50].flatten(0, 1))
    assert len(labels.unique()) == 1000


def test_drawn_classes_are_compared_with_all_of_them_equally_frequent() -> None:
    reference = Reference(StackedMNIST("mnist5k", num_images=60), 10)
    assert reference.classes.bincount().tolist() == [1] * 1000


@pytest.mark.parametrize(
    ("settings", "right"),
    [({"source": "cifar10"}, "mnist or mnist5k, not 'cifar10'"), ({"num_images": 0}, "at least 1")],
)
def test_refuses(settings: dict, right: str) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(settings))} must be .*{right}"):
        StackedMNIST(**settings)
