"""Whether the game still goes on: that the generator has not collapsed."""

import logging
import math
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from gan_lightning.data.pixels import as_seen
from gan_lightning.errors import true_or_false, whole_number
from gan_lightning.objectives import Minimax, RelativisticPairing, Switch
from gan_lightning.players.protocol import call, evaluating
from gan_lightning.players.sampling import seeded_latent

log = logging.getLogger(__name__)

LEAST_VARIETY = 0.15
"""Below it samples are as good as copies of one another. The baseline on `mnist5k`, which draws one blur, stays at 0.1;
a generator that learns has more after the first few hundred alternations."""
SATURATED = 0.99
"""The accuracy of a discriminator that has nothing to learn any more, and nothing to teach."""
YOUNG = 1000
"""Alternations before which nothing is said: every generator draws one blur at first."""


def nearest_distance(images: Tensor) -> Tensor:
    """The mean distance of images (N, …), in pixels, to the nearest of the others, a scalar; infinite if N is 1."""
    flat = images.flatten(1).cpu().double()  # near copies are near, too, as a matrix product computes it
    distances = torch.cdist(flat, flat)
    return distances.fill_diagonal_(math.inf).amin(1).mean()


class Signs(NamedTuple):
    """How the game stands at the end of an epoch."""

    variety: float
    accuracy: float
    """Of the discriminator."""


class Collapse(Callback):
    """Looks after each epoch whether the generator has collapsed, and says so in one line, once, with what usually
    helps.

    The variety of samples is the mean distance of one to the nearest other, as a multiple of what it is among as many
    training images of the same classes. It is low both where the generator draws one blur and where it draws a few
    images, or one a class, again and again, as two of them are then near copies: Arora & Zhang 2017. Loggers are told
    `collapse/variety`. The discriminator's accuracy over the epoch counts, too: where its answers are scores, the share
    of the pairs of a real and a generated image whose real one has the higher score.

    Samples come from latents that `seed` alone decides, so that the trained weights are the same with it and without.
    The raw weights draw them: an average would hide for long what they do.

    Args:
        epochs: for how many epochs in a row there must be a sign of a collapse.
        stop: whether the training ends where the line is said.
        num_samples: generated images, and training images, that are compared.
        seed: of the samples' latents.

    Attributes:
        stopped: whether it has ended the training.

    Raises:
        ValueError: if a setting is not what it must be.
    """

    def __init__(self, epochs: int = 5, stop: bool = False, num_samples: int = 256, seed: int = 0) -> None:
        whole_number("epochs", epochs, at_least=1)
        true_or_false("stop", stop)
        whole_number("num_samples", num_samples, at_least=2)
        whole_number("seed", seed, at_least=0)
        self.epochs = epochs
        self.stop = stop
        self.num_samples = num_samples
        self.seed = seed
        self.stopped = False
        self._alike = 0
        """Epochs in a row whose samples had too little variety."""
        self._saturated = 0
        self._said = False
        self._real_distance: Tensor | None = None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        gan: Any = pl_module
        signs = trainer.strategy.broadcast(self._look(trainer, gan))  # each process has statistics of its own
        for logger in trainer.loggers:
            logger.log_metrics({"collapse/variety": signs.variety}, step=gan.alternations)
        self._alike = self._alike + 1 if signs.variety < LEAST_VARIETY else 0
        self._saturated = self._saturated + 1 if signs.accuracy > SATURATED else 0
        if gan.alternations >= YOUNG and max(self._alike, self._saturated) >= self.epochs:
            self._say(self._collapse(signs, gan, trainer.current_epoch), trainer)

    def _look(self, trainer: Trainer, gan: Any) -> Signs:
        now = gan.history.last_epoch()
        return Signs(
            self._variety_of(gan, trainer.datamodule),  # type: ignore[attr-defined]
            now.get("discriminator_accuracy", math.nan),  # an objective of the user's need not tell it
        )

    @torch.no_grad()
    def _variety_of(self, gan: Any, data: Any) -> float:
        images, labels = data.train_set.tensors
        shown = torch.linspace(0, len(images) - 1, min(self.num_samples, len(images))).long()
        if self._real_distance is None:
            self._real_distance = nearest_distance(as_seen(images[shown]))
        latent = seeded_latent(gan.generator, len(shown), self.seed).to(gan.device)
        with evaluating(gan.generator):
            samples = call(gan.generator, latent, labels[shown].to(gan.device))
        return (nearest_distance(samples) / self._real_distance).item()

    def _collapse(self, signs: Signs, gan: Any, epoch: int) -> str:
        """What is the matter in `epoch`, counted from 0, and what usually helps."""
        found = []
        if self._alike >= self.epochs:
            found.append(f"samples differ {signs.variety:.2g} times as much as training images")
        if self._saturated >= self.epochs:
            found.append(f"the discriminator tells {signs.accuracy:.1%} of all images apart")
        return (
            f"{' and '.join(found)}, for {self.epochs} epochs; what usually helps: {', '.join(self._cures(gan, epoch))}"
        )

    def _cures(self, gan: Any, epoch: int) -> list[str]:
        now = gan.objective.in_epoch(epoch)
        cures = []
        if isinstance(now, Minimax):
            switched = isinstance(gan.objective, Switch) and now is gan.objective.after
            cures.append("objective.switch_epoch=null" if switched else "objective=non_saturating")
        if not isinstance(now, RelativisticPairing) or gan.penalty is None:
            cures.append("objective=rpgan penalty=r1_r2")
        else:
            cures.append("a stronger penalty")
        if self._saturated >= self.epochs:
            cures.append("a lower optimizer.discriminator.lr")
            if gan.discriminator_steps > 1:
                cures.append("gan.discriminator_steps=1")
        return cures

    def _say(self, line: str, trainer: Trainer) -> None:
        """The line, and the end if that is wished, unless it has been said."""
        if self._said:
            return
        self._said = True
        if trainer.is_global_zero:
            ending = "; training ends here, as callbacks.collapse.stop says" if self.stop else ""
            log.warning("epoch %d: %s%s", trainer.current_epoch + 1, line, ending)
        if self.stop:
            self.stopped = trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        return {"alike": self._alike, "saturated": self._saturated, "said": self._said}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in ("alike", "saturated"):
            whole_number(name, state[name], at_least=0)
        self._alike = state["alike"]
        self._saturated = state["saturated"]
        self._said = bool(state["said"])
