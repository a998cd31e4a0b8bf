"""The Dirac-GAN of Mescheder et al. 2018: two numbers, about which everything is known.

The data are the one point 0, the generator draws the one point θ, and D(x) = ψ x. With f the logistic loss, f'(0) = ½,
the game linearised at its equilibrium (0, 0) is θ' = ½ ψ, ψ' = -½ θ - γ ψ (lemma 2.3 and section 3; γ once for R1,
twice for R1 and R2). Without γ its eigenvalues are ± i/2: it circles for ever. With γ < 1 they have the real part -γ/2.
"""

import math

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.objectives import Minimax, NonSaturating, Objective, RelativisticPairing, Wasserstein
from gan_lightning.penalties import R1, R1R2, GradientPenalty, Penalty
from gan_lightning.players.judge import Judge

STEP = 0.02


class Slope(nn.Module):
    depends_on_batch = False

    def __init__(self, start: float) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        return self.psi * points[:, 0]


def play(objective: Objective, penalty: Penalty | None, time: float, start: tuple[float, float]) -> Tensor:
    """Gradient descent of both players in turn, to the places (steps, 2) of (θ, ψ)."""
    theta = nn.Parameter(torch.tensor(start[0], dtype=torch.float64))
    discriminator = Slope(start[1])
    judge = Judge(discriminator, torch.zeros(1, dtype=torch.int64))
    real = torch.zeros(1, 1, dtype=torch.float64)
    places = [start]
    for _ in range(int(time / STEP)):
        fake = theta.detach().view(1, 1)
        loss, _ = objective.discriminator_loss(judge, real, fake)
        if penalty is not None:
            loss = loss + penalty(judge, real, fake)[0]
        (down,) = torch.autograd.grad(loss, discriminator.psi)
        with torch.no_grad():
            discriminator.psi -= STEP * down
        (down,) = torch.autograd.grad(objective.generator_loss(judge, real, theta.view(1, 1)), theta)
        with torch.no_grad():
            theta -= STEP * down
        places.append((theta.item(), discriminator.psi.item()))
    return torch.tensor(places, dtype=torch.float64)


def revolutions(places: Tensor) -> float:
    angles = torch.atan2(places[:, 1], places[:, 0])
    turned = angles.diff()
    return abs((turned - 2 * math.pi * (turned / (2 * math.pi)).round()).sum().item()) / (2 * math.pi)


@pytest.mark.parametrize(
    ("objective", "frequency"),
    [(NonSaturating(), 0.5), (Minimax(), 0.5), (Wasserstein(), 1.0), (RelativisticPairing(), 0.5)],
    ids=lambda value: type(value).__name__,
)
def test_without_a_penalty_it_circles(objective: Objective, frequency: float) -> None:
    time = 2 * 2 * math.pi / frequency
    places = play(objective, None, time, start=(0.01, 0.0))  # further out, terms of higher order pull it in
    radii = places.norm(dim=1)
    assert radii[-1].item() == pytest.approx(0.01, rel=0.001)
    assert 0.0098 < radii.min() <= radii.max() < 0.0102
    assert revolutions(places) == pytest.approx(2, rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "penalty", "rate"),
    [
        (NonSaturating(), R1(0.25), 0.125),
        (Minimax(), R1(0.5), 0.25),
        (Wasserstein(), R1(0.5), 0.25),
        (RelativisticPairing(), R1(0.5), 0.25),
        (RelativisticPairing(), R1R2(0.25), 0.25),
    ],
    ids=lambda value: str(value) if isinstance(value, float) else type(value).__name__,
)
def test_with_a_penalty_it_converges_at_the_rate_of_the_linearised_theory(
    objective: Objective, penalty: Penalty, rate: float
) -> None:
    places = play(objective, penalty, time=24.0, start=(0.1, 0.0))
    # The maxima of |θ| fall on e^(-rate t); between them it oscillates.
    theta = places[:, 0].abs()
    peaks = [n for n in range(1, len(theta) - 1) if theta[n - 1] < theta[n] >= theta[n + 1]]
    first, last = peaks[0], peaks[-1]
    measured = math.log(theta[first] / theta[last]) / ((last - first) * STEP)
    assert measured == pytest.approx(rate, rel=0.02)


def test_a_strong_penalty_is_slower_again() -> None:
    """Beyond γ = 1 there is no circling left, and the slower eigenvalue is -(γ - √(γ² - 1)) / 2."""
    gamma = 2.0
    places = play(NonSaturating(), R1(gamma), time=24.0, start=(0.1, 0.0))
    half, end = places[len(places) // 2].norm(), places[-1].norm()
    measured = math.log(half / end) / 12.0
    assert measured == pytest.approx((gamma - math.sqrt(gamma**2 - 1)) / 2, rel=0.02)


@pytest.mark.slow
def test_the_gradient_penalty_does_not_make_it_converge() -> None:
    """Section 3 there: a slope that is to be 1 has no place where θ could stay."""
    places = play(Wasserstein(), GradientPenalty(1.0), time=30.0, start=(0.5, 0.0))
    assert places[-500:, 0].abs().max() > 0.05
