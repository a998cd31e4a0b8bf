"""A clean end on Ctrl-C."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt(Checkpoint):
    """On Ctrl-C, or when asked to terminate, finishes the training step, writes a checkpoint and stops.

    A signal that cut an alternation in two would leave a state that no uninterrupted run passes through. A second
    signal stops at once.

    Args:
        path: of the checkpoint.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._received = False
        self._before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            self._received = False
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # After the last batch of an epoch the end of the epoch is near, and its checkpoint is the cleaner one.
        if self._asked_to_stop(trainer) and not trainer.is_last_batch:
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # After the last epoch there is nothing left to stop.
        if self._asked_to_stop(trainer) and trainer.current_epoch + 1 != trainer.max_epochs:
            self._stop(trainer)

    def _asked_to_stop(self, trainer: Trainer) -> bool:
        # All ranks must stop after the same alternation, whichever of them the signal reached first.
        return trainer.strategy.reduce_boolean_decision(self._received, all=False)

    def _stop(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        raise KeyboardInterrupt

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore()
