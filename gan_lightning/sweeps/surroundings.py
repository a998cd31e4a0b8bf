"""What a job finds in its process."""

import logging
import os
import random
import sys
from pathlib import Path
from types import TracebackType

import numpy as np
from hydra.core.hydra_config import HydraConfig


class Surroundings:
    """The console, log, settings, current folder and random numbers of a job that shares its process with others.

    While this is entered they are the job's; then others' may be, until it is entered again.
    """

    def __init__(self) -> None:
        self._streams = sys.stdout, sys.stderr
        self._hydra = HydraConfig.instance().cfg
        self._handlers: list[logging.Handler] = []
        self._level = logging.getLogger().level
        self._folder = Path.cwd()
        self._random = random.getstate(), np.random.get_state()

    def __enter__(self) -> None:
        sys.stdout, sys.stderr = self._streams
        HydraConfig.instance().cfg = self._hydra
        logging.getLogger().handlers[:] = self._handlers
        logging.getLogger().setLevel(self._level)
        os.chdir(self._folder)
        random.setstate(self._random[0])
        np.random.set_state(self._random[1])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._streams = sys.stdout, sys.stderr
        self._hydra = HydraConfig.instance().cfg
        self._handlers = logging.getLogger().handlers[:]
        self._level = logging.getLogger().level
        self._folder = Path.cwd()
        self._random = random.getstate(), np.random.get_state()

    @staticmethod
    def print_to(console: Path) -> None:
        """Add what is printed from now on to a file."""
        sys.stdout = sys.stderr = console.open("a", buffering=1)
