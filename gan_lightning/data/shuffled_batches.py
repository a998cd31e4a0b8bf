"""Reproducible shuffles of images in memory, and a loader that can go on in the middle of an epoch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor


class ShuffledBatches:
    """Index tensors (A, B) of A batches each, in an order that (seed, epoch) alone decides.

    The last batch of an epoch may be smaller; it comes alone, as (1, B').

    Args:
        num_images: how many images there are to draw from.
        batch_size: B, how many indices a batch holds.
        min_batch_size: a last batch with fewer than these is left out.
        batches_at_once: A, how many batches come together; fewer before the last one.
        seed: of the shuffles.
        rank, world_size: this process draws every `world_size`-th image of the order, beginning at `rank`.
        device: where the indices are.
    """

    def __init__(
        self,
        num_images: int,
        batch_size: int,
        min_batch_size: int = 1,
        batches_at_once: int = 1,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self.num_images = num_images
        self.batch_size = batch_size
        self.min_batch_size = min_batch_size
        self.batches_at_once = batches_at_once
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.device = device
        self.epoch = 0
        self.drawn = 0
        self._start = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose shuffle the next iteration draws. Lightning calls this as each epoch starts."""
        self.epoch = epoch

    def skip_to(self, epoch: int, drawn: int) -> None:
        """Let the next iteration leave out the first `drawn` index tensors of `epoch`."""
        self.epoch = epoch
        self._start = drawn

    def __len__(self) -> int:
        whole, rest = divmod(self.num_images // self.world_size, self.batch_size)
        return -(-whole // self.batches_at_once) + (rest >= self.min_batch_size)

    def num_batches(self, drawn: int) -> int:
        """How many batches the first `drawn` index tensors of an epoch hold."""
        whole = self.num_images // self.world_size // self.batch_size
        return min(drawn * self.batches_at_once, whole) + (drawn > -(-whole // self.batches_at_once))

    def __iter__(self) -> Iterator[Tensor]:
        # Lightning makes the iterator before it sets the epoch, so nothing may be decided before the first batch.
        entropy = np.random.SeedSequence((self.seed, self.epoch)).generate_state(1)
        # On the CPU, a moment an epoch, so that the order is the same whatever the device.
        random = torch.Generator().manual_seed(int(entropy[0]))
        order = torch.randperm(self.num_images, generator=random).to(self.device)
        mine = order[: self.num_images // self.world_size * self.world_size][self.rank :: self.world_size]
        whole = len(mine) // self.batch_size * self.batch_size
        parts: list[Tensor] = []
        if whole:
            parts += mine[:whole].unflatten(0, (-1, self.batch_size)).split(self.batches_at_once)
        if len(mine) - whole >= self.min_batch_size:
            parts.append(mine[None, whole:])
        start, self._start = self._start, 0
        for number, part in enumerate(parts[start:], start + 1):
            self.drawn = number
            yield part


class ResumableLoader:
    """Images and labels in the order of :class:`ShuffledBatches`; its place in the epoch can be kept in a checkpoint.

    Lightning finds `sampler`, `state_dict` and `load_state_dict` by their names and uses them with its own.

    Args:
        images: (N, C, H, W), on the device of the sampler.
        labels: (N,), on the same.
        sampler: of the N.
    """

    def __init__(self, images: Tensor, labels: Tensor, sampler: ShuffledBatches) -> None:
        self.images = images
        self.labels = labels
        self.sampler = sampler

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for indices in self.sampler:
            yield self.images[indices], self.labels[indices]

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.sampler.epoch, "drawn": self.sampler.drawn, "images": self.sampler.num_images}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.sampler.skip_to(state["epoch"], state["drawn"])
