"""From settings to players and data: the one way, for a training and for a checkpoint.

A checkpoint may come from a stranger, and making what it names would run any code. So what it names is looked at first,
all of it: only classes of this project are made, torch's layers, and those of modules that the user vouches for.
"""

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gan_lightning.checks import whole_number
from gan_lightning.errors import UserError, one_line

if TYPE_CHECKING:
    from torch import nn

    from gan_lightning.data.base import ImageDataModule

OURS = {
    "dataset": "gan_lightning.data",
    "generator": "gan_lightning.networks",
    "discriminator": "gan_lightning.networks",
}
"""Where the project's own are."""
LAYERS = "torch.nn"
"""Where those of torch are."""
LIBRARIES = {
    *("PIL", "antlr4", "cloudpickle", "filelock", "fsspec", "hydra", "jinja2", "lightning", "matplotlib"),
    *("mlxtend", "numpy", "omegaconf", "optuna", "pip", "setuptools", "tensorboard", "torch", "torchmetrics"),
    *("torchvision", "yaml"),
}
"""What this project stands on."""
AVERAGE = "ema.network."
"""How the names of a generator's averaged weights begin in a checkpoint."""


def build(settings: dict[str, Any], group: str, kind: type) -> Any:
    """The object of that kind that `settings[group]` names, such as an objective; None if that is None.

    Raises:
        UserError: if the settings name nothing that is there, or nothing of that kind.
    """
    if settings.get(group) is None:
        return None
    target = _target(settings[group], group)
    locate(target, group)
    built = _make(settings[group], group)
    if not isinstance(built, kind):
        raise UserError(f"{group} is {target}, which is no {kind.__name__}")
    return built


def build_dataset(settings: dict[str, Any]) -> "ImageDataModule":
    """The data set of `settings["dataset"]`.

    Raises:
        UserError: if the settings name none, or it does not say what its images are.
    """
    from gan_lightning.data.base import ImageDataModule

    data = build(settings, "dataset", ImageDataModule)
    for fact in ("title", "image_shape", "mirrors"):
        if not hasattr(data, fact):
            raise UserError(f"{settings['dataset']['_target_']} does not say its {fact}")
    return data


def build_player(settings: dict[str, Any], player: str, image_shape: Sequence[int], num_classes: int) -> "nn.Module":
    """The `generator` or the `discriminator` of `settings["model"]`, its weights drawn from torch's global generator.

    Facts of the data set go to a constructor that names them: `image_shape`, [C, H, W], and `num_classes`. A generator
    that does not say how many latents it takes is told the model's `latent_dim`.

    Raises:
        UserError: if the settings name none.
    """
    from torch import nn

    model = settings["model"]
    target = _target(model.get(player), f"model.{player}")
    names = inspect.signature(locate(target, f"model.{player}")).parameters
    facts = {"image_shape": list(image_shape), "num_classes": num_classes}
    named = {name: fact for name, fact in facts.items() if name in names}
    network = _make(model[player], f"model.{player}", **named)
    if not isinstance(network, nn.Module):
        raise UserError(f"model.{player} is {target}, which is no nn.Module")
    if player == "generator" and not (hasattr(network, "latent_dim") or hasattr(network, "sample_latent")):
        whole_number(f"{target} has no latent_dim; model.latent_dim", model.get("latent_dim"), at_least=1)
        network.latent_dim = model["latent_dim"]
    return network


def has_average(checkpoint: dict[str, Any]) -> bool:
    """Whether a checkpoint has averaged weights of its generator."""
    return any(name.startswith(AVERAGE) for name in checkpoint["state_dict"])


def trained_player(checkpoint: dict[str, Any], player: str, weights: str = "raw") -> "nn.Module":
    """The `generator` or the `discriminator` of a checkpoint, on the CPU.

    Args:
        checkpoint: one in which all that is made here is trusted, see :func:`check_trust`.
        player: which of the two.
        weights: of a generator, `raw` or `ema`.

    Raises:
        UserError: if the weights do not fit the class as it is now.
    """
    settings = checkpoint["hyper_parameters"]
    network = build_player(settings, player, settings["image_shape"], settings["num_classes"])
    prefix = AVERAGE if weights == "ema" else f"{player}."
    state = {name: value for name, value in checkpoint["state_dict"].items() if name.startswith(prefix)}
    try:
        network.load_state_dict({name.removeprefix(prefix): value for name, value in state.items()})
    except RuntimeError as reason:
        raise UserError(f"the checkpoint's weights do not fit its {player}: {one_line(reason)}") from reason
    return network


