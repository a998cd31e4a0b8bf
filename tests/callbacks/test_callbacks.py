import math

import pytest

from gan_lightning.callbacks.momentum import MomentumRamp
from gan_lightning.callbacks.results import flatten


def test_momentum_rises_linearly_and_stays() -> None:
    ramp = MomentumRamp(0.5, 0.7, epochs=5)
    assert [ramp.momentum(epoch) for epoch in range(7)] == pytest.approx([0.5, 0.55, 0.6, 0.65, 0.7, 0.7, 0.7])
    with pytest.raises(ValueError, match="at least 2"):
        MomentumRamp(epochs=1)


def test_settings_are_flat_and_never_none_for_tensorboard() -> None:
    flat = flatten(
        {
            "seed": 0,
            "objective": {"_target_": "gan_lightning.objectives.Switch", "switch_epoch": None},
            "model": {"generator": {"hidden_dims": [512, 1024]}},
            "gan": {"_partial_": True},
        }
    )
    assert math.isnan(flat.pop("objective.switch_epoch"))
    assert flat == {"seed": 0, "objective": "Switch", "model.generator.hidden_dims": "[512, 1024]"}
