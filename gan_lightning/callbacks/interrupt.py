"""A clean end when a run is asked to stop."""

import logging
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from gan_lightning.loop.company import COMPANY

log = logging.getLogger(__name__)

STOP = ("SIGINT", "SIGTERM")
PREEMPTION = ("SIGUSR1", "SIGUSR2")
"""What SLURM sends some time before a job has to make room: with `--signal=USR1@120`, and to jobs of submitit."""


class Interrupt(Checkpoint):
    """On Ctrl-C, or when asked to terminate, finishes the training step, writes a checkpoint and stops.

    A signal that cut an alternation in two would leave a state that no uninterrupted run passes through. A second
    signal, a second later or more, stops at once; sooner, it is the same one, told to a process and to its group.

    In a SLURM job, SIGUSR1 also puts the job back in the queue, and SIGUSR2 is handed on to whoever waited for it, as
    submitit does, which queues its job again itself. The job's command, with `ckpt_path=auto`, then goes on.

    Args:
        path: of the checkpoint.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._received: int | None = None
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            self._received = None
            names = STOP + PREEMPTION if "SLURM_JOB_ID" in os.environ else STOP
            numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
            self._before = {number: signal.signal(number, self._receive) for number in numbers}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._received is None:
            self._received = number
            self._since = time.monotonic()
        elif time.monotonic() - self._since > 1:
            self._restore()
            signal.raise_signal(number)

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
        company = COMPANY.get()  # where several trainings share a process it is what receives signals
        asked = self._received is not None or (company is not None and company.asked_to_stop)
        # All ranks must stop after the same alternation, whichever of them the signal reached first.
        return trainer.strategy.reduce_boolean_decision(asked, all=False)

    def _stop(self, trainer: Trainer) -> None:
        trainer.save_checkpoint(self.path)
        waiting = self._before.get(self._received) if self._received is not None else None
        if self._received == getattr(signal, "SIGUSR1", None) and trainer.is_global_zero:
            _queue_again()
        elif self._received == getattr(signal, "SIGUSR2", None) and callable(waiting):
            waiting(self._received, None)
        # Lightning makes a SystemExit of the former, with signal handlers that another thread cannot have.
        raise KeyboardInterrupt if threading.current_thread() is threading.main_thread() else SystemExit

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._restore()


def _queue_again() -> None:
    """Put the SLURM job that this is back in the queue."""
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True)  # noqa: S603, S607  # of the cluster
        log.info("SLURM was asked to run job %s again", job)
    except (OSError, subprocess.CalledProcessError) as reason:
        log.warning("SLURM does not run job %s again: %s", job, reason)