def locate(target: str, where: str) -> Any:
    """What a `_target_` names. An error in its module is loud.

    Raises:
        UserError: if there is no such thing.
    """
    module, _, name = target.rpartition(".")
    if not re.fullmatch(r"\w+(\.\w+)*", module):
        raise UserError(f"{where} is {target!r}, which names no class; it should be a module and a class, module.Class")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as reason:
        if not f"{module}.".startswith(f"{reason.name}."):
            raise  # it is there, but not what it imports
        raise UserError(f"{where} is {target}, but there is no module {module!r} here") from None
    except (ValueError, TypeError, OSError) as reason:  # which elsewhere might be the answer to a setting
        raise ImportError(f"{module} cannot be imported") from reason
    if not hasattr(found, name):
        close = difflib.get_close_matches(name, dir(found), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UserError(f"{where} is {target}, but {module} has no {name}{hint}")
    return getattr(found, name)


def check_trust(settings: dict[str, Any], parts: Sequence[str], trust: Sequence[str]) -> None:
    """See that whatever a checkpoint would have made is of a trusted class, before any of it is made.

    Trusted are this project's networks and data sets, torch's layers, and what the modules define that the user vouches
    for. These cannot be Python's own or a library's: their classes and functions can be made to run anything.

    Args:
        settings: the checkpoint's.
        parts: what will be made: `generator`, `discriminator`, `dataset`.
        trust: the modules, with what is below them, that the user vouches for.

    Raises:
        UserError: if something is of another class.
    """
    for part in parts:
        node = settings["dataset"] if part == "dataset" else settings["model"].get(part)
        _target(node, f"the checkpoint's {part}")
        for target in _targets(node, part):
            module = target.rpartition(".")[0]
            if is_of_a_library(target):
                raise UserError(f"the checkpoint's {part} is {target}; of {module} nothing is made here")
            if not _is_below(target, (OURS[part], LAYERS, *trust)):
                raise UserError(
                    f"the checkpoint's {part} is {target}, which is not this project's own, and making it runs the"
                    f" code of {module}; if you trust that, say trust=[{','.join([*trust, module])}]"
                )
        for target in _targets(node, part):
            found = locate(target, f"the checkpoint's {part}")
            if not (inspect.isclass(found) or (inspect.isfunction(found) and _is_below(target, trust))):
                raise UserError(f"the checkpoint's {part} is {target}, which is no class")
            home = found.__module__
            if not _is_below(home, (OURS[part], LAYERS, *trust)) or is_of_a_library(home):  # imported there
                raise UserError(
                    f"the checkpoint's {part} is {target}, which is defined in {home}; if you trust that, too, say"
                    f" trust=[{','.join([*trust, home])}]"
                )


def is_of_a_library(name: str) -> bool:
    """Whether a module, or what is in it, is of Python's or of a library that this project stands on.

    Torch's layers are not meant, which may be made like the project's own.
    """
    root = name.partition(".")[0]
    return (root in sys.stdlib_module_names or root in LIBRARIES) and not _is_below(name, (LAYERS,))


def _make(node: dict[str, Any], where: str, **facts: Any) -> Any:
    """Instantiate; an error says where in the settings it is.

    The facts go to the constructor as they are: given to Hydra, they would be read as settings, and made.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate({**node, "_partial_": True}, _convert_="all")(**facts)
    except InstantiationException as mistake:
        inner = re.search(r"full_key: (\S+)", str(mistake))
        path = f"{where}.{inner[1]}" if inner else where
        raise InstantiationException(f"full_key: {path}") from mistake.__cause__ or mistake
    except Exception as mistake:
        raise InstantiationException(f"full_key: {where}") from mistake


def _is_below(name: str, modules: Sequence[str]) -> bool:
    return f"{name}.".startswith(tuple(f"{module}." for module in modules))


def _target(node: Any, where: str) -> str:
    if not isinstance(node, dict) or "_target_" not in node:
        raise UserError(f"{where} names no class; it needs a _target_")
    return str(node["_target_"])


def _targets(node: Any, part: str) -> Iterator[str]:
    """Every `_target_` in a part of a checkpoint's settings.

    Raises:
        UserError: if one is no name, or something is to be computed, `${…}`, which could read what is not its own.
    """
    if isinstance(node, dict):
        for key, value in node.items():
            if key != "_target_":
                yield from _targets(value, part)
            elif isinstance(value, str) and re.fullmatch(r"\w+(\.\w+)+", value, re.ASCII):
                yield value
            else:
                raise UserError(f"the checkpoint's {part} has a _target_ that names no class")
    elif isinstance(node, list):
        for value in node:
            yield from _targets(value, part)
    elif isinstance(node, str) and "${" in node:
        raise UserError(f"the checkpoint's {part} has a setting that would have to be computed")
