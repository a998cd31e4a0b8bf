"""A tensor that stands for one tensor each of N trainings.

Whatever is written for one training runs for all of them: `torch.vmap` makes each of PyTorch's operations one on the
stacked tensors, below automatic differentiation, which sees tensors as it always does. So losses, penalties, networks
and their gradients are those of a training alone, with N times the work in each operation: Wang et al. 2021,
"Horizontally Fused Training Array".
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.overrides import enable_reentrant_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from gan_lightning.packing.streams import Stream

# Of an operation without a rule of its own, vmap makes a loop over the members: on a CPU that is as fast.
warnings.filterwarnings("ignore", "There is a performance drop because we have not yet implemented the batching rule")


class Packed(Tensor):
    """N tensors of one shape as one tensor of that shape.

    Args:
        stacked: (N, …), whose memory it shares: what changes the one in place changes the other.
    """

    stacked: Tensor

    @staticmethod
    def __new__(cls, stacked: Tensor) -> "Packed":
        one = stacked[0]
        return Tensor._make_wrapper_subclass(cls, one.shape, strides=one.stride(), dtype=one.dtype, device=one.device)

    def __init__(self, stacked: Tensor) -> None:
        self.stacked = stacked

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Packed({len(self.stacked)} × {tuple(self.shape)})"

    # Python's functions of tensors need nothing of their own.
    __torch_function__: ClassVar[Any] = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        written = kwargs.pop("out", None)  # which vmap does not know
        if written is not None:
            return written.copy_(cls.__torch_dispatch__(operation._overloadpacket, types, args, kwargs))
        leaves, structure = tree_flatten((args, kwargs))
        places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Packed)]
        results: list[Any] = []
        form: Any = None

        def of_one(*tensors: Tensor) -> tuple[Tensor, ...]:
            nonlocal results, form
            own = list(leaves)
            for place, tensor in zip(places, tensors, strict=True):
                own[place] = tensor
            own_args, own_kwargs = tree_unflatten(own, structure)
            results, form = tree_flatten(operation(*own_args, **own_kwargs))
            return tuple(result for result in results if isinstance(result, Tensor))  # vmap refuses anything else

        with enable_reentrant_dispatch(), torch.no_grad():
            with _Nothing():  # of a mode that was left to get here, this takes back what is remembered
                pass
            stacked = iter(torch.vmap(of_one)(*(leaves[place].stacked for place in places)))
        if isinstance(operation, torch._ops.OpOverload) and operation._schema.is_mutable:
            return args[0]
        return tree_unflatten([cls(next(stacked)) if isinstance(part, Tensor) else part for part in results], form)


class _Nothing(TorchDispatchMode):
    """A mode in which nothing is done."""


class OwnRandomNumbers(TorchDispatchMode):
    """While it is entered, what draws random numbers draws those of each training from its own stream.

    Args:
        streams: one of each training.

    Raises:
        RuntimeError: as something draws for all of them from a generator of its own, which then gives all the same.
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        super().__init__()
        self._streams = streams
        self._member: int | None = None

    @contextmanager
    def of(self, member: int) -> Iterator[None]:
        """While one training, told by its place in the pack, does something by itself."""
        self._member = member
        try:
            yield
        finally:
            self._member = None

    def of_each(self, draw: Callable[[int], Tensor]) -> Packed:
        """What each training draws by itself, given its place in the pack, all stacked."""
        drawn = []
        for member in range(len(self._streams)):
            with self.of(member):
                drawn.append(draw(member))
        return Packed(torch.stack(drawn))

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        is_random = torch.Tag.nondeterministic_seeded in operation.tags
        has_generator = kwargs.get("generator") is not None
        if not is_random or (has_generator and self._member is not None):
            return operation(*args, **kwargs)
        if has_generator:
            raise RuntimeError("a network or a loss draws from a random number generator of its own")
        if self._member is not None:
            with self._streams[self._member]:
                return operation(*args, **kwargs)
        results = []
        for member, stream in enumerate(self._streams):
            own_args, own_kwargs = tree_map(
                lambda leaf, member=member: leaf.stacked[member] if isinstance(leaf, Packed) else leaf, (args, kwargs)
            )
            with stream:
                results.append(operation(*own_args, **own_kwargs))
        if operation._schema.is_mutable:
            return args[0]
        return tree_map(lambda *parts: Packed(torch.stack(parts)), *results)
