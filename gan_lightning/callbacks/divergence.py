"""Whether the numbers of a training are still numbers."""

import logging
import math
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from gan_lightning.errors import TrainingDivergedError, true_or_false
from gan_lightning.loop.checkpoint_schema import infinite_part
from gan_lightning.players.protocol import call, evaluating
from gan_lightning.players.sampling import seeded_latent

log = logging.getLogger(__name__)

ABSURD = 1e6
"""A loss beyond this has nothing to do with images any more; those of healthy games, critics' as well, stay below some
thousands."""


class Divergence(Callback):
    """Ends a training whose losses, weights or images are no finite numbers any more, and says where it was.

    The losses are looked at wherever they are logged, weights and a few images at the end of each epoch, before any
    checkpoint of it is written. A loss beyond all measure gets a line, once.

    Args:
        path: of the checkpoint to name, the last good one: none is written whose numbers are not finite.
        stop: whether the training ends there; otherwise a line is all, once.

    Attributes:
        diverged: whether it has.

    Raises:
        ValueError: if `stop` is no truth value.
    """

    def __init__(self, path: str, stop: bool = True) -> None:
        true_or_false("stop", stop)
        self.path = Path(path)
        self.stop = stop
        self.diverged = False
        self._absurd = False
        self._points = 0
        """Those of the history that were looked at."""

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._look_at_losses(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        gan: Any = pl_module
        self._look_at_losses(trainer, gan)
        for player in ("generator", "discriminator"):
            weights = list(getattr(gan, player).parameters())
            moments = getattr(gan, f"of_{player}").optimizer.state_dict()["state"]
            for what, numbers in (("weights", weights), ("moments of the optimizer", moments)):
                if infinite_part(numbers) is not None:
                    self._diverge(f"{what} of the {player} are no finite numbers", trainer, gan)
        if not _draws_numbers(gan):
            self._diverge("the generator's images are no finite numbers", trainer, gan)

    def _look_at_losses(self, trainer: Trainer, gan: Any) -> None:
        points = gan.history.points
        if len(points) == self._points:
            return
        self._points = len(points)
        losses = {name: points[-1][name] for name in ("generator_loss", "discriminator_loss")}
        # Each process has losses of its own, but they end together.
        for name, loss in trainer.strategy.broadcast(losses).items():
            title = name.replace("_", "'s ")
            if not math.isfinite(loss):
                self._diverge(f"the {title} is {loss}", trainer, gan)
            elif abs(loss) > ABSURD and not self._absurd:
                self._absurd = True
                if trainer.is_global_zero:
                    line = "%s: the %s is %.3g, which is no game any more; what usually helps: %s"
                    log.warning(line, _place(trainer, gan), title, loss, _cures(gan))

    def _diverge(self, what: str, trainer: Trainer, gan: Any) -> None:
        """The line, once, and the end if that is wished.

        Raises:
            TrainingDivergedError: if it is.
        """
        line = f"{_place(trainer, gan)}: {what}, the training has diverged; what usually helps: {_cures(gan)}"
        if self.stop:
            good = (
                f"the last good checkpoint is {self.path}"
                if self.path.exists()
                else "there is no checkpoint from before"
            )
            raise TrainingDivergedError(f"{line}; {good}")
        if not self.diverged and trainer.is_global_zero:
            log.warning("%s", line)
        self.diverged = True

    def state_dict(self) -> dict[str, Any]:
        return {"diverged": self.diverged, "absurd": self._absurd}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.diverged = bool(state["diverged"])
        self._absurd = bool(state["absurd"])


@torch.no_grad()
def _draws_numbers(gan: Any) -> bool:
    """Whether images of a few latents, which `0` alone decides, are finite."""
    latent = seeded_latent(gan.generator, 4, seed=0).to(gan.device)
    with evaluating(gan.generator):
        images = call(gan.generator, latent, torch.zeros(4, dtype=torch.long, device=gan.device))
    return bool(images.isfinite().all())


def _place(trainer: Trainer, gan: Any) -> str:
    return f"epoch {trainer.current_epoch + 1}, alternation {gan.alternations:,}"


def _cures(gan: Any) -> str:
    cures = ["a lower optimizer.lr", "gan.generator_clip_norm=1 gan.discriminator_clip_norm=1"]
    if gan.penalty is None:
        cures.append("penalty=r1_r2")
    return ", ".join(cures)
