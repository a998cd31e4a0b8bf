"""Differentiable augmentation: what each operation does, one way an image, with gradients."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gan_lightning import augmentation
from gan_lightning.augmentation import OPERATIONS, DiffAugment, InstanceNoise
from gan_lightning.schedules import Linear

NUM, HEIGHT, WIDTH = 400, 16, 24


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def noise(channels: int = 3) -> Tensor:
    return torch.rand(NUM, channels, HEIGHT, WIDTH) * 2 - 1


def test_brightness_adds_one_number_to_an_image() -> None:
    images = noise()
    added = (augmentation.brightness(images) - images).flatten(1)
    torch.testing.assert_close(added, added[:, :1].expand_as(added), atol=1e-6, rtol=0)
    assert -0.5 <= added.min() < -0.45
    assert 0.45 < added.max() <= 0.5


def test_saturation_keeps_the_gray_value_and_scales_the_colours() -> None:
    images = noise()
    changed = augmentation.saturation(images)
    torch.testing.assert_close(changed.mean(1), images.mean(1), atol=1e-6, rtol=0)
    factors = changed.std(1).flatten(1) / images.std(1).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors), atol=1e-3, rtol=1e-3)
    assert factors.min() < 0.1
    assert 1.9 < factors.max() < 2.01
    gray = noise(1)
    torch.testing.assert_close(augmentation.saturation(gray), gray)


def test_contrast_keeps_the_mean_and_scales_the_rest() -> None:
    images = noise()
    changed = augmentation.contrast(images)
    torch.testing.assert_close(changed.mean((1, 2, 3)), images.mean((1, 2, 3)), atol=1e-6, rtol=0)
    factors = changed.flatten(1).std(1) / images.flatten(1).std(1)
    assert 0.49 < factors.min() < 0.55
    assert 1.45 < factors.max() < 1.51


def test_translation_moves_each_image_in_one_piece_and_lets_zeros_in() -> None:
    image = torch.arange(1.0, HEIGHT * WIDTH + 1).view(1, 1, HEIGHT, WIDTH)
    moves = set()
    for moved in augmentation.translation(image.expand(NUM, -1, -1, -1))[:, 0]:
        rows, columns = moved.nonzero(as_tuple=True)
        first = int(moved[rows[0], columns[0]]) - 1
        down, right = int(rows[0]) - first // WIDTH, int(columns[0]) - first % WIDTH
        expected = torch.zeros(HEIGHT, WIDTH)
        source = image[0, 0, max(0, -down) : HEIGHT - max(0, down), max(0, -right) : WIDTH - max(0, right)]
        expected[max(0, down) :, max(0, right) :][: source.shape[0], : source.shape[1]] = source
        assert torch.equal(moved, expected)
        moves.add((down, right))
    assert {down for down, _ in moves} == set(range(-2, 3))  # an eighth of 16
    assert {right for _, right in moves} == set(range(-3, 4))  # and of 24


def test_cutout_clears_one_rectangle_of_half_the_size() -> None:
    cleared = augmentation.cutout(torch.ones(NUM, 1, HEIGHT, WIDTH))[:, 0] == 0
    sizes = set()
    for mask in cleared:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns)  # a rectangle
        for line in (rows, columns):
            assert (line.int().diff() == 1).sum() + line[0].int() == 1  # in one piece
        sizes.add((int(rows.sum()), int(columns.sum())))
    assert max(sizes) == (HEIGHT // 2, WIDTH // 2)
    assert min(sizes)[0] >= HEIGHT // 4  # half of it may lie outside


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
def test_each_image_is_changed_in_a_way_of_its_own_and_gradients_go_through(
    operation: Callable[[Tensor], Tensor],
) -> None:
    images = (torch.rand(1, 3, HEIGHT, WIDTH) * 2 - 1).expand(NUM, -1, -1, -1).clone().requires_grad_()
    changed = operation(images)
    assert changed.shape == images.shape
    assert len({tuple(each.flatten().tolist()) for each in changed[:20]}) > 10
    (slope,) = torch.autograd.grad(changed.square().sum(), images, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.square().sum(), images)
    assert slope.abs().sum() > 0
    assert curvature.isfinite().all()


def test_all_together_in_the_order_given_and_again_with_the_same_seed() -> None:
    images = noise()
    found = []
    for _ in range(2):
        torch.manual_seed(5)
        found.append(DiffAugment()(images))
    assert torch.equal(*found)
    torch.manual_seed(5)
    assert torch.equal(found[0], _one_by_one(images))


def _one_by_one(images: Tensor) -> Tensor:
    for operation in OPERATIONS.values():
        images = operation(images)
    return images


@pytest.mark.parametrize("operations", ["cutout", [], ["flip"], None])
def test_refuses_what_is_no_operation(operations: object) -> None:
    with pytest.raises(ValueError, match="operations must be a list of some of brightness, saturation"):
        DiffAugment(operations)  # type: ignore[arg-type]


def test_instance_noise_is_normal_of_the_schedules_width_and_lets_gradients_through() -> None:
    noisy = InstanceNoise(Linear(0.5, 0.0, images=100))
    images = noise().requires_grad_()
    for images_seen, std in ((0, 0.5), (50, 0.25), (100, 0.0)):
        noisy.std.set_at(images_seen)
        added = (noisy(images) - images).detach()
        assert added.std().item() == pytest.approx(std, abs=0.005)  # of 460,800 numbers
        assert added.mean().item() == pytest.approx(0, abs=0.005)
    (slope,) = torch.autograd.grad(noisy(images).sum(), images)
    assert torch.equal(slope, torch.ones_like(slope))
    assert InstanceNoise(0.2)(images.double()).dtype == torch.float64


@pytest.mark.parametrize("std", [-0.1, "x", None])
def test_refuses_what_is_no_width(std: object) -> None:
    with pytest.raises(ValueError, match="std must be a number of at least 0"):
        InstanceNoise(std)  # type: ignore[arg-type]
