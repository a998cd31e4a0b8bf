"""Penalties against closed forms, finite differences and plain PyTorch in float64."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.augmentation import DiffAugment
from gan_lightning.penalties import R1, R1R2, GradientPenalty, Penalty, squared_slopes
from gan_lightning.players.judge import Judge
from gan_lightning.schedules import Cosine

SHAPE = (2, 3, 3)
NUM = 5


class Linear(nn.Module):
    """D(x) = w · x, whose slope is ‖w‖ everywhere."""

    depends_on_batch = False

    def __init__(self) -> None:
        super().__init__()
        random = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(SHAPE, generator=random, dtype=torch.float64))

    def forward(self, images: Tensor) -> Tensor:
        return (images * self.weight).flatten(1).sum(1)


class Curved(nn.Module):
    """Two smooth layers."""

    depends_on_batch = False

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(18, 7), nn.Tanh(), nn.Linear(7, 1)).double()

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).squeeze(1)


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(2)
    real, fake = (torch.randn(NUM, *SHAPE, generator=random, dtype=torch.float64) for _ in range(2))
    return real, fake


def judge_of(network: nn.Module, augmentation: nn.Module | None = None) -> Judge:
    return Judge(network, torch.zeros(NUM, dtype=torch.int64), augmentation)


def gradients(loss: Tensor, network: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(network.parameters()), allow_unused=True))


@pytest.mark.parametrize("weight", [10.0, 0.5])
def test_the_gradient_penalty_of_a_linear_critic_has_its_closed_form(
    weight: float, images: tuple[Tensor, Tensor]
) -> None:
    network = Linear()
    norm = network.weight.detach().norm()
    penalty, scalars = GradientPenalty(weight)(judge_of(network), *images)
    torch.testing.assert_close(penalty, weight * (norm - 1) ** 2)
    torch.testing.assert_close(scalars["gradient_norm"], norm)
    (slope,) = gradients(penalty, network)
    torch.testing.assert_close(slope, weight * 2 * (norm - 1) * network.weight.detach() / norm)


def test_the_other_penalties_of_a_linear_critic_too(images: tuple[Tensor, Tensor]) -> None:
    network = Linear()
    squared = network.weight.detach().square().sum()
    one, _ = R1(0.5)(judge_of(network), *images)
    both, scalars = R1R2(0.5)(judge_of(network), *images)
    torch.testing.assert_close(one, 0.25 * squared)
    torch.testing.assert_close(both, 0.5 * squared)
    torch.testing.assert_close(scalars["real_gradient_norm"], squared.sqrt())
    (slope,) = gradients(one, network)
    torch.testing.assert_close(slope, 0.5 * network.weight.detach())


def test_squares_are_summed_over_an_image_and_equal_finite_differences(images: tuple[Tensor, Tensor]) -> None:
    network, step = Curved(), 1e-5
    real, fake = images
    expected = []
    for batch in images:
        total = torch.zeros(NUM, dtype=torch.float64)
        for place in range(18):
            moved = torch.zeros(18, dtype=torch.float64)
            moved[place] = step
            by = moved.view(SHAPE)
            total += ((network(batch + by) - network(batch - by)) / (2 * step)).detach().square()
        expected.append(total)
    for found, wanted in zip(squared_slopes(judge_of(network), real, fake), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-9)
    one, _ = R1(2.0)(judge_of(network), real, fake)
    torch.testing.assert_close(one, expected[0].mean(), rtol=1e-7, atol=1e-9)
    both, _ = R1R2(2.0)(judge_of(network), real, fake)
    torch.testing.assert_close(both, expected[0].mean() + expected[1].mean(), rtol=1e-7, atol=1e-9)


def test_the_weights_gradient_of_r1_equals_a_finite_difference(images: tuple[Tensor, Tensor]) -> None:
    network, step = Curved(), 1e-5
    weight: Any = network.layers[1].weight

    def penalty() -> Tensor:
        return R1(1.0)(judge_of(network), *images)[0]

    (slope,) = torch.autograd.grad(penalty(), weight)
    for row, column in ((0, 0), (3, 11), (6, 17)):
        values = []
        for by in (step, -step):
            with torch.no_grad():
                weight[row, column] += by
            values.append(penalty().item())
            with torch.no_grad():
                weight[row, column] -= by
        assert slope[row, column].item() == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-6)


def test_one_interpolation_weight_a_sample() -> None:
    """Every pixel of an image between black and white is equally gray, and no two images are."""
    seen: list[Tensor] = []

    class Watch(Linear):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(images.detach())
            return super().forward(images)

    black, white = torch.zeros(NUM, *SHAPE).double(), torch.ones(NUM, *SHAPE).double()
    GradientPenalty()(judge_of(Watch()), white, black)
    (between,) = seen
    shares = between.flatten(1)
    assert torch.equal(shares, shares[:, :1].expand_as(shares))
    assert len(set(shares[:, 0].tolist())) == NUM
    assert 0 <= shares.min() < shares.max() <= 1


def test_a_critic_without_any_slope_has_a_finite_penalty(images: tuple[Tensor, Tensor]) -> None:
    network = Linear()
    nn.init.zeros_(network.weight)
    for penalty in (GradientPenalty(), R1(), R1R2()):
        loss, scalars = penalty(judge_of(network), *images)
        assert all(value.isfinite() for value in scalars.values())
        assert all(slope.isfinite().all() for slope in gradients(loss, network))
    assert GradientPenalty(3.0)(judge_of(network), *images)[0].item() == 3.0


def test_a_penalty_leaves_no_gradient_on_the_images_and_none_for_the_generator(images: tuple[Tensor, Tensor]) -> None:
    real, fake = images
    fake.requires_grad_()
    loss, _ = R1R2()(judge_of(Curved()), real, fake)
    loss.backward()
    assert real.grad is None
    assert fake.grad is None
    assert not real.requires_grad


def test_the_gradient_goes_through_the_augmentation() -> None:
    """Of images twice as bright the slope is twice as high, as seen from before the augmentation."""

    class Doubled(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 2 * images

    network = Linear()
    image = torch.zeros(NUM, *SHAPE).double()
    (plain,), (doubled,) = (squared_slopes(judge_of(network, each), image) for each in (None, Doubled()))
    torch.testing.assert_close(doubled, 4 * plain)
    (changed,) = squared_slopes(judge_of(network, DiffAugment(["translation", "cutout"])), image)
    assert (changed <= plain + 1e-9).all()  # pixels that are not shown have no slope
    assert (changed < plain).any()


@pytest.mark.parametrize("penalty", [GradientPenalty(), R1(), R1R2()], ids=["gradient_penalty", "r1", "r1_r2"])
def test_in_half_precision_a_penalty_is_that_in_float32_but_for_rounding(penalty: Penalty) -> None:
    network = Curved().float()
    random = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(NUM, *SHAPE, generator=random).bfloat16() for _ in range(2))
    found = []
    for enabled in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss, _ = penalty(judge_of(network), real.float(), fake if enabled else fake.float())
        found.append([loss, *gradients(loss, network)[:2]])
    for one, other in zip(*found, strict=True):
        assert other.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.05 * one.abs().max().item())


@pytest.mark.parametrize("penalty", [R1(), R1R2()], ids=["r1", "r1_r2"])
def test_a_judge_that_remembers_gives_the_same_penalty_without_judging_again(
    penalty: Penalty, images: tuple[Tensor, Tensor]
) -> None:
    network = Curved()
    calls: list[int] = []
    network.register_forward_hook(lambda *_: calls.append(1))
    found = []
    for remembers in (False, True):
        calls.clear()
        judge = Judge(network, torch.zeros(NUM, dtype=torch.int64), remembers=remembers)
        on_real, on_fake = judge(*images)
        loss = (on_fake - on_real).mean() + penalty(judge, *images)[0]
        found.append([loss, *gradients(loss, network)[:3]])
    assert len(calls) == 2  # each once
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_a_schedule_changes_the_strength_in_place(images: tuple[Tensor, Tensor]) -> None:
    penalty = R1(Cosine(first=1.0, last=0.25, images=100))
    address = penalty.gamma.value.data_ptr()
    found = []
    for seen in (0, 50, 100, 1000):
        penalty.gamma.set_at(seen)
        found.append(penalty(judge_of(Linear()), *images)[0].item())
    assert [value / found[0] for value in found] == pytest.approx([1, 0.625, 0.25, 0.25])
    assert penalty.gamma.value.data_ptr() == address
    assert not penalty.state_dict()  # what it is follows from the images seen


@pytest.mark.parametrize("strength", [-1, "high", None, float("nan")])
def test_refuses_what_is_no_strength(strength: Any) -> None:
    with pytest.raises(ValueError, match="gamma must be a number of at least 0"):
        R1(strength)
    with pytest.raises(ValueError, match="weight must be a number of at least 0"):
        GradientPenalty(strength)
