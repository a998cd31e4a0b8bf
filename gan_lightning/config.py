"""Where the settings are, and what a checkpoint says of its own."""

import glob
import json
import re
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gan_lightning.checks import true_or_false, whole_number
from gan_lightning.errors import UserError, one_line

PACKAGE = Path(__file__).parent
"""Where the package is."""
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
"""The configuration folder: inside an installed package, beside it in a checkout."""

FREE_ON_RESUME = {
    *("output_dir", "ckpt_path", "optimized_metric", "data_dir", "dataset.data_dir", "callbacks", "logger"),
    *("trainer.max_epochs", "trainer.log_every_n_steps", "trainer.default_root_dir", "trainer.enable_model_summary"),
    *("trainer.accelerator", "trainer.devices", "trainer.strategy", "trainer.deterministic", "gan.cuda_graph"),
}
"""Settings that a resumed run may change: how long and where it trains, and what is written down."""

SEEDS = {"seed", "dataset.seed", "gan.seed"}
"""Settings in which runs may differ that a mean over seeds takes together."""


def resolved(settings: DictConfig) -> dict[str, Any]:
    """The settings with the values of their interpolations, but without the place and the checkpoint of this run.

    So two runs can be compared: paths in the run's folder begin with a slash.
    """
    placeless = OmegaConf.merge(settings, {"output_dir": "", "ckpt_path": None})
    return as_of_today(cast(dict[str, Any], OmegaConf.to_container(placeless, resolve=True)))


def as_of_today(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run, also of an earlier version, with those that came later as they were without saying so."""
    settings = {"penalty": None, "augmentation": None, **settings}
    if isinstance(settings.get("gan"), dict):
        average = {"_target_": "gan_lightning.averaging.ExponentialMovingAverage", "half_life": None}
        settings["gan"] = {"ema": average, **settings["gan"]}
    objective = settings.get("objective")
    if isinstance(objective, dict) and objective.get("_target_") == "gan_lightning.objectives.Switch":
        before = {"_target_": "gan_lightning.objectives.NonSaturating", "discriminator_scale": 1.0}
        after = {"_target_": "gan_lightning.objectives.Minimax"}
        settings["objective"] = {"before": before, "after": after, **objective}
    return settings


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings of the run in a folder, as :func:`resolved` gives them.

    Raises:
        UserError: if its `config.yaml` is damaged, or not that of a run.
    """
    path = folder / "config.yaml"
    try:
        settings = resolved(cast(DictConfig, OmegaConf.load(path)))
        if {"gan", "model", "dataset", "trainer", "callbacks"} <= settings.keys():
            return settings
    except (OSError, ValueError, AttributeError, TypeError, YAMLError, OmegaConfBaseException) as reason:
        raise UserError(f"{path} is damaged: {one_line(reason)}") from reason
    raise UserError(f"{path} is not that of a run")


def word(key: str, value: str) -> str:
    """`key=value` as Hydra reads it back, whatever characters the value has."""
    plain = re.fullmatch(r"[\w./:+-]+", value, re.ASCII)
    return f"{key}={value}" if plain else "{}='{}'".format(key, value.replace("'", r"\'"))


def read_checkpoint(path: str) -> dict[str, Any]:
    """A checkpoint of this project, read as data: nothing in the file is run.

    Raises:
        UserError: if there is no such file, it cannot be read, or it is not a checkpoint of this project.
    """
    import torch  # not needed to find the configuration

    if not Path(path).is_file():
        raise UserError(f"there is no checkpoint at {path}; a run leaves its own in checkpoints/last.ckpt")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as reason:
        raise UserError(f"cannot read {path}: {reason.strerror}") from reason
    except Exception as reason:  # torch raises many kinds, depending on where the file stops making sense
        raise UserError(f"{path} is not a checkpoint, or it is damaged") from reason
    try:
        # Until there were others, all data sets had ten classes, and all logits were log-odds.
        # By way of JSON, which knows nothing but dicts, lists, numbers and text, and nothing that holds itself.
        facts = {"num_classes": 10, "log_odds": True, **json.loads(json.dumps(checkpoint["hyper_parameters"]))}
        checkpoint["hyper_parameters"] = as_of_today(facts)
        _check_facts(facts)
        epochs_of(checkpoint)
        if not all(isinstance(name, str) for name in checkpoint["state_dict"]):
            raise TypeError
    except (KeyError, TypeError, ValueError, RecursionError):
        raise UserError(f"{path} is not a checkpoint of this project") from None
    return checkpoint


def _check_facts(settings: dict[str, Any]) -> None:
    """What a checkpoint's settings need to be so that its players can be made.

    Raises:
        KeyError, TypeError, ValueError: if they are not.
    """
    for group in ("dataset", "gan", "model", "objective", "trainer"):
        if not isinstance(settings[group], dict):
            raise TypeError
    if len(settings["image_shape"]) != 3:
        raise ValueError
    for value in (*settings["image_shape"], settings["num_classes"]):
        whole_number("a fact", value, at_least=1)
    whole_number("seed", settings["seed"], at_least=0)
    true_or_false("log_odds", settings["log_odds"])


def epochs_of(checkpoint: dict[str, Any]) -> int:
    """How many epochs a checkpoint has been trained for."""
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    whole_number("epochs", epochs, at_least=0)
    return epochs


def find_checkpoints(ckpt: Any) -> list[Path]:
    """The checkpoints that a word, or a list of words, stands for: files, folders of runs or sweeps, and globs of them.

    A run's folder stands for its last checkpoint, any other folder for the last one of every run below it.

    Raises:
        UserError: if a word stands for none.
    """
    found: list[Path] = []
    if ckpt in ("", []):
        raise UserError("ckpt is empty; it takes a run's folder or a checkpoint")
    for word in [ckpt] if isinstance(ckpt, str) else ckpt:
        paths = expand(str(word))
        if paths != [Path(str(word))]:
            paths = [match for match in paths if match.suffix == ".ckpt" or _runs_in(match)]
            if not paths:
                raise UserError(f"no run and no checkpoint is called {word}")
        for one in paths:
            if one.is_dir() and not _runs_in(one):
                raise UserError(f"there is no run in {one}; a run leaves checkpoints/last.ckpt in its folder")
            found += _runs_in(one) if one.is_dir() else [one]
    return list(dict.fromkeys(found))


def expand(word: str) -> list[Path]:
    """The paths that match a pattern, 9 before 10; the path itself where it is no pattern, or exists."""
    if not re.search(r"[*?[]", word) or Path(word).exists():
        return [Path(word)]
    return sorted(map(Path, glob.glob(word, recursive=True)), key=with_numbers)  # noqa: PTH207


def _runs_in(folder: Path) -> list[Path]:
    last = folder / "checkpoints" / "last.ckpt"
    return [last] if last.exists() else sorted(folder.glob("**/checkpoints/last.ckpt"), key=with_numbers)


def with_numbers(path: Path) -> list[tuple[int, str]]:
    """Sorts 9 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def identity(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings that decide what is computed, flat, but for the seeds: equal for runs that differ by luck alone."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if name in FREE_ON_RESUME | SEEDS:
            continue
        if isinstance(value, dict):
            flat |= identity(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def differences(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """The settings that a resumed run may not change and that are not the same: `optimizer.lr (0.0001, now 0.001)`."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        name = f"{prefix}{key}"
        old, new = before.get(key), now.get(key)
        if name in FREE_ON_RESUME:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{name}.")
        elif old != new:
            found.append(f"{name} ({old}, now {new})")
    return found
