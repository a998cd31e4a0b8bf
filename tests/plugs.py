"""Callbacks that pull the plug in the middle of a run."""

import os
import signal
from typing import Any

from lightning.pytorch import Callback


class Signal(Callback):
    """Sends this process a signal after a number of alternations."""

    def __init__(self, after: int, name: str = "SIGINT") -> None:
        self.after = after
        self.name = name

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: object) -> None:
        if pl_module.alternations == self.after:
            os.kill(os.getpid(), signal.Signals[self.name])


class Crash(Callback):
    """Raises an error after a number of alternations."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: object) -> None:
        if pl_module.alternations == self.after:
            raise RuntimeError("the plug was pulled")
