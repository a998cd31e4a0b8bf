"""The progress bar."""

import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from gan_lightning.errors import whole_number
from gan_lightning.measures.metrics import METRICS
from gan_lightning.wording import time_left

SHOWN = {
    "discriminator_loss": "D loss",
    "generator_loss": "G loss",
    "real_probability": "D(x)",
    "fake_probability": "D(G(z))",
    "real_score": "score of x",
    "fake_score": "score of G(z)",
}
"""What the bar calls those of the statistics that it shows."""


class ProgressBar(TQDMProgressBar):
    """A bar for each epoch: which it is of how many, how long the training still takes, both losses, D's mean answers,
    the real images per second, and the first metric of the last evaluation, if there is one.

    Args:
        refresh_rate: training steps between two updates of the bar.
    """

    def __init__(self, refresh_rate: int = 20) -> None:
        whole_number("refresh_rate", refresh_rate, at_least=0)
        super().__init__(refresh_rate=refresh_rate)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._since = time.perf_counter()
        self._begun_at = trainer.current_epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_start(trainer, pl_module)
        epoch = trainer.current_epoch
        done = epoch - self._begun_at
        seconds = (time.perf_counter() - self._since) / max(done, 1) * ((trainer.max_epochs or epoch) - epoch)
        left = f", {time_left(seconds)}" if done else ""
        self.train_progress_bar.set_description(f"Epoch {epoch + 1}/{trainer.max_epochs}{left}")

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        history: Any = pl_module.history
        if not history.points:
            return {}
        point = history.points[-1]
        shown = {title: f"{point[name]:.3f}" for name, title in SHOWN.items() if name in point}
        shown["images/s"] = f"{point['images_per_second']:,.0f}"
        for name, value in list(history.last_evaluation().items())[:1]:
            shown[METRICS[name].title] = f"{value:.4g}"
        return shown

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self._train_progress_bar is not None:  # so that what is said next begins on a line of its own
            self._train_progress_bar.close()
