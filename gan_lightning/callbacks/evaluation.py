"""How good the generator is, while it trains."""

import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors

from gan_lightning.data.base import ImageDataModule
from gan_lightning.data.pixels import as_kept
from gan_lightning.errors import UserError, whole_number
from gan_lightning.features.named import feature_space, space_for
from gan_lightning.features.space import Description, FeatureSpace, describe
from gan_lightning.features.spatial import Spatial, spatial_of, spatial_points
from gan_lightning.measures.catalogue import measures_named, with_so_many
from gan_lightning.measures.metrics import METRICS
from gan_lightning.measures.subject import DivergedError, Reference, Subject, check_generated
from gan_lightning.players.protocol import takes_labels
from gan_lightning.players.sampling import generate, judged, seeded_latent

log = logging.getLogger(__name__)

BATCH_SIZE = 500
"""Images that a network sees at a time."""


class Evaluation(Callback):
    """Measures the generator every so many epochs and after the last, to loggers, the log, `callback_metrics` and the
    GAN's history.

    Samples come from latents that `seed` alone decides, so that training's random numbers, and with them the trained
    weights, are the same with it and without. Several processes share the work and get the same numbers as one alone.
    A generator that draws NaN is worth NaN.

    Args:
        every_n_epochs: how often.
        num_samples: generated images, and as many test images if there are.
        measures: some of those in `gan_lightning.measures.catalogue`; `usual`, or all for None.
        features: the space they compare images in; None for that which suits the data.
        seed: of the samples' latents.
        weights: of the generator: `raw`, those of the last step; `ema`, their average; None, that if there is one.

    Raises:
        ValueError: if a setting is not a whole number or too small, or there is no such measure.
    """

    def __init__(
        self,
        every_n_epochs: int = 5,
        num_samples: int = 2000,
        measures: Sequence[str] | str | None = "usual",
        features: str | None = None,
        seed: int = 0,
        weights: str | None = None,
    ) -> None:
        whole_number("every_n_epochs", every_n_epochs, at_least=1)
        whole_number("num_samples", num_samples, at_least=1)
        whole_number("seed", seed, at_least=0)
        self._asked_for = measures
        self.every_n_epochs = every_n_epochs
        self.num_samples = num_samples
        self.measures = measures_named(measures, features or "classifier")  # of which some may not suit the data
        self.features = features
        self.seed = seed
        self.weights = weights
        self._evaluations: dict[int, dict[str, float]] = {}
        self._device = torch.device("cpu")
        self._num_train_images: int | None = None
        self._space: FeatureSpace | None = None
        self._spatial: Spatial | None = None
        self._reference: Reference | None = None

    @classmethod
    def among(cls, callbacks: Iterable[Callback]) -> "Evaluation | None":
        """The one among some callbacks, if there is one."""
        return next((callback for callback in callbacks if isinstance(callback, cls)), None)

    def metrics(self, log_odds: bool, conditional: bool) -> list[str]:
        """The names of the metrics that an evaluation gives of a GAN whose logits are log-odds, or scores, and whose
        generator is given labels, or not.
        """
        return [name for measure in self.measures.values() for name in measure.metrics_of(log_odds, conditional)]

    def suit(self, data: ImageDataModule) -> None:
        """Take the measures and the feature space that suit the data, where none were asked for.

        Raises:
            UserError: if those that were do not suit them.
        """
        try:
            self.features = space_for(self.features, data)
            measures = measures_named(self._asked_for, self.features)
            num_images = min(self.num_samples, len(data.split(train=False)[0]))
            by_name = not isinstance(self._asked_for, str | None)
            self.measures, left_out = with_so_many(measures, num_images, by_name)
        except (UserError, ValueError) as reason:
            raise UserError(f"callbacks.evaluation: {reason}") from reason
        if left_out:
            log.warning("callbacks.evaluation: %s", left_out)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._evaluations = pl_module.history.evaluations  # type: ignore[assignment, union-attr]

    def prepare(self, trainer: Trainer, data: ImageDataModule, gan: Any) -> None:
        """Have everything ready, and measure the untrained generator, so that what would fail fails before training.

        It comes after :meth:`suit`.

        Raises:
            UserError: if the feature space is not to be had, or a measure refuses so few images.
        """
        if any(measure.needs_features for measure in self.measures.values()):
            assert self.features is not None
            self._space = feature_space(self.features, data)
        if any(measure.needs_positions for measure in self.measures.values()):
            self._spatial = spatial_of(data)
        self._device = trainer.strategy.root_device
        self._num_train_images = data.num_train_images
        self._reference = Reference(data, self.num_samples, self._describe, self._locate)
        subject = self._subject(gan)
        for name, measure in self.measures.items():
            try:
                measure.take(subject, self._reference)
            except ValueError as reason:
                raise UserError(
                    f"callbacks.evaluation: {name}: {reason} (num_samples={self.num_samples},"
                    f" {len(self._reference.held_out.pixels)} test images)"
                ) from reason

    def is_due(self, trainer: Trainer) -> bool:
        """Whether the epoch at hand ends with an evaluation."""
        epoch = trainer.current_epoch + 1
        return epoch % self.every_n_epochs == 0 or epoch == trainer.max_epochs

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self.is_due(trainer):
            return
        epoch = trainer.current_epoch + 1
        metrics = self._evaluations[epoch] = trainer.strategy.broadcast(self.measure(pl_module))
        for logger in trainer.loggers:
            scalars = {f"evaluation/{name}": value for name, value in metrics.items()}
            logger.log_metrics(scalars, step=pl_module.alternations)  # type: ignore[arg-type]
        for name, value in metrics.items():
            pl_module.log(name, value, logger=False, sync_dist=True)
        if trainer.is_global_zero:
            shown = (f"{METRICS[name].title.strip()} {value:.4g}" for name, value in metrics.items())
            log.info("epoch %d: %s", epoch, ", ".join(shown))

    def measure(self, gan: Any) -> dict[str, float]:
        """Every metric of the players as they are now; NaN where a measure cannot be taken, as of images of NaN."""
        assert self._reference is not None
        metrics = dict.fromkeys(self.metrics(gan.objective.log_odds, takes_labels(gan.generator)), math.nan)
        with contextlib.suppress(DivergedError):
            subject = self._subject(gan)
            for measure in self.measures.values():
                with contextlib.suppress(ValueError):  # prepare() has seen that the settings are not to blame
                    metrics |= measure.take(subject, self._reference)
        return metrics

    def _subject(self, gan: Any) -> Subject:
        assert self._reference is not None
        generator, labels = gan.ema.choose(gan.generator, self.weights), self._reference.labels
        latent = seeded_latent(generator, self.num_samples, self.seed)

        def drawn(latent: Tensor, labels: Tensor) -> tuple[Tensor]:
            return (generate(generator, latent, labels, BATCH_SIZE, gan.device),)

        (images,) = _shared(drawn, (latent, labels), gan.device)
        check_generated(images)
        return Subject(
            self._reference.drawn(as_kept(images)),
            lambda pixels, labels: self._logits(gan, pixels, labels),
            gan.objective.log_odds,
            self._num_train_images,
            takes_labels(generator),
        )

    def _describe(self, pixels: Tensor) -> Description:
        assert self._space is not None
        space, device = self._space, self._device
        return Description(*_shared(lambda part: describe(space, part, BATCH_SIZE, device), (pixels,), device))

    def _locate(self, pixels: Tensor) -> Tensor:
        assert self._spatial is not None
        space, device = self._spatial, self._device
        (points,) = _shared(lambda part: (spatial_points(space, part, device),), (pixels,), device)
        return points

    def _logits(self, gan: Any, pixels: Tensor, labels: Tensor) -> Tensor:
        def answers(pixels: Tensor, labels: Tensor) -> tuple[Tensor]:
            return (judged(gan.discriminator, pixels, labels, BATCH_SIZE, gan.device),)

        (logits,) = _shared(answers, (pixels, labels), gan.device)
        return logits

    def state_dict(self) -> dict[str, Any]:
        return {"evaluations": dict(self._evaluations)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._evaluations.clear()
        earlier = {0: state["latest"]} if state.get("latest") else {}  # versions that kept the last alone
        self._evaluations.update(state.get("evaluations", earlier))


def _shared(
    function: Callable[..., tuple[Tensor, ...]], rows: tuple[Tensor, ...], device: torch.device
) -> tuple[Tensor, ...]:
    """`function` of all rows, tensors (N, …) on the CPU; of several processes each computes a share, and all get the
    whole.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return function(*rows)
    rank, world_size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    wholes = []
    for mine in function(*(each[rank::world_size] for each in rows)):
        whole = mine.new_empty(len(rows[0]), *mine.shape[1:])
        for other_rank, share in enumerate(gather_all_tensors(mine.to(device))):
            whole[other_rank::world_size] = share.cpu()
        wholes.append(whole)
    return tuple(wholes)
