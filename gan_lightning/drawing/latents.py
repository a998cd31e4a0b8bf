"""Latents to draw from: those of a seed, truncated, and on the way from one to another."""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from gan_lightning.errors import is_number
from gan_lightning.players.protocol import sample_latent

AT_ONCE = 16
"""Latents that are drawn together: torch's normal numbers depend on how many are drawn, unless they are a multiple of
16.
"""
LARGEST_SEED = 2**63 - 1

Between = Callable[[Tensor, Tensor, float], Tensor]
"""From latents (N, …) to others, the share of the way that is gone, in [0, 1], to latents (N, …)."""


class Latents:
    """The latents that a seed decides, one after the other, however many are asked for at a time.

    Args:
        generator: whose latents they are.
        seed: from 0 to 2^63 - 1; training's random numbers stay.
        truncation: each latent variable beyond ± this is drawn again until it is within, Brock et al. 2019; None for
            none.

    Raises:
        ValueError: if `truncation` is no number above 0, or the latents are not normal.
    """

    def __init__(self, generator: nn.Module, seed: int, truncation: float | None = None) -> None:
        check_truncation(generator, truncation)
        self._generator = generator
        self._truncation = truncation
        self._random = torch.Generator().manual_seed(seed)
        # One of its own: the redrawn must not depend on how many latents are drawn before.
        self._again = torch.Generator().manual_seed(LARGEST_SEED - seed)
        self._left: Tensor | None = None

    def draw(self, number: int) -> Tensor:
        """The next latents, (number, …)."""
        left = 0 if self._left is None else len(self._left)
        drawn = self._draw(-(-(number - left) // AT_ONCE) * AT_ONCE) if number > left else None
        parts = [part for part in (self._left, drawn) if part is not None]
        latent = torch.cat(parts)
        self._left = latent[number:]
        return latent[:number]

    def _draw(self, number: int) -> Tensor:
        latent = sample_latent(self._generator, number, self._random)
        return latent if self._truncation is None else truncated(latent, self._truncation, self._again)


def check_truncation(generator: nn.Module, truncation: float | None) -> None:
    """See that a generator's latents can be truncated so.

    Raises:
        ValueError: if `truncation` is neither None nor a number above 0, or the latents are not normal.
    """
    if truncation is None:
        return
    if not is_number(truncation) or not 0 < truncation < math.inf:
        raise ValueError(f"truncation must be a number above 0, such as 0.7, or null, not {truncation!r}")
    said = getattr(generator, "latent_distribution", "of its own" if hasattr(generator, "sample_latent") else "normal")
    if said != "normal":
        raise ValueError(
            f"truncation is for normal latents, whose tails it cuts off; this generator's are {said}; leave it out"
        )


def truncated(latent: Tensor, threshold: float, random: torch.Generator) -> Tensor:
    """Normal latents (N, …) in which each variable beyond ± threshold is drawn again, from what is within.

    The same as to draw it again and again until it is within, in one step: by the inverse of the distribution function.
    """
    uniform = torch.rand(latent.shape, generator=random).mul_(2).sub_(1)
    within = torch.erfinv(uniform * math.erf(threshold / math.sqrt(2))).mul_(math.sqrt(2))
    return torch.where(latent.abs() > threshold, within, latent).clamp_(-threshold, threshold)


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """On the arc from latents (N, …) to others, share of the angle between them: Shoemake 1985; for latents White 2016.

    Half the way between two normal latents is then as long as they are, not shorter, as on the straight line, which is
    taken where both point the same way, or opposite ways.
    """
    one, other = start.flatten(1).double(), end.flatten(1).double()
    angle = cosine_similarity(one, other)[:, None].clamp(-1, 1).acos()
    arc = (((1 - share) * angle).sin() * one + (share * angle).sin() * other) / angle.sin()
    return torch.where(angle.sin() > 1e-6, arc, one.lerp(other, share)).to(start.dtype).view_as(start)


def between_uniform(start: Tensor, end: Tensor, share: float) -> Tensor:
    """The same for variables uniform on [-√3, √3], which stay that: between normal ones of the same ranks."""
    edge, normal = math.sqrt(3), math.sqrt(2)
    one, other = (torch.erfinv((each.double() / edge).clamp(-1 + 1e-7, 1 - 1e-7)) * normal for each in (start, end))
    return (torch.erf(slerp(one, other, share) / normal) * edge).to(start.dtype)


def between(generator: nn.Module) -> Between:
    """How one goes from one of a generator's latents to another, through latents that it could be given."""
    return between_uniform if getattr(generator, "latent_distribution", None) == "uniform" else slerp


def walk(stops: Tensor, steps: int, between: Between, closed: bool) -> Iterator[Tensor]:
    """Latents (N, …) on the way through stops (K, N, …), in `steps` from one to the next.

    Closed, it goes on from the last to the first, K · steps in all; else it ends at the last, (K - 1) · steps + 1.
    """
    ends = torch.cat([stops, stops[:1]]) if closed else stops
    for start, end in pairwise(ends):
        for step in range(steps):
            yield between(start, end, step / steps)
    if not closed:
        yield stops[-1]


def plane(corners: Tensor, steps: int, between: Between) -> Tensor:
    """Latents ((steps + 1)², …) row by row, with corners (4, …): upper left and right, lower left and right."""
    left, right = (
        torch.cat([between(corners[n : n + 1], corners[n + 2 : n + 3], step / steps) for step in range(steps + 1)])
        for n in (0, 1)
    )
    across = [between(left, right, step / steps) for step in range(steps + 1)]
    return torch.stack(across, dim=1).flatten(0, 1)


def between_corners(corners: Tensor, across: float, down: float, between: Between) -> Tensor:
    """The latent (1, …) at shares of the way across and down, in [0, 1], of the plane with corners (4, …)."""
    left, right = (between(corners[n : n + 1], corners[n + 2 : n + 3], down) for n in (0, 1))
    return between(left, right, across)


def allowed(generator: nn.Module, latent: Tensor, longest: float = math.inf) -> Tensor:
    """The nearest latents (N, …) that a generator could be given: uniform ones within their bounds, those on a sphere
    on it, and others no longer than `longest`.
    """
    distribution = getattr(generator, "latent_distribution", None)
    if distribution == "uniform":
        return latent.clamp(-math.sqrt(3), math.sqrt(3))
    flat = latent.flatten(1)
    if distribution == "spherical":
        return normalize(flat).mul(math.sqrt(flat.shape[1])).view_as(latent)
    return (flat * (longest / flat.norm(dim=1, keepdim=True)).clamp(max=1)).view_as(latent)
