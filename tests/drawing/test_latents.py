"""Latents of a seed, truncated, and on the way from one to another."""

import math

import pytest
import torch

from gan_lightning.drawing.latents import Latents, between, plane, slerp, truncated, walk
from gan_lightning.networks.mlp import Generator
from gan_lightning.players.sampling import seeded_latent

DISTRIBUTIONS = ("normal", "uniform", "spherical")


def generator(latent_dim: int = 7, distribution: str = "normal") -> Generator:
    return Generator((1, 4, 4), latent_dim=latent_dim, latent_distribution=distribution, hidden_dims=[2])


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("truncation", [None, 0.5])
def test_a_latent_is_the_same_however_many_are_drawn(distribution: str, truncation: float | None) -> None:
    if truncation is not None and distribution != "normal":
        return
    at_once = Latents(generator(7, distribution), 3, truncation).draw(50)
    one_by_one = Latents(generator(7, distribution), 3, truncation)
    assert torch.equal(at_once, torch.cat([one_by_one.draw(number) for number in (1, 2, 30, 17)]))
    assert not torch.equal(at_once, Latents(generator(7, distribution), 4, truncation).draw(50))


def test_they_are_those_that_training_draws() -> None:
    assert torch.equal(Latents(generator(100), 5).draw(64), seeded_latent(generator(100), 64, 5))


def test_truncated_latents_are_normal_within_the_threshold_and_else_as_they_were() -> None:
    random = torch.Generator().manual_seed(0)
    latent = torch.randn(200, 1000, generator=random)
    drawn = truncated(latent, 0.7, random)
    assert drawn.abs().max() <= 0.7
    within = latent.abs() <= 0.7
    assert torch.equal(drawn[within], latent[within])
    # The redrawn have the distribution of those that were within: quantile by quantile.
    levels = torch.linspace(0.05, 0.95, 19)
    ours, others = (part[:80_000].quantile(levels) for part in (drawn[~within], latent[within]))
    assert (ours - others).abs().max() < 0.01
    assert truncated(latent, 1e-3, random).abs().max() <= 1e-3


@pytest.mark.parametrize("truncation", [0, -1, math.inf, math.nan, "x", True])
def test_what_is_no_truncation(truncation: object) -> None:
    with pytest.raises(ValueError, match="truncation must be a number above 0"):
        Latents(generator(), 0, truncation)  # type: ignore[arg-type]


@pytest.mark.parametrize("distribution", ["uniform", "spherical"])
def test_only_normal_latents_are_truncated(distribution: str) -> None:
    with pytest.raises(ValueError, match=f"this generator's are {distribution}; leave it out"):
        Latents(generator(7, distribution), 0, 0.7)


def test_slerp_turns_evenly_and_keeps_the_length() -> None:
    start, end = torch.tensor([[2.0, 0, 0]]), torch.tensor([[0, 2.0, 0]])
    for degrees in (0, 15, 45, 90):
        angle = math.radians(degrees)
        expected = torch.tensor([[2 * math.cos(angle), 2 * math.sin(angle), 0]])
        torch.testing.assert_close(slerp(start, end, degrees / 90), expected)


@pytest.mark.parametrize("times", [1.0, 3.0, -1.0])
def test_slerp_goes_straight_where_there_is_no_arc(times: float) -> None:
    start = torch.tensor([[1.0, 2.0]])
    torch.testing.assert_close(slerp(start, times * start, 0.25), start + 0.25 * (times - 1) * start)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_half_the_way_latents_are_distributed_as_at_its_ends(distribution: str) -> None:
    start, end = Latents(generator(64, distribution), 0).draw(4000).split(2000)
    half = between(generator(64, distribution))(start, end, 0.5)
    levels = torch.linspace(0, 1, 21)
    ours, others = (part.flatten().quantile(levels) for part in (half, start))
    inner = slice(1, -1)
    assert (ours - others)[inner].abs().max() < 0.02
    if distribution == "uniform":
        assert half.abs().max() <= math.sqrt(3)
    if distribution == "spherical":
        torch.testing.assert_close(half.norm(dim=1), torch.full((2000,), 8.0))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("closed", [True, False])
def test_a_walk_leads_through_its_stops(closed: bool, distribution: str) -> None:
    stops = Latents(generator(7, distribution), 0).draw(6).unflatten(0, (3, 2))
    way = torch.stack([*walk(stops, 4, between(generator(7, distribution)), closed)])
    assert len(way) == (12 if closed else 9)
    torch.testing.assert_close(way[::4], stops)
    steps = (way[1:] - way[:-1]).norm(dim=2)
    assert steps.max() < 2 * steps.min() + 1  # none is a jump


def test_a_planes_corners_and_sides() -> None:
    corners = torch.randn(4, 5)
    latent = plane(corners, 3, slerp).unflatten(0, (4, 4))
    torch.testing.assert_close(latent[[0, 0, 3, 3], [0, 3, 0, 3]], corners)
    torch.testing.assert_close(latent[0, 1], slerp(corners[:1], corners[1:2], 1 / 3)[0])
    torch.testing.assert_close(latent[1, 0], slerp(corners[:1], corners[2:3], 1 / 3)[0])
