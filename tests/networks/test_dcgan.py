import pytest
import torch
from torch import nn

from gan_lightning.networks.dcgan import MAX_WIDTH, Discriminator, Generator


def channels(network: nn.Module, kind: type) -> list[tuple[int, int]]:
    layers = [layer for layer in network.modules() if isinstance(layer, kind)]
    return [(layer.in_channels, layer.out_channels) for layer in layers]


@pytest.mark.parametrize(
    ("shape", "widths"),
    [((1, 28, 28), [32, 64]), ((3, 32, 32), [32, 64, 128]), ((3, 256, 256), [32, 64, 128, 256, 256, 256])],
)
def test_channels_double_with_each_halving_up_to_a_limit(shape: tuple[int, int, int], widths: list[int]) -> None:
    assert MAX_WIDTH == 8
    down = list(zip([shape[0], *widths], widths, strict=False))
    assert channels(Discriminator(shape, 10), nn.Conv2d) == down
    assert channels(Generator(shape, 10), nn.ConvTranspose2d) == [(high, low) for low, high in reversed(down)]


def test_refuses_what_is_no_normalisation() -> None:
    with pytest.raises(ValueError, match="normalization must be none or batch, not 'spectral'"):
        Generator((1, 28, 28), 10, normalization="spectral")
    with pytest.raises(ValueError, match="normalization must be none, batch or spectral, not 'layer'"):
        Discriminator((1, 28, 28), 10, normalization="layer")
    with pytest.raises(ValueError, match="hidden_dim must be"):
        Discriminator((1, 28, 28), 10, hidden_dim=0)


def test_the_same_seed_gives_the_same_weights() -> None:
    made = []
    for _ in range(2):
        torch.manual_seed(0)
        made.append(Discriminator((1, 28, 28), 10, width=4, normalization="spectral").state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
