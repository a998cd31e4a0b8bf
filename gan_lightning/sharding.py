"""Random numbers of a batch that is spread over the processes of a training."""

from collections.abc import Callable

from torch import Tensor, distributed


def num_processes() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def shard(draw: Callable[[int], Tensor], number: int) -> Tensor:
    """`number` rows of random numbers for this process, out of those that `draw` draws for all processes.

    Each of them draws the rows of all, from generators that are in the same state, and takes every n-th, as it takes
    every n-th image of a shuffle. So n processes with batches of b images see what one sees with batches of n b.
    """
    processes = num_processes()
    if processes == 1:
        return draw(number)
    return draw(number * processes)[distributed.get_rank() :: processes]
