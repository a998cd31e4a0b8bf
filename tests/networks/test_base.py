import math

import pytest
import torch

from gan_lightning.networks.base import Generator


@pytest.mark.parametrize("distribution", ["normal", "uniform", "spherical"])
def test_latents_have_mean_0_and_variance_1(distribution: str) -> None:
    latent = Generator(100, distribution).sample_latent(2000, torch.Generator().manual_seed(0))
    assert latent.shape == (2000, 100)
    # Standard errors over 200,000 draws: 0.0022 of the mean, at most 0.0032 of the variance.
    assert latent.mean().item() == pytest.approx(0, abs=0.01)
    assert latent.var().item() == pytest.approx(1, abs=0.015)
    assert (latent.abs().max().item() <= math.sqrt(3)) == (distribution == "uniform")
    on_sphere = (latent.norm(dim=1) - 10).abs().max().item() < 1e-4
    assert on_sphere == (distribution == "spherical")


def test_latents_come_from_the_given_generator_alone() -> None:
    generator = Generator(5)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = generator.sample_latent(3, torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, generator.sample_latent(3, torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("latent_dim", [0, -1, 2.5])
def test_refuses_a_latent_dim_that_is_no_size(latent_dim: float) -> None:
    with pytest.raises(ValueError, match="latent_dim must be"):
        Generator(latent_dim)  # type: ignore[arg-type]


def test_refuses_an_unknown_distribution() -> None:
    with pytest.raises(ValueError, match="normal, uniform or spherical"):
        Generator(5, "gaussian")
