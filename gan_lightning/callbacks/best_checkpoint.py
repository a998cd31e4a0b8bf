"""The checkpoint of the epoch that was best."""

import math

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from gan_lightning.callbacks.evaluation import Evaluation
from gan_lightning.errors import UserError


class BestCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt`, written after the evaluation at which one quantity was at its best.

    Args:
        folder: where it is written.
        quantity: one that :class:`Evaluation` measures.
        mode: `min` if less is better, `max` if more is.

    Raises:
        ValueError: if `mode` is neither.
    """

    def __init__(self, folder: str, quantity: str = "frechet_distance", mode: str = "min") -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"mode must be min or max, not {mode!r}")
        super().__init__(
            dirpath=folder,
            filename="best",
            monitor=quantity,
            mode=mode,
            save_on_train_epoch_end=True,
            enable_version_counter=False,
        )

    def check(self, trainer: Trainer) -> None:
        """Refuse a quantity that is not measured.

        Raises:
            UserError: if it is not.
        """
        evaluation = Evaluation.of(trainer)
        measured = [] if evaluation is None else evaluation.quantities
        if self.monitor not in measured:
            raise UserError(
                f"callbacks.best_checkpoint.quantity is {self.monitor}, but callbacks.evaluation measures"
                f" {', '.join(measured) or 'nothing'}"
            )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        value = trainer.callback_metrics.get(str(self.monitor))
        if value is not None and not math.isnan(value):  # measured already, and not diverged
            super().on_train_epoch_end(trainer, pl_module)
