import math

import pytest
import torch
from torch import tensor

from gan_lightning.losses import discriminator_cross_entropy, generator_minimax, generator_non_saturating

LOGITS = torch.linspace(-8, 8, 33, dtype=torch.float64)


def test_closed_forms() -> None:
    probability = 1 / (1 + torch.exp(-LOGITS))
    for logit, p in zip(LOGITS, probability, strict=True):
        torch.testing.assert_close(generator_minimax(logit[None]), torch.log(1 - p))
        torch.testing.assert_close(generator_non_saturating(logit[None]), -torch.log(p))
    expected = -torch.log(probability).mean() - torch.log(1 - probability.flip(0)).mean()
    torch.testing.assert_close(discriminator_cross_entropy(LOGITS, LOGITS.flip(0)), expected)


def test_at_the_equilibrium_everyone_pays_log_two() -> None:
    zero = torch.zeros(3)
    assert discriminator_cross_entropy(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert generator_non_saturating(zero).item() == pytest.approx(math.log(2))
    assert generator_minimax(zero).item() == pytest.approx(-math.log(2))


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_exact_and_finite_at_extreme_logits(sign: float) -> None:
    logits = tensor([sign * 100])
    assert discriminator_cross_entropy(logits, -logits).item() == pytest.approx(200 if sign < 0 else 0, abs=1e-30)
    assert generator_minimax(logits).item() == pytest.approx(-100 if sign > 0 else 0, abs=1e-30)
    assert generator_non_saturating(logits).item() == pytest.approx(100 if sign < 0 else 0, abs=1e-30)


@pytest.mark.parametrize("logit", [-100.0, -1.0, 0.0, 1.0, 100.0])
def test_a_step_down_the_gradient_moves_the_logit_the_right_way(logit: float) -> None:
    real, fake = tensor([logit], requires_grad=True), tensor([logit], requires_grad=True)
    discriminator_cross_entropy(real, fake).backward()
    assert real.grad is not None
    assert fake.grad is not None
    surely = abs(logit) == 100  # there the gradient of a loss that is already 0 underflows
    assert real.grad < 0 or (surely and real.grad == 0)  # towards "real"
    assert fake.grad > 0 or (surely and fake.grad == 0)  # towards "fake"
    for loss in (generator_minimax, generator_non_saturating):
        fake.grad = None
        loss(fake).backward()
        assert fake.grad < 0 or (surely and fake.grad == 0)  # the generator wants its images taken for real


def test_only_the_minimax_loss_saturates_where_fakes_are_rejected() -> None:
    rejected = tensor([-20.0], requires_grad=True)
    (slope,) = torch.autograd.grad(generator_non_saturating(rejected), rejected)
    assert slope.item() == pytest.approx(-1, abs=1e-6)
    (slope,) = torch.autograd.grad(generator_minimax(rejected), rejected)
    assert slope.item() == pytest.approx(0, abs=1e-6)
