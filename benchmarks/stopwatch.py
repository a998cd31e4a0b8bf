"""What lets the contenders of `speed.py` run in turn, a block of alternations each, and times them."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch


def read(clock: Callable[[], float], device: torch.device) -> float:
    """The time, when the device has done all that it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock()


class Stopwatch:
    """Times blocks of alternations, and waits after each until it is this contender's turn again.

    Each block becomes a line of JSON: `alternations`, their `seconds`, and `clock`, the time (seconds since 1970) when
    the first alternation of all was done. A line on standard input is the sign to go on; its end, to stop.

    Args:
        block: alternations in a block.
        results: the file descriptor that the lines are written to.
        device: waited for before a clock is read.
    """

    def __init__(self, block: int, results: int, device: str = "cpu") -> None:
        self.block = block
        self.results = results
        self.device = torch.device(device)
        self.is_over = False
        self._count = 0
        self._since = 0.0
        self._clock: float | None = None

    @classmethod
    def of_command(cls, parser: argparse.ArgumentParser) -> "tuple[argparse.Namespace, Stopwatch]":
        """What a contender's command takes, and the stopwatch that it asks for."""
        parser.add_argument("--data-dir", required=True)
        parser.add_argument("--device", required=True)
        parser.add_argument("--block", type=int, required=True)
        parser.add_argument("--results", type=int, required=True)
        arguments = parser.parse_args()
        return arguments, cls(arguments.block, arguments.results, arguments.device)

    def count(self, alternations: int = 1) -> bool:
        """Count alternations that are done; whether to stop."""
        if self._clock is None:
            self._clock = self.read(time.time)
            self._since = self.read(time.perf_counter)
        self._count += alternations
        if self._count >= self.block:
            seconds = self.read(time.perf_counter) - self._since
            self.tell(alternations=self._count, seconds=seconds, clock=self._clock)
            self.is_over = not sys.stdin.readline()
            self._count, self._since = 0, self.read(time.perf_counter)
        return self.is_over

    def tell(self, **measured: Any) -> None:
        """Write a line."""
        os.write(self.results, json.dumps(measured).encode() + b"\n")

    def read(self, clock: Callable[[], float]) -> float:
        """The time on this device."""
        return read(clock, self.device)
