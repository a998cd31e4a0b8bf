"""The classifier: what it learns, and that it is trained once."""

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.errors import UserError
from gan_lightning.features import classifier as module
from gan_lightning.features.classifier import Classifier, _distort, classifier_of
from gan_lightning.features.space import describe


class Stripes(ImageDataModule):
    """Two classes that a small network tells apart: horizontal and vertical stripes, under noise."""

    title, image_shape, num_classes, mirrors = "Stripes", (1, 12, 12), 2, True

    def load(self, train: bool) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(int(train))
        labels = torch.arange(240) % 2
        stripes = (torch.arange(12) // 2 % 2 * 150).expand(12, 12)
        images = torch.stack([stripes, stripes.T])[labels] + torch.randint(0, 100, (240, 12, 12), generator=random)
        return images[:, None].to(torch.uint8), labels


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_SIZE", 40)
    monkeypatch.setattr(module, "MIN_STEPS", 40)


@pytest.mark.usefixtures("small_batches")
def test_it_learns_and_another_machine_could_say_that_it_is_the_same(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    one = classifier_of(Stripes(data_dir=str(tmp_path / "one")))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(7)
    other = classifier_of(Stripes(data_dir=str(tmp_path / "other")))
    assert one.accuracy is not None
    assert one.accuracy > 0.95
    assert one.fingerprint == other.fingerprint
    assert len(one.fingerprint) == 12
    images, labels = Stripes().load(train=False)
    found = describe(one, images, batch_size=100, device=torch.device("cpu"))
    assert found.points.shape == (240, 128)
    assert (found.points >= 0).all()
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(240))
    assert (found.probabilities.argmax(1) == labels).double().mean().item() == one.accuracy
    torch.testing.assert_close(describe(other, images, batch_size=7, device=torch.device("cpu")).points, found.points)


@pytest.mark.slow
@pytest.mark.usefixtures("small_batches")
def test_it_is_trained_once_and_anew_when_the_images_or_the_file_are_not_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    train = module.train_network
    monkeypatch.setattr(module, "train_network", lambda *a: trained.append(a) or train(*a))
    first = classifier_of(Stripes(data_dir=str(tmp_path)))
    again = classifier_of(Stripes(data_dir=str(tmp_path)))
    assert len(trained) == 1
    assert (again.fingerprint, again.accuracy) == (first.fingerprint, first.accuracy)

    class Negatives(Stripes):
        def load(self, train: bool) -> tuple[Tensor, Tensor]:
            images, labels = super().load(train)
            return 255 - images, labels

    assert classifier_of(Negatives(data_dir=str(tmp_path))).fingerprint != first.fingerprint
    assert len(trained) == 2
    (kept,) = tmp_path.glob("classifiers/*.pt")
    kept.write_bytes(kept.read_bytes()[:1000])
    assert classifier_of(Stripes(data_dir=str(tmp_path))).fingerprint == first.fingerprint
    assert len(trained) == 3
    monkeypatch.setattr(module, "RECIPE", module.RECIPE + 1)
    classifier_of(Stripes(data_dir=str(tmp_path)))
    assert len(trained) == 4


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(UserError, match="choose another data_dir"):
        classifier_of(Stripes(data_dir=str(tmp_path / "data")))
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(UserError, match="choose another data_dir"):
            classifier_of(Stripes(data_dir=str(tmp_path / "locked")))


def test_distorted_images_are_moved_and_mirrored_only_where_that_is_allowed() -> None:
    image = torch.zeros(1, 1, 12, 12, dtype=torch.uint8)
    image[0, 0, 4:7, 4:6] = torch.tensor([[1, 0], [1, 0], [1, 1]])  # an L, which is not its own mirror image
    wide = torch.nn.functional.pad(image, (module.SHIFT,) * 4)
    moved = {
        wide[0, 0, down : down + 12, right : right + 12].numpy().tobytes()
        for down in range(2 * module.SHIFT + 1)
        for right in range(2 * module.SHIFT + 1)
    }
    random = torch.Generator().manual_seed(0)
    for mirror in (False, True):
        found = _distort(image.expand(2000, -1, -1, -1), mirror, random)
        plain = [picture[0].numpy().tobytes() in moved for picture in found]
        assert set(moved) <= {picture[0].numpy().tobytes() for picture in found}
        assert 0.45 < sum(plain) / 2000 < 0.55 if mirror else all(plain)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_it_reads_the_shapes_of_the_data_sets(shape: tuple[int, int, int]) -> None:
    images = torch.randint(0, 256, (5, *shape), dtype=torch.uint8)
    for mirrors in (False, True):
        classifier = Classifier(shape, num_classes=10, mirrors=mirrors).eval()
        found, mirrored = classifier(images), classifier(images.flip(3))
        assert found.points.shape == (5, 128)
        assert found.probabilities.shape == (5, 10)
        torch.testing.assert_close(found.probabilities.sum(1), torch.ones(5))
        assert torch.allclose(found.points, mirrored.points, atol=1e-6) == mirrors


@pytest.mark.slow
def test_real_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the recipe as it is, but for the repetitions that a small set gets: half a minute less."""
    monkeypatch.setattr(module, "MIN_STEPS", 1)
    found = classifier_of(MNIST5k(data_dir=str(tmp_path)))
    assert found.accuracy is not None
    assert found.accuracy > 0.95
