"""A training step as one CUDA graph: recorded once, then launched as a whole.

A step of small networks is hundreds of short kernels, each of which costs the host more time to launch than the GPU to
run. A graph launches them all at once: Nguyen et al. 2021, "Accelerating PyTorch with CUDA Graphs".
"""

import logging
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor
from torch.optim import SGD

from gan_lightning.schedules import ScheduledOptimizer

log = logging.getLogger(__name__)

Batch = tuple[Tensor, ...]
"""The tensors that a step is run on, such as images and labels."""

WARM_UP = 3
"""Steps that run eagerly first: optimizers, libraries and memory pools set themselves up in them."""


class Graphed:
    """A function of a batch, run as one CUDA graph wherever that gives what running it would give.

    A graph repeats the same kernels on the same memory. So batches of other shapes than the largest so far are run
    eagerly, and in another mode, in which the function may run other kernels, it is warmed up and recorded anew. What
    changes all the time is to be in tensors that are changed in place between two calls.

    Args:
        function: of the tensors of a batch and of a mode, to named tensors. It may change weights and the like in
            place, and draw random numbers on the GPU; it must neither wait for the GPU nor keep count of anything in
            Python.
        generators: those that it draws from, besides the default one.
    """

    def __init__(
        self, function: Callable[[Batch, Hashable], dict[str, Tensor]], generators: Sequence[torch.Generator]
    ) -> None:
        self._function = function
        self._generators = generators
        self._warm_up_left = 0
        self._batch: Batch | None = None
        self._mode: Hashable = None
        self._replay: Callable[[], dict[str, Tensor]] | None = None
        self._eager_for_good = False
        self._seen_other_shape = False

    def __call__(self, batch: Batch, mode: Hashable) -> dict[str, Tensor]:
        """What the function returns; the next call may write to the same memory."""
        if self._eager_for_good:
            return self._function(batch, mode)
        if self._batch is None or batch[0].numel() > self._batch[0].numel() or mode != self._mode:
            self._batch, self._mode = tuple(map(torch.empty_like, batch)), mode
            self._replay = None
            self._warm_up_left = WARM_UP
        static = self._batch
        if [part.shape for part in batch] != [part.shape for part in static]:
            if not self._seen_other_shape:
                self._seen_other_shape = True
                log.info(
                    "a batch of another shape, %s, not %s, is run eagerly, not as a CUDA graph",
                    *(tuple(images.shape) for images in (batch[0], static[0])),
                )
            return self._function(batch, mode)
        if self._warm_up_left:
            self._warm_up_left -= 1
            return warm_up(lambda: self._function(batch, mode))
        for place, part in zip(static, batch, strict=True):
            place.copy_(part)
        if self._replay is None:
            try:
                self._replay = capture(lambda: self._function(static, mode), self._generators)
            except RuntimeError as error:  # nothing of the step has been run yet
                # What ends a capture that has failed raises an error of its own.
                reason = str(error.__context__ or error).partition("\n")[0]
                log.warning("the step cannot be a CUDA graph, and is run eagerly: %s", reason)
                self._eager_for_good = True
                return self._function(batch, mode)
        return self._replay()


def warm_up(function: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Run the function beside the main stream, as PyTorch asks of what is to be captured."""
    main, side = torch.cuda.current_stream(), torch.cuda.Stream()
    side.wait_stream(main)
    with torch.cuda.stream(side):
        result = function()
    main.wait_stream(side)
    return result


def capture(
    function: Callable[[], dict[str, Tensor]], generators: Sequence[torch.Generator]
) -> Callable[[], dict[str, Tensor]]:
    """Record the kernels of the function, none of which runs yet; what is returned runs them and gives the result."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        result = function()

    def replay() -> dict[str, Tensor]:
        graph.replay()
        return result

    return replay


def why_not(device: torch.device, world_size: int, optimizers: Sequence[ScheduledOptimizer]) -> str | None:
    """Why a step of these optimizers cannot be one CUDA graph; None if it can.

    Args:
        device: where the step runs.
        world_size: how many processes share their gradients.
        optimizers: of all players.
    """
    if device.type != "cuda":
        return f"the device is {device.type}"
    if world_size > 1:
        return f"{world_size} devices share their gradients"
    for scheduled in optimizers:
        if scheduled.scheduler is not None:
            return "a schedule changes the learning rates after each update"
        optimizer = scheduled.optimizer
        if "capturable" not in optimizer.defaults and (scheduled.follows or not isinstance(optimizer, SGD)):
            what = "settings that follow a schedule" if isinstance(optimizer, SGD) else "steps"
            return f"{type(optimizer).__name__}'s {what} cannot be captured"
    return None


def make_capturable(optimizer: torch.optim.Optimizer, capturable: bool, device: torch.device) -> None:
    """Let an optimizer count its steps on the device, where a graph repeats that, or wherever it likes."""
    for group in optimizer.param_groups:
        if "capturable" in group:
            group["capturable"] = capturable
    for state in optimizer.state.values() if capturable else ():
        if "step" in state:  # which a checkpoint of an eager run may have left on the CPU
            state["step"] = torch.as_tensor(state["step"]).to(device)
