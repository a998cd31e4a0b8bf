"""What each player minimises, and when that changes.

An objective is given the judge and the images. So it can have judged what it likes: real and generated images in one
pass, pairs of them, points between them.
"""

import math

import torch
from torch import Tensor

from gan_lightning import losses
from gan_lightning.errors import number, whole_number
from gan_lightning.players.judge import Judge

Scalars = dict[str, Tensor]
"""Numbers by name that tell how the game goes, each a scalar without a gradient."""


def probabilities(real_logits: Tensor, fake_logits: Tensor) -> Scalars:
    """The mean of D(x) = sigmoid(logit) over real and over generated images, and the share of these that D tells
    apart, of logits (B,) that are log-odds.
    """
    both = torch.stack([real_logits.detach(), fake_logits.detach()])
    real, fake = both.sigmoid().mean(1).unbind()
    taken_for_real, taken_too = (both > 0).to(both.dtype).mean(1).unbind()
    accuracy = (1 + taken_for_real - taken_too) / 2
    return {"real_probability": real, "fake_probability": fake, "discriminator_accuracy": accuracy}


def scores(real_scores: Tensor, fake_scores: Tensor) -> Scalars:
    """The mean score of real and of generated images, (B,), the gap between them, and the share of the pairs whose real
    image has the higher score: 0.5 where D cannot tell.
    """
    real, fake = real_scores.detach().mean(), fake_scores.detach().mean()
    accuracy = (real_scores > fake_scores).to(real.dtype).mean()
    return {"real_score": real, "fake_score": fake, "score_gap": real - fake, "discriminator_accuracy": accuracy}


class Objective:
    """What the two players minimise.

    Attributes:
        log_odds: whether the logits say how likely an image is real: log D(x) / (1 - D(x)). If not, they are scores,
            of which only differences mean something.
        statistics: the names of the scalars that come with the discriminator's loss.
        equilibrium_answer: what the discriminator best answers, D(x) of any image, where generated images are like
            real ones; None if the logits are scores.
        equilibrium_loss: the discriminator's loss there; None likewise.
        needs_constraint: whether the discriminator's loss has no least value unless its slope is bounded.
    """

    log_odds: bool = False
    statistics: tuple[str, ...] = ("real_score", "fake_score", "score_gap", "discriminator_accuracy")
    equilibrium_answer: float | None = None
    equilibrium_loss: float | None = None
    needs_constraint: bool = False

    def in_epoch(self, epoch: int) -> "Objective":
        """The objective in force in `epoch`, counted from 0."""
        return self

    def parts(self) -> list["Objective"]:
        """Every objective that may come into force."""
        return [self]

    def discriminator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        """The discriminator's loss, a scalar, and what is to be known of it: the scalars that `statistics` names.

        Args:
            judge: gives the logits (B,) of images, or of several batches at once.
            real: (B, C, H, W) in [-1, 1].
            fake: generated images, as many, through which no gradient reaches the generator.
        """
        raise NotImplementedError

    def generator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        """The generator's loss, a scalar, of its own images `fake`, beside real ones; all (B, C, H, W) in [-1, 1]."""
        raise NotImplementedError


class CrossEntropy(Objective):
    """D minimises -log D(x) - log(1 - D(G(z))), the cross-entropy of its answers; what G minimises is left open.

    Under one-sided label smoothing, Salimans et al. 2016, section 3.4, D is taught to answer α for real images, and 0
    for generated ones as ever. Its best answer is then α p(x) / (p(x) + p_G(x)): α / 2 where the two are the same.

    Args:
        real_target: α; 1 for no smoothing.

    Raises:
        ValueError: if `real_target` is not a number above 0, or above 1.
    """

    log_odds = True
    statistics = ("real_probability", "fake_probability", "discriminator_accuracy")
    equilibrium_answer: float
    equilibrium_loss: float

    def __init__(self, real_target: float = 1.0) -> None:
        number("real_target", real_target, at_least=0)
        if not 0 < real_target <= 1:
            raise ValueError(f"real_target must be above 0 and at most 1, such as 0.9, not {real_target!r}")
        self.real_target = real_target
        self.equilibrium_answer = answer = real_target / 2
        self.equilibrium_loss = -real_target * math.log(answer) - (2 - real_target) * math.log(1 - answer)

    def discriminator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        on_real, on_fake = judge(real, fake)
        loss = losses.discriminator_cross_entropy(on_real, on_fake, self.real_target)
        return loss, probabilities(on_real, on_fake)


class Minimax(CrossEntropy):
    """G minimises log(1 - D(G(z))): the two-player zero-sum game of Goodfellow et al. 2014, equation 1.

    Args:
        real_target: as in :class:`CrossEntropy`.
    """

    def generator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return losses.generator_minimax(judge(fake))


class NonSaturating(CrossEntropy):
    """G minimises -log D(G(z)): Goodfellow et al. 2014, end of section 3.

    Args:
        discriminator_scale: what the discriminator's cross-entropy is multiplied by. The code published with the paper
            halves it, which matters to SGD, but not to Adam.
        real_target: as in :class:`CrossEntropy`.
    """

    def __init__(self, discriminator_scale: float = 1.0, real_target: float = 1.0) -> None:
        super().__init__(real_target)
        number("discriminator_scale", discriminator_scale, at_least=0)
        self.discriminator_scale = discriminator_scale
        self.equilibrium_loss *= discriminator_scale

    def discriminator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        loss, scalars = super().discriminator_loss(judge, real, fake)
        return self.discriminator_scale * loss, scalars

    def generator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return losses.generator_non_saturating(judge(fake))


class LeastSquares(Objective):
    """D is taught to answer 1 for real images and 0 for generated ones, G to be answered 1: Mao et al. 2017."""

    def discriminator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        on_real, on_fake = judge(real, fake)
        return losses.discriminator_least_squares(on_real, on_fake), scores(on_real, on_fake)

    def generator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return losses.generator_least_squares(judge(fake))


class Hinge(Objective):
    """D wants real images above 1 and generated ones below -1, and no more: Lim & Ye 2017, Miyato et al. 2018."""

    def discriminator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        on_real, on_fake = judge(real, fake)
        return losses.discriminator_hinge(on_real, on_fake), scores(on_real, on_fake)

    def generator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return losses.generator_score(judge(fake))


class Wasserstein(Objective):
    """D's score gap is Wasserstein's distance if its slope is at most 1, which G makes small: Arjovsky et al. 2017."""

    needs_constraint = True

    def discriminator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        on_real, on_fake = judge(real, fake)
        return losses.discriminator_wasserstein(on_real, on_fake), scores(on_real, on_fake)

    def generator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return losses.generator_score(judge(fake))


class RelativisticPairing(Objective):
    """Each real image is judged against a generated one, and G against the same: Jolicoeur-Martineau 2019; R3GAN,
    Huang et al. 2024, equation 2, where both players minimise a loss of their own, as in the code published with it.
    """

    def discriminator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        on_real, on_fake = judge(real, fake)
        return losses.relativistic(on_real, on_fake), scores(on_real, on_fake)

    def generator_loss(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        on_real, on_fake = judge(real, fake)
        return losses.relativistic(on_fake, on_real)


class Switch(Objective):
    """One objective for the first `switch_epoch` epochs, another from then on.

    Args:
        before: in force at first.
        after: in force from the switch on.
        switch_epoch: how many epochs `before` is in force; 0 for `after` from the start, None for never.

    Raises:
        ValueError: if `switch_epoch` is neither None nor a whole number of at least 0, or the logits are log-odds under
            one of the two only.
    """

    def __init__(self, before: Objective, after: Objective, switch_epoch: int | None = 5) -> None:
        if switch_epoch is not None:
            whole_number("switch_epoch (unless null)", switch_epoch, at_least=0)
        for name, part in (("before", before), ("after", after)):
            if not isinstance(part, Objective):
                raise ValueError(f"{name} must be an objective, not {part!r}")
        if before.log_odds != after.log_odds:
            raise ValueError(
                f"before and after must read the logits alike, but those of {type(before).__name__} are"
                f" {_kind(before)}, those of {type(after).__name__} {_kind(after)}"
            )
        self.before = before
        self.after = after
        self.switch_epoch = switch_epoch
        self.log_odds = before.log_odds
        self.statistics = tuple(dict.fromkeys([*before.statistics, *after.statistics]))
        self.equilibrium_answer = _common(before.equilibrium_answer, after.equilibrium_answer)
        self.equilibrium_loss = _common(before.equilibrium_loss, after.equilibrium_loss)
        self.needs_constraint = before.needs_constraint or after.needs_constraint

    def parts(self) -> list[Objective]:
        return [*self.before.parts(), *self.after.parts()]

    def in_epoch(self, epoch: int) -> Objective:
        has_switched = self.switch_epoch is not None and epoch >= self.switch_epoch
        return (self.after if has_switched else self.before).in_epoch(epoch)


def _common(one: float | None, other: float | None) -> float | None:
    return one if one == other else None


def _kind(objective: Objective) -> str:
    return "log-odds" if objective.log_odds else "scores"
