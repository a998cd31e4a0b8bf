"""When objectives switch, what they give, and what they refuse."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning import losses, objectives
from gan_lightning.objectives import (
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    RelativisticPairing,
    Switch,
    Wasserstein,
)
from gan_lightning.players.judge import Judge

SWITCH = Switch(NonSaturating(), Minimax())


def name_of(objective: Objective) -> str:
    return type(objective).__name__


ALL = (NonSaturating(), NonSaturating(0.5), Minimax(), LeastSquares(), Hinge(), Wasserstein(), RelativisticPairing())


class Mean(nn.Module):
    """A judge of images that are one number each: their own."""

    depends_on_batch = False

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1).mean(1)


REAL, FAKE = torch.tensor([2.0, -0.5, 0.75]).double()[:, None], torch.tensor([-1.0, 0.25, 3.0]).double()[:, None]
JUDGE = Judge(Mean(), torch.zeros(3, dtype=torch.int64))


def both(objective: Objective) -> tuple[float, float]:
    loss, _ = objective.discriminator_loss(JUDGE, REAL, FAKE)
    return loss.item(), objective.generator_loss(JUDGE, REAL, FAKE).item()


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def reference(name: str, x: list[float], g: list[float]) -> tuple[float, float]:
    """The losses as the papers write them, in plain Python."""
    n = len(x)
    cross_entropy = sum(-math.log(sigmoid(a)) - math.log(1 - sigmoid(b)) for a, b in zip(x, g, strict=True)) / n
    match name:
        case "NonSaturating":
            return cross_entropy, sum(-math.log(sigmoid(b)) for b in g) / n
        case "Minimax":
            return cross_entropy, sum(math.log(1 - sigmoid(b)) for b in g) / n
        case "LeastSquares":
            squares = sum(0.5 * (a - 1) ** 2 + 0.5 * b**2 for a, b in zip(x, g, strict=True)) / n
            return squares, sum(0.5 * (b - 1) ** 2 for b in g) / n
        case "Hinge":
            return sum(max(0, 1 - a) + max(0, 1 + b) for a, b in zip(x, g, strict=True)) / n, -sum(g) / n
        case "Wasserstein":
            return sum(g) / n - sum(x) / n, -sum(g) / n
        case _:
            pairs = [math.log(sigmoid(a - b)) for a, b in zip(x, g, strict=True)]
            return -sum(pairs) / n, -sum(math.log(sigmoid(b - a)) for a, b in zip(x, g, strict=True)) / n


@pytest.mark.parametrize("objective", [o for o in ALL if getattr(o, "discriminator_scale", 1) == 1], ids=name_of)
def test_the_losses_are_those_of_the_papers(objective: Objective) -> None:
    expected = reference(type(objective).__name__, REAL[:, 0].tolist(), FAKE[:, 0].tolist())
    assert both(objective) == pytest.approx(expected, rel=1e-12)


def test_the_scale_is_that_of_the_discriminator_alone() -> None:
    (whole, generator), (half, same) = both(NonSaturating()), both(NonSaturating(0.5))
    assert (half, same) == (whole / 2, generator)
    assert NonSaturating(0.5).equilibrium_loss == math.log(2)


@pytest.mark.parametrize("objective", [*ALL, SWITCH.in_epoch(0), SWITCH.in_epoch(9)], ids=name_of)
def test_an_objective_gives_the_scalars_that_it_names(objective: Objective) -> None:
    _, scalars = objective.discriminator_loss(JUDGE, REAL.requires_grad_(), FAKE)
    assert tuple(scalars) == objective.statistics
    assert all(value.shape == () and not value.requires_grad for value in scalars.values())
    assert objective.log_odds == ("real_probability" in scalars) == (objective.equilibrium_loss is not None)


def test_probabilities_are_for_log_odds_and_scores_for_the_rest() -> None:
    found = objectives.probabilities(REAL[:, 0], FAKE[:, 0])
    assert found["real_probability"].item() == pytest.approx(sum(map(sigmoid, REAL[:, 0].tolist())) / 3)
    assert found["fake_probability"].item() == pytest.approx(sum(map(sigmoid, FAKE[:, 0].tolist())) / 3)
    assert found["discriminator_accuracy"].item() == pytest.approx((2 / 3 + 1 / 3) / 2)
    found = objectives.scores(REAL[:, 0], FAKE[:, 0])
    assert [value.item() for value in found.values()] == pytest.approx([0.75, 0.75, 0.0, 1 / 3])


def test_where_the_discriminator_cannot_tell_log_odds_cost_what_theory_says() -> None:
    nothing = torch.zeros(3, 1)
    for objective in ALL:
        if objective.equilibrium_loss is not None:
            loss, _ = objective.discriminator_loss(JUDGE, nothing, nothing)
            assert loss.item() == pytest.approx(objective.equilibrium_loss)


@pytest.mark.parametrize("objective", ALL, ids=name_of)
def test_finite_at_extreme_logits_and_the_gradient_points_the_right_way(objective: Objective) -> None:
    """Down the gradient D raises real images, unless content with them, and lowers generated ones; G raises its own."""
    for level in (-100.0, -3.0, 0.0, 3.0, 100.0):
        real, fake = torch.full((3, 1), level, requires_grad=True), torch.full((3, 1), -level, requires_grad=True)
        loss, _ = objective.discriminator_loss(JUDGE, real, fake)
        on_real, on_fake = torch.autograd.grad(loss, (real, fake))
        assert loss.isfinite()
        content = level > 1 if not isinstance(objective, LeastSquares) else level >= 1
        assert (on_real <= 0).all() or content
        assert (on_fake >= 0).all() or content
        loss = objective.generator_loss(JUDGE, real, fake)
        (on_fake,) = torch.autograd.grad(loss, fake)
        assert loss.isfinite()
        assert (on_fake <= 0).all() or (isinstance(objective, LeastSquares) and -level > 1)


def test_only_pairs_decide_under_the_relativistic_objective() -> None:
    """All logits may be moved together; a pairing of other images is another loss."""
    moved = Judge(Mean(), torch.zeros(3, dtype=torch.int64))
    objective = RelativisticPairing()
    loss, _ = objective.discriminator_loss(JUDGE, REAL, FAKE)
    torch.testing.assert_close(objective.discriminator_loss(moved, REAL + 7, FAKE + 7)[0], loss)
    assert objective.discriminator_loss(moved, REAL, FAKE.flip(0))[0] != loss


@pytest.mark.parametrize(("switch_epoch", "last_before"), [(5, 4), (1, 0)])
def test_switches_after_so_many_epochs(switch_epoch: int, last_before: int) -> None:
    switch = Switch(NonSaturating(), Minimax(), switch_epoch)
    assert switch.in_epoch(last_before) is switch.before
    assert switch.in_epoch(last_before + 1) is switch.after
    assert switch.in_epoch(0) is switch.in_epoch(last_before)  # what is recorded as a graph stays the same object


def test_none_never_switches_and_zero_switches_at_once() -> None:
    never = Switch(NonSaturating(), Minimax(), None)
    assert never.in_epoch(10**6) is never.before
    assert isinstance(Switch(NonSaturating(), Minimax(), 0).in_epoch(0), Minimax)
    assert losses.generator_minimax(FAKE[:, 0]) == Minimax().generator_loss(JUDGE, REAL, FAKE)


def test_switches_may_follow_one_another() -> None:
    three = Switch(Switch(Hinge(), Wasserstein(), 2), RelativisticPairing(), 4)
    found = [type(three.in_epoch(epoch)) for epoch in range(6)]
    assert found == [Hinge] * 2 + [Wasserstein] * 2 + [RelativisticPairing] * 2
    assert three.needs_constraint
    assert three.statistics == Hinge.statistics


@pytest.mark.parametrize("switch_epoch", [-1, 2.5, "5"])
def test_refuses_what_is_not_an_epoch(switch_epoch: Any) -> None:
    with pytest.raises(ValueError, match=r"switch_epoch .*must be a whole number"):
        Switch(NonSaturating(), Minimax(), switch_epoch)


def test_refuses_to_switch_between_log_odds_and_scores() -> None:
    with pytest.raises(ValueError, match=r"those of NonSaturating are log-odds, those of Hinge scores"):
        Switch(NonSaturating(), Hinge())


def test_refuses_what_is_no_scale() -> None:
    with pytest.raises(ValueError, match="discriminator_scale must be a number"):
        NonSaturating("x")  # type: ignore[arg-type]


@pytest.mark.parametrize("objective", [NonSaturating(real_target=0.9), Minimax(real_target=0.9)], ids=name_of)
def test_smoothed_labels_are_those_of_real_images_alone(objective: Objective) -> None:
    """Of the cross-entropy as PyTorch computes it with targets of 0.9 and 0; G's loss is what it is without."""
    targets = torch.full((3,), 0.9, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    entropy = nn.functional.binary_cross_entropy_with_logits
    expected = entropy(REAL[:, 0], targets[0]) + entropy(FAKE[:, 0], targets[1])
    loss, generator_loss = both(objective)
    assert loss == pytest.approx(expected.item(), rel=1e-12)
    assert generator_loss == both(type(objective)())[1]


@pytest.mark.parametrize("alpha", [1.0, 0.9, 0.5])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_the_equilibrium_is_where_the_best_discriminator_cannot_tell(alpha: float, scale: float) -> None:
    """The least loss over all answers to images that are real as often as generated."""
    objective = NonSaturating(scale, real_target=alpha)
    answers = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    losses_there = []
    for answer in answers:
        images = torch.logit(answer).expand(3, 1)
        losses_there.append(objective.discriminator_loss(JUDGE, images, images)[0].item())
    best = min(range(len(answers)), key=lambda n: losses_there[n])
    assert answers[best].item() == pytest.approx(objective.equilibrium_answer, abs=1e-9)
    assert losses_there[best] == pytest.approx(objective.equilibrium_loss, rel=1e-9)


def test_without_smoothing_theory_says_2_log_2_and_one_half() -> None:
    for objective in (Minimax(), NonSaturating(), SWITCH):
        assert (objective.equilibrium_loss, objective.equilibrium_answer) == (2 * math.log(2), 0.5)
    smoothed_at_first = Switch(NonSaturating(real_target=0.9), Minimax())
    assert smoothed_at_first.equilibrium_loss is smoothed_at_first.equilibrium_answer is None


@pytest.mark.parametrize("target", [0, -0.1, 1.1, "x"])
def test_refuses_what_is_no_target(target: Any) -> None:
    with pytest.raises(ValueError, match="real_target must be"):
        Minimax(target)
