"""Principal directions of a latent space: SeFa, Shen & Zhou 2021, "Closed-Form Factorization of Latent Semantics in
GANs".

A generator's first layer takes latents z to A z + b. A step along a unit vector n changes that by A n, most where n is
the eigenvector of AᵀA with the largest eigenvalue, and so on. For latents of variance 1 these are also what GANSpace
(Härkönen et al. 2020) finds in samples of the first layer, whose covariance is A Aᵀ.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.players.protocol import call, evaluating

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
"""What may be a first layer."""
TOLERANCE = 1e-3
"""By how much, as a share, a layer may differ from what it would be as an affine map."""


class Directions(NamedTuple):
    """Unit vectors of a latent space, those that change the first layer most at first."""

    vectors: Tensor
    """(K, …), each of the shape of a latent, of length 1 and at right angles to the others."""
    shares: Tensor
    """(K,), of the variance of the first layer; they fall, and are 1 together if all directions are there."""


def principal_directions(generator: nn.Module, latents: Tensor) -> Directions | None:
    """The principal directions of a generator on the CPU; None if its first layer is no affine map of the latents.

    Args:
        generator: the network.
        latents: two that it could be given, (2, …).
    """
    jacobian = _first_layer(generator, latents)
    if jacobian is None:
        return None
    values, vectors = torch.linalg.eigh(jacobian.T @ jacobian)
    values, vectors = values.flip(0).clamp(min=0), vectors.T.flip(0)
    # Of n and -n, which say the same, the one whose largest number is positive.
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    vectors = vectors * largest.sign()
    return Directions(vectors.to(latents.dtype).view(-1, *latents.shape[1:]), values / values.sum())


def _first_layer(generator: nn.Module, latents: Tensor) -> Tensor | None:
    """A (features, latent variables), float64: what a step along each latent variable changes in the first layer."""
    start, other = latents
    steps = torch.eye(start.numel(), dtype=latents.dtype).view(-1, *start.shape)
    moved = _outputs(generator, torch.cat([latents, start + steps]))
    if moved is None:
        return None
    jacobian = (moved[2:] - moved[0]).T
    expected, found = jacobian @ (other - start).flatten().double(), moved[1] - moved[0]
    if not expected.norm() > 0 or (expected - found).norm() > TOLERANCE * expected.norm():
        return None
    return jacobian


class _ReachedError(Exception):
    """The first layer has been called, and nothing more is of interest."""


@torch.no_grad()
def _outputs(generator: nn.Module, latents: Tensor) -> Tensor | None:
    """What the first layer gives for latents (N, …), all of class 0: (N, features), float64; None without a layer."""
    seen: list[Tensor] = []

    def reached(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append(output)
        raise _ReachedError

    hooks = [layer.register_forward_hook(reached) for layer in generator.modules() if isinstance(layer, LAYERS)]
    try:
        with evaluating(generator):
            call(generator, latents, torch.zeros(len(latents), dtype=torch.int64))
    except _ReachedError:
        return seen[0].flatten(1).double() if len(seen[0]) == len(latents) else None
    finally:
        for hook in hooks:
            hook.remove()
    return None
