"""What the settings of a run decide: which runs are alike, which may go on with which, and what is shown of them."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from gan_lightning.errors import UserError, one_line

LUCK = "which of many outcomes, all equally likely"
LENGTH = "for how long"
PLACE = "where, and how fast"
RECORD = "what is written down"
AMOUNT = "how much of the data set is used at a time, or at all"
FACT = "nothing: it is always the same, or follows from the others"

TABLE = {
    LUCK: ("seed", "dataset.seed", "gan.seed"),
    LENGTH: ("trainer.max_epochs", "trainer.max_steps", "trainer.max_time"),
    PLACE: (
        *("output_dir", "ckpt_path", "data_dir", "dataset.data_dir", "trainer.default_root_dir"),
        *("trainer.accelerator", "trainer.devices", "trainer.num_nodes", "trainer.strategy"),
        *("trainer.deterministic", "gan.cuda_graph", "gan.alternations_per_step"),
    ),
    RECORD: (
        *("callbacks", "logger", "optimized_metric", "trainer.log_every_n_steps", "trainer.profiler"),
        *("trainer.enable_model_summary", "trainer.enable_progress_bar", "trainer.detect_anomaly", "title"),
    ),
    AMOUNT: ("dataset.batch_size", "dataset.num_train_images"),
    FACT: (
        *("image_shape", "num_classes", "class_names", "log_odds"),
        *("gan._target_", "trainer._target_", "trainer.use_distributed_sampler"),
    ),
}
"""What settings decide, each with all that is below it; those that are not here decide what is computed."""
DECIDES = {key: what for what, keys in TABLE.items() for key in keys}


def decides(key: str) -> str | None:
    """What a setting decides; None for what is computed."""
    parts = key.split(".")
    above = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return next((DECIDES[each] for each in above if each in DECIDES), None)


def flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one flat dict: `{"gan": {"seed": 0}}` becomes `{"gan.seed": 0}`. Lists stay what they are."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def identity(settings: dict[str, Any]) -> dict[str, Any]:
    """What is computed, flat: equal for runs of one length that differ by luck alone, wherever they took place."""
    return {key: value for key, value in flatten(settings).items() if decides(key) in (None, AMOUNT)}


def without_places(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The settings without what says where a run was, on which machine, and what was written down of it."""
    kept: dict[str, Any] = {}
    for key, value in settings.items():
        if key == "data_dir" and prefix:  # which tells that the data set takes one
            kept[key] = "data"
        elif decides(f"{prefix}{key}") not in (PLACE, RECORD):
            kept[key] = without_places(value, f"{prefix}{key}.") if isinstance(value, dict) else value
    return kept


def images_of(settings: dict[str, Any]) -> dict[str, Any]:
    """Which images a data set has, whatever a training makes of them, flat."""
    chosen = flatten({"dataset": settings["dataset"]})
    return {key: value for key, value in chosen.items() if decides(key) is None}


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The settings that a resumed run may not change and that are not the same: `optimizer.lr (0.0001, now 0.001)`."""
    old, new = flatten(before), flatten(now)
    keys = old.keys() | new.keys()
    if not (old.get("class_names") and new.get("class_names")):
        keys -= {"class_names"}  # one of them did not know them, as earlier versions did not
    return [
        f"{key} ({_beginning(old.get(key, 'not set'))}, now {_beginning(new.get(key, 'not set'))})"
        for key in sorted(keys)
        if old.get(key) != new.get(key) and decides(key) not in (LENGTH, PLACE, RECORD)
    ]


def _beginning(value: Any) -> str:
    """A value as text, not more of it than a line has room for."""
    text = str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def but_for_length(settings: dict[str, Any]) -> str:
    """Equal for runs of which the shorter is the beginning of the longer, with all that is written down of it."""
    # Loggers are told where a resumed run goes on, and the results what a sweep varies.
    others = ("trainer.max_epochs", "logger", "callbacks.results.")
    same = {key: value for key, value in flatten(settings).items() if not key.startswith(others)}
    return json.dumps(same, sort_keys=True, default=str)


def hyperparameters(settings: dict[str, Any]) -> dict[str, Any]:
    """What decides the outcome of a run, flat, in the order of the settings; a class is named by its last part."""
    shown = {}
    for key, value in flatten(settings).items():
        parent, _, last = key.rpartition(".")
        if decides(key) in (None, LUCK, LENGTH, AMOUNT):
            if last == "_target_":
                shown[parent] = str(value).rpartition(".")[2]
            elif not last.startswith("_"):
                shown[key] = value
    return shown


def seeds_of(settings: dict[str, Any]) -> dict[str, Any]:
    """The seeds among flat settings."""
    return {key: value for key, value in settings.items() if decides(key) == LUCK}


def resolved(settings: DictConfig) -> dict[str, Any]:
    """The settings with the values of their interpolations, but without the place and the checkpoint of this run.

    So two runs can be compared: paths in the run's folder begin with a slash.
    """
    placeless = OmegaConf.merge(settings, {"output_dir": "", "ckpt_path": None})
    return as_of_today(cast(dict[str, Any], OmegaConf.to_container(placeless, resolve=True)))


def as_of_today(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run, also of an earlier version, with those that came later as they were without saying so."""
    nothing = {group: None for group in ("penalty", "augmentation") if not settings.get(group)}
    settings = {**settings, **nothing}
    if isinstance(settings.get("trainer"), dict):
        settings["trainer"] = {"max_time": None, "max_steps": -1, "strategy": "auto", **settings["trainer"]}
    if isinstance(settings.get("gan"), dict):
        average = {"_target_": "gan_lightning.averaging.ExponentialMovingAverage", "half_life": None}
        clipping = {"generator_clip_norm": None, "discriminator_clip_norm": None}
        settings["gan"] = {"ema": average, **clipping, **settings["gan"]}
    if isinstance(settings.get("model"), dict):
        settings["model"] = _model_as_of_today(settings["model"])
    settings["objective"] = _objective_as_of_today(settings.get("objective"))
    return settings


