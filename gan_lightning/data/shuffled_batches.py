"""Reproducible shuffles, and a loader that can go on in the middle of an epoch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler


class ShuffledBatches(Sampler[Tensor]):
    """Index tensors of one batch each, in an order that (seed, epoch) alone decides.

    Args:
        num_images: how many images there are to draw from.
        batch_size: how many indices a batch holds; the last batch of an epoch may hold fewer.
        min_batch_size: a last batch with fewer than these is left out.
        seed: of the shuffles.
        rank, world_size: this process draws every `world_size`-th image of the order, beginning at `rank`.
    """

    def __init__(
        self,
        num_images: int,
        batch_size: int,
        min_batch_size: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.num_images = num_images
        self.batch_size = batch_size
        self.min_batch_size = min_batch_size
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.drawn = 0
        self._start = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose shuffle the next iteration draws. Lightning calls this as each epoch starts."""
        self.epoch = epoch

    def skip_to(self, epoch: int, batch: int) -> None:
        """Let the next iteration begin at `batch`, counted from 0, of `epoch`."""
        self.epoch = epoch
        self._start = batch

    def __len__(self) -> int:
        whole, rest = divmod(self.num_images // self.world_size, self.batch_size)
        return whole + (rest >= self.min_batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        # Lightning makes the iterator before it sets the epoch, so nothing may be decided before the first batch.
        order = torch.from_numpy(np.random.default_rng((self.seed, self.epoch)).permutation(self.num_images))
        mine = order[: self.num_images // self.world_size * self.world_size][self.rank :: self.world_size]
        start, self._start = self._start, 0
        for batch in range(start, len(self)):
            self.drawn = batch + 1
            yield mine[batch * self.batch_size : (batch + 1) * self.batch_size]


class ResumableLoader(DataLoader):
    """A DataLoader over :class:`ShuffledBatches` whose place in the epoch a checkpoint can hold.

    Lightning finds `state_dict` and `load_state_dict` by their names and calls them with its own.
    """

    sampler: ShuffledBatches

    def __init__(self, dataset: Dataset, sampler: ShuffledBatches) -> None:
        # With no generator of its own, a DataLoader draws from the global one as each iteration begins, which a run
        # that goes on in mid-epoch does once more often.
        super().__init__(dataset, sampler=sampler, batch_size=None, generator=torch.Generator())

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.sampler.epoch, "batch": self.sampler.drawn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.sampler.skip_to(state["epoch"], state["batch"])
