"""Which loss each player minimises, and when it switches."""

from collections.abc import Hashable
from typing import ClassVar

from torch import Tensor

from gan_lightning.checks import number, whole_number
from gan_lightning.losses import discriminator_cross_entropy, generator_minimax, generator_non_saturating


class Objective:
    """What the two players minimise; the discriminator's cross-entropy unless a subclass says otherwise.

    Attributes:
        needs_double_backward: whether a loss holds a gradient, which is differentiated in turn.
    """

    needs_double_backward: ClassVar[bool] = False

    def phase(self, epoch: int) -> Hashable:
        """What the losses know of the time, in `epoch`, counted from 0: throughout a phase they compute the same."""
        return None

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """The discriminator's loss, a scalar, of its logits (B,) on real and on generated images."""
        return discriminator_cross_entropy(real_logits, fake_logits)

    def generator_loss(self, fake_logits: Tensor, phase: Hashable) -> Tensor:
        """The generator's loss, a scalar, of the logits (B,) on generated images."""
        raise NotImplementedError


class Minimax(Objective):
    """G minimises log(1 - D(G(z))): the two-player zero-sum game of Goodfellow et al. 2014, equation 1."""

    def generator_loss(self, fake_logits: Tensor, phase: Hashable) -> Tensor:
        return generator_minimax(fake_logits)


class NonSaturating(Objective):
    """G minimises -log D(G(z)): Goodfellow et al. 2014, end of section 3.

    Args:
        discriminator_scale: what the discriminator's cross-entropy is multiplied by. The code published with the paper
            halves it, which matters to SGD, but not to Adam.
    """

    def __init__(self, discriminator_scale: float = 1.0) -> None:
        number("discriminator_scale", discriminator_scale, at_least=0)
        self.discriminator_scale = discriminator_scale

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return self.discriminator_scale * super().discriminator_loss(real_logits, fake_logits)

    def generator_loss(self, fake_logits: Tensor, phase: Hashable) -> Tensor:
        return generator_non_saturating(fake_logits)


class Switch(Objective):
    """Non-saturating for the first `switch_epoch` epochs, minimax from then on.

    Args:
        switch_epoch: how many epochs G minimises -log D(G(z)) before it turns to log(1 - D(G(z))); 0 for minimax
            from the start, None for never.

    Raises:
        ValueError: if `switch_epoch` is neither None nor a whole number of at least 0.
    """

    def __init__(self, switch_epoch: int | None = 5) -> None:
        if switch_epoch is not None:
            whole_number("switch_epoch (unless null)", switch_epoch, at_least=0)
        self.switch_epoch = switch_epoch

    def phase(self, epoch: int) -> bool:
        """Whether G has switched."""
        return self.switch_epoch is not None and epoch >= self.switch_epoch

    def generator_loss(self, fake_logits: Tensor, phase: Hashable) -> Tensor:
        return generator_minimax(fake_logits) if phase else generator_non_saturating(fake_logits)
