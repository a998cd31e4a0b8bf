"""The network that tells clusters and turns: what it is shown, what it learns, and that labels do not matter to it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.errors import UserError
from gan_lightning.features import classifier as module
from gan_lightning.features.clusters import centres_of, clusters_of, turned
from gan_lightning.features.named import feature_space, space_for
from gan_lightning.features.space import describe

CPU = torch.device("cpu")


class Skies(ImageDataModule):
    """Bright above, dark below, under noise; of an odd height, and not square."""

    title, image_shape, num_classes, mirrors = "Skies / one", (3, 13, 20), 1, True

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(int(train))
        falling = torch.linspace(150, 0, 13)[:, None] + torch.rand(200, 3, 13, 20, generator=random) * 100
        return falling.to(torch.uint8), torch.zeros(200, dtype=torch.long)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 40)
    monkeypatch.setattr(module, "MIN_STEPS", 80)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14), (2, 14, 9)])
def test_an_image_that_is_turned_back_is_a_square_of_what_it_was(shape: tuple[int, int, int]) -> None:
    images = torch.randint(0, 256, (400, *shape), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    before = images.clone()
    clusters = torch.arange(400) % 3
    found, pairs = turned(images, clusters, torch.Generator().manual_seed(1))
    assert torch.equal(images, before)
    assert torch.equal(pairs // 4, clusters)
    turns = pairs % 4
    assert (turns.bincount(minlength=4) > 70).all()
    side = min(shape[1:])
    assert found.shape == (400, shape[0], side, side)
    squares = [
        images[:, :, top : top + side, left : left + side]
        for top in range(shape[1] - side + 1)
        for left in range(shape[2] - side + 1)
    ]
    back = torch.stack([image.rot90(-int(turn), (1, 2)) for image, turn in zip(found, turns, strict=True)])
    assert any(torch.equal(back, square) for square in squares)


@pytest.mark.usefixtures("small_batches")
def test_it_learns_which_way_up_things_are_and_is_kept_whatever_the_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_rng_state()
    space = feature_space("clusters", Skies(data_dir=str(tmp_path)))
    assert torch.equal(torch.get_rng_state(), before)
    assert space.name == "clusters"
    images = Skies().split(train=False)[0]
    assert describe(space, images, 50, CPU).points.shape == (200, 128)
    shown, turns = turned(images, torch.zeros(200, dtype=torch.long), torch.Generator())
    probabilities = describe(space, shown, 50, CPU).probabilities
    assert probabilities.shape == (200, 4 * 10)  # twenty images a cluster
    assert (probabilities.argmax(1) % 4 == turns).double().mean() > 0.95
    assert space.accuracy is not None
    assert space.accuracy > 2 / 40

    class Named(Skies):
        num_classes = 2

        def load(self, train: bool) -> tuple[Tensor, Tensor]:
            images, labels = super().load(train)
            return images, 1 - labels

    monkeypatch.setattr(module, "train_network", lambda *_: pytest.fail("it is there already"))
    assert clusters_of(Named(data_dir=str(tmp_path))).fingerprint == space.fingerprint
    assert [path.name for path in tmp_path.glob("classifiers/*.pt")] == ["skies___one_clusters.pt"]


def test_centres_are_the_means_of_what_is_nearest_to_them() -> None:
    random = torch.Generator().manual_seed(0)
    points = torch.randn(300, 5, generator=random) + 20 * torch.eye(5)[torch.arange(300) % 3]
    centres = centres_of(points, 6)
    assert torch.equal(centres, centres_of(points, 6))
    nearest = torch.cdist(points, centres).argmin(1)
    for number, centre in enumerate(centres):
        torch.testing.assert_close(centre, points[nearest == number].mean(0))
    one = points[:1]
    torch.testing.assert_close(centres_of(one.repeat(9, 1), 2), one.repeat(2, 1))  # of two clusters one is empty


def of_classes(number: int) -> ImageDataModule:
    data = Skies()
    data.num_classes = number
    return data


@pytest.mark.parametrize(
    ("features", "num_classes", "expected"),
    [
        (None, 1, "clusters"),
        (None, 2, "classifier"),
        ("clusters", 10, "clusters"),
        ("classifier", 10, "classifier"),
        ("inception", 1, "inception"),
    ],
)
def test_the_space_that_suits(features: str | None, num_classes: int, expected: str) -> None:
    assert space_for(features, of_classes(num_classes)) == expected


def test_one_class_cannot_be_told_apart() -> None:
    with pytest.raises(UserError, match=r"features=classifier needs classes.* features=clusters"):
        space_for("classifier", of_classes(1))
