"""The latent whose image is nearest."""

import math

import pytest
import torch

from gan_lightning.data.pixels import to_uint8
from gan_lightning.drawing import projection
from gan_lightning.drawing.latents import Latents, between_uniform
from gan_lightning.drawing.projection import difference, nearest_of, nearest_of_each, project
from gan_lightning.loading import TrainedGenerator
from gan_lightning.networks.mlp import Generator


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projection, "TRIED", 256)
    monkeypatch.setattr(projection, "STEPS", 150)


def generator(distribution: str = "normal", conditional: bool = False) -> Generator:
    torch.manual_seed(0)
    made = Generator((1, 8, 8), 6, distribution, [64], conditional=conditional, num_classes=3)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.5)  # as it is made it draws little but gray
    return made


@pytest.mark.parametrize("distribution", ["normal", "uniform", "spherical"])
def test_what_the_generator_drew_is_found(distribution: str) -> None:
    made = generator(distribution)
    latent = Latents(made, seed=100).draw(1)
    with torch.no_grad():
        image = to_uint8(made(latent))[0]
    found = project(made, image, [0], seed=0)
    assert difference(found.image, image) < 1
    torch.testing.assert_close(found.latent, latent, atol=0.05, rtol=0)
    assert all(weight.requires_grad for weight in made.parameters())


@pytest.mark.parametrize("distribution", ["normal", "uniform", "spherical"])
def test_latents_stay_what_the_generator_could_be_given(distribution: str) -> None:
    made = generator(distribution)
    image = torch.randint(0, 256, (1, 8, 8), dtype=torch.uint8)
    latent = project(made, image, [0], seed=0).latent
    tried = Latents(made, seed=0).draw(256)
    if distribution == "uniform":
        assert latent.abs().max() <= math.sqrt(3)
    else:
        assert latent.norm() <= tried.norm(dim=1).max() + 1e-4
    if distribution == "spherical":
        torch.testing.assert_close(latent.norm(), torch.tensor(math.sqrt(6)))


def test_all_classes_are_tried_or_those_that_are_asked_for() -> None:
    made = generator(conditional=True)
    with torch.no_grad():
        image = to_uint8(made(Latents(made, seed=100).draw(1), labels=torch.tensor([2])))[0]
    assert project(made, image, range(3), seed=0).label.tolist() == [2]
    assert project(made, image, [1], seed=0).label.tolist() == [1]


def test_each_class_has_starts_and_of_many_classes_the_nearest() -> None:
    distances = torch.rand(200)
    starts = nearest_of_each(distances, torch.arange(200) % 4)
    assert torch.bincount(starts % 4).tolist() == [8, 8, 8, 8]
    starts = nearest_of_each(distances, torch.arange(200) // 2)  # a hundred classes of two
    nearest = distances.view(-1, 2).min(1).values.sort().values[:32]
    assert torch.equal(distances[starts], nearest)


def test_the_nearest_of_many_images() -> None:
    images = torch.randint(0, 256, (40, 1, 4, 4), dtype=torch.uint8)
    for n in (0, 6, 7, 39):
        near = images[n].clone()
        near[0, 0, 0] ^= 1
        assert torch.equal(nearest_of(images, near), images[n])


def test_the_difference() -> None:
    assert difference(torch.zeros(1, 2, 2, dtype=torch.uint8), torch.full((1, 2, 2), 255, dtype=torch.uint8)) == 255
    assert difference(torch.tensor([[[0, 0]]]), torch.tensor([[[0, 10]]])) == pytest.approx(50**0.5)


def test_a_trained_generator_knows_of_which_kind_its_latents_are() -> None:
    made = generator("uniform")
    trained = TrainedGenerator(made, (1, 8, 8), 3)
    image = torch.randint(0, 256, (1, 8, 8), dtype=torch.uint8)
    assert all(map(torch.equal, trained.project(image, seed=1), project(made, image, [0], seed=1)))
    one, other = Latents(made, seed=0).draw(2).split(1)
    assert torch.equal(trained.between(one, other, 0.3), between_uniform(one, other, 0.3))
