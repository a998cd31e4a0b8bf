"""The checkpoint that a run goes on from."""

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from gan_lightning.errors import number


class LastCheckpoint(Checkpoint):
    """Writes a checkpoint after each epoch, and within one every so many minutes.

    Args:
        path: of the checkpoint.
        every_n_minutes: since the one before.

    Raises:
        ValueError: if `every_n_minutes` is not what it must be.
    """

    def __init__(self, path: str, every_n_minutes: float = 10) -> None:
        number("every_n_minutes", every_n_minutes, at_least=0)
        self.path = Path(path)
        self.every_n_minutes = every_n_minutes
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # After the last batch the end of the epoch is near, with what belongs to it.
        is_due = time.monotonic() - self._since >= 60 * self.every_n_minutes
        if trainer.strategy.broadcast(is_due) and not trainer.is_last_batch:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self._since = time.monotonic()
