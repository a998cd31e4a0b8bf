"""A training step as one CUDA graph: recorded once, then launched as a whole.

A step of small networks is hundreds of short kernels, each of which costs the host more time to launch than the GPU to
run. A graph launches them all at once: Nguyen et al. 2021, "Accelerating PyTorch with CUDA Graphs".
"""

import logging
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

log = logging.getLogger(__name__)

WARM_UP = 3
"""Steps that run eagerly first: optimizers, libraries and memory pools set themselves up in them."""


class Graphed:
    """A function of a batch and of a phase, run as one CUDA graph wherever that gives what running it would give.

    A graph repeats the same kernels on the same memory. So batches of another shape than the largest so far are run
    eagerly, and another phase, in which the function may run other kernels, is warmed up and recorded anew.

    Args:
        function: of a batch (any shape) and a phase, to a tensor. It may change weights and the like in place, and draw
            random numbers on the GPU; it must neither wait for the GPU nor keep count of anything in Python.
        generators: those that it draws from, besides the default one.
    """

    def __init__(self, function: Callable[[Tensor, Hashable], Tensor], generators: Sequence[torch.Generator]) -> None:
        self._function = function
        self._generators = generators
        self._warm_up_left = 0
        self._batch: Tensor | None = None
        self._phase: Hashable = None
        self._replay: Callable[[], Tensor] | None = None
        self._eager_for_good = False
        self._seen_other_shape = False

    def __call__(self, batch: Tensor, phase: Hashable) -> Tensor:
        """What the function returns."""
        if self._eager_for_good:
            return self._function(batch, phase)
        if self._batch is None or batch.numel() > self._batch.numel() or phase != self._phase:
            self._batch, self._phase = torch.empty_like(batch), phase
            self._replay = None
            self._warm_up_left = WARM_UP
        if batch.shape != self._batch.shape:
            if not self._seen_other_shape:
                self._seen_other_shape = True
                log.info(
                    "a batch of another shape, %s, not %s, is run eagerly, not as a CUDA graph",
                    *(tuple(images.shape) for images in (batch, self._batch)),
                )
            return self._function(batch, phase)
        if self._warm_up_left:
            self._warm_up_left -= 1
            return warm_up(lambda: self._function(batch, phase))
        static = self._batch.copy_(batch)
        if self._replay is None:
            try:
                self._replay = capture(lambda: self._function(static, phase), self._generators)
            except RuntimeError as error:  # nothing of the step has been run yet
                # What ends a capture that has failed raises an error of its own.
                reason = str(error.__context__ or error).partition("\n")[0]
                log.warning("the step cannot be a CUDA graph, and is run eagerly: %s", reason)
                self._eager_for_good = True
                return self._function(batch, phase)
        return self._replay().clone()


def warm_up(function: Callable[[], Tensor]) -> Tensor:
    """Run the function beside the main stream, as PyTorch asks of what is to be captured."""
    main, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(main)
    with torch.cuda.stream(side):
        result = function()
    main.wait_stream(side)
    return result


def capture(function: Callable[[], Tensor], generators: Sequence[torch.Generator]) -> Callable[[], Tensor]:
    """Record the kernels of the function, none of which runs yet; what is returned runs them and gives the result."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        result = function()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay
