"""What is asked of a network, and what is assumed of one that does not say.

Any `nn.Module` can play. A generator is called with latents (B, latent_dim) and gives images (B, C, H, W) in [-1, 1]; a
discriminator is called with such images and gives one number for each, (B,). A network whose `forward` names `labels`
gets those as well, (B,), int64. The rest has defaults:

- `conditional`: whether it is given labels; otherwise its `forward` says so.
- `depends_on_batch`: whether an image's output depends on the rest of its batch, as under batch normalisation; assumed
  unless a network says False, because then real and generated images must not meet in one pass.
- `lipschitz`: whether a discriminator's slope is bounded by the way it is built, as under spectral normalisation; not
  assumed.
- `sample_latent(num_samples, random)`: draws latents; otherwise they are normal, `latent_dim` numbers each.
- `initialise_from(images)`: fits a generator's first weights to the training images (N, C, H, W), bytes, or points of
  the plane, floats in [-1, 1]; otherwise nothing is fitted.
"""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn


@cache
def _names_labels(kind: Any) -> bool:
    return "labels" in inspect.signature(kind.forward).parameters


def takes_labels(network: nn.Module) -> bool:
    """Whether the network is called with labels, too."""
    kind: Any = type(network)
    said = getattr(network, "conditional", None)
    return _names_labels(kind) if said is None else bool(said)


def call(network: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
    """What a network makes of inputs (B, …), and of their labels (B,) if it takes them."""
    return network(inputs, labels=labels) if takes_labels(network) else network(inputs)


def depends_on_batch(network: nn.Module) -> bool:
    """Whether an image's output depends on the rest of its batch."""
    return getattr(network, "depends_on_batch", True)


def is_lipschitz(discriminator: nn.Module) -> bool:
    """Whether its slope is bounded by the way it is built."""
    return getattr(discriminator, "lipschitz", False)


def sample_latent(generator: nn.Module, num_samples: int, random: torch.Generator) -> Tensor:
    """Draw z (num_samples, latent_dim) for a generator, on the device of `random` and from it."""
    draw: Any = getattr(generator, "sample_latent", None)
    if draw is not None:
        return draw(num_samples, random)
    size: Any = generator.latent_dim
    return torch.randn(num_samples, size, generator=random, device=random.device)


def initialise_from(generator: nn.Module, images: Tensor) -> None:
    """Fit a generator's first weights to the training images (N, C, H, W), bytes or points, if it knows how."""
    fit: Any = getattr(generator, "initialise_from", None)
    if fit is not None:
        fit(images)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients flow through a network without computing those of its weights; what was frozen before stays so."""
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    for weight in trained:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in trained:
            weight.requires_grad_(True)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """In evaluation mode, where batch normalisation uses running statistics; then each part in the mode it was in."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
