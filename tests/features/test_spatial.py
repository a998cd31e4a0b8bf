"""The spatial features: what they see, and of which images."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from gan_lightning.data.mnist5k import MNIST5k
from gan_lightning.features.spatial import NUM_SPATIAL_DIMS, Spatial, _ripples, spatial_of, spatial_points
from gan_lightning.measures.frechet import frechet_distance

CPU = torch.device("cpu")


def test_the_filters_are_orthonormal_and_blind_to_brightness() -> None:
    filters = _ripples().flatten(1)
    torch.testing.assert_close(filters @ filters.T, torch.eye(8))
    torch.testing.assert_close(filters.sum(1), torch.zeros(8))


def test_the_strengths_are_those_of_their_cells() -> None:
    """Of an image that is bright in the upper half and dark in the lower, on one of three channels."""
    image = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    image[:, 1, :15] = 255
    space = Spatial(torch.randint(0, 256, (200, 3, 32, 32), dtype=torch.uint8))
    strengths = space._strengths(image).view(75, 2, 2)
    torch.testing.assert_close(strengths[1], torch.tensor([[15 / 16] * 2, [0.0] * 2]))
    ripples = strengths[3:].view(3, 3, 8, 2, 2)  # scale, channel, filter
    assert (ripples[:, [0, 2]] == 0).all()
    changes_down = [filter_[0].std(1).max() < 1e-6 for filter_ in _ripples()]  # and not along a row
    assert sum(changes_down) == 2
    for sees, strength in zip(changes_down, ripples[0, 1], strict=True):
        assert (strength[0] > 0.01 if sees else strength.abs() < 1e-6).all()


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 9, 14)])
def test_it_takes_images_of_any_shape_and_its_points_vary_by_about_1(shape: tuple[int, int, int]) -> None:
    images = torch.randint(0, 256, (300, *shape), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    points = spatial_points(Spatial(images), images, CPU)
    assert points.shape == (300, min(100 * shape[0], NUM_SPATIAL_DIMS))
    assert points.mean(0).abs().max() < 1e-3
    assert 0.2 < points.var(0).mean() < 5


def test_it_is_the_same_twice_and_leaves_the_random_numbers() -> None:
    before = torch.get_rng_state()
    one, other = spatial_of(MNIST5k()), spatial_of(MNIST5k())
    assert torch.equal(one.into_points, other.into_points)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_sees_damage_on_digits() -> None:
    data = MNIST5k()
    space, digits = spatial_of(data), data.split(train=False)[0]
    real, others = spatial_points(space, digits[:500], CPU), digits[500:]

    def distance(images: Tensor) -> float:
        return frechet_distance(spatial_points(space, images, CPU), real)

    floor = distance(others)
    random = torch.Generator().manual_seed(0)
    noised = (others + 20 * torch.randn(others.shape, generator=random)).clamp(0, 255).to(torch.uint8)
    upside_down = others.flip(2)
    blurred = avg_pool2d(others.float(), 3, stride=1, padding=1).to(torch.uint8)
    for damaged in (noised, upside_down, blurred):
        assert distance(damaged) > 1.5 * floor
