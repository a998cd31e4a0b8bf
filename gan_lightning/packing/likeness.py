"""Which trainings do the same but for the numbers that each member of a stack has of its own."""

import io
import pickle
from collections.abc import Hashable
from hashlib import sha256
from itertools import chain
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any
from uuid import uuid4

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gan_lightning.packing.packed import Packed

OWN = {"latent_distribution", "half_life", "source"}
"""Settings of modules that may differ: each member draws its latents itself, and lets its tensors follow the rest."""
OWN_OF_TRAINING = {"alternations", "images_seen", "alternations_per_step"}
OF_EVERY_MODULE = set(vars(nn.Module()))
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def kind_of(training: nn.Module) -> Hashable:
    """What is the same of trainings that can be members of a stack, as far as they and their modules say it."""
    tensors = [(tensor.shape, tensor.dtype, tensor.requires_grad) for tensor in tensors_of(training)]
    return repr([_settings(training), states_of(training), tensors])


def states_of(training: nn.Module) -> dict[str, tuple[str, bytes]]:
    """By the name of each module its class, and all that what it does may depend on, but its weights and buffers."""
    return {name: (type(each).__name__, described(_state(each))) for name, each in training.named_modules() if name}


def _settings(training: nn.Module) -> dict[str, Any]:
    """The numbers, words and truth values that an alternation may depend on, such as how many steps it takes."""
    simple = {key: value for key, value in vars(training).items() if isinstance(value, int | float | str)}
    return {key: value for key, value in simple.items() if not key.startswith("_") and key not in OWN_OF_TRAINING}


def _state(module: nn.Module) -> dict[str, Any]:
    own = OWN | {"p"} if isinstance(module, nn.Dropout) else OWN
    state = {key: value for key, value in vars(module).items() if key not in OF_EVERY_MODULE and key not in own}
    hooks = [list(getattr(module, name).values()) for name in HOOKS]
    return state | {"training": module.training, "hooks": hooks}


def tensors_of(training: nn.Module) -> list[Tensor]:
    """Its weights and buffers."""
    return [*training.parameters(), *training.buffers()]


def parts_of(training: nn.Module) -> list[Any]:
    """What it and its modules are made of, in turn with whether it learns if it is a tensor."""
    modules = [module for module in training.modules() if module is not training]
    parts = [*_settings(training).values(), *(value for module in modules for value in vars(module).values())]
    parts += chain.from_iterable([part.values() for part in parts if isinstance(part, dict)])
    return [each for part in parts for each in (part, isinstance(part, Tensor) and part.requires_grad)]


def described(value: Any) -> bytes:
    """What a thing is made of: of two that do the same the same; of what cannot be looked into, other bytes each time.

    Numbers, words, containers and objects of these are told by what they are, and so are tensors and arrays; functions,
    and weights that no training's optimizer knows, by which they are.
    """
    written = io.BytesIO()
    describer = _Describer(written)
    describer.fast = True  # the same thing twice is described as two equal ones are
    try:
        describer.dump(value)
    except Exception:
        return uuid4().bytes
    return sha256(written.getvalue()).digest()


class _Describer(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Packed):
            value = value.stacked
        if isinstance(value, Tensor) and not value.requires_grad:
            numbers = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            return tuple(value.shape), str(value.dtype), numbers.numpy().tobytes()
        if isinstance(value, Tensor | type | FunctionType | BuiltinFunctionType | MethodType | TorchDispatchMode):
            return id(value)
        return None
