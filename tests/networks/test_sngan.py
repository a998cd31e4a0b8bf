import math

import pytest
import torch
from torch import nn
from torch.linalg import matrix_norm
from torch.nn.functional import avg_pool2d, interpolate

from gan_lightning.networks.sngan import Discriminator, Generator


def test_the_published_networks_for_32_pixels() -> None:
    generator, discriminator = Generator((3, 32, 32), 10), Discriminator((3, 32, 32), 10)
    # Linear, three blocks of two norms, two 3 × 3 and one 1 × 1, norm, 3 × 3.
    block = 2 * 2 * 256 + 2 * (9 * 256 * 256 + 256) + 256 * 256 + 256
    assert sum(weight.numel() for weight in generator.parameters()) == (
        (128 + 1) * 4 * 4 * 256 + 3 * block + 2 * 256 + 9 * 256 * 3 + 3
    )
    first = 9 * 3 * 128 + 9 * 128 * 128 + 3 * 128 + 3 * 128
    plain = 2 * (9 * 128 * 128 + 128)
    assert sum(weight.numel() for weight in discriminator.parameters()) == (
        first + plain + 128 * 128 + 128 + 2 * plain + 128 + 1
    )


@pytest.mark.parametrize(
    ("shape", "left"), [((1, 28, 28), 7), ((3, 32, 32), 8), ((3, 64, 64), 8), ((3, 128, 128), 8), ((1, 4, 4), 1)]
)
def test_the_resolution_that_is_left_to_the_sum(shape: tuple[int, int, int], left: int) -> None:
    assert Discriminator(shape, 10, width=4).blocks(torch.zeros(1, *shape)).shape == (1, 4, left, left)


def test_shortcuts_are_convolutions_before_they_are_doubled_and_after_they_are_halved() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 4, 6, 6)
    up = Generator((1, 28, 28), 10, width=4).blocks[0]
    nn.init.zeros_(up.second.weight)
    torch.testing.assert_close(up(x, None), up.shortcut(interpolate(x, scale_factor=2)))
    down = Discriminator((1, 28, 28), 10, width=4).blocks[1].eval()
    residual = down.second(down.first(x.relu()).relu())
    torch.testing.assert_close(down(x), avg_pool2d(residual + down.shortcut(x), 2))


def test_no_relu_cuts_the_image() -> None:
    torch.manual_seed(0)
    discriminator, images = Discriminator((1, 28, 28), 10, width=4).eval(), -torch.rand(2, 1, 28, 28)
    images.requires_grad_()
    discriminator(images).sum().backward()
    assert images.grad.count_nonzero() > images.numel() / 2


def test_initial_weights() -> None:
    torch.manual_seed(0)
    block = Generator((3, 32, 32), 10).blocks[0]
    for layer, fan, gain in ((block.first, 9 * 256, math.sqrt(2)), (block.shortcut, 256, 1)):
        assert layer.weight.abs().max().item() == pytest.approx(gain * math.sqrt(6 / (2 * fan)), rel=1e-3)
        assert not layer.bias.any()


def test_every_weight_of_the_discriminator_has_a_largest_singular_value_of_1() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator((1, 28, 28), 5, width=8, conditional=True)
    for _ in range(100):
        discriminator(torch.randn(2, 1, 28, 28), torch.arange(2))
    layers = [layer for layer in discriminator.modules() if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert len(layers) == 3 + 3 + 2 + 2 + 2
    for layer in layers:
        assert matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.01)
