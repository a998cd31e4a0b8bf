import pytest
import torch
from torch import nn

from gan_lightning.networks.goodfellow import Discriminator, Generator

SHAPE = (1, 28, 28)


def test_sizes_and_initial_weights() -> None:
    torch.manual_seed(0)
    for network, scale, sizes in (
        (Generator(SHAPE), 0.05, [(100, 1200), (1200, 1200), (1200, 784)]),
        (Discriminator(SHAPE), 0.005, [(784, 240 * 5), (240, 240 * 5), (240, 1)]),
    ):
        linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
        assert [(layer.in_features, layer.out_features) for layer in linear] == sizes
        for layer in linear:
            assert layer.weight.abs().max().item() == pytest.approx(scale, rel=0.05)
            assert layer.weight.abs().max() <= scale
            assert not layer.bias.any()


def test_a_generator_without_weights_draws_the_marginals() -> None:
    torch.manual_seed(0)
    generator = Generator(SHAPE)
    images = torch.randint(0, 256, (50, *SHAPE), dtype=torch.uint8)
    images[:, 0, 0] = 0  # pixels that never light up have no finite logit
    mean_image = images.float().mean(0) / 255
    nn.init.zeros_(generator.output.weight)
    generator.initialise_from(images)
    drawn = (generator(generator.sample_latent(2)) + 1) / 2
    torch.testing.assert_close(drawn, mean_image.expand(2, *SHAPE), atol=1e-5, rtol=0)


def test_images_and_logits() -> None:
    torch.manual_seed(0)
    images = Generator(SHAPE)(torch.randn(4, 100))
    assert images.shape == (4, *SHAPE)
    assert images.abs().max() <= 1
    assert Discriminator(SHAPE)(images).shape == (4,)


def test_black_is_zero_to_the_discriminator() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(SHAPE).eval()
    assert discriminator(torch.full((1, *SHAPE), -1.0)).item() == 0  # all biases are 0
