"""What settings decide, and the views of that table."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from gan_lightning.settings import (
    DECIDES,
    as_of_today,
    but_for_length,
    decides,
    differences,
    flatten,
    hyperparameters,
    identity,
    images_of,
    seeds_of,
    short_keys,
    without_resolvers,
)

SETTINGS: dict[str, Any] = {
    "seed": 0,
    "output_dir": "run",
    "dataset": {"_target_": "gan_lightning.data.mnist.MNIST", "batch_size": 32, "data_dir": "data", "seed": 0},
    "gan": {"_target_": "gan_lightning.gan.GAN", "_partial_": True, "alternations_per_step": 1, "seed": 0},
    "model": {"generator": {"_target_": "my.Generator", "hidden_dims": [512, 1024]}},
    "objective": {"_target_": "gan_lightning.objectives.Switch", "switch_epoch": None},
    "trainer": {"_target_": "lightning.pytorch.Trainer", "max_epochs": 3, "accelerator": "cpu", "devices": 1},
    "callbacks": {"samples": {"num_samples": 64}},
    "logger": None,
}


def changed(**dotted: Any) -> dict[str, Any]:
    """The settings with others, `trainer__max_epochs=4`."""
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in SETTINGS.items()}
    for key, value in dotted.items():
        group, _, name = key.partition("__")
        if name:
            result[group][name] = value
        else:
            result[group] = value
    return result


ON_A_GPU = changed(trainer__accelerator="gpu", gan__alternations_per_step=25, output_dir="other")


def test_a_setting_decides_what_that_above_it_decides() -> None:
    assert decides("callbacks.samples.num_samples") == decides("callbacks") == DECIDES["callbacks"]
    assert decides("dataset.seed") == decides("seed")
    assert decides("seed_of_doubt") is None
    assert decides("model.generator.hidden_dims") is None


def test_nested_settings_become_flat_and_lists_stay() -> None:
    nested = {"a": {"b": {"c": [1, {"d": 2}]}, "e": None}, "f": 1}
    assert flatten(nested) == {"a.b.c": [1, {"d": 2}], "a.e": None, "f": 1}


def test_runs_are_alike_wherever_they_took_place_and_whatever_their_seeds() -> None:
    assert identity(SETTINGS) == identity(ON_A_GPU) == identity(changed(seed=1, trainer__max_epochs=9, callbacks={}))
    for other in (changed(dataset__batch_size=16), changed(objective__switch_epoch=5)):
        assert identity(SETTINGS) != identity(other)


def test_a_resumed_run_may_change_how_long_and_where_it_trains_and_what_is_written_down() -> None:
    assert differences(SETTINGS, ON_A_GPU) == []
    assert differences(SETTINGS, changed(trainer__max_epochs=9, callbacks={}, dataset__data_dir="elsewhere")) == []
    assert differences(SETTINGS, changed(seed=1, dataset__batch_size=16, objective__threshold=2)) == [
        "dataset.batch_size (32, now 16)",
        "objective.threshold (not set, now 2)",
        "seed (0, now 1)",
    ]


def test_what_is_null_may_be_left_out() -> None:
    without = changed()
    del without["objective"]["switch_epoch"]
    assert differences(SETTINGS, without) == []


@pytest.mark.parametrize("key", ["trainer__max_epochs", "logger"])
def test_a_shorter_run_is_the_beginning_of_a_longer_one(key: str) -> None:
    assert but_for_length(SETTINGS) == but_for_length(changed(**{key: 5}))


def test_what_a_resolver_computed_is_written_down_and_references_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIDTH", "12")
    settings = OmegaConf.create(
        {"a": {"width": "${oc.decode:${oc.env:WIDTH}}", "same": "${a.width}"}, "b": ["${oc.env:WIDTH}", 1]}
    )
    plain = OmegaConf.to_container(without_resolvers(settings))
    assert plain == {"a": {"width": 12, "same": "${a.width}"}, "b": ["12", 1]}


@pytest.mark.parametrize("key", ["seed", "trainer__accelerator", "callbacks", "objective__switch_epoch"])
def test_nothing_else_may_differ(key: str) -> None:
    assert but_for_length(SETTINGS) != but_for_length(changed(**{key: 5}))


def test_the_same_images_whatever_a_training_makes_of_them() -> None:
    assert images_of(SETTINGS) == images_of(changed(dataset__batch_size=1, dataset__seed=5, dataset__data_dir="x"))
    assert images_of(SETTINGS) != images_of(changed(dataset___target_="gan_lightning.data.cifar10.CIFAR10"))


def test_hyperparameters_name_classes_and_leave_out_places() -> None:
    assert hyperparameters(SETTINGS) == {
        "seed": 0,
        "dataset": "MNIST",
        "dataset.batch_size": 32,
        "dataset.seed": 0,
        "gan.seed": 0,
        "model.generator": "Generator",
        "model.generator.hidden_dims": [512, 1024],
        "objective": "Switch",
        "objective.switch_epoch": None,
        "trainer.max_epochs": 3,
    }
    assert seeds_of(hyperparameters(SETTINGS)) == {"seed": 0, "dataset.seed": 0, "gan.seed": 0}


def test_keys_are_as_short_as_tells_them_apart() -> None:
    assert short_keys(["optimizer.lr", "seed"]) == {"optimizer.lr": "lr", "seed": "seed"}
    assert short_keys(["optimizer.generator.lr", "optimizer.discriminator.lr"]) == {
        "optimizer.generator.lr": "generator.lr",
        "optimizer.discriminator.lr": "discriminator.lr",
    }


def test_an_mlp_of_an_earlier_version_has_what_could_not_be_chosen_then() -> None:
    before: dict[str, Any] = {
        "latent_dim": 100,
        "generator": {"_target_": "gan_lightning.networks.mlp.Generator", "hidden_dims": [8]},
        "discriminator": {"_target_": "my.Discriminator"},
    }
    now = as_of_today({"model": before})["model"]
    assert now["conditional"] is False
    assert now["generator"] == before["generator"] | {
        "latent_distribution": "normal",
        "activation": "leaky_relu",
        "normalization": "none",
        "conditional": False,
    }
    assert now["discriminator"] == before["discriminator"]
    mine = {"generator": {"_target_": "my.Generator"}}
    assert as_of_today({"model": mine})["model"] == mine


def test_an_earlier_versions_settings_say_what_they_meant() -> None:
    objectives = "gan_lightning.objectives"
    old = changed(objective={"_target_": f"{objectives}.Switch", "switch_epoch": 5})
    today = as_of_today(old)
    assert today["gan"]["generator_clip_norm"] is today["gan"]["discriminator_clip_norm"] is None
    assert today["gan"]["ema"]["half_life"] is None
    assert today["objective"] == {
        "_target_": f"{objectives}.Switch",
        "before": {"_target_": f"{objectives}.NonSaturating", "discriminator_scale": 1.0, "real_target": 1.0},
        "after": {"_target_": f"{objectives}.Minimax", "real_target": 1.0},
        "switch_epoch": 5,
    }
    assert as_of_today(today) == today
    hinge = {"_target_": f"{objectives}.Hinge"}
    assert as_of_today(changed(objective=hinge))["objective"] == hinge
