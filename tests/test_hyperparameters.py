import math

from gan_lightning.hyperparameters import flatten


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
