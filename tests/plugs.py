"""What pulls the plug in the middle of a run, or listens in on a sweep."""

import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback as HydraCallback
from lightning.pytorch import Callback
from optuna.pruners import BasePruner


class Signal(Callback):
    """Sends this process a signal after a number of alternations."""

    def __init__(self, after: int, name: str = "SIGINT") -> None:
        self.after = after
        self.name = name

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: object) -> None:
        if pl_module.alternations == self.after:
            os.kill(os.getpid(), signal.Signals[self.name])


class SignalTwice(Signal):
    """Sends it, and again after a while."""

    def __init__(self, after: int, name: str = "SIGINT", seconds: float = 0.0) -> None:
        super().__init__(after, name)
        self.seconds = seconds

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: object) -> None:
        super().on_train_batch_end(trainer, pl_module)
        if pl_module.alternations == self.after:
            time.sleep(self.seconds)
        super().on_train_batch_end(trainer, pl_module)


class Crash(Callback):
    """Raises an error after a number of alternations."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_train_batch_start(self, trainer: Any, pl_module: Any, *_: object) -> None:
        if pl_module.alternations == self.after:
            raise RuntimeError("the plug was pulled")


class Remove(Callback):
    """Removes a folder after a number of alternations."""

    def __init__(self, after: int, folder: str) -> None:
        self.after = after
        self.folder = folder

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: object) -> None:
        if pl_module.alternations == self.after:
            while Path(self.folder).exists():  # TensorBoard's thread may write while it is emptied
                shutil.rmtree(self.folder, ignore_errors=True)


class Returned(HydraCallback):
    """Writes down what each job of a sweep returned."""

    def on_job_end(self, config: Any, job_return: Any, **_: object) -> None:
        with Path("returned.txt").open("a") as file:
            print(job_return.return_value, file=file)


class Merciless(BasePruner):
    """Prunes every trial at its first report."""

    def __init__(self, **_: object) -> None:
        pass

    def prune(self, study: Any, trial: Any) -> bool:
        return True
