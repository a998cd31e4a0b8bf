"""What the discriminator pays for its slope, beside any objective.

∇ is the gradient with respect to an image before its augmentation, through that, and ‖·‖² the sum of its squares over
the channels and pixels of the one image. A judge that remembers takes it of the judgement that the loss was taken on.
"""

import torch
from torch import Tensor, nn

from gan_lightning.objectives import Objective, Scalars
from gan_lightning.players.judge import Judge
from gan_lightning.schedules import Schedule, Scheduled, number_or_schedule
from gan_lightning.sharding import shard


def squared_slopes(judge: Judge, *batches: Tensor) -> tuple[Tensor, ...]:
    """‖∇D(x)‖² for each image of batches (B, …), each (B,), differentiable with respect to D's weights."""
    gradients = judge.gradients(*batches)
    at_least_float32 = [each.to(torch.promote_types(each.dtype, torch.float32)) for each in gradients]
    return tuple(each.flatten(1).square().sum(1) for each in at_least_float32)


class Penalty(nn.Module):
    """Called with the judge, real and generated images, gives what is added to the discriminator's loss, and scalars.

    Attributes:
        statistics: the names of the scalars.
    """

    statistics: tuple[str, ...] = ("penalty",)

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        """Of images (B, C, H, W) in [-1, 1]."""
        raise NotImplementedError


class GradientPenalty(Penalty):
    """λ · mean (‖∇D(x̂)‖ - 1)², x̂ = ε x + (1 - ε) G(z), ε uniform, one for each pair: Gulrajani et al. 2017, equation 3.

    Args:
        weight: λ, or its schedule.
    """

    statistics = ("penalty", "gradient_norm")

    def __init__(self, weight: float | Schedule = 10.0) -> None:
        super().__init__()
        number_or_schedule("weight", weight, at_least=0)
        self.weight = Scheduled(weight)

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        one_each = [1] * (real.dim() - 1)
        share = shard(lambda n: torch.rand(n, *one_each, device=real.device, dtype=real.dtype), len(real))
        (squared,) = squared_slopes(judge, torch.lerp(fake.to(real.dtype), real, share))
        # The root has no slope at 0, and an infinite one beside it.
        norms = torch.where(squared > 0, squared, 1).sqrt() * (squared > 0)
        penalty = self.weight.value * (norms - 1).square().mean()
        return penalty, {"penalty": penalty.detach(), "gradient_norm": norms.detach().mean()}


class R1(Penalty):
    """γ/2 · mean ‖∇D(x)‖² over real images: Mescheder et al. 2018, equation 9.

    Args:
        gamma: γ, or its schedule.
    """

    statistics = ("penalty", "real_gradient_norm")

    def __init__(self, gamma: float | Schedule = 1.0) -> None:
        super().__init__()
        number_or_schedule("gamma", gamma, at_least=0)
        self.gamma = Scheduled(gamma)

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        (squared,) = squared_slopes(judge, real)
        penalty = self.gamma.value / 2 * squared.mean()
        return penalty, {"penalty": penalty.detach(), "real_gradient_norm": squared.detach().sqrt().mean()}


class R1R2(Penalty):
    """γ/2 · (mean ‖∇D(x)‖² + mean ‖∇D(G(z))‖²): Mescheder et al. 2018, equations 9 and 10; Huang et al. 2024.

    Args:
        gamma: γ of both, or its schedule.
    """

    statistics = ("penalty", "real_gradient_norm", "fake_gradient_norm")

    def __init__(self, gamma: float | Schedule = 1.0) -> None:
        super().__init__()
        number_or_schedule("gamma", gamma, at_least=0)
        self.gamma = Scheduled(gamma)

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Scalars]:
        on_real, on_fake = squared_slopes(judge, real, fake)
        penalty = self.gamma.value / 2 * (on_real.mean() + on_fake.mean())
        return penalty, {
            "penalty": penalty.detach(),
            "real_gradient_norm": on_real.detach().sqrt().mean(),
            "fake_gradient_norm": on_fake.detach().sqrt().mean(),
        }


def statistics_of(objective: Objective, penalty: Penalty | None) -> tuple[str, ...]:
    """The names of the numbers that a training step gives, as far as the objective and the penalty name them."""
    return ("generator_loss", "discriminator_loss", *objective.statistics, *(penalty.statistics if penalty else ()))


def penalised_loss(
    objective: Objective, penalty: Penalty | None, judge: Judge, real: Tensor, fake: Tensor
) -> tuple[Tensor, Scalars]:
    """What D minimises, the objective's loss and the penalty, and the scalars of both: `discriminator_loss`, which is
    the objective's alone, and those that they name.
    """
    loss, scalars = objective.discriminator_loss(judge, real, fake)
    scalars = {"discriminator_loss": loss, **scalars}
    if penalty is not None:
        cost, more = penalty(judge, real, fake)
        loss, scalars = loss + cost, scalars | more
    return loss, {name: scalar.detach() for name, scalar in scalars.items()}


def check_constraint(objective: Objective, penalty: Penalty | None, lipschitz: bool) -> None:
    """See that the discriminator's slope is bounded if the objective asks for that.

    Args:
        objective: what may ask for it.
        penalty: bounds it, unless its strength is 0.
        lipschitz: whether the discriminator is bounded by the way it is built.

    Raises:
        ValueError: if it is not.
    """
    strengths = [] if penalty is None else [part.source for part in penalty.modules() if isinstance(part, Scheduled)]
    if objective.needs_constraint and not lipschitz and (penalty is None or 0 in strengths):
        raise ValueError(
            "the objective has no least value while nothing bounds the discriminator's slope;"
            " choose penalty=gradient_penalty (or r1, r1_r2), or objective=hinge, which needs none"
        )
