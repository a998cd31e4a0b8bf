"""What all contenders of `speed.py` are timed by."""

import argparse
import json
import time
from pathlib import Path

import torch


class Stopwatch:
    """Times the alternations between the end of the `warm_up`-th and the end of the last.

    Args:
        alternations: how many there are, those of the warm-up included.
        warm_up: how many are not timed.
        path: of a JSON file with the `seconds`, the number of `alternations` that took them, and `begun`, the time of
            the clock (seconds since 1970) at the end of the first alternation.
        device: waited for before the clock is read.
    """

    def __init__(self, alternations: int, warm_up: int, path: str, device: str = "cpu") -> None:
        self.alternations = alternations
        self.warm_up = warm_up
        self.path = Path(path)
        self.device = torch.device(device)
        self._done = 0
        self._since = 0.0
        self._begun = 0.0

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """What a contender's command takes."""
        parser.add_argument("--data-dir", default="data")
        parser.add_argument("--device", default="cpu")
        parser.add_argument("--alternations", type=int, required=True)
        parser.add_argument("--warm-up", type=int, required=True)
        parser.add_argument("--result", required=True)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Stopwatch":
        return cls(arguments.alternations, arguments.warm_up, arguments.result, arguments.device)

    @property
    def is_over(self) -> bool:
        return self._done >= self.alternations

    def alternation_done(self) -> bool:
        """Count one; whether it was the last. The result is written then."""
        self.count()
        if self.is_over:
            self.stop()
        return self.is_over

    def count(self, alternations: int = 1) -> None:
        before, self._done = self._done, self._done + alternations
        if before == 0:
            self._begun = self._now(time.time)
        if before < self.warm_up <= self._done:
            self._timed_from = self._done
            self._since = self._now(time.perf_counter)

    def stop(self) -> None:
        """Write what was measured."""
        seconds = self._now(time.perf_counter) - self._since
        measured = {"seconds": seconds, "alternations": self._done - self._timed_from, "begun": self._begun}
        self.path.write_text(json.dumps(measured))

    def _now(self, clock) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return clock()
