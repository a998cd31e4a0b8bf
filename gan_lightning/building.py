"""From settings to objects: the one way, for a training, a sweep's checks and a checkpoint."""

import difflib
import importlib
import inspect
import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf

from gan_lightning.classes import readable, readable_names
from gan_lightning.errors import UserError, one_line, whole_number
from gan_lightning.mistakes import settings_may_cause

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer
    from torch import nn

    from gan_lightning.data.base import ImageDataModule
    from gan_lightning.gan import GAN

FIRST = ("statistics", "divergence", "evaluation", "collapse", "pruning")
"""Callbacks whose numbers the others read."""
LAST = ("results", "best_checkpoint", "checkpoints", "last_checkpoint", "interrupt")
"""A run with results has everything else; what comes before the last checkpoint is there for who goes on from it; an
interruption comes after them."""


def compose(settings: DictConfig) -> "tuple[GAN, ImageDataModule, Trainer, dict[str, Callback]]":
    """The objects that the settings name, joined, and the trainer's callbacks by name; the weights drawn from the seed.

    Nothing is read or written yet.

    Raises:
        UserError: if the settings name nothing that is there, or a callback that the others need is missing.
    """
    import torch
    from hydra.utils import instantiate
    from lightning.pytorch import seed_everything

    from gan_lightning.loop.checkpoint_files import WholeCheckpoints
    from gan_lightning.loop.precision import best_precision
    from gan_lightning.objectives import Objective
    from gan_lightning.penalties import Penalty

    torch.set_float32_matmul_precision(settings.matmul_precision)
    # Deterministic algorithms would also fill all new memory with NaN, for programs that read what they never wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    seed_everything(settings.seed, workers=True, verbose=False)
    plain: Any = OmegaConf.to_container(settings, resolve=True)
    data = build_dataset(plain)
    generator, discriminator = (
        build_player(plain, player, data.image_shape, data.num_classes) for player in ("generator", "discriminator")
    )
    objective = build(plain, "objective", Objective)
    gan = instantiate(settings.gan, _convert_="all")(
        generator=generator,
        discriminator=discriminator,
        objective=objective,
        generator_optimizer=_factory(settings.optimizer, "generator"),
        discriminator_optimizer=_factory(settings.optimizer, "discriminator"),
        scheduler=_factory(settings.optimizer, "scheduler"),
        penalty=build(plain, "penalty", Penalty),
        augmentation=build(plain, "augmentation", torch.nn.Module),
    )
    # What a checkpoint says of itself: enough to make its networks anew, and say what they draw, without the data set.
    facts = {
        "image_shape": list(data.image_shape),
        "num_classes": data.num_classes,
        "class_names": readable_names(data.class_names, data.num_classes),
        "title": readable(data.title),
        "log_odds": objective.log_odds,
    }
    gan.save_hyperparameters({**plain, **facts}, logger=False)
    data.batches_per_alternation = gan.batches_per_alternation
    data.alternations_per_step = gan.alternations_per_step
    callbacks = build_callbacks(settings)
    if "statistics" not in callbacks:
        raise UserError("the other callbacks need what callbacks.statistics writes down; leave it in")
    strategy, precision = settings.trainer.strategy, settings.trainer.precision
    loggers = instantiate(settings.logger)
    trainer = instantiate(
        settings.trainer,
        precision=best_precision(settings.trainer.accelerator) if precision == "auto" else precision,
        # In each step only one of the two players has gradients.
        strategy="ddp_find_unused_parameters_true" if strategy == "ddp" else strategy,
        callbacks=list(callbacks.values()),
        plugins=[WholeCheckpoints()],
        logger=[logger for logger in loggers.values() if logger is not None],
        _convert_="all",
    )
    return gan, data, trainer, callbacks


def build(settings: dict[str, Any], group: str, kind: type) -> Any:
    """The object of that kind that `settings[group]` names, such as an objective; None if that is None or empty.

    Raises:
        UserError: if the settings name nothing that is there, or nothing of that kind.
    """
    if not settings.get(group):
        return None
    target = target_of(settings[group], group)
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
    target = target_of(model.get(player), f"model.{player}")
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


