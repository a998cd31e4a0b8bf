"""The alternation of the two players."""

import logging
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.averaging import ExponentialMovingAverage, which_weights
from gan_lightning.checks import true_or_false, whole_number
from gan_lightning.cuda_graph import Graphed
from gan_lightning.judge import Judge
from gan_lightning.objectives import Objective
from gan_lightning.penalties import Penalty
from gan_lightning.protocol import call, depends_on_batch, frozen, initialise_from, is_lipschitz, sample_latent
from gan_lightning.schedules import Scheduled, ScheduledOptimizer

log = logging.getLogger(__name__)


def statistics_of(objective: Objective, penalty: Penalty | None) -> tuple[str, ...]:
    """The names of what a training step returns, as far as the objective and the penalty say them."""
    return ("generator_loss", "discriminator_loss", *objective.statistics, *(penalty.statistics if penalty else ()))


class GAN(LightningModule):
    """Two players in turn: k discriminator steps, then one generator step. Goodfellow et al. 2014, algorithm 1.

    Args:
        generator: latents (B, latent_dim), and labels (B,) if it takes them, to images (B, C, H, W) in [-1, 1].
        discriminator: such images, and their labels if it takes them, to logits (B,). What else may be asked of a
            network is said in `gan_lightning.protocol`.
        objective: which loss each player minimises.
        generator_optimizer: makes the generator's optimizer from its parameters.
        discriminator_optimizer: makes the discriminator's optimizer from its parameters.
        scheduler: makes a learning rate schedule from an optimizer, one for each player, stepped after each of its
            updates; None for constant learning rates, or those that follow a `gan_lightning.schedules.Schedule`.
        penalty: what is added to the discriminator's loss; None for nothing.
        augmentation: what is done to all that the discriminator is shown, in both players' steps; None for nothing.
        ema: an average of the generator's weights, updated after each alternation; None for none.
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
            negative, an optimizer refuses its settings, or the objective needs a constraint on the discriminator and
            there is none.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        objective: Objective,
        generator_optimizer: Callable[..., Optimizer],
        discriminator_optimizer: Callable[..., Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        penalty: Penalty | None = None,
        augmentation: nn.Module | None = None,
        ema: ExponentialMovingAverage | None = None,
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
        strengths = (
            [] if penalty is None else [part.source for part in penalty.modules() if isinstance(part, Scheduled)]
        )
        constrained = (penalty is not None and 0 not in strengths) or is_lipschitz(discriminator)
        if objective.needs_constraint and not constrained:
            raise ValueError(
                "the objective has no least value while nothing bounds the discriminator's slope;"
                " choose penalty=gradient_penalty (or r1, r1_r2), or objective=hinge, which needs none"
            )
        self.automatic_optimization = False
        self.generator = generator
        self.discriminator = discriminator
        self.objective = objective
        self.penalty = penalty
        self.augmentation = augmentation
        self.ema = ema or ExponentialMovingAverage()
        self.ema.begin_at(generator)
        self.optimizer_factories = (generator_optimizer, discriminator_optimizer)
        self.scheduler_factory = scheduler
        self.discriminator_steps = discriminator_steps
        self.discriminator_batches = discriminator_batches
        self.simultaneous = simultaneous
        self.alternations_per_step = alternations_per_step
        self.cuda_graph = cuda_graph
        self.seed = seed
        self.alternations = 0
        self.images_seen = 0
        self._scheduled = [module for module in self.modules() if isinstance(module, Scheduled)]
        self._random: torch.Generator | None = None
        self._resumed_random: dict[str, Any] | None = None
        self._run: Callable[[tuple[Tensor, ...], Hashable], dict[str, Tensor]] = self._alternate
        self.configure_optimizers()  # what an optimizer refuses is refused here, before a run begins
        if scheduler is not None and any(scheduled.follows for scheduled in self._scheduled_optimizers):
            raise ValueError("optimizer.scheduler and a schedule by the images seen would undo each other; choose one")

    @property
    def batches_per_alternation(self) -> int:
        """How many real batches one alternation uses."""
        return self.discriminator_steps if self.discriminator_batches == "fresh" else 1

    def generator_with(self, weights: str | None) -> nn.Module:
        """The generator with the weights of the last step, `raw`, or their average, `ema`; None: that if there is one.

        Raises:
            ValueError: if there is no average, or `weights` is anything else.
        """
        average = self.ema.network
        chosen = which_weights(weights, averaged=average is not None)
        return average if chosen == "ema" and average is not None else self.generator

    def initialise_from(self, images: Tensor) -> None:
        """Fit the generator's first weights to the training images (N, C, H, W), bytes, if it knows how."""
        initialise_from(self.generator, images)
        self.ema.begin_at(self.generator)

    def configure_optimizers(self) -> Any:
        players = (self.generator, self.discriminator)
        self._scheduled_optimizers = [
            ScheduledOptimizer(factory, player.parameters())
            for factory, player in zip(self.optimizer_factories, players, strict=True)
        ]
        optimizers = [scheduled.optimizer for scheduled in self._scheduled_optimizers]
        schedulers = [self.scheduler_factory(optimizer) for optimizer in optimizers] if self.scheduler_factory else []
        return optimizers, schedulers

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """`alternations_per_step` alternations, each on its own images.

        Args:
            batch: real images (A, B, C, H, W) in [-1, 1] of A alternations, or (A, k B, C, H, W) under `fresh`, and
                their labels (A, B) or (A, k B).
            batch_idx: not used.

        Returns:
            Both losses and the scalars that come with the discriminator's, by name, means over the alternations and
            their discriminator steps, without a sync.
        """
        objective = self.objective.in_epoch(self.current_epoch)
        rows = []
        for images, labels in zip(*batch, strict=True):
            self._follow_schedules(len(images) * self.trainer.world_size)
            statistics = self._run((images, labels), objective)
            rows.append(torch.stack(list(statistics.values())))
        self.alternations += len(rows)
        # What Lightning counts in its own optimizers, which cost more than they give here: its `global_step`.
        progress = self.trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
        for _ in range(len(rows) * (self.discriminator_steps + 1)):
            progress.increment_ready()
            progress.increment_completed()
        return dict(zip(statistics, torch.stack(rows).mean(0).unbind(), strict=True))

    def try_out(self, real: Tensor, fake: Tensor, labels: Tensor) -> None:
        """Compute both losses of a few images (B, C, H, W) in [-1, 1], and change nothing.

        Raises:
            ValueError: if an objective or the penalty gives other scalars than it names.
        """
        weights = [weight for weight in self.discriminator.parameters() if weight.requires_grad]
        judge = self._judge(labels)
        for objective in self.objective.parts():
            loss, scalars = self._discriminator_loss(objective, judge, real, fake)
            torch.autograd.grad(loss, weights, allow_unused=True)
            objective.generator_loss(judge, real, fake)
            named = statistics_of(objective, self.penalty)[1:]
            if list(scalars) != list(named):
                raise ValueError(
                    f"{type(objective).__name__} and the penalty give {', '.join(scalars)}, but by their attributes"
                    f" `statistics` it should be {', '.join(named)}"
                )

    def _discriminator_loss(
        self, objective: Objective, judge: Judge, real: Tensor, fake: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What D minimises, the objective's loss and the penalty, and the scalars: the former alone, and theirs."""
        loss, scalars = objective.discriminator_loss(judge, real, fake)
        scalars = {"discriminator_loss": loss, **scalars}
        if self.penalty is not None:
            penalty, more = self.penalty(judge, real, fake)
            loss, scalars = loss + penalty, scalars | more
        return loss, {name: scalar.detach() for name, scalar in scalars.items()}

    def _follow_schedules(self, images: int) -> None:
        """Let all that follows the images seen be what it is for an alternation on so many."""
        followers: list[Scheduled | ScheduledOptimizer] = [*self._scheduled, *self._scheduled_optimizers]
        for follower in followers:
            follower.set_at(self.images_seen)
        self.images_seen += images
        self.ema.set_at(self.images_seen, images)

    def _alternate(self, batch: tuple[Tensor, ...], objective: Any) -> dict[str, Tensor]:
        """One alternation on real images (B, C, H, W) and labels (B,), or k B under `fresh`, to its statistics."""
        optimizers: Any = self.optimizers(use_pl_optimizer=False)
        generator_optimizer, discriminator_optimizer = optimizers
        schedulers: Any = self.lr_schedulers() or (None, None)
        generator_scheduler, discriminator_scheduler = schedulers
        k = self.discriminator_steps
        fresh = self.discriminator_batches == "fresh"
        batches = list(zip(*(part.tensor_split(k) for part in batch), strict=True)) if fresh else [batch] * k
        of_steps = []

        alone = batches[: k - self.simultaneous]
        for (real, labels), fake in zip(alone, self._fake_batches([labels for _, labels in alone]), strict=True):
            loss, scalars = self._discriminator_loss(objective, self._judge(labels), real, fake)
            of_steps.append(scalars)
            discriminator_optimizer.zero_grad()
            self._backward(loss)
            self._step(discriminator_optimizer, discriminator_scheduler)

        generator_optimizer.zero_grad()
        if self.simultaneous:
            real, labels = batches[-1]
            fake = call(self.generator, self.sample_latent(len(real)), labels)
            # The discriminator sees a copy, and what the generator's loss says of that is handed on to the original: so
            # each backward pass reaches the weights of one player alone, which is what DDP needs.
            seen = fake.detach().requires_grad_()
            judge = self._judge(labels, remembers=True)
            loss, scalars = self._discriminator_loss(objective, judge, real, seen)
            of_steps.append(scalars)
            generator_loss = objective.generator_loss(judge, real, seen)
            (towards,) = torch.autograd.grad(generator_loss, seen, retain_graph=True)
            discriminator_optimizer.zero_grad()
            self._backward(loss)
            self._backward((fake * towards).sum())
            self._step(discriminator_optimizer, discriminator_scheduler)
        else:
            real, labels = batches[0]
            with frozen(self.discriminator):
                fake = call(self.generator, self.sample_latent(len(real)), labels)
                generator_loss = objective.generator_loss(self._judge(labels), real, fake)
                self._backward(generator_loss)
        self._step(generator_optimizer, generator_scheduler)
        self.ema.update(self.generator)
        means = torch.stack([torch.stack(list(scalars.values())) for scalars in of_steps]).mean(0).unbind()
        return {"generator_loss": generator_loss.detach(), **dict(zip(of_steps[0], means, strict=True))}

    def _judge(self, labels: Tensor, remembers: bool = False) -> Judge:
        return Judge(self.discriminator, labels, self.augmentation, remembers)

    def sample_latent(self, num_samples: int) -> Tensor:
        """Draw z (num_samples, latent_dim) from the training's own random numbers."""
        return sample_latent(self.generator, num_samples, self._latent_random())

    def _latent_random(self) -> torch.Generator:
        """The latents' own generator, made when the device is known."""
        if self._random is None:
            # Its own stream: seeded plainly, it would repeat the numbers that the weights were drawn from.
            entropy = np.random.SeedSequence((self.seed, self.global_rank)).generate_state(1)
            self._random = torch.Generator(self.device).manual_seed(int(entropy[0]))
        return self._random

    @torch.no_grad()
    def _fake_batches(self, labels: list[Tensor]) -> tuple[Tensor, ...]:
        """A batch of generated images for each batch of labels, in one pass where the network allows that."""
        if depends_on_batch(self.generator) or not labels:
            return tuple(call(self.generator, self.sample_latent(len(some)), some) for some in labels)
        sizes = [len(some) for some in labels]
        return call(self.generator, self.sample_latent(sum(sizes)), torch.cat(labels)).split(sizes)

    def _backward(self, loss: Tensor) -> None:
        # The way back through a penalty's gradient multiplies matrices anew: outside autocast, in float32.
        with nullcontext() if self.penalty is None else torch.autocast(self.device.type, enabled=False):
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
        checkpoint["images_seen"] = self.images_seen
        checkpoint["random"] = {
            "device": self.device.type,
            "states": {name: self._of_all_ranks(state) for name, state in states.items()},
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.alternations = checkpoint["alternations"]
        self.images_seen = checkpoint.get("images_seen", 0)  # earlier versions had nothing that followed it
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
        for scheduled in self._scheduled_optimizers:
            scheduled.start(self.images_seen, self.device if graphed else None)
        self._run = Graphed(self._alternate, [self._latent_random()]) if graphed else self._alternate

    def _why_no_graph(self) -> str | None:
        """Why an alternation cannot be one CUDA graph; None if it can."""
        if self.device.type != "cuda":
            return f"the device is {self.device.type}"
        if self.trainer.world_size > 1:
            return f"{self.trainer.world_size} devices share their gradients"
        if self.scheduler_factory is not None:
            return "a schedule changes the learning rates after each update"
        for scheduled in self._scheduled_optimizers:
            optimizer = scheduled.optimizer
            if "capturable" not in optimizer.defaults and (scheduled.follows or not isinstance(optimizer, SGD)):
                what = "settings that follow a schedule" if isinstance(optimizer, SGD) else "steps"
                return f"{type(optimizer).__name__}'s {what} cannot be captured"
        return None

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
