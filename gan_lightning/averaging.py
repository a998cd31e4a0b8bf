"""An average of the generator's weights over the time of training, which draws better than the last of them."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from gan_lightning.schedules import Schedule, at, number_or_schedule


def which_weights(asked: str | None, averaged: bool) -> str:
    """Which weights of a generator are meant: `raw`, those of the last step, or `ema`, their average.

    Args:
        asked: one of these, or None for the average if there is one.
        averaged: whether there is one.

    Raises:
        ValueError: if an average is asked for that is not there, or something else.
    """
    if asked not in (None, "raw", "ema"):
        raise ValueError(f"weights must be raw, ema or null, not {asked!r}")
    if asked == "ema" and not averaged:
        raise ValueError("weights=ema asks for averaged weights, and there are none: gan.ema.half_life is null")
    return asked or ("ema" if averaged else "raw")


class ExponentialMovingAverage(nn.Module):
    """θ̄ ← θ̄ + (1 - 2^(-n/h)) (θ - θ̄) after each alternation of n real images: Yazıcı et al. 2019, with n counted.

    Buffers, such as the running statistics of batch normalisation, are those of the network as it is.

    Args:
        half_life: h, the number of images after which a weight counts half, or its schedule; None for no average.

    Attributes:
        network: a copy of the generator with the average weights; None without an average.

    Raises:
        ValueError: if `half_life` is neither None, nor a schedule, nor a number of at least 0.
    """

    network: nn.Module | None
    _share: Tensor

    def __init__(self, half_life: float | Schedule | None = None) -> None:
        super().__init__()
        if half_life is not None:
            number_or_schedule("half_life (unless null)", half_life, at_least=0)
        self.half_life = half_life
        self.network = None
        self.register_buffer("_share", torch.ones(()), persistent=False)

    def begin_at(self, network: nn.Module) -> None:
        """Let the average be the network as it is now."""
        if self.half_life is not None:
            self.network = deepcopy(network).requires_grad_(False)

    def choose(self, network: nn.Module, weights: str | None) -> nn.Module:
        """The network as it is, `raw`, or with the average weights, `ema`; None: that if there is one.

        Raises:
            ValueError: if there is no average, or `weights` is anything else.
        """
        average = self.network
        chosen = which_weights(weights, averaged=average is not None)
        return average if chosen == "ema" and average is not None else network

    def set_at(self, images_seen: int, images: int) -> None:
        """Decide what share the next update takes: that of an alternation of `images`, the last of `images_seen`.

        Apart from the update, so that one that was recorded sees another share.
        """
        if self.half_life is not None:
            half_life = at(self.half_life, images_seen)
            self._share.fill_(1 - 2 ** (-images / half_life) if half_life > 0 else 1.0)

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the network's weights as they are now."""
        if self.network is None:
            return
        for average, weight in zip(self.network.parameters(), network.parameters(), strict=True):
            average.lerp_(weight, self._share)
        for copied, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)
