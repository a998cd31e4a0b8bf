"""Every shipped option composes, and every object that it names accepts it."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
from conftest import DRAWS, Run
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

from gan_lightning.options import prefer_choices
from gan_lightning.paths import CONF

GROUPS = sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")
OPTIONS = {group: sorted(path.stem for path in (CONF / group).glob("*.yaml")) for group in GROUPS}
FREE = {"image_shape", "num_classes", "params", "self", "optimizer"}  # what building adds
JOINED = {
    *("generator", "discriminator", "objective", "generator_optimizer", "discriminator_optimizer", "scheduler"),
    *("penalty", "augmentation"),
}


def together(options: dict[str, list[str]]) -> list[list[str]]:
    """Words that choose every option at least once, of each group one at a time."""
    rounds = range(max(len(names) for names in options.values()))
    return [[f"{group}={names[n % len(names)]}" for group, names in options.items()] for n in rounds]


def without(options: dict[str, list[str]], *names: str) -> dict[str, list[str]]:
    return {group: [name for name in options[group] if name not in names] for group in options}


MODELS = [[f"model={name}"] for name in OPTIONS["model"]]
EXPERIMENTS = [[f"experiment={name}"] for name in OPTIONS["experiment"]]  # which choose of other groups themselves
PARTS = {group: names for group, names in OPTIONS.items() if group not in ("experiment", "hparams_search")}


def compose(*overrides: str) -> Any:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        settings = hydra.compose("config", [*overrides, "output_dir=outputs/x"], return_hydra_config=True)
        OmegaConf.set_struct(settings, False)
        del settings["hydra"]
        return OmegaConf.to_container(settings, resolve=True)


def targets(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield path, node
        for key, child in node.items():
            yield from targets(child, f"{path}.{key}" if path else key)


@pytest.mark.parametrize("group", ["augmentation", "model", "objective", "optimizer", "penalty"])
def test_what_an_experiment_says_of_another_option_of_a_group_is_not_left(group: str) -> None:
    for experiment in ("cifar10_r3gan", "cifar10_tenth_diffaugment", "first_run"):
        for option in OPTIONS[group]:
            chosen = f"{group}={option}"
            beside = compose(*prefer_choices([f"experiment={experiment}", chosen]))[group] or {}
            alone = compose(chosen)[group] or {}
            kinds = [{key: type(value) for key, value in each.items()} for each in (beside, alone)]
            assert kinds[0] == kinds[1], (experiment, chosen)


@pytest.mark.parametrize("words", [*together(PARTS), *EXPERIMENTS, ["hparams_search=optuna"]])
def test_an_options_keys_are_its_constructors_arguments(words: list[str]) -> None:
    of_a_search = ["callbacks.pruning.journal=x", "callbacks.pruning.trial=0"] if "optuna" in words[0] else []
    found = dict(targets(compose(*words, *of_a_search)))
    assert found.keys() >= {"gan", "dataset", "model.generator", "model.discriminator", "objective", "trainer"}
    for path, node in found.items():
        signature = inspect.signature(get_class(node["_target_"])).parameters
        keys = {key for key in node if not key.startswith("_")}
        assert keys <= signature.keys(), path
        if node["_target_"].startswith("gan_lightning."):
            # Nothing that can be varied is missing from the configuration.
            assert signature.keys() - keys <= FREE | (JOINED if path == "gan" else set()), path


def test_the_defaults_of_constructors_and_of_their_files_are_the_same() -> None:
    compared = 0
    for overrides in ([], ["model=goodfellow", "optimizer=goodfellow_sgd"], ["objective=non_saturating"], *MODELS):
        for path, node in targets(compose(*overrides)):
            if node["_target_"].startswith("gan_lightning."):
                for name, parameter in inspect.signature(get_class(node["_target_"])).parameters.items():
                    # An object of its own has defaults of its own.
                    own = isinstance(node.get(name), dict)
                    if name in node and not own and parameter.default is not inspect.Parameter.empty:
                        default = parameter.default
                        assert node[name] == (list(default) if isinstance(default, tuple) else default), (path, name)
                        compared += 1
    assert compared > 40


NARROW = {
    "model=sngan": ["model.generator.width=8", "model.discriminator.width=8"],
    "experiment=cifar10_r3gan": ["model.width=16", "model.max_width=16"],
    "experiment=cifar10_sngan": ["model.generator.width=8", "model.discriminator.width=8"],
    "experiment=cifar10_tenth_diffaugment": ["model.generator.width=8", "model.discriminator.width=8"],
}
"""What is made for a GPU, for a moment of a CPU."""
NAMED = {"dataset=torchvision": ["dataset.name=KMNIST"]}
"""What has to be said beside an option."""


POINTS = ("ring", "grid", "spiral", "two_moons")
"""Which suit few models: tests/test_two_dimensions.py."""


# The others need a GPU, below, or more test images, in tests/callbacks/test_evaluation.py, or images of one's own, in
# tests/data/test_folder.py, or a package of their own.
@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        *together(without(PARTS, "gpu", "ddp", "evaluation", "wandb", "mlflow", "folder", "huggingface", *POINTS)),
        *EXPERIMENTS,
    ],
)
def test_an_option_instantiates_and_trains(words: list[str], run: Run, data_dir: Path) -> None:
    limits = [] if "trainer=smoke" in words else ["trainer.max_epochs=1", "trainer.limit_train_batches=2"]
    undrawn = [] if "objective=hinge" in words else [f"~callbacks.{name}" for name in DRAWS]  # once, and in colour
    beside = [each for word in words for each in NARROW.get(word, []) + NAMED.get(word, [])]
    outcome = run(
        *words, *limits, *undrawn, *beside,
        f"data_dir={data_dir}", "dataset.num_train_images=40", "dataset.batch_size=8", "output_dir=run",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    assert Path("run/metrics.json").exists()


def test_every_option_is_chosen() -> None:
    chosen = {word for words in together(PARTS) for word in words}
    assert chosen == {f"{group}={name}" for group, names in PARTS.items() for name in names}


@pytest.mark.parametrize("option", ["gpu", "ddp"])
def test_the_gpu_options_are_those_of_lightnings_trainer(option: str) -> None:
    trainer = compose(f"trainer={option}")["trainer"]
    assert trainer["accelerator"] == "gpu"
    trainer |= {"accelerator": "cpu", "devices": 1, "logger": False, "enable_checkpointing": False}
    instantiate(trainer)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_the_reports_settings(name: str) -> None:
    settings = compose(f"experiment=report_{name}")
    assert settings["dataset"]["_target_"].startswith(f"gan_lightning.data.{name}.")
    assert settings["dataset"]["batch_size"] == 32
    assert settings["trainer"]["max_epochs"] == 100
    assert settings["model"]["generator"] == {
        "_target_": "gan_lightning.networks.mlp.Generator",
        "latent_dim": 100,
        "latent_distribution": "normal",
        "hidden_dims": [512, 1024],
        "negative_slope": 0.2,
        "activation": "leaky_relu",
        "normalization": "none",
        "conditional": False,
    }
    assert settings["model"]["discriminator"] == {
        "_target_": "gan_lightning.networks.mlp.Discriminator",
        "hidden_dim": 512,
        "maxout_dim": 256,
        "maxout_pieces": 2,
        "dropout": 0.3,
        "negative_slope": 0.2,
        "activation": "leaky_relu",
        "normalization": "none",
        "conditional": False,
    }
    for player in ("generator", "discriminator"):
        assert settings["optimizer"][player]["_target_"] == "torch.optim.Adam"
        assert settings["optimizer"][player]["lr"] == 1e-4
        assert settings["optimizer"][player]["betas"] == [0.9, 0.999]
    assert settings["gan"]["discriminator_steps"] == 5
    assert settings["gan"]["discriminator_batches"] == "reuse"
    objectives = "gan_lightning.objectives"
    assert settings["objective"] == {
        "_target_": f"{objectives}.Switch",
        "before": {"_target_": f"{objectives}.NonSaturating", "discriminator_scale": 1.0, "real_target": 1.0},
        "after": {"_target_": f"{objectives}.Minimax", "real_target": 1.0},
        "switch_epoch": 5,
    }
    assert settings["penalty"] is settings["augmentation"] is settings["gan"]["ema"]["half_life"] is None
    assert settings["gan"]["generator_clip_norm"] is settings["gan"]["discriminator_clip_norm"] is None


def launcher(*words: str) -> Any:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        composed = hydra.compose("config", list(words), return_hydra_config=True)
        return OmegaConf.to_container(composed.hydra.launcher, resolve=False)


def test_the_launchers() -> None:
    ours = launcher()
    assert set(ours) - {"_target_"} == set(inspect.signature(get_class(ours["_target_"])).parameters)
    slurm = launcher("hydra/launcher=slurm")
    assert slurm["_target_"].endswith(".SlurmLauncher")
    assert (slurm["gpus_per_node"], slurm["max_num_timeout"], slurm["timeout_min"]) == (1, 20, 240)
    ray = launcher("hydra/launcher=ray_cluster")
    assert ray["_target_"].endswith(".RayLauncher")
    assert ray["ray"] == {"init": {"address": "auto"}, "remote": {"num_cpus": 4, "num_gpus": 1, "max_calls": 1}}


@pytest.mark.slow
@pytest.mark.parametrize("search", ["report_grid", "optuna"])
def test_a_sweepers_keys_are_its_constructors_arguments(search: str) -> None:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        settings = hydra.compose("config", [f"hparams_search={search}"], return_hydra_config=True).hydra.sweeper
    assert set(settings) - {"_target_"} == set(inspect.signature(get_class(settings["_target_"])).parameters)


def test_a_learning_rate_for_both_and_for_one() -> None:
    optimizer = compose("optimizer.lr=3e-4", "optimizer.generator.lr=1e-5")["optimizer"]
    assert (optimizer["generator"]["lr"], optimizer["discriminator"]["lr"]) == (1e-5, 3e-4)


def test_one_setting_is_the_end_of_both_players_schedules() -> None:
    decay = compose("optimizer=adam_decay", "optimizer.lr.images=5000", "optimizer.discriminator.lr=1e-4")["optimizer"]
    assert decay["generator"]["lr"]["images"] == 5000
    assert decay["discriminator"]["lr"] == 1e-4
    burn_in = compose("optimizer=r3gan", "optimizer.images=5000")["optimizer"]
    for player in ("generator", "discriminator"):
        assert burn_in[player]["lr"]["images"] == burn_in[player]["betas"][1]["images"] == 5000
