"""The random numbers of a training, as a checkpoint keeps them: a resumed run draws what an uninterrupted one would."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor


class Randomness:
    """Every random number generator that the training steps draw from.

    Latents have a generator of their own; dropout, augmentations and penalties draw from torch's global ones. Where
    several processes train, the generators of all are in the same state: see `gan_lightning.sharding`.

    Args:
        module: whose device decides which generators there are.
        seed: of the latents.
    """

    def __init__(self, module: LightningModule, seed: int) -> None:
        self._module = module
        self._seed = seed
        self._latent: torch.Generator | None = None
        self._resumed: dict[str, Any] | None = None
        self._first = torch.get_rng_state()
        """That of torch's global generator once the weights have been drawn; Lightning seeds processes anew."""

    def latent(self) -> torch.Generator:
        """The latents' generator, made when the device is known."""
        if self._latent is None:
            # Its own stream: seeded plainly, it would repeat the numbers that the weights were drawn from.
            entropy = np.random.SeedSequence((self._seed, 0)).generate_state(1)
            self._latent = torch.Generator(self._module.device).manual_seed(int(entropy[0]))
        return self._latent

    def state_dict(self) -> dict[str, Any]:
        """The states of all ranks; each of them must call this."""
        device = self._module.device
        states = {"latent": self.latent().get_state(), "cpu": torch.get_rng_state()}
        if device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(device)
        return {"device": device.type, "states": {name: self._of_all_ranks(state) for name, state in states.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember what a checkpoint holds until :meth:`restore`."""
        self._resumed = state

    def restore(self) -> None:
        """Begin, or go on from the checkpoint if there is one and it is of the same kind of device: elsewhere the
        numbers would be others anyway.
        """
        resumed, self._resumed = self._resumed, None
        torch.set_rng_state(self._first)
        if resumed is None or resumed["device"] != self._module.device.type:
            return
        for name, of_all_ranks in resumed["states"].items():
            # A process that was not there before joins the others. Torch misreads a part of a larger tensor.
            state = of_all_ranks[self._module.global_rank % len(of_all_ranks)].clone()
            match name:
                case "latent":
                    self.latent().set_state(state)
                case "cpu":
                    torch.set_rng_state(state)
                case "cuda":
                    torch.cuda.set_rng_state(state, self._module.device)

    def _of_all_ranks(self, state: Tensor) -> Tensor:
        """One rank's state (n,) to those of all, (world_size, n)."""
        world_size, device = self._module.trainer.world_size, self._module.device
        if world_size == 1:
            return state[None]
        states = [torch.empty_like(state, device=device) for _ in range(world_size)]
        torch.distributed.all_gather(states, state.to(device))
        return torch.stack(states).cpu()
