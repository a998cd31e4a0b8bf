"""What a checkpoint must hold: exactly what a training of the same settings would write.

So there is no list of it here. The objects that are to go on are asked what they would write themselves, and what was
read must have the same form: the same names, kinds, shapes and types, and numbers that are finite.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from packaging.version import InvalidVersion, Version
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from gan_lightning.errors import UserError, is_number, one_line

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer

    from gan_lightning.gan import GAN
    from gan_lightning.schedules import ScheduledOptimizer

OLDEST_LIGHTNING = Version("2.0")
"""Whose checkpoints have the form of today's."""
LARGEST = 2**62
"""What no count and no setting is beyond."""


def infinite_part(content: Any, name: str = "") -> str | None:
    """The name of the first tensor in nested dicts and lists that holds NaN or infinity; None if there is none."""
    if isinstance(content, Tensor):
        return None if not content.is_floating_point() or bool(content.isfinite().all()) else name
    parts: Any = content.items() if isinstance(content, Mapping) else ()
    if isinstance(content, list | tuple):
        parts = enumerate(content)
    found = (infinite_part(part, f"{name}.{key}" if name else str(key)) for key, part in parts)
    return next((each for each in found if each is not None), None)


@contextmanager
def at_most_tensors_of(weights: Mapping[str, Any], where: str) -> Iterator[None]:
    """While no network is made of many more tensors than these are.

    Raises:
        UserError: as soon as one is, because two hundred thousand layers would take their time.
    """
    left = 4 * len(weights) + 100  # a weight may be registered again, to be normalised, say

    def count(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise UserError(f"{where} has {len(weights)} tensors, but its settings make many more")

    registered = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        registered.remove()


def check_weights(found: Mapping[str, Any], network: nn.Module, where: str) -> None:
    """Accept weights that are those of a network: no more, no fewer, of its shapes and types.

    Args:
        found: what is called its `state_dict`.
        network: which may be on torch's `meta` device.
        where: they are, for the message.

    Raises:
        UserError: if they are not.
    """
    _check_same(found, network.state_dict(), where, surplus=False)


def check_finite(content: Any, where: str) -> None:
    """Accept tensors, in nested dicts and lists, that are finite.

    Raises:
        UserError: if some hold NaN or infinity.
    """
    if part := infinite_part(content):
        raise UserError(f"{where}.{part} holds NaN or infinity: that training has diverged")


def check_to_go_on(checkpoint: dict[str, Any], gan: "GAN", trainer: "Trainer", steps_per_epoch: int) -> None:
    """Accept a checkpoint that these objects, which have the settings of the checkpoint, can go on from.

    Args:
        checkpoint: of :func:`gan_lightning.checkpoints.read_checkpoint`.
        gan: that has not begun yet.
        trainer: neither.
        steps_per_epoch: training steps.

    Raises:
        UserError: if something of it is missing, or has another form.
    """
    path = checkpoint["path"]
    weights = checkpoint["state_dict"]
    check_weights(weights, gan, f"{path}: state_dict")
    check_finite({name: weights[name] for name, _ in gan.named_parameters()}, f"{path}: state_dict")
    players = (gan.of_generator, gan.of_discriminator)
    schedulers = [each.scheduler.state_dict() for each in players if each.scheduler is not None]
    expected: dict[str, Any] = {
        "epoch": 0,
        "global_step": 0,
        "alternations": 0,
        "images_seen": 0,
        "pytorch-lightning_version": "",
        "loops": {"fit_loop": trainer.fit_loop.state_dict()},
        "callbacks": {},
        "optimizer_states": [{"state": {}, "param_groups": []} for _ in players],
        "lr_schedulers": schedulers,
        "random": {"device": "", "states": {}},
    }
    found = {name: checkpoint.get(name) for name in expected}
    _check_same(found | {"images_seen": checkpoint.get("images_seen", 0)}, expected, f"{path}: ")
    _check_version(checkpoint["pytorch-lightning_version"], path)
    _check_place(checkpoint["loops"]["fit_loop"], steps_per_epoch, f"{path}: loops.fit_loop")
    for number, player in enumerate(players):
        _check_optimizer(checkpoint["optimizer_states"][number], player, f"{path}: optimizer_states.{number}")
    for number, scheduler in enumerate(schedulers):
        where = f"{path}: lr_schedulers.{number}"
        _check_same(checkpoint["lr_schedulers"][number], scheduler, where, surplus=False)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if callback.state_key in checkpoint["callbacks"]:  # otherwise it is new, which is the user's choice
            _check_callback(checkpoint["callbacks"][callback.state_key], callback, path)
    _check_random(checkpoint["random"], path)


def _check_same(found: Any, expected: Any, where: str, surplus: bool = True) -> None:
    """Accept what has the form of what is expected.

    A dict has its names, and others as well if `surplus` says so; a list as many parts, any number where none are
    expected; a tensor its shape and type; a number is finite, and not below 0 if a whole one is expected. Where None is
    expected, anything will do.

    Raises:
        UserError: if it has another form.
    """
    if isinstance(expected, Tensor):
        _check_tensor(found, expected, where)
    elif isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            raise UserError(f"{where} is {_kind(found)}, not a dict")
        missing, more = expected.keys() - found.keys(), found.keys() - expected.keys()
        if missing:
            raise UserError(f"{where} lacks {_some(missing)}")
        if more and not surplus:
            raise UserError(f"{where} has {_some(more)}, which this model has not")
        for name, part in expected.items():
            _check_same(found[name], part, _within(where, name), surplus)
    elif isinstance(expected, list | tuple):
        if not isinstance(found, list | tuple) or (expected and len(found) != len(expected)):
            raise UserError(f"{where} is {_kind(found)}, not a list of {len(expected)}")
        for number, part in enumerate(expected):
            _check_same(found[number], part, _within(where, number), surplus)
    elif isinstance(expected, bool | str):
        if not isinstance(found, type(expected)):
            raise UserError(f"{where} is {_kind(found)}, not {_kind(expected)}")
    elif is_number(expected):
        if isinstance(found, Tensor) and found.ndim == 0:  # on a GPU a learning rate may be one
            found = found.item()
        too_small = isinstance(expected, int) and is_number(found) and found < 0
        if not is_number(found) or not math.isfinite(found) or too_small or abs(found) > LARGEST:
            raise UserError(f"{where} is {found if is_number(found) else _kind(found)}, which it cannot be")


def _within(where: str, name: object) -> str:
    return f"{where}{name}" if where.endswith(" ") else f"{where}.{name}"


def _check_tensor(found: Any, expected: Tensor, where: str) -> None:
    if not isinstance(found, Tensor):
        raise UserError(f"{where} is {_kind(found)}, not a tensor")
    if found.layout != torch.strided or found.is_quantized:
        raise UserError(f"{where} is not a dense tensor")
    if found.shape != expected.shape:
        raise UserError(f"{where} is {tuple(found.shape)}, but this model's is {tuple(expected.shape)}")
    if found.dtype != expected.dtype:
        raise UserError(f"{where} is of {found.dtype}, but this model's of {expected.dtype}")
    if found.untyped_storage().nbytes() < found.numel() * found.itemsize:
        raise UserError(f"{where} has fewer numbers than its shape says")


def _check_version(version: str, path: str) -> None:
    try:
        known = Version(version) >= OLDEST_LIGHTNING
    except InvalidVersion:
        known = False
    if not known:
        raise UserError(f"{path}: pytorch-lightning_version is {version[:20]}, not {OLDEST_LIGHTNING} or later")


def _check_place(loop: Mapping[str, Any], steps_per_epoch: int, where: str) -> None:
    """Accept a place in the training: one step, or one epoch, at most is begun and not ended, and an epoch has no more
    steps than it has.
    """
    for name in ("epoch_progress", "epoch_loop.batch_progress"):
        now = loop[name]["current"]
        if max(now.values()) - min(now.values()) > 1:
            raise UserError(f"{where}.{name}.current is no place in a training")
    if loop["epoch_loop.batch_progress"]["current"]["ready"] > steps_per_epoch:
        raise UserError(f"{where}.epoch_loop.batch_progress is beyond the {steps_per_epoch} steps of an epoch")
    for loader in loop["state_dict"].get("combined_loader", []):
        _check_same(loader, {"epoch": 0, "drawn": 0}, f"{where}.state_dict.combined_loader")
        if loader["drawn"] > steps_per_epoch:
            raise UserError(f"{where}.state_dict.combined_loader is beyond the {steps_per_epoch} steps of an epoch")


def _check_optimizer(found: Mapping[str, Any], player: "ScheduledOptimizer", where: str) -> None:
    """Accept what the optimizer of a player may have written; other versions of torch have other settings beside."""
    groups = player.optimizer.state_dict()["param_groups"]
    _check_same(found["param_groups"], [{"params": [], "lr": group["lr"]} for group in groups], f"{where}.param_groups")
    for number, (group, there) in enumerate(zip(groups, found["param_groups"], strict=True)):
        of_group = f"{where}.param_groups.{number}"
        _check_same(there, {key: group[key] for key in group if key in there}, of_group)
        if list(there["params"]) != group["params"]:
            raise UserError(f"{of_group}.params are not the weights of this model")
        if there["lr"] < 0:
            raise UserError(f"{of_group}.lr is {there['lr']}, which it cannot be")
    moments, state = player.after_a_step()["state"], found["state"]
    if moments and not state:
        raise UserError(f"{where}.state is empty, but that optimizer has moved already")
    if more := state.keys() - moments.keys():
        raise UserError(f"{where}.state has {_some(more)}, which this model has not")
    # A weight that the network does not use is never moved.
    _check_same(state, {number: moments[number] for number in state}, f"{where}.state")
    check_finite(state, f"{where}.state")


def _check_callback(found: Any, callback: "Callback", path: str) -> None:
    """Accept what a callback takes back; those of others are not asked, which may do anything as they take it."""
    where = f"{path}: callbacks.{type(callback).__name__}"
    if not isinstance(found, Mapping):
        raise UserError(f"{where} is {_kind(found)}, not a dict")
    if type(callback).__module__.startswith("gan_lightning."):
        try:
            callback.load_state_dict(dict(found))
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as reason:
            raise UserError(
                f"{where} is not what it takes back: {type(reason).__name__} {one_line(reason)}"
            ) from reason


def _check_random(random: Mapping[str, Any], path: str) -> None:
    """Accept states of random number generators, a row for each process, that can be set again."""
    for name in ("latent", "cpu"):
        if name not in random["states"]:
            raise UserError(f"{path}: random.states lacks {name}")
    for name, rows in random["states"].items():
        kind = "cpu" if name == "cpu" else random["device"]
        try:
            if not rows.numel() or len(rows) != len(random["states"]["cpu"]):
                raise TypeError
            for row in rows:
                if kind == "cpu" or torch.accelerator.is_available():
                    torch.Generator(kind).set_state(row.clone())
        except (RuntimeError, TypeError, AttributeError):
            raise UserError(f"{path}: random.states.{name} are no states of a random number generator") from None


def _kind(found: Any) -> str:
    if found is None:
        return "nothing"
    if isinstance(found, Sequence | Mapping) and not isinstance(found, str):
        return f"a {type(found).__name__} of {len(found)}"
    return type(found).__name__


def _some(names: Any) -> str:
    """A few names, in their order, and how many others there are."""
    first = sorted(map(str, names))
    more = f" and {len(first) - 3} more" if len(first) > 3 else ""
    return ", ".join(first[:3]) + more
