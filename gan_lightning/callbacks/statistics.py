"""The training's statistics: to the logger, to the progress bar, and kept for the loss curves."""

import time
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from gan_lightning.errors import is_number

TAGS = {
    "generator_loss": "loss/generator",
    "discriminator_loss": "loss/discriminator",
    "real_probability": "probability/real",
    "fake_probability": "probability/fake",
    "discriminator_accuracy": "discriminator/accuracy",
    "real_score": "score/real",
    "fake_score": "score/fake",
    "score_gap": "score/gap",
    "gradient_norm": "gradient_norm/between",
    "real_gradient_norm": "gradient_norm/real",
    "fake_gradient_norm": "gradient_norm/fake",
}
"""Where TensorBoard shows what a training step returns."""
POINT = {"alternation", "epoch", "images_per_second", "generator_loss", "discriminator_loss"}
"""What every point of the history has."""


def tag(name: str) -> str:
    """Where TensorBoard shows one of these values; what an objective adds comes with the discriminator's loss."""
    return TAGS.get(name, f"discriminator/{name}")


class Statistics(Callback):
    """Averages what the training steps return, and logs the averages every `trainer.log_every_n_steps` alternations: to
    the loggers, and as a point of the GAN's history.

    Between these points the values stay on their device, so that no step waits for them. The x-axis, here and for
    the pictures, is the number of alternations, which does not depend on k.
    """

    def __init__(self) -> None:
        self._points: list[dict[str, float]] = []
        self._names: list[str] = []
        self._sum: Tensor | None = None
        self._count = 0
        self._images = 0
        self._since = 0.0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._points = pl_module.history.points  # type: ignore[assignment, union-attr]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._names = list(outputs)
        values = torch.stack(list(outputs.values()))
        alternations = len(batch[1])
        values = values * alternations
        self._sum = values if self._sum is None else self._sum.to(values.device) + values
        self._count += alternations
        self._images += batch[1].numel() * trainer.world_size
        if self._count >= trainer.log_every_n_steps:  # type: ignore[attr-defined]
            self._log(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._count:
            self._log(trainer, pl_module)
        # Checkpoints are named after it, like the pictures: epochs are counted from 1.
        pl_module.log("epoch", trainer.current_epoch + 1.0, logger=False, sync_dist=True)

    def _log(self, trainer: Trainer, pl_module: Any) -> None:
        assert self._sum is not None
        means = dict(zip(self._names, (self._sum / self._count).tolist(), strict=True))
        seconds = time.perf_counter() - self._since
        point = {
            "alternation": pl_module.alternations,
            "epoch": trainer.current_epoch + 1,
            "images_per_second": self._images / seconds,
            **means,
        }
        self._points.append(point)
        scalars = {tag(name): mean for name, mean in means.items()}
        for logger in trainer.loggers:
            logger.log_metrics(
                {**scalars, "images_per_second": point["images_per_second"], "epoch": point["epoch"]},
                step=pl_module.alternations,
            )
        self._sum, self._count, self._images, self._since = None, 0, 0, time.perf_counter()

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        for logger in trainer.loggers:
            logger.save()  # the points so far, which a run that goes on from here does not log again

    def state_dict(self) -> dict[str, Any]:
        # A checkpoint in mid-epoch falls between two points.
        unfinished = None if self._sum is None else self._sum.tolist()
        return {"history": self._points, "names": self._names, "sum": unfinished, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for point in state["history"]:
            if not all(map(is_number, point.values())) or not point.keys() >= POINT:
                raise ValueError("history holds what is no point of it")
        self._points[:] = state["history"]
        self._names = state.get("names", list(TAGS)[:5])  # earlier versions had these alone
        self._sum = None if state["sum"] is None else torch.tensor(state["sum"])
        self._count = state["count"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.perf_counter()
