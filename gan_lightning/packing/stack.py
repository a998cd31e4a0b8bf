"""Trainings whose weights lie in one place, and that alternate as one."""

import random
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gan_lightning.loop.cuda_graph import Graphed
from gan_lightning.loop.manual_optimization import ManualOptimization
from gan_lightning.packing.likeness import described, states_of, tensors_of
from gan_lightning.packing.packed import OwnRandomNumbers, Packed
from gan_lightning.packing.streams import Stream
from gan_lightning.schedules import ScheduledOptimizer


class Stack:
    """Trainings that differ in numbers alone: their weights, optimizers, random numbers, and what follows a schedule.

    Each keeps its own parameters, buffers and optimizers, and may be read, drawn from and saved at any time; but the
    memory of its tensors is a part of the stack's, until :meth:`part` gives it back.

    Args:
        members: of one :func:`gan_lightning.packing.likeness.kind_of`, on one device.
        streams: of each, what it draws from torch's global generators.
    """

    def __init__(self, members: Sequence[ManualOptimization], streams: Sequence[Stream]) -> None:
        self.members = members
        self._streams = streams
        self._random_numbers = OwnRandomNumbers(streams)
        self._places: list[tuple[Tensor, Tensor]] = []
        packed: dict[int, Tensor] = {}
        for of_all in zip(*map(tensors_of, members), strict=True):
            stacked = torch.stack([tensor.detach() for tensor in of_all])
            for tensor, own in zip(of_all, stacked, strict=True):
                tensor.data = own
                self._places.append((tensor, own))
            first, together = of_all[0], Packed(stacked)
            is_weight = isinstance(first, nn.Parameter)
            packed[id(first)] = nn.Parameter(together, first.requires_grad) if is_weight else together
        # The alternation is that of a training whose tensors, optimizers and latents are those of all.
        one = _twin(members[0], packed)
        for name, optimizer in _optimizers(members[0]).items():
            weights = [packed[id(weight)] for weight in optimizer.parameters]
            setattr(one, name, _OfAll([getattr(member, name) for member in members], weights, self._random_numbers))
        for name, dropouts in _dropouts(members).items():
            one.set_submodule(name, _DropoutOfAll(dropouts, self._random_numbers))
        those: Any = members
        one.sample_latent = lambda number: self._random_numbers.of_each(lambda each: those[each].sample_latent(number))
        self.one = one
        self._alternation = _bound_to(one, members[0])

    def alternation(self) -> Any:
        """Its alternation, as one CUDA graph if those of its members can be."""
        generators = [member.randomness.latent() for member in self.members]
        generators += [generator for stream in self._streams for generator in stream.generators]
        return Graphed(self.alternate, generators) if self.members[0].graphed else self.alternate

    def alternate(self, batch: tuple[Tensor, ...], mode: Hashable) -> dict[str, Tensor]:
        """One alternation of all.

        Args:
            batch: what the members' batches hold, such as images, each stacked: (N, B, …).
            mode: of all.

        Returns:
            The named numbers of each, (N,).
        """
        with self._random_numbers:
            numbers = self._alternation(tuple(map(Packed, batch)), mode)
        return {name: number.stacked for name, number in numbers.items()}

    def is_whole(self) -> bool:
        """Whether the memory of each tensor is still a part of its own, as it is until a callback gives it another."""
        return all(tensor.data_ptr() == own.data_ptr() for tensor, own in self._places)

    def part(self) -> None:
        """Give its own memory to each training again."""
        for member in self.members:
            for tensor in tensors_of(member):
                tensor.data = tensor.data.clone()


def rehearse(
    members: Sequence[ManualOptimization], streams: Sequence[Stream], batch: tuple[Tensor, ...], mode: Hashable
) -> None:
    """Let copies of trainings alternate as a stack, and change nothing.

    Raises:
        torch.OutOfMemoryError: if the GPU has no room for so many.
        Exception: what PyTorch says to an operation of which it cannot make one on the tensors of all; or if anything
            is drawn or changed of which each member cannot have its own.
    """
    latents = [member.randomness.latent() for member in members]
    states = [latent.get_state() for latent in latents]
    copies = [_at_rest(member) for member in members]
    mode = deepcopy(mode)
    try:
        stack = Stack(copies, [stream.copy() for stream in streams])
        with _nothing_else_changes(stack.one, mode):
            stack.alternate(batch, mode)
    finally:
        for latent, state in zip(latents, states, strict=True):
            latent.set_state(state)