def _model_as_of_today(model: dict[str, Any]) -> dict[str, Any]:
    """An MLP's networks once had nothing to choose but their sizes."""
    came_later = {"activation": "leaky_relu", "normalization": "none", "conditional": False}
    of_generator = {"generator": {"latent_distribution": "normal"}}
    mlps = {
        player: {**came_later, **of_generator.get(player, {}), **node}
        for player, node in model.items()
        if str(_target_of(node)).startswith("gan_lightning.networks.mlp.")
    }
    return {"conditional": False, **model, **mlps} if mlps else model


def _objective_as_of_today(objective: Any) -> Any:
    match _target_of(objective):
        case "gan_lightning.objectives.NonSaturating" | "gan_lightning.objectives.Minimax":
            return {"real_target": 1.0, **objective}
        case "gan_lightning.objectives.Switch":
            before = {"_target_": "gan_lightning.objectives.NonSaturating", "discriminator_scale": 1.0}
            parts = {"before": before, "after": {"_target_": "gan_lightning.objectives.Minimax"}, **objective}
            return {**parts, **{name: _objective_as_of_today(parts[name]) for name in ("before", "after")}}
        case _:
            return objective


def _target_of(node: Any) -> Any:
    return node.get("_target_") if isinstance(node, dict) else None


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings of the run in a folder, as :func:`resolved` gives them.

    The folder may be a stranger's. A setting may refer to another one, and to nothing else: what a resolver computes,
    `${oc.env:HOME}` say, would be of the machine that reads it.

    Raises:
        UserError: if its `config.yaml` is damaged, or not that of a run.
    """
    path = folder / "config.yaml"
    try:
        text = path.read_text()
        if "*" in text and any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ValueError("it has aliases, of which a few lines make gigabytes")
        settings = cast(DictConfig, OmegaConf.create(text))
        plain = cast(dict[str, Any], OmegaConf.to_container(settings))
        json.dumps(plain, ensure_ascii=False, default=str).encode()  # half a character is no text
        for key, value in flatten(plain).items():
            if key.endswith("_target_") and not isinstance(value, str):
                raise ValueError(f"{key} names no class")
            if _needs_resolver(value):
                raise ValueError(f"{key} would have to be computed")
        if _resolved_size(plain, plain, {}) > 100 * (len(text) + 1000):
            raise ValueError("its settings refer to one another so often that they would never end")
        found = resolved(settings)
    except (
        OSError,
        ValueError,
        AttributeError,
        TypeError,
        RecursionError,
        YAMLError,
        OmegaConfBaseException,
    ) as reason:
        raise UserError(f"{path} is damaged: {one_line(reason)}") from reason
    if not all(isinstance(found.get(group), dict) for group in ("gan", "model", "dataset", "trainer", "callbacks")):
        raise UserError(f"{path} is not that of a run")
    return found


def _resolved_size(node: Any, settings: dict[str, Any], known: dict[str, int]) -> int:
    """How long settings would be with the settings that they refer to in their place, those of these as well.

    Raises:
        ValueError: if one refers to itself.
    """
    if isinstance(node, dict | list):
        parts = node.values() if isinstance(node, dict) else node
        return 1 + sum(_resolved_size(part, settings, known) for part in parts)
    size = len(str(node))
    for key in re.findall(r"\$\{([\w.]+)\}", str(node)):
        if key not in known:
            known[key] = -1  # while it is looked at
            target: Any = settings
            for part in key.split("."):
                target = target.get(part) if isinstance(target, dict) else None
            known[key] = _resolved_size(target, settings, known)
        if known[key] < 0:
            raise ValueError(f"{key} refers to itself")
        size += known[key]
    return size


def without_resolvers(settings: DictConfig) -> DictConfig:
    """The settings with what resolvers computed in their place, and references among themselves as they are."""
    plain = settings.copy()
    for key, value in flatten(cast(dict[str, Any], OmegaConf.to_container(settings))).items():
        if _needs_resolver(value):
            computed = OmegaConf.select(settings, key)
            is_node = OmegaConf.is_config(computed)
            OmegaConf.update(plain, key, OmegaConf.to_container(computed, resolve=True) if is_node else computed)
    return plain


def _needs_resolver(value: Any) -> bool:
    """Whether a value, or one in a list, is more than text and references to settings, such as `${model.width}`."""
    return "${" in re.sub(r"\$\{\w[\w.]*\}", "", json.dumps(value))


def override(key: str, value: str) -> str:
    """`key=value` as Hydra reads it back, whatever characters the value has."""
    plain = re.fullmatch(r"[\w./:+-]+", value, re.ASCII)
    return f"{key}={value}" if plain else "{}='{}'".format(key, value.replace("'", r"\'"))


def short_keys(keys: Iterable[str]) -> dict[str, str]:
    """Each key by as many of its last parts as tell it from the others: `optimizer.lr` by `lr`."""
    endings = {key: [".".join(key.split(".")[-n:]) for n in range(1, 2 + key.count("."))] for key in keys}
    count = Counter(ending for each in endings.values() for ending in each)
    return {key: next((ending for ending in each if count[ending] == 1), key) for key, each in endings.items()}
