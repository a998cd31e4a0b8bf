import math

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate

from gan_lightning.networks.r3gan import Block, Discriminator, Generator, Resampling

SHAPE = (1, 28, 28)
FILTER = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
SQUARE = (FILTER[:, None] * FILTER)[None, None]


def widths(network: nn.Module) -> list[int]:
    return [block.layers[0].in_channels for block in network.modules() if isinstance(block, Block)]


@pytest.mark.parametrize(
    ("shape", "blocks", "expected"),
    [
        ((1, 28, 28), 1, [16, 32, 64]),
        ((3, 32, 32), 1, [16, 32, 64, 64]),
        ((3, 32, 32), 2, [16, 16, 32, 32, 64, 64, 64, 64]),
        ((3, 64, 64), 1, [16, 32, 64, 64, 64]),
    ],
)
def test_channels_double_with_each_halving_up_to_a_limit(
    shape: tuple[int, int, int], blocks: int, expected: list[int]
) -> None:
    assert widths(Discriminator(shape, 10, blocks=blocks)) == expected
    assert widths(Generator(shape, 10, blocks=blocks)) == expected[::-1]


def test_one_width_everywhere_needs_no_convolution_between_resolutions() -> None:
    generator = Generator((3, 32, 32), 10, width=16, max_width=16, blocks=1)
    pointwise = [layer for layer in generator.layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in pointwise] == [3]


def test_a_new_block_is_the_identity() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(Block(16, 4)(x), x)


@pytest.mark.parametrize("num_blocks", [1, 8])
def test_variance_in_a_block(num_blocks: int) -> None:
    torch.manual_seed(0)
    first, activation, second, *_ = Block(64, num_blocks).layers
    x = torch.randn(64, 64, 9, 9)
    hidden = activation(first(x))
    # LeakyReLU halves the mean square, up to the square of its slope; each layer's gain makes good for that.
    share = num_blocks**-0.5
    assert hidden.square().mean().item() == pytest.approx(share, rel=0.15)
    inside = activation(second(hidden))[:, :, 1:-1, 1:-1]
    assert inside.square().mean().item() == pytest.approx(share**2, rel=0.25)


def test_new_networks_keep_the_size_of_what_they_are_given() -> None:
    torch.manual_seed(0)
    generator = Generator(SHAPE, 10, width=64)
    first = generator.first(generator.sample_latent(2000))
    assert first.square().mean().item() == pytest.approx(1, rel=0.3)
    assert generator.basis.square().mean().item() == pytest.approx(1, rel=0.1)
    for network in (generator, Discriminator(SHAPE, 10, width=64)):
        for layer in network.layers:
            if isinstance(layer, nn.Conv2d):
                fan_in = layer.in_channels
                assert layer.weight.std().item() == pytest.approx(1 / math.sqrt(fan_in), rel=0.3)


def test_smooth_up_sampling() -> None:
    torch.manual_seed(0)
    images, up = torch.randn(2, 3, 5, 8), Resampling(5, 8, up=True)
    doubled = up(images)
    torch.testing.assert_close(doubled, interpolate(images, scale_factor=2, mode="bilinear"))
    by_filter = conv_transpose2d(images.flatten(0, 1)[:, None], 4 * SQUARE, stride=2, padding=1).view(2, 3, 10, 16)
    torch.testing.assert_close(doubled[..., 1:-1, 1:-1], by_filter[..., 1:-1, 1:-1])  # but for the edge


def test_smooth_down_sampling() -> None:
    torch.manual_seed(0)
    images, down = torch.randn(2, 3, 10, 16), Resampling(5, 8, up=False)
    by_filter = conv2d(images.flatten(0, 1)[:, None], SQUARE, stride=2, padding=1).view(2, 3, 5, 8)
    torch.testing.assert_close(down(images)[..., 1:-1, 1:-1], by_filter[..., 1:-1, 1:-1])
    torch.testing.assert_close(down(torch.ones(1, 1, 10, 16)), torch.ones(1, 1, 5, 8))


def test_one_block_of_this_width_is_what_two_cores_can_do() -> None:
    torch.manual_seed(0)
    for network in (Generator((3, 32, 32), 10, blocks=1), Discriminator((3, 32, 32), 10, blocks=1)):
        assert sum(weight.numel() for weight in network.parameters()) < 100_000


@pytest.mark.parametrize("network", [Generator, Discriminator])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 12}, "width must be a multiple of 8, not 12: .* in groups of 16"),
        ({"width": 4}, "width must be a whole number of at least 8, not 4"),
        ({"max_width": 60}, "max_width must be a multiple of 8, not 60"),
        ({"width": 128}, "max_width must be at least width, which is 128, not 64"),
        ({"blocks": 0}, "blocks must be a whole number of at least 1, not 0"),
    ],
)
def test_refuses_what_makes_no_groups(network: type, settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(SHAPE, 10, **settings)
