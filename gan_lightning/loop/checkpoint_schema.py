"""What a checkpoint must hold: exactly what a training of the same settings would write.

So there is no list of it here. The objects that are to go on are asked what they would write themselves, and what was
read must have the same form: the same names, kinds, shapes and types, and numbers that are finite.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.optim import Optimizer

from gan_lightning.errors import UserError, is_number, one_line

if TYPE_CHECKING:
    from lightning.pytorch import Callback, Trainer

    from gan_lightning.gan import GAN


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
def at_most_layers_of(weights: Mapping[str, Any], where: str) -> Iterator[None]:
    """While no network is made of many more weights than these are.

    Raises:
        UserError: as soon as one is: two hundred thousand layers would take their time.
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


def check_to_go_on(checkpoint: dict[str, Any], gan: "GAN", trainer: "Trainer") -> None:
    """Accept a checkpoint that these objects, which have the settings of the checkpoint, can go on from.

    Raises:
        UserError: if something of it is missing, or has another form.
    """
    path = checkpoint["path"]
    check_weights(checkpoint["state_dict"], gan, f"{path}: state_dict")
    check_finite(checkpoint["state_dict"], f"{path}: state_dict")
    optimizers, schedulers = gan.configure_optimizers()
    expected = {
        "epoch": 0,
        "global_step": 0,
        "alternations": 0,
        "pytorch-lightning_version": "",
        "loops": {"fit_loop": trainer.fit_loop.state_dict()},
        "callbacks": {},
        "optimizer_states": [{"state": {}, "param_groups": []} for _ in optimizers],
        "lr_schedulers": [scheduler.state_dict() for scheduler in schedulers],
        "random": {"device": "", "states": {}},
    }
    _check_same({name: checkpoint.get(name) for name in expected}, expected, f"{path}: ")
    for number, state in enumerate(checkpoint["optimizer_states"]):
        where = f"{path}: optimizer_states.{number}"
        _check_groups(state["param_groups"], optimizers[number], f"{where}.param_groups")
        moments = _after_a_step(optimizers[number])["state"]
        if moments and not state["state"]:
            raise UserError(f"{where}.state is empty, but that optimizer has moved already")
        # A weight that the network does not use is never moved.
        _check_same(
            state["state"], {each: moments[each] for each in moments if each in state["state"]}, f"{where}.state"
        )
        check_finite(state, where)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if callback.state_key in checkpoint["callbacks"]:  # otherwise it is new, which is the user's choice
            _check_callback(checkpoint["callbacks"][callback.state_key], callback, path)
    _check_random(checkpoint["random"], path)
    version = checkpoint["pytorch-lightning_version"].split(".")
    if len(version) < 2 or not all(part.isdecimal() for part in version[:2]):
        raise UserError(f"{path}: pytorch-lightning_version is no version")


def _check_same(found: Any, expected: Any, where: str, surplus: bool = True) -> None:
    """Accept what has the form of what is expected: of a dict's names all, and more if `surplus` says so; of a list's
    parts, if any are expected, as many. None stands for anything.

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
        if not is_number(found) or not math.isfinite(found) or (isinstance(expected, int) and found < 0):
            raise UserError(f"{where} is {found if is_number(found) else _kind(found)}, which it cannot be")


def _within(where: str, name: object) -> str:
    return f"{where}{name}" if where.endswith(" ") else f"{where}.{name}"


def _check_tensor(found: Any, expected: Tensor, where: str) -> None:
    if not isinstance(found, Tensor) or found.layout != torch.strided or found.is_quantized:
        raise UserError(f"{where} is {_kind(found)}, not a tensor")
    if found.shape != expected.shape:
        raise UserError(f"{where} is {tuple(found.shape)}, but this model's is {tuple(expected.shape)}")
    if found.dtype != expected.dtype:
        raise UserError(f"{where} is of {found.dtype}, but this model's of {expected.dtype}")


def _after_a_step(optimizer: Optimizer) -> dict[str, Any]:
    """What an optimizer like this one keeps once it has moved all its weights."""
    twin = deepcopy(optimizer)
    for group in twin.param_groups:
        for weight in group["params"]:
            if weight.requires_grad:
                weight.grad = torch.zeros_like(weight)
    twin.step()
    return twin.state_dict()


def _check_groups(found: Any, optimizer: Optimizer, where: str) -> None:
    """Accept the settings of an optimizer for each group of its weights; other versions of torch have others beside."""
    expected = optimizer.state_dict()["param_groups"]
    _check_same(found, [{"params": group["params"], "lr": group["lr"]} for group in expected], where)
    _check_same(
        found,
        [{key: group[key] for key in group if key in there} for group, there in zip(expected, found, strict=True)],
        where,
    )


def _check_callback(found: Any, callback: "Callback", path: str) -> None:
    """Accept what a callback may have written, and takes back; earlier versions wrote less."""
    where = f"{path}: callbacks.{type(callback).__name__}"
    expected = callback.state_dict()
    known = {name: part for name, part in expected.items() if not isinstance(found, Mapping) or name in found}
    _check_same(found, known, where)
    try:
        deepcopy(callback).load_state_dict(deepcopy(found))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as reason:
        raise UserError(f"{where} is not what it takes back: {type(reason).__name__} {one_line(reason)}") from reason


def _check_random(random: dict[str, Any], path: str) -> None:
    """Accept states of random number generators, a row for each process, that can be set again."""
    for name in ("latent", "cpu"):
        if name not in random["states"]:
            raise UserError(f"{path}: random.states lacks {name}")
    for name, rows in random["states"].items():
        try:
            if name == "cpu" or random["device"] == "cpu":
                for row in rows:
                    torch.Generator().set_state(row.clone())
            elif rows.dtype != torch.uint8 or rows.ndim != 2:
                raise TypeError
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
