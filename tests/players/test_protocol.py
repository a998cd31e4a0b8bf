"""What is assumed of a network that does not say."""

import torch
from torch import Tensor, nn

from gan_lightning.networks import goodfellow, mlp
from gan_lightning.players.protocol import (
    call,
    depends_on_batch,
    evaluating,
    frozen,
    initialise_from,
    is_lipschitz,
    sample_latent,
    takes_labels,
)


class Conditional(nn.Module):
    depends_on_batch = False

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        return latent + labels[:, None]


def test_any_module_can_play() -> None:
    network = nn.Sequential(nn.Linear(3, 2))
    assert depends_on_batch(network)  # the safe assumption
    assert not is_lipschitz(network)
    assert not takes_labels(network)
    network.latent_dim = 3
    latent = sample_latent(network, 4, torch.Generator().manual_seed(0))
    assert torch.equal(latent, torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(call(network, latent, torch.zeros(4)), network(latent))
    before = network[0].weight.clone()
    initialise_from(network, torch.zeros(2, 1, 4, 4, dtype=torch.uint8))
    assert torch.equal(network[0].weight, before)


def test_a_network_that_names_labels_gets_them() -> None:
    assert takes_labels(Conditional())
    assert call(Conditional(), torch.zeros(2, 1), torch.tensor([3, 4])).tolist() == [[3.0], [4.0]]


def test_labels_go_where_they_are_named() -> None:
    class Late(nn.Module):
        def forward(self, images: Tensor, temperature: float = 1.0, labels: Tensor | None = None) -> Tensor:
            assert temperature == 1.0
            assert labels is not None
            return labels

    assert call(Late(), torch.zeros(2), torch.tensor([3, 4])).tolist() == [3, 4]


def test_what_this_projects_networks_say_is_true() -> None:
    """An image's output is the same alone and among others."""
    for family in (mlp, goodfellow):
        generator, discriminator = family.Generator((1, 4, 4)).eval(), family.Discriminator((1, 4, 4)).eval()
        latent = sample_latent(generator, 5, torch.Generator().manual_seed(0))
        images = generator(latent)
        for network, inputs in ((generator, latent), (discriminator, images)):
            assert not depends_on_batch(network)
            torch.testing.assert_close(network(inputs)[2:3], network(inputs[2:3]))


def test_what_was_frozen_stays_frozen() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    network[0].requires_grad_(False)
    before = [weight.requires_grad for weight in network.parameters()]
    with frozen(network):
        assert not any(weight.requires_grad for weight in network.parameters())
    assert [weight.requires_grad for weight in network.parameters()] == before == [False, False, True, True]


def test_each_part_gets_back_the_mode_it_was_in() -> None:
    network = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    network[1].eval()
    with evaluating(network):
        assert not any(module.training for module in network.modules())
    assert [module.training for module in network.modules()] == [True, True, False]
