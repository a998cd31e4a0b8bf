"""What Lightning asks of a module whose training step moves its optimizers by itself."""

import logging
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from gan_lightning.loop.checkpoint_schema import infinite_part
from gan_lightning.loop.company import COMPANY
from gan_lightning.loop.cuda_graph import Graphed, make_capturable, why_not
from gan_lightning.loop.history import History
from gan_lightning.loop.randomness import Randomness
from gan_lightning.schedules import Scheduled, ScheduledOptimizer

log = logging.getLogger(__name__)

Alternation = Callable[[tuple[Tensor, ...], Hashable], dict[str, Tensor]]
"""Images (B, C, H, W) and labels (B,), and a mode, to named numbers, each a scalar tensor."""


class ManualOptimization(LightningModule):
    """Keeps optimizers and their schedules, random numbers, and the place in the training; checkpoints hold them all.

    A subclass gives :meth:`optimize_by` its alternation at the end of its constructor, and its training step calls
    `run_alternation`.

    Args:
        seed: of the latents.
        cuda_graph: whether an alternation is one CUDA graph where that is possible. Where it is not, a line says why.

    Attributes:
        alternations, images_seen: how far the training is; real images, each counted once in an alternation.
        history: what callbacks write down of the training, and read.
        run_alternation: the alternation, from the start of a training on as one CUDA graph where it can be one, and
            together with the trainings that it shares its process with.
        graphed: whether it can be a CUDA graph; known from the start of a training on.
        eager_alternation: the alternation as it is written.
    """

    def __init__(self, seed: int, cuda_graph: bool) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.cuda_graph = cuda_graph
        self.alternations = 0
        self.images_seen = 0
        self.history = History()
        self.randomness = Randomness(self, seed)

    def optimize_by(self, alternation: Alternation, optimizers: Sequence[ScheduledOptimizer], updates: int) -> None:
        """Say what is run, the optimizers that it steps, and how many steps of theirs it takes."""
        self.eager_alternation = self.run_alternation = alternation
        self._optimizers = optimizers
        self._updates = updates
        self._followers: list[Any] = [*(part for part in self.modules() if isinstance(part, Scheduled)), *optimizers]

    def follow_schedules(self) -> None:
        """Let all that follows the images seen be what it is now."""
        for follower in self._followers:
            follower.set_at(self.images_seen)

    def backward_pass(self, loss: Tensor) -> None:
        """Add a loss's gradients to those of the weights; outside autocast, as PyTorch advises."""
        with torch.autocast(self.device.type, enabled=False):
            # Lightning's way is what several devices need to share their gradients; it costs a tenth of a millisecond.
            if self.trainer.world_size > 1:
                self.manual_backward(loss)
            else:
                loss.backward()

    def configure_optimizers(self) -> Any:
        schedulers = [each.scheduler for each in self._optimizers if each.scheduler is not None]
        return [each.optimizer for each in self._optimizers], schedulers

    def on_train_start(self) -> None:
        self.randomness.restore()
        obstacle = why_not(self.device, self.trainer.world_size, self._optimizers)
        if self.cuda_graph and obstacle is not None and self.device.type != "cpu" and self.global_rank == 0:
            log.info("an alternation is run eagerly, not as one CUDA graph: %s", obstacle)
        self.graphed = graphed = self.cuda_graph and obstacle is None
        for each in self._optimizers:
            make_capturable(each.optimizer, graphed, self.device)
            each.start(self.images_seen, self.device if graphed else None)
        company = COMPANY.get()
        self.run_alternation = self.alternation() if company is None else partial(company.alternate, self)

    def alternation(self) -> Alternation:
        """Its alternation on the tensors that it has now: as one CUDA graph if it can be one."""
        return Graphed(self.eager_alternation, [self.randomness.latent()]) if self.graphed else self.eager_alternation

    def on_train_batch_start(self, batch: tuple[Tensor, ...], batch_idx: int) -> None:
        # Lightning's `global_step`, by which it tells checkpoints apart, counts the steps of optimizers in wrappers of
        # its own, which cost more than they give here, and which a CUDA graph would not call.
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for _ in range(len(batch[0]) * self._updates):
            progress.increment_ready()
            progress.increment_completed()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["alternations"] = self.alternations
        checkpoint["images_seen"] = self.images_seen
        checkpoint["random"] = self.randomness.state_dict()
        # A part of a larger tensor, as those of a member of a pack are, would take all of that into the file.
        for name, tensor in checkpoint["state_dict"].items():
            if tensor.untyped_storage().nbytes() > tensor.nbytes:
                checkpoint["state_dict"][name] = tensor.clone()
        numbers = [list(self.parameters()), checkpoint["optimizer_states"]]
        checkpoint["is_finite"] = infinite_part(numbers) is None  # else it is not written

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.alternations = checkpoint["alternations"]
        self.images_seen = checkpoint.get("images_seen", 0)  # earlier versions had nothing that followed it
        self.randomness.load_state_dict(checkpoint["random"])
        checkpoint["callbacks"].pop("Timer", None)  # trainer.max_time is for each try
