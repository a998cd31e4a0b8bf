from functools import partial
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam

from gan_lightning.schedules import Cosine, Goodfellow2014, Linear, Schedule, Scheduled, ScheduledOptimizer, at

WEIGHT = torch.nn.Parameter(torch.zeros(1))


def test_learning_rate_and_momentum_update_by_update() -> None:
    optimizer = SGD([WEIGHT], lr=0.1, momentum=0.5)
    schedule = Goodfellow2014(optimizer, decay=2.0, min_lr=0.02, momentum_epochs=5, updates_per_epoch=2)
    rates, momenta = [], []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.1, 0.05, 0.025, *[0.02] * 9])
    assert momenta == pytest.approx([0.5, 0.5, 0.55, 0.55, 0.6, 0.6, 0.65, 0.65, 0.7, 0.7, 0.7, 0.7])


def test_goes_on_from_its_state() -> None:
    def made() -> tuple[SGD, Goodfellow2014]:
        optimizer = SGD([WEIGHT], lr=0.1, momentum=0.5)
        return optimizer, Goodfellow2014(optimizer, updates_per_epoch=3)

    (whole, schedule), (first, interrupted), (second, resumed) = made(), made(), made()
    for _ in range(7):
        whole.step()
        schedule.step()
    for _ in range(4):
        first.step()
        interrupted.step()
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(interrupted.state_dict())
    for _ in range(3):
        second.step()
        resumed.step()
    assert second.param_groups[0]["lr"] == whole.param_groups[0]["lr"]
    assert second.param_groups[0]["momentum"] == whole.param_groups[0]["momentum"]


def test_refuses_an_optimizer_without_momentum() -> None:
    with pytest.raises(ValueError, match="Adam has no momentum"):
        Goodfellow2014(Adam([WEIGHT]))


def test_refuses_a_decay_that_would_grow() -> None:
    with pytest.raises(ValueError, match="decay must be a number of at least 1"):
        Goodfellow2014(SGD([WEIGHT], lr=0.1, momentum=0.5), decay=0)


def test_half_a_cosine_and_then_constant() -> None:
    schedule = Cosine(first=2.0, last=1.0, images=100)
    assert [schedule(n) for n in (0, 25, 50, 75, 100, 10**9)] == pytest.approx([2, 1.853553, 1.5, 1.146447, 1, 1])
    assert at([0.0, schedule, "x"], 50) == [0.0, 1.5, "x"]


@pytest.mark.parametrize("settings", [(-1, 1, 1), (1, "low", 1), (1, 1, 0), (1, float("nan"), 1)])
def test_refuses_what_is_no_cosine(settings: Any) -> None:
    with pytest.raises(ValueError, match=r"(first|last|images) must be a number"):
        Cosine(*settings)


def test_a_scheduled_number_is_one_tensor_for_ever() -> None:
    scheduled, constant = Scheduled(Cosine(1, 0, 10)), Scheduled(3.0)
    tensor = scheduled.value
    for each in (scheduled, constant):
        each.set_at(5)
    assert tensor.item() == pytest.approx(0.5)
    assert scheduled.value is tensor
    assert constant.value.item() == 3.0


def test_an_optimizers_settings_follow_their_schedules() -> None:
    rate, beta = Cosine(1e-2, 1e-3, 100), Cosine(0.9, 0.99, 100)
    scheduled = ScheduledOptimizer(partial(Adam, lr=rate, betas=[0.0, beta], eps=1e-6), [WEIGHT])
    (group,) = scheduled.optimizer.param_groups
    assert (group["lr"], list(group["betas"]), group["eps"]) == (1e-2, [0.0, 0.9], 1e-6)
    scheduled.set_at(50)
    assert [group["lr"], *group["betas"]] == pytest.approx([5.5e-3, 0.0, 0.945])
    # On a device they are tensors that keep their place.
    scheduled.start(50, torch.device("cpu"))
    tensors = group["lr"], group["betas"][1]
    assert isinstance(group["betas"][0], float)
    scheduled.set_at(100)
    assert (group["lr"], group["betas"][1]) == (tensors[0], tensors[1])
    assert [tensor.item() for tensor in tensors] == pytest.approx([1e-3, 0.99])
    assert group["lr"] is tensors[0]
    scheduled.start(0, None)
    assert (group["lr"], group["betas"]) == (1e-2, [0.0, 0.9])


def test_an_optimizer_without_schedules_is_left_alone() -> None:
    scheduled = ScheduledOptimizer(partial(SGD, lr=0.5), [WEIGHT])
    scheduled.optimizer.param_groups[0]["lr"] = 0.25
    scheduled.set_at(50)
    assert scheduled.optimizer.param_groups[0]["lr"] == 0.25
    assert ScheduledOptimizer(SGD, [WEIGHT]).optimizer.param_groups[0]["lr"] == 1e-3


def test_what_an_optimizer_would_refuse_later_it_refuses_at_once() -> None:
    for schedule in (Cosine(0.9, 1.5, 100), Cosine(1.5, 0.9, 100)):
        with pytest.raises(ValueError, match="Invalid beta parameter"):
            ScheduledOptimizer(partial(Adam, betas=[schedule, 0.99]), [WEIGHT])


def test_a_schedule_of_ones_own_is_asked_for_images_that_can_be() -> None:
    class Halves(Schedule):
        def __call__(self, images_seen: int) -> float:
            return 1e-3 * 0.5 ** (images_seen // 1000)

    scheduled = ScheduledOptimizer(partial(SGD, lr=Halves()), iter([WEIGHT]))
    scheduled.set_at(2500)
    assert scheduled.optimizer.param_groups[0]["lr"] == 2.5e-4


def test_a_line_with_constants_before_and_after_it() -> None:
    schedule = Linear(first=2.0, last=0.0, images=300, begin=100)
    assert [schedule(n) for n in (0, 100, 150, 200, 300, 10**9)] == pytest.approx([2, 2, 1.5, 1, 0, 0])
    assert Linear(1.0, 0.5, 100)(50) == pytest.approx(0.75)
    assert schedule.extremes() == (0.0, 2.0)


@pytest.mark.parametrize("settings", [(-1, 1, 1), (1, "low", 1), (1, 1, 0), (1, 0, 10, 10), (1, 0, 10, -1)])
def test_refuses_what_is_no_line(settings: Any) -> None:
    with pytest.raises(ValueError, match=r"^(first|last|images|begin)\b.* must be"):
        Linear(*settings)


def test_all_gradients_of_a_player_are_scaled_down_to_their_greatest_norm() -> None:
    moved = {}
    for clip_norm in (None, 10.0, 1.0):
        weights = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
        scheduled = ScheduledOptimizer(partial(SGD, lr=1.0), weights, clip_norm=clip_norm)
        weights[0].grad, weights[1].grad = torch.tensor([2.0, 1.0]), torch.tensor([-2.0])  # of norm 3
        scheduled.step()
        moved[clip_norm] = torch.cat([weight.detach() for weight in weights])
    assert torch.equal(moved[None], torch.tensor([-2.0, -1.0, 2.0]))
    assert torch.equal(moved[10.0], moved[None])
    torch.testing.assert_close(moved[1.0], moved[None] / 3)


def test_refuses_what_is_no_norm() -> None:
    with pytest.raises(ValueError, match=r"clip_norm .*must be a number of at least 0, not 'x'"):
        ScheduledOptimizer(SGD, [WEIGHT], clip_norm="x")  # type: ignore[arg-type]
