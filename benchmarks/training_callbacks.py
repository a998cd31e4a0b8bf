"""Callbacks that `speed.py` and `own_images.py` add to the training."""

import json
import resource
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from stopwatch import Stopwatch, read
from torch.profiler import ProfilerActivity, profile


class TrainingStopwatch(Checkpoint):
    """The stopwatch of a run that ends when it is told to; a last line holds the seconds of the `end` of the epoch.

    Lightning runs checkpoints after all other callbacks, so that end holds the samples and the other checkpoints.
    """

    def __init__(self, block: int, results: int, device: str) -> None:
        self.stopwatch = Stopwatch(block, results, device)
        self._done = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        done = pl_module.alternations
        trainer.should_stop = self.stopwatch.count(done - self._done)
        self._done = done
        self._since = self.stopwatch.read(time.perf_counter)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.stopwatch.tell(end=self.stopwatch.read(time.perf_counter) - self._since)


class EpochSeconds(Checkpoint):
    """Writes the seconds of each epoch, pictures and checkpoints included, to a JSON file."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._clock: list[float] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._clock.append(time.perf_counter())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._clock.append(read(time.perf_counter, pl_module.device))
        self.path.write_text(json.dumps([end - begin for begin, end in pairwise(self._clock)]))


class FirstStep(Checkpoint):
    """Writes the time at the end of the first step, the processor's seconds and the greatest memory in bytes until
    then, to a JSON file, and ends the run.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        step = {"clock": time.time(), "processor": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * 1024}
        self.path.write_text(json.dumps(step))
        trainer.should_stop = True


CATEGORIES = {
    "matrix products": ("mm", "gemm", "cutlass", "conv", "nvjet", "splitk", "linear_pointwise"),
    "random numbers": ("bernoulli", "uniform", "normal", "rand", "dropout", "philox", "distribution"),
    "optimizers": ("adam", "_foreach_", "multi_tensor", "multitensor"),
    "copies and casts": ("copy", "cat", "clone", "memcpy", "memset", "fill", "index"),
}
"""What an operation or a kernel is counted as, by a part of its name; the rest is arithmetic, element by element."""


def category(name: str) -> str:
    """What an operation is counted as."""
    for title, parts in CATEGORIES.items():
        if any(part in name.lower() for part in parts):
            return title
    return "element by element"


class TrainingProfile(Checkpoint):
    """Profiles the alternations after the first ones and stops the run.

    Writes the milliseconds an alternation by category, and what is left of the whole as `Python, autograd, Lightning`
    (on a CPU) or `gaps between kernels` (on a GPU), to a JSON file, and beside it a Chrome trace.

    Args:
        path: of the JSON file.
        alternations: how many are profiled, at least.
        warm_up: how many come before these, at least.
    """

    def __init__(self, path: str, alternations: int = 50, warm_up: int = 20) -> None:
        self.path = Path(path)
        self.alternations = alternations
        self.warm_up = warm_up
        self._profile: profile | None = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if self._profile is None and pl_module.alternations >= self.warm_up:
            on_gpu = pl_module.device.type == "cuda"
            self._profile = profile(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu)
            self._profile.start()
            self._since, self._before = read(time.perf_counter, pl_module.device), pl_module.alternations

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._profile is None or pl_module.alternations < self._before + self.alternations:
            return
        seconds = read(time.perf_counter, pl_module.device) - self._since
        self._profile.stop()
        self._profile.export_chrome_trace(str(self.path.with_suffix(".trace.json")))
        on_gpu = pl_module.device.type == "cuda"
        milliseconds = dict.fromkeys([*CATEGORIES, "element by element"], 0.0)
        alternations = pl_module.alternations - self._before
        for event in self._profile.key_averages():
            # On a CPU the operations, on a GPU the kernels, each without what it calls.
            is_kernel = event.device_type == torch.autograd.DeviceType.CUDA
            if (is_kernel and on_gpu) or (not on_gpu and event.key.startswith("aten::")):
                own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
                milliseconds[category(event.key)] += own / 1e3 / alternations
        rest = "gaps between kernels" if on_gpu else "Python, autograd, Lightning"
        milliseconds[rest] = seconds * 1e3 / alternations - sum(milliseconds.values())
        self.path.write_text(json.dumps(milliseconds))
        trainer.should_stop = True
