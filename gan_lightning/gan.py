"""The alternation of the two players: Goodfellow et al. 2014, algorithm 1."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gan_lightning.averaging import ExponentialMovingAverage
from gan_lightning.errors import true_or_false, whole_number
from gan_lightning.loop.manual_optimization import ManualOptimization
from gan_lightning.objectives import Objective
from gan_lightning.penalties import Penalty, check_constraint, penalised_loss
from gan_lightning.players.judge import Judge
from gan_lightning.players.protocol import call, depends_on_batch, frozen, is_lipschitz, sample_latent
from gan_lightning.schedules import ScheduledOptimizer
from gan_lightning.sharding import shard


class GAN(ManualOptimization):
    """Two players in turn: k discriminator steps, then one generator step.

    Args:
        generator: latents (B, latent_dim), and labels (B,) if it takes them, to images (B, C, H, W) in [-1, 1].
        discriminator: such images, and their labels if it takes them, to logits (B,). What else may be asked of a
            network is said in `gan_lightning.players.protocol`.
        objective: which loss each player minimises.
        generator_optimizer, discriminator_optimizer: make a player's optimizer from its parameters.
        scheduler: makes a learning rate schedule from an optimizer, one for each player, stepped after each of its
            updates; None for constant learning rates, or those that follow a `gan_lightning.schedules.Schedule`.
        generator_clip_norm, discriminator_clip_norm: the greatest norm of a player's gradients; None for any.
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
        ValueError: if a setting is not what it must be, an optimizer refuses its own, or the objective needs a
            constraint on the discriminator and there is none.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        objective: Objective,
        generator_optimizer: Callable[..., Optimizer],
        discriminator_optimizer: Callable[..., Optimizer],
        scheduler: Callable[[Optimizer], LRScheduler] | None = None,
        generator_clip_norm: float | None = None,
        discriminator_clip_norm: float | None = None,
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
        whole_number("gan.discriminator_steps", discriminator_steps, at_least=1, at_most=1000)
        whole_number("gan.alternations_per_step", alternations_per_step, at_least=1)
        whole_number("gan.seed", seed, at_least=0)
        true_or_false("gan.simultaneous", simultaneous)
        true_or_false("gan.cuda_graph", cuda_graph)
        if discriminator_batches not in ("reuse", "fresh"):
            raise ValueError(f"gan.discriminator_batches must be reuse or fresh, not {discriminator_batches!r}")
        if not (ema is None or isinstance(ema, ExponentialMovingAverage)):
            raise ValueError(f"gan.ema must be an average, such as gan.ema.half_life=10000 makes, not {ema!r}")
        check_constraint(objective, penalty, is_lipschitz(discriminator))
        super().__init__(seed, cuda_graph)
        self.generator = generator
        self.discriminator = discriminator
        self.objective = objective
        self.penalty = penalty
        self.augmentation = augmentation
        self.ema = ema or ExponentialMovingAverage()
        self.ema.begin_at(generator)
        self.discriminator_steps = discriminator_steps
        self.fresh = discriminator_batches == "fresh"
        self.simultaneous = simultaneous
        self.alternations_per_step = alternations_per_step
        self.of_generator = ScheduledOptimizer(
            generator_optimizer, generator.parameters(), scheduler, generator_clip_norm
        )
        self.of_discriminator = ScheduledOptimizer(
            discriminator_optimizer, discriminator.parameters(), scheduler, discriminator_clip_norm
        )
        self.optimize_by(self.alternate, (self.of_generator, self.of_discriminator), updates=discriminator_steps + 1)

    @property
    def batches_per_alternation(self) -> int:
        """How many real batches one alternation uses."""
        return self.discriminator_steps if self.fresh else 1

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
            self.follow_schedules()
            seen_now = len(images) * self.trainer.world_size
            self.images_seen += seen_now
            self.ema.set_at(self.images_seen, seen_now)
            statistics = self.run_alternation((images, labels), objective)
            rows.append(torch.stack(list(statistics.values())))
        self.alternations += len(rows)
        return dict(zip(statistics, torch.stack(rows).mean(0).unbind(), strict=True))

    def alternate(self, batch: tuple[Tensor, ...], objective: Any) -> dict[str, Tensor]:
        """One alternation on real images (B, C, H, W) and labels (B,), or k B under `fresh`, to its statistics."""
        k = self.discriminator_steps
        batches = list(zip(*(part.tensor_split(k) for part in batch), strict=True)) if self.fresh else [batch] * k
        alone = batches[: k - self.simultaneous]
        of_steps = [
            self.step_discriminator(objective, real, fake, labels)
            for (real, labels), fake in zip(alone, self.generate([labels for _, labels in alone]), strict=True)
        ]
        if self.simultaneous:
            generator_loss, scalars = self.step_both(objective, *batches[-1])
            of_steps.append(scalars)
        else:
            generator_loss = self.step_generator(objective, *batches[0])
        self.ema.update(self.generator)
        means = torch.stack([torch.stack(list(scalars.values())) for scalars in of_steps]).mean(0).unbind()
        return {"generator_loss": generator_loss.detach(), **dict(zip(of_steps[0], means, strict=True))}

    def step_discriminator(self, objective: Objective, real: Tensor, fake: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """On images (B, C, H, W) in [-1, 1] and their labels (B,); the scalars of the loss."""
        judge = self.judge(labels, remembers=self.penalty is not None)
        loss, scalars = penalised_loss(objective, self.penalty, judge, real, fake)
        self.of_discriminator.zero_grad()
        self.backward_pass(loss)
        self.of_discriminator.step()
        return scalars

    def step_generator(self, objective: Objective, real: Tensor, labels: Tensor) -> Tensor:
        """On new images beside real ones (B, C, H, W); the loss."""
        self.of_generator.zero_grad()
        with frozen(self.discriminator):
            fake = call(self.generator, self.sample_latent(len(real)), labels)
            loss = objective.generator_loss(self.judge(labels), real, fake)
            self.backward_pass(loss)
        self.of_generator.step()
        return loss

    def step_both(self, objective: Objective, real: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Both gradients on the same new images before either moves; the generator's loss, and the scalars."""
        self.of_generator.zero_grad()
        fake = call(self.generator, self.sample_latent(len(real)), labels)
        # D sees a copy, whose gradient goes on to the original: so each backward pass reaches one player, as DDP needs.
        seen = fake.detach().requires_grad_()
        judge = self.judge(labels, remembers=True)
        loss, scalars = penalised_loss(objective, self.penalty, judge, real, seen)
        generator_loss = objective.generator_loss(judge, real, seen)
        (gradient,) = torch.autograd.grad(generator_loss, seen, retain_graph=True)
        self.of_discriminator.zero_grad()
        self.backward_pass(loss)
        self.backward_pass((fake * gradient).sum())
        self.of_discriminator.step()
        self.of_generator.step()
        return generator_loss, scalars

    @torch.no_grad()
    def generate(self, labels: list[Tensor]) -> tuple[Tensor, ...]:
        """A batch of generated images for each batch of labels, in one pass where the network allows that."""
        if depends_on_batch(self.generator) or not labels:
            return tuple(call(self.generator, self.sample_latent(len(some)), some) for some in labels)
        sizes = [len(some) for some in labels]
        return call(self.generator, self.sample_latent(sum(sizes)), torch.cat(labels)).split(sizes)

    def judge(self, labels: Tensor, remembers: bool = False) -> Judge:
        """The discriminator as an objective sees it, for images of these classes."""
        return Judge(self.discriminator, labels, self.augmentation, remembers)

    def sample_latent(self, num_samples: int) -> Tensor:
        """Draw z (num_samples, latent_dim) from the training's own random numbers."""
        return shard(lambda number: sample_latent(self.generator, number, self.randomness.latent()), num_samples)