def build_callbacks(settings: Any) -> "dict[str, Callback]":
    """The callbacks that the settings name, in an order in which each finds what it reads.

    Raises:
        UserError: if something among them names none.
    """
    from hydra.utils import instantiate
    from lightning.pytorch import Callback

    made = {name: callback for name, callback in instantiate(settings["callbacks"]).items() if callback is not None}
    for name, callback in made.items():
        if not isinstance(callback, Callback):
            raise UserError(
                f"callbacks.{name} has settings but no _target_; choose callbacks that have it, or set it to null"
            )
    between = [name for name in made if name not in FIRST + LAST]
    return {name: made[name] for name in (*FIRST, *between, *LAST) if name in made}


def _factory(settings: DictConfig, part: str) -> Any:
    """What makes an optimizer, or a schedule of one, from the settings of the optimizer group; None for no
    schedule.

    Raises:
        UserError: if they name none.
    """
    from hydra.utils import instantiate

    node = settings.get(part)
    if part == "scheduler" and node is None:
        return None
    if not (OmegaConf.is_dict(node) and "_target_" in node):
        right = "torch.optim.lr_scheduler.ExponentialLR, gamma: 0.9999" if part == "scheduler" else "torch.optim.Adam"
        example = f"{{_target_: {right}, _partial_: true}}"
        raise UserError(f"optimizer.{part} must name a class, such as {example}, not {node!r}")
    made = instantiate(node, _convert_="all")
    made = partial(made.func, **{name: _with_floats(setting) for name, setting in made.keywords.items()})
    if part != "scheduler":
        _try_optimizer(made, f"optimizer.{part}")
    return made


def _try_optimizer(factory: Any, where: str) -> None:
    """Make an optimizer of a weight that is thrown away: what its class refuses is said with the setting's name.

    Raises:
        UserError: if it refuses something.
    """
    import torch

    from gan_lightning.schedules import Schedule, ScheduledOptimizer

    if "betas" in factory.keywords:
        betas = factory.keywords["betas"]
        numbers = betas if isinstance(betas, list) else []
        right = [isinstance(each, Schedule) or (isinstance(each, float) and 0 <= each < 1) for each in numbers]
        if right != [True, True]:
            raise UserError(
                f"{where}.betas must be two numbers from 0 to less than 1, such as [0.5,0.999], not {betas}"
            )
    try:
        ScheduledOptimizer(factory, [torch.nn.Parameter(torch.zeros(1))])
    except Exception as mistake:
        if not settings_may_cause(mistake):
            raise
        raise UserError(f"{where}: {one_line(mistake)}") from mistake


def _with_floats(setting: Any) -> Any:
    """Of a list, such as betas=[0,0.99], the whole numbers as floats: PyTorch refuses the two side by side."""
    if not isinstance(setting, list):
        return setting
    return [float(each) if isinstance(each, int) else each for each in setting]


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


def target_of(node: Any, where: str) -> str:
    """The `_target_` of some settings.

    Raises:
        UserError: if they have none.
    """
    if not isinstance(node, dict) or "_target_" not in node:
        raise UserError(f"{where} names no class; it needs a _target_")
    return str(node["_target_"])


def _make(node: dict[str, Any], where: str, **facts: Any) -> Any:
    """Instantiate; an error says where in the settings it is.

    The facts go to the constructor as they are: given to Hydra, they would be read as settings, and made.
    """
    from hydra.utils import instantiate

    try:
        return instantiate({**node, "_partial_": True}, _convert_="all")(**facts)
    except InstantiationException as mistake:
        inner = re.search(r"full_key: (\S+)", str(mistake))
        path = f"{where}.{inner[1]}" if inner else where
        raise InstantiationException(f"full_key: {path}") from mistake.__cause__ or mistake
    except Exception as mistake:
        raise InstantiationException(f"full_key: {where}") from mistake
