"""The alternation of the two players."""

import logging
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.checks import true_or_false, whole_number
from gan_lightning.cuda_graph import Graphed
from gan_lightning.objectives import Objective

log = logging.getLogger(__name__)

STATISTICS = (
    "generator_loss",
    "discriminator_loss",
    "real_probability",
    "fake_probability",
    "discriminator_accuracy",
)
"""What a training step returns of its alternations: both losses, the mean of D on real and on generated images, and the
share of these that D tells apart."""


def has_batch_statistics(network: nn.Module) -> bool:
    """Whether an image's output depends on the rest of its batch, as it does under batch normalisation."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let gradients flow through a network without computing those of its weights."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


class GAN(LightningModule):
    """Two players in turn: k discriminator steps, then one generator step. Goodfellow et al. 2014, algorithm 1.

    Args:
        generator: latents (B, latent_dim) to images (B, C, H, W) in [-1, 1]; draws its latents by `sample_latent`.
        discriminator: images (B, C, H, W) to logits (B,).
        objective: which loss each player minimises.
        generator_optimizer: makes the generator's optimizer from its parameters.
        discriminator_optimizer: makes the discriminator's optimizer from its parameters.
        scheduler: makes a learning rate schedule from an optimizer, one for each player, stepped after each of its
            updates; None for constant learning rates.
        discriminator_steps: k, the discriminator steps in one alternation.
        discriminator_batches: `reuse` takes all k steps on the same real batch, `fresh` takes a new real batch each
            step, as in the paper: the images of one alternation are then k batches.
        simultaneous: in the last of the k steps the generator moves along: the gradients of both players are taken on
            the same generated images, before either moves, as in the code published with the paper. Its algorithm 1
            lets the generator answer to a discriminator that has moved already.
        alternations_per_step: how many alternations one training step takes. Lightning's own work between two of them,
            some tenths of a millisecond, weighs on a fast GPU.
        cuda_graph: whether an alternation is one CUDA graph where that is possible. Where it is not, a line says why.
        seed: of the latents.

    Raises:
        ValueError: if `discriminator_steps` or `alternations_per_step` is not a whole number of at least 1,
            `discriminator_batches` is unknown, `simultaneous` or `cuda_graph` is neither true nor false, `seed` is
            negative, or an optimizer refuses its settings.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        objective: Objective,
        generator_optimizer: Callable[..., Optimizer],
        discriminator_optimizer: Callable[..., Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        discriminator_steps: int = 5,
        discriminator_batches: str = "reuse",
        simultaneous: bool = False,
        alternations_per_step: int = 1,
        cuda_graph: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        whole_number("discriminator_steps", discriminator_steps, at_least=1)
        whole_number("alternations_per_step", alternations_per_step, at_least=1)
        whole_number("seed", seed, at_least=0)
        true_or_false("simultaneous", simultaneous)
        true_or_false("cuda_graph", cuda_graph)
        if discriminator_batches not in ("reuse", "fresh"):
            raise ValueError(f"discriminator_batches must be reuse or fresh, not {discriminator_batches!r}")
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.objective = objective
        self.optimizer_factories = (generator_optimizer, discriminator_optimizer)
        self.scheduler_factory = scheduler
        self.discriminator_steps = discriminator_steps
        self.discriminator_batches = discriminator_batches
        self.simultaneous = simultaneous
        self.alternations_per_step = alternations_per_step
        self.cuda_graph = cuda_graph
        self.seed = seed
        self.alternations = 0
        self._one_generator_pass = not has_batch_statistics(generator)
        self._one_discriminator_pass = not has_batch_statistics(discriminator)
        self._random: torch.Generator | None = None
        self._resumed_random: dict[str, Any] | None = None
        self._run: Callable[[Tensor, Hashable], Tensor] = self._alternate
        optimizers, _ = self.configure_optimizers()  # what an optimizer refuses is refused here, before a run begins
        self._uncapturable = [
            type(optimizer).__name__
            for optimizer in optimizers
            if "capturable" not in optimizer.defaults and not isinstance(optimizer, SGD)
        ]

    @property
    def batches_per_alternation(self) -> int:
        """How many real batches one alternation uses."""
        return self.discriminator_steps if self.discriminator_batches == "fresh" else 1

    def configure_optimizers(self) -> Any:
        make_generator_optimizer, make_discriminator_optimizer = self.optimizer_factories
        optimizers = [
            make_generator_optimizer(self.generator.parameters()),
            make_discriminator_optimizer(self.discriminator.parameters()),
        ]
        schedulers = [self.scheduler_factory(optimizer) for optimizer in optimizers] if self.scheduler_factory else []
        return optimizers, schedulers

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """`alternations_per_step` alternations, each on its own images.

        Args:
            batch: real images (A, B, C, H, W) in [-1, 1] of A alternations, or (A, k B, C, H, W) under `fresh`, and
                their labels.
            batch_idx: not used.

        Returns:
            :data:`STATISTICS`, scalars, means over the alternations and their discriminator steps, without a sync.
        """
        images, _ = batch
        phase = self.objective.phase(self.current_epoch)
        statistics = torch.stack([self._run(of_one, phase) for of_one in images]).mean(0)
        self.alternations += len(images)
        # What Lightning counts in its own optimizers, which cost more than they give here: its `global_step`.
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for _ in range(len(images) * (self.discriminator_steps + 1)):
            progress.increment_ready()
            progress.increment_completed()
        return dict(zip(STATISTICS, statistics.unbind(), strict=True))

    def _alternate(self, images: Tensor, phase: Hashable) -> Tensor:
        """One alternation on real images (B, C, H, W), or (k B, C, H, W) under `fresh`, to its statistics (5,)."""
        optimizers: Any = self.optimizers(use_pl_optimizer=False)
        generator_optimizer, discriminator_optimizer = optimizers
        schedulers: Any = self.lr_schedulers() or (None, None)
        generator_scheduler, discriminator_scheduler = schedulers
        real_batches = (
            images.tensor_split(self.discriminator_steps)
            if self.discriminator_batches == "fresh"
            else (images,) * self.discriminator_steps
        )
        losses, real_logits, fake_logits = [], [], []

        def discriminator_loss(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
            on_real, on_fake = self._logits(real, fake)
            loss = self.objective.discriminator_loss(on_real, on_fake)
            losses.append(loss.detach())
            real_logits.append(on_real.detach())
            fake_logits.append(on_fake.detach())
            return loss, on_fake

        alone = real_batches[: self.discriminator_steps - self.simultaneous]
        for real, fake in zip(alone, self._fake_batches([len(real) for real in alone]), strict=True):
            loss, _ = discriminator_loss(real, fake)
            discriminator_optimizer.zero_grad()
            self._backward(loss)
            self._step(discriminator_optimizer, discriminator_scheduler)

        generator_optimizer.zero_grad()
        if self.simultaneous:
            real = real_batches[-1]
            fake = self.generator(self.sample_latent(len(real)))
            # The discriminator sees a copy, and what the generator's loss says of that is handed on to the original: so
            # each backward pass reaches the weights of one player alone, which is what DDP needs.
            seen = fake.detach().requires_grad_()
            loss, on_fake = discriminator_loss(real, seen)
            generator_loss = self.objective.generator_loss(on_fake, phase)
            (towards,) = torch.autograd.grad(generator_loss, seen, retain_graph=True)
            discriminator_optimizer.zero_grad()
            self._backward(loss)
            self._backward((fake * towards).sum())
            self._step(discriminator_optimizer, discriminator_scheduler)
        else:
            with frozen(self.discriminator):
                fake = self.generator(self.sample_latent(len(real_batches[0])))
                generator_loss = self.objective.generator_loss(self.discriminator(fake).float(), phase)
                self._backward(generator_loss)
        self._step(generator_optimizer, generator_scheduler)

        on_real, on_fake = torch.cat(real_logits), torch.cat(fake_logits)
        statistics = {
            "generator_loss": generator_loss.detach(),
            "discriminator_loss": torch.stack(losses).mean(),
            "real_probability": on_real.sigmoid().mean(),
            "fake_probability": on_fake.sigmoid().mean(),
            "discriminator_accuracy": ((on_real > 0).float().mean() + (on_fake <= 0).float().mean()) / 2,
        }
        return torch.stack([statistics[name] for name in STATISTICS])

    def sample_latent(self, num_samples: int) -> Tensor:
        """Draw z (num_samples, latent_dim) from the training's own random numbers."""
        return self.generator.sample_latent(num_samples, self._latent_random())  # type: ignore[operator]

    def _latent_random(self) -> torch.Generator:
        """The latents' own generator, made when the device is known."""
        if self._random is None:
            # Its own stream: seeded plainly, it would repeat the numbers that the weights were drawn from.
            entropy = np.random.SeedSequence((self.seed, self.global_rank)).generate_state(1)
            self._random = torch.Generator(self.device).manual_seed(int(entropy[0]))
        return self._random

    @torch.no_grad()
    def _fake_batches(self, sizes: list[int]) -> tuple[Tensor, ...]:
        """Generated images for the discriminator steps, in one pass where no batch statistics forbid it."""
        if self._one_generator_pass and sizes:
            return self.generator(self.sample_latent(sum(sizes))).split(sizes)
        return tuple(self.generator(self.sample_latent(size)) for size in sizes)

    def _logits(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's logits, in one pass where no batch statistics forbid it; float32 for the losses."""
        if self._one_discriminator_pass:
            on_real, on_fake = self.discriminator(torch.cat([real, fake])).float().split([len(real), len(fake)])
            return on_real, on_fake
        return self.discriminator(real).float(), self.discriminator(fake).float()

    def _backward(self, loss: Tensor) -> None:
        # Lightning's way is what several devices need to share their gradients; it costs a tenth of a millisecond.
        if self.trainer.world_size > 1:
            self.manual_backward(loss)
        else:
            loss.backward()

    @staticmethod
    def _step(optimizer: Any, scheduler: LRScheduler | None) -> None:
        optimizer.step()
        if scheduler is not None:
            scheduler.step()

    # A checkpoint holds the state of every random number generator that training draws from, on every rank, so that a
    # resumed run draws what an uninterrupted one would have drawn.

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        states = {"latent": self._latent_random().get_state(), "cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        checkpoint["alternations"] = self.alternations
        checkpoint["random"] = {
            "device": self.device.type,
            "states": {name: self._of_all_ranks(state) for name, state in states.items()},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.alternations = checkpoint["alternations"]
        self._resumed_random = checkpoint["random"]

    def on_fit_start(self) -> None:
        if self.cuda_graph and self.global_rank == 0 and (reason := self._why_no_graph()) is not None:
            log.info("an alternation is run eagerly, not as one CUDA graph: %s", reason)

    def on_train_start(self) -> None:
        self._restore_random()
        graphed = self.cuda_graph and self._why_no_graph() is None
        for optimizer in self.trainer.optimizers:
            for group in optimizer.param_groups:
                if "capturable" in group:
                    group["capturable"] = graphed
            for state in optimizer.state.values() if graphed else ():
                if "step" in state:  # which a checkpoint of an eager run may have left on the CPU
                    state["step"] = torch.as_tensor(state["step"]).to(self.device)
        self._run = Graphed(self._alternate, [self._latent_random()]) if graphed else self._alternate

    def _why_no_graph(self) -> str | None:
        """Why an alternation cannot be one CUDA graph; None if it can."""
        if self.device.type != "cuda":
            return f"the device is {self.device.type}"
        if self.trainer.world_size > 1:
            return f"{self.trainer.world_size} devices share their gradients"
        if self.objective.needs_double_backward:
            return f"{type(self.objective).__name__} needs a double backward"
        if self.scheduler_factory is not None:
            return "a schedule changes the learning rates"
        return next((f"{name} cannot be captured" for name in self._uncapturable), None)

    def _restore_random(self) -> None:
        resumed, self._resumed_random = self._resumed_random, None
        if resumed is None or resumed["device"] != self.device.type:
            return  # on another kind of device the numbers would be others anyway
        for name, of_all_ranks in resumed["states"].items():
            if len(of_all_ranks) != self.trainer.world_size:
                return  # with another number of devices likewise
            state = of_all_ranks[self.global_rank].clone()  # torch misreads a state that is part of a larger tensor
            match name:
                case "latent":
                    self._latent_random().set_state(state)
                case "cpu":
                    torch.set_rng_state(state)
                case "cuda":
                    torch.cuda.set_rng_state(state, self.device)

    def _of_all_ranks(self, state: Tensor) -> Tensor:
        """One rank's state (n,) to those of all, (world_size, n)."""
        if self.trainer.world_size == 1:
            return state[None]
        states = [torch.empty_like(state, device=self.device) for _ in range(self.trainer.world_size)]
        torch.distributed.all_gather(states, state.to(self.device))
        return torch.stack(states).cpu()
