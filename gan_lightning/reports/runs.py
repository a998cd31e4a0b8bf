"""Runs as a report sees them, finished or not: what their folders hold."""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gan_lightning.errors import UserError
from gan_lightning.paths import expand, with_numbers
from gan_lightning.reports.event_files import read_scalars
from gan_lightning.settings import hyperparameters, read_settings, seeds_of
from gan_lightning.sweeps.status import NUMBERS, RESULTS, STATUS, TRACEBACK, State, read_results, read_status
from gan_lightning.whole_files import read_json

Curve = list[tuple[float, float]]
"""Points (epoch, value)."""
MISSING = "–"
"""What stands for a setting, or a number, that a run does not have."""


@dataclass
class Run:
    """What is known of a run.

    Attributes:
        folder: where it is.
        state: how far it is.
        hyperparameters: all settings that decide what is computed, flat; empty if the run failed before it had any.
        metric: what the run was to optimise, if anything.
        results: the numbers that it ended with; None where it diverged.
        error: why it failed, or was interrupted.
        traceback: where it failed.
        grids: of samples, one of each epoch, in order.
        overrides: what was asked for, if it is a job of a sweep.
        number: that of the sweep's job, or in the order of a report.
        name: the number, and what tells the run from the others.
    """

    folder: Path
    state: State
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    metric: str | None = None
    results: dict[str, float | None] = field(default_factory=dict)
    error: str = ""
    traceback: str = ""
    grids: list[Path] = field(default_factory=list)
    overrides: list[str] = field(default_factory=list)
    number: str = ""
    name: str = ""

    @property
    def seed(self) -> str:
        """All its seeds, of which there is mostly one."""
        found = seeds_of(self.hyperparameters)
        seeds = [str(found[name]) for name in sorted(found, key=len)]
        return "/".join(seeds if len(set(seeds)) > 1 else seeds[:1]) or MISSING


def find_runs(patterns: Sequence[str]) -> tuple[list[Run], list[str]]:
    """The runs in folders, and below them, and a line for each that cannot be read.

    Args:
        patterns: folders of sweeps or runs, or patterns of them.

    Raises:
        UserError: if there is none in one of these.
    """
    folders: list[Path] = []
    for pattern in patterns:
        found = [folder for place in expand(pattern) for folder in _folders(place)]
        if not found:
            raise UserError(f"there is no run in {pattern}; sweep=… takes the folder of a sweep, or of runs")
        folders += found
    runs, damaged = [], []
    for folder in dict.fromkeys(folders):
        try:
            runs.append(_read(folder))
        except UserError as reason:
            damaged.append(str(reason))
    return runs, damaged


def _folders(place: Path) -> list[Path]:
    """Of runs, in their natural order; a job that has not begun has neither file."""
    return sorted({path.parent for name in (STATUS, "config.yaml") for path in place.rglob(name)}, key=with_numbers)


def _read(folder: Path) -> Run:
    for name in (STATUS, RESULTS, "config.yaml"):
        if os.path.lexists(folder / name) and own(folder, name) is None:
            raise UserError(f"{folder / name} is no file, or one from elsewhere")
    status = read_status(folder)
    number = (read_json(folder.parent / NUMBERS) or {}).get(folder.name)
    results = read_results(folder)
    state = status["state"]
    if state is State.WAITING:  # no job of a sweep
        state = State.COMPLETED if results else State.INTERRUPTED
    settings: dict[str, Any] = read_settings(folder) if (folder / "config.yaml").exists() else {}
    metric = settings.get("optimized_metric")
    if not isinstance(metric, str | None):
        raise UserError(f"{folder / 'config.yaml'} is damaged: optimized_metric names no metric")
    trace = own(folder, TRACEBACK)
    return Run(
        folder,
        state,
        hyperparameters(settings),
        metric,
        results,
        status.get("error", ""),
        "" if trace is None else trace.read_text(errors="replace"),
        [
            path
            for path in sorted(folder.glob("samples/epoch_*.png"))
            if re.fullmatch(r"epoch_\d{4,9}", path.stem, re.ASCII) and own(folder, f"samples/{path.name}")
        ],
        status.get("overrides", []),
        f"{number:03}" if isinstance(number, int) else "",
    )


def own(folder: Path, name: str) -> Path | None:
    """A file of a run, if there is one, and it is no link to another place, which a stranger may have made."""
    path = folder / name
    return path if path.is_file() and path.resolve().is_relative_to(folder.resolve()) else None


def equilibrium_of(tag: str, runs: Sequence[Run]) -> float | None:
    """Where a curve ends if the discriminator cannot tell; None if that is not known, as of critics."""
    if tag in ("probability/real", "probability/fake", "discriminator/accuracy"):
        return 0.5
    scales = {
        value for run in runs for key, value in run.hyperparameters.items() if key.endswith("discriminator_scale")
    }
    if tag == "loss/discriminator" and scales <= {1.0} and all("real_probability" in run.results for run in runs):
        return 2 * math.log(2)
    return None


def read_curves(run: Run) -> dict[str, Curve]:
    """The run's scalars by their tags in TensorBoard, also of a run that is at work."""
    curves = read_scalars(run.folder)
    steps, epochs = zip(*curves.get("epoch", [(1, 1.0)]), strict=True)
    epochs_a_step = max(epochs) / max(steps)
    return {
        tag: [(step * epochs_a_step, value) for step, value in points]
        for tag, points in curves.items()
        if tag != "epoch" and not tag.startswith("final/")
    }
