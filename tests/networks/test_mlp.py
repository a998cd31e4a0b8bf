import pytest
import torch
from torch import nn

from gan_lightning.networks.maxout import Maxout
from gan_lightning.networks.mlp import Discriminator, Generator

PARTS = ("weight", "bias")
SHAPES = [(1, 28, 28), (3, 32, 32), (2, 5, 7)]


def described(network: nn.Module) -> list[str]:
    """One word a layer, with its sizes."""
    names = []
    for layer in network.layers:
        match layer:
            case nn.Linear():
                names.append(f"Linear({layer.in_features}, {layer.out_features})")
            case nn.LeakyReLU():
                names.append(f"LeakyReLU({layer.negative_slope})")
            case nn.Dropout():
                names.append(f"Dropout({layer.p})")
            case Maxout():
                names.append(f"Maxout({layer.linear.in_features}, {layer.linear.out_features}/{layer.pieces})")
            case nn.Flatten() | nn.Unflatten():
                pass
            case _:
                names.append(type(layer).__name__)
    return names


@pytest.mark.parametrize("shape", SHAPES)
def test_layers_of_the_baseline(shape: tuple[int, int, int]) -> None:
    size = shape[0] * shape[1] * shape[2]
    assert described(Generator(shape)) == [
        "Linear(100, 512)", "LeakyReLU(0.2)", "Linear(512, 1024)", "LeakyReLU(0.2)", f"Linear(1024, {size})", "Tanh",
    ]  # fmt: skip
    assert described(Discriminator(shape)) == [
        f"Linear({size}, 512)", "LeakyReLU(0.2)", "Dropout(0.3)", "Maxout(512, 512/2)", "Dropout(0.3)",
        "Linear(256, 1)",
    ]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_and_ranges(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    generator, discriminator = Generator(shape, latent_dim=9), Discriminator(shape)
    images = generator(100 * generator.sample_latent(6))
    assert images.shape == (6, *shape)
    assert images.abs().max() <= 1
    logits = discriminator.eval()(images)
    assert logits.shape == (6,)
    torch.testing.assert_close(discriminator.probability(images), 1 / (1 + torch.exp(-logits)))


def test_any_number_of_hidden_layers() -> None:
    assert described(Generator((1, 4, 4), hidden_dims=[])) == ["Linear(100, 16)", "Tanh"]
    assert len(described(Generator((1, 4, 4), hidden_dims=[8, 9, 10]))) == 8


def test_any_number_of_layers_before_the_maxout_layer_or_instead_of_it() -> None:
    dropout = "Dropout(0.3)"
    assert described(Discriminator((1, 4, 4), hidden_dim=[9, 8], maxout_dim=6)) == [
        "Linear(16, 9)", "LeakyReLU(0.2)", dropout, "Linear(9, 8)", "LeakyReLU(0.2)", dropout,
        "Maxout(8, 12/2)", dropout, "Linear(6, 1)",
    ]  # fmt: skip
    assert described(Discriminator((1, 4, 4), hidden_dim=[8], maxout_dim=None)) == [
        "Linear(16, 8)", "LeakyReLU(0.2)", dropout, "Linear(8, 1)",
    ]  # fmt: skip
    assert described(Discriminator((1, 4, 4), hidden_dim=[], maxout_dim=None)) == ["Linear(16, 1)"]


@pytest.mark.parametrize(("normalization", "layer"), [("batch", "BatchNorm1d"), ("layer", "LayerNorm")])
@pytest.mark.parametrize(("activation", "between"), [("relu", "ReLU"), ("silu", "SiLU")])
def test_any_activation_after_any_normalisation(normalization: str, layer: str, activation: str, between: str) -> None:
    settings = {"activation": activation, "normalization": normalization}
    generator = Generator((1, 4, 4), hidden_dims=[8], **settings)
    assert described(generator) == ["Linear(100, 8)", layer, between, "Linear(8, 16)", "Tanh"]
    discriminator = Discriminator((1, 4, 4), hidden_dim=8, maxout_dim=None, **settings)
    assert described(discriminator) == ["Linear(16, 8)", layer, between, "Dropout(0.3)", "Linear(8, 1)"]


def test_checkpoints_of_the_baseline_name_its_weights_so() -> None:
    layers = [f"layers.{n}" for n in (0, 2, 4)]
    assert list(Generator((1, 4, 4)).state_dict()) == [f"{layer}.{part}" for layer in layers for part in PARTS]
    layers = ["layers.1", "layers.4.linear", "layers.6"]
    assert list(Discriminator((1, 4, 4)).state_dict()) == [f"{layer}.{part}" for layer in layers for part in PARTS]


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    discriminator, images = Discriminator((1, 8, 8)), torch.randn(3, 1, 8, 8)
    assert not torch.equal(discriminator(images), discriminator(images))
    discriminator.eval()
    assert torch.equal(discriminator(images), discriminator(images))


def test_refuses_what_is_no_width_no_slope_and_no_share() -> None:
    shape = (1, 4, 4)
    for hidden_dims in ([0], [8, "x"]):
        with pytest.raises(ValueError, match="hidden_dims must be a whole number of at least 1"):
            Generator(shape, hidden_dims=hidden_dims)  # type: ignore[arg-type]
    for network in (Generator, Discriminator):
        with pytest.raises(ValueError, match="negative_slope must be a number"):
            network(shape, negative_slope="abc")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"activation must be one of leaky_relu, .*, not 'ReLU'"):
            network(shape, activation="ReLU")
        with pytest.raises(ValueError, match=r"normalization must be none, batch.* layer.*, not None"):
            network(shape, normalization=None)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="num_classes must be a whole number"):
            network(shape, conditional=True)
    for hidden_dim in (0, [8, 0], True, "8"):
        with pytest.raises(ValueError, match="hidden_dim must be a whole number of at least 1"):
            Discriminator(shape, hidden_dim=hidden_dim)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dropout must be a number"):
        Discriminator(shape, dropout=float("nan"))
