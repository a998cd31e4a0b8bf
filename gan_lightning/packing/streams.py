"""The random numbers of several trainings in one process."""

import copy
from types import TracebackType

import torch


class Stream:
    """What a training draws from torch's global generators, while others draw from these, too.

    Begins where they are as it is made. While it is entered they are its own, and go on where it was left.
    """

    def __init__(self) -> None:
        self._cpu = torch.get_rng_state()
        self.generators = [generator.clone_state() for generator in _of_gpus()]
        """Of each GPU; a CUDA graph in which the stream is drawn from must know them."""

    def copy(self) -> "Stream":
        """One that goes on from here by itself."""
        other = copy.copy(self)
        other.generators = [generator.clone_state() for generator in self.generators]
        return other

    def __enter__(self) -> None:
        self._outer = torch.get_rng_state()
        torch.set_rng_state(self._cpu)
        # Not the numbers are exchanged but where they are kept, which a CUDA graph can repeat.
        self._outer_generators = [generator.graphsafe_get_state() for generator in _of_gpus()]
        self.generators += [generator.clone_state() for generator in _of_gpus()[len(self.generators) :]]
        for generator, own in zip(_of_gpus(), self.generators, strict=True):
            generator.graphsafe_set_state(own)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cpu = torch.get_rng_state()
        torch.set_rng_state(self._outer)
        for generator in _of_gpus()[len(self._outer_generators) :]:  # that were first used meanwhile
            self.generators.append(generator.graphsafe_get_state())
            self._outer_generators.append(generator.clone_state())
        for generator, outer in zip(_of_gpus(), self._outer_generators, strict=True):
            generator.graphsafe_set_state(outer)


def _of_gpus() -> tuple[torch.Generator, ...]:
    return torch.cuda.default_generators if torch.cuda.is_initialized() else ()
