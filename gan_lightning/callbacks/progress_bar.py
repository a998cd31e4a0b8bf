"""The progress bar."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from gan_lightning.callbacks.statistics import Statistics
from gan_lightning.checks import whole_number

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
    """Shows both losses, D's mean answers and the real images per second, as :class:`Statistics` last measured them.

    Args:
        refresh_rate: training steps between two updates of the bar.
    """

    def __init__(self, refresh_rate: int = 20) -> None:
        whole_number("refresh_rate", refresh_rate, at_least=0)
        super().__init__(refresh_rate=refresh_rate)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        history = Statistics.of(trainer).history
        if not history:
            return {}
        shown = {title: f"{history[-1][name]:.3f}" for name, title in SHOWN.items() if name in history[-1]}
        return {**shown, "images/s": f"{history[-1]['images_per_second']:,.0f}"}

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self._train_progress_bar is not None:  # so that what is said next begins on a line of its own
            self._train_progress_bar.close()