@contextmanager
def _nothing_else_changes(one: nn.Module, mode: Hashable) -> Iterator[None]:
    """See that an alternation changes nothing but weights, buffers and random numbers of torch's.

    Raises:
        RuntimeError: on leaving, if it does.
    """

    def now() -> dict[str, tuple[str, bytes]]:
        return {"": (type(mode).__name__, described(mode))} | states_of(one)

    states, of_python, of_numpy = now(), random.getstate(), np.random.get_state()
    try:
        yield
        changed = [
            name for (name, state), (_, later) in zip(states.values(), now().values(), strict=True) if state != later
        ]
        if changed:
            raise RuntimeError(f"an alternation changes more of {changed[0]} than weights and buffers")
        if random.getstate() != of_python or described(np.random.get_state()) != described(of_numpy):
            raise RuntimeError("an alternation draws from Python's or NumPy's random numbers")
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def _dropouts(members: Sequence[nn.Module]) -> dict[str, list[nn.Dropout]]:
    """Those of all members whose probabilities differ, by name."""
    names = [name for name, module in members[0].named_modules() if isinstance(module, nn.Dropout)]
    of_all = {name: [member.get_submodule(name) for member in members] for name in names}
    return {name: modules for name, modules in of_all.items() if len({module.p for module in modules}) > 1}  # type: ignore


def _optimizers(member: nn.Module) -> dict[str, ScheduledOptimizer]:
    return {name: value for name, value in vars(member).items() if isinstance(value, ScheduledOptimizer)}


def _twin(member: ManualOptimization, tensors: dict[int, Tensor]) -> Any:
    """A training like it that has other tensors in the place of its own, which are known by their ids."""
    twin: Any = object.__new__(type(member))
    twin.__dict__ |= vars(member)
    twin._modules = deepcopy(member._modules, dict(tensors))
    return twin


def _bound_to(twin: Any, member: ManualOptimization) -> Any:
    """The alternation of a member, as one of its twin's."""
    alternation: Any = member.eager_alternation
    return alternation.__func__.__get__(twin)


def _at_rest(member: ManualOptimization) -> Any:
    """A training like it that learns nothing."""
    tensors = {id(tensor): deepcopy(tensor) for tensor in tensors_of(member)}
    twin = _twin(member, tensors)
    for name, optimizer in _optimizers(member).items():
        setattr(twin, name, _AtRest([tensors[id(weight)] for weight in optimizer.parameters]))
    twin.eager_alternation = _bound_to(twin, member)
    return twin


class _AtRest(ScheduledOptimizer):
    """An optimizer that moves nothing."""

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        self.parameters = [*parameters]

    def step(self) -> None:
        pass


class _DropoutOfAll(nn.Module):
    """Dropouts of other probabilities as one.

    Args:
        dropouts: that of each member.
        random_numbers: of the members.
    """

    def __init__(self, dropouts: Sequence[nn.Dropout], random_numbers: OwnRandomNumbers) -> None:
        super().__init__()
        self._dropouts = tuple(dropouts)
        self._random_numbers = random_numbers

    def forward(self, x: Tensor) -> Tensor:
        ones = torch.ones(x.shape, device=x.device, dtype=x.dtype)
        return x * self._random_numbers.of_each(lambda member: self._dropouts[member](ones))


class _OfAll:
    """The optimizers of one player in each training, as that of packed weights.

    Args:
        of_members: each of the parts of these weights that are its own training's.
        weights: packed.
        random_numbers: of the members.
    """

    def __init__(
        self, of_members: Sequence[ScheduledOptimizer], weights: Sequence[Tensor], random_numbers: OwnRandomNumbers
    ) -> None:
        self._of_members = of_members
        self._weights: Any = weights
        self._random_numbers = random_numbers

    def zero_grad(self) -> None:
        for weight in self._weights:
            weight.grad = None

    def step(self) -> None:
        for member, optimizer in enumerate(self._of_members):
            for own, weight in zip(optimizer.parameters, self._weights, strict=True):
                own.grad = None if weight.grad is None else weight.grad.stacked[member]
            with self._random_numbers.of(member):
                optimizer.step()
