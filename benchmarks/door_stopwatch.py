"""The stopwatch as a callback of the training door."""

from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from stopwatch import Stopwatch


class DoorStopwatch(Checkpoint):
    """Times a run of one epoch until its samples and checkpoints are written: Lightning runs checkpoints last."""

    def __init__(self, alternations: int, warm_up: int, path: str, device: str = "cpu") -> None:
        self.stopwatch = Stopwatch(alternations, warm_up, path, device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.stopwatch.count()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stopwatch.stop()
