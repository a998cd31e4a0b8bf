"""What holds for the networks of every family, small ones here."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.networks import dcgan, mlp, r3gan, sngan
from gan_lightning.objectives import RelativisticPairing
from gan_lightning.penalties import R1R2, penalised_loss
from gan_lightning.players.judge import Judge
from gan_lightning.players.protocol import call, depends_on_batch, is_lipschitz, takes_labels

SHAPES = [(1, 28, 28), (3, 32, 32), (2, 4, 8), (1, 12, 20), (1, 64, 32)]
NUM_CLASSES = 3
LABELS = torch.arange(6) % NUM_CLASSES
SMALL_MLP = partial(mlp.Discriminator, hidden_dim=[16, 8], maxout_dim=6, dropout=0)
GENERATORS: dict[str, Callable[..., Any]] = {
    "mlp": partial(mlp.Generator, hidden_dims=[16, 8]),
    "mlp, batch": partial(mlp.Generator, hidden_dims=[16, 8], normalization="batch"),
    "mlp, layer": partial(mlp.Generator, hidden_dims=[16, 8], normalization="layer"),
    "dcgan": partial(dcgan.Generator, width=4),
    "dcgan, batch": partial(dcgan.Generator, width=4, normalization="batch"),
    "sngan": partial(sngan.Generator, width=8),
    "r3gan": partial(r3gan.Generator, width=8, max_width=16, blocks=1),
}
DISCRIMINATORS: dict[str, Callable[..., Any]] = {
    "mlp": SMALL_MLP,
    "mlp, no maxout": partial(SMALL_MLP, maxout_dim=None),
    "mlp, batch": partial(SMALL_MLP, normalization="batch"),
    "mlp, layer": partial(SMALL_MLP, normalization="layer"),
    "mlp, spectral": partial(SMALL_MLP, normalization="spectral"),
    "dcgan": partial(dcgan.Discriminator, width=4, hidden_dim=8),
    "dcgan, batch": partial(dcgan.Discriminator, width=4, hidden_dim=8, normalization="batch"),
    "dcgan, spectral": partial(dcgan.Discriminator, width=4, hidden_dim=8, normalization="spectral"),
    "sngan": partial(sngan.Discriminator, width=8),
    "r3gan": partial(r3gan.Discriminator, width=8, max_width=16, blocks=1),
}
ALL = [
    *(pytest.param(make, True, id=f"{name}: G") for name, make in GENERATORS.items()),
    *(pytest.param(make, False, id=f"{name}: D") for name, make in DISCRIMINATORS.items()),
]
conditional = pytest.mark.parametrize("conditional", [False, True])


def make_one(make: Callable[..., Any], conditional: bool, shape: tuple[int, int, int] = (1, 28, 28)) -> nn.Module:
    """A network whose initial zeros are zeros no more, so that every weight matters."""
    torch.manual_seed(0)
    network: nn.Module = make(shape, num_classes=NUM_CLASSES, conditional=conditional)
    with torch.no_grad():
        for weight in network.parameters():
            if not weight.any():
                weight.normal_(std=0.1)
    return network


def inputs(network: nn.Module, shape: tuple[int, int, int] = (1, 28, 28)) -> Tensor:
    """Six of them."""
    torch.manual_seed(1)
    return network.sample_latent(6) if hasattr(network, "latent_dim") else torch.rand(6, *shape) * 2 - 1


@conditional
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", GENERATORS)
def test_images_have_their_shape_and_range(name: str, shape: tuple[int, int, int], conditional: bool) -> None:
    generator = make_one(GENERATORS[name], conditional, shape)
    images = call(generator, 10 * inputs(generator), LABELS)
    assert images.shape == (6, *shape)
    if name != "r3gan":  # which has no Tanh
        assert images.abs().max() <= 1


@conditional
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_an_image_has_one_logit(name: str, shape: tuple[int, int, int], conditional: bool) -> None:
    discriminator = make_one(DISCRIMINATORS[name], conditional, shape)
    assert call(discriminator, inputs(discriminator, shape), LABELS).shape == (6,)


@conditional
@pytest.mark.parametrize(("make", "draws"), ALL)
def test_labels_matter_to_those_that_take_them(make: Callable[..., Any], draws: bool, conditional: bool) -> None:
    network = make_one(make, conditional)
    assert takes_labels(network) == conditional
    given = inputs(network)[:1].expand(NUM_CLASSES, *[-1] * (1 if draws else 3))
    answers = call(network.eval(), given, torch.arange(NUM_CLASSES))
    assert torch.allclose(answers[0], answers[1:], atol=1e-5) != conditional


@conditional
@pytest.mark.parametrize(("make", "draws"), ALL)
def test_an_output_depends_on_its_batch_if_the_network_says_so(
    make: Callable[..., Any], draws: bool, conditional: bool
) -> None:
    network = make_one(make, conditional)
    given = inputs(network)
    for _ in range(50):  # a power iteration comes to rest
        call(network, given, LABELS)
    together, alone = call(network, given, LABELS), call(network, given[:3], LABELS[:3])
    assert torch.allclose(together[:3], alone, atol=1e-4) != depends_on_batch(network)


@conditional
@pytest.mark.parametrize(("make", "draws"), ALL)
def test_gradients_reach_every_weight(make: Callable[..., Any], draws: bool, conditional: bool) -> None:
    network = make_one(make, conditional)
    call(network, inputs(network), LABELS).square().sum().backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@conditional
@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_penalty_of_the_slope_has_a_gradient(name: str, conditional: bool) -> None:
    discriminator = make_one(DISCRIMINATORS[name], conditional)
    real, fake = inputs(discriminator), inputs(discriminator).flip(0)
    judge = Judge(discriminator, LABELS, remembers=True)
    loss, scalars = penalised_loss(RelativisticPairing(), R1R2(), judge, real, fake)
    (loss - scalars["discriminator_loss"]).backward()
    reached = [weight.grad is not None and bool(weight.grad.any()) for weight in discriminator.parameters()]
    assert sum(reached) > len(reached) / 2  # not all: a bias behind the last activation does not move the slope
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in discriminator.parameters())


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_those_under_spectral_normalisation_say_so(name: str) -> None:
    assert is_lipschitz(make_one(DISCRIMINATORS[name], False)) == (name == "sngan" or name.endswith("spectral"))


@pytest.mark.parametrize(("make", "draws"), ALL)
def test_what_is_no_setting_is_refused(make: Callable[..., Any], draws: bool) -> None:
    with pytest.raises(ValueError, match="conditional must be true or false"):
        make((1, 28, 28), num_classes=NUM_CLASSES, conditional="yes")
    if make.func.__module__ != "gan_lightning.networks.mlp":
        for shape in ((1, 30, 28), (1, 28, 7)):
            with pytest.raises(ValueError, match=r"multiples of 4, such as 28 × 28 .*, not \d+ × \d+"):
                make(shape, num_classes=NUM_CLASSES)
        with pytest.raises(ValueError, match="width must be a whole number of at least"):
            make((1, 28, 28), num_classes=NUM_CLASSES, width=0)
