import pytest
import torch
from torch import Tensor

from gan_lightning.losses import generator_minimax, generator_non_saturating
from gan_lightning.objectives import Minimax, NonSaturating, Objective, Switch

LOGITS = torch.tensor([-2.0, 0.5, 3.0])


def in_epoch(objective: Objective, epoch: int) -> Tensor:
    """The generator's loss as training takes it."""
    return objective.generator_loss(LOGITS, objective.phase(epoch))


@pytest.mark.parametrize(("switch_epoch", "last_before"), [(5, 4), (1, 0)])
def test_switches_after_so_many_epochs(switch_epoch: int, last_before: int) -> None:
    objective = Switch(switch_epoch)
    assert in_epoch(objective, last_before) == generator_non_saturating(LOGITS)
    assert in_epoch(objective, last_before + 1) == generator_minimax(LOGITS)


def test_none_never_switches_and_zero_switches_at_once() -> None:
    assert in_epoch(Switch(None), 10**6) == generator_non_saturating(LOGITS)
    assert in_epoch(Switch(0), 0) == generator_minimax(LOGITS)


@pytest.mark.parametrize("epoch", [0, 100])
def test_the_others_never_switch(epoch: int) -> None:
    assert in_epoch(Minimax(), epoch) == generator_minimax(LOGITS)
    assert in_epoch(NonSaturating(), epoch) == generator_non_saturating(LOGITS)


@pytest.mark.parametrize("switch_epoch", [-1, 2.5, "5"])
def test_refuses_what_is_not_an_epoch(switch_epoch: object) -> None:
    with pytest.raises(ValueError, match=r"switch_epoch .*must be a whole number"):
        Switch(switch_epoch)  # type: ignore[arg-type]
