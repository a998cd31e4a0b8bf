import pytest
import torch
from torch.optim import SGD, Adam

from gan_lightning.schedules import Goodfellow2014

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
