"""Which runs are alike, which is best, and which setting made the difference."""

import math
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from gan_lightning.config import SEEDS
from gan_lightning.errors import UserError
from gan_lightning.quantities import QUANTITIES
from gan_lightning.reports.runs import Run

MOST_LEVELS = 6
"""A setting with more values than this is shown in groups of neighbouring values."""


def shown(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return "null" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def varied(runs: Sequence[Run]) -> list[str]:
    """The hyperparameters, but for the seeds, in which runs differ; of those that are always the same number, the one
    with the shortest name.
    """
    described = [run.hyperparameters for run in runs if run.hyperparameters]
    keys = dict.fromkeys(key for each in described for key in each)
    columns: dict[tuple[str, ...], str] = {}
    for key in sorted(keys, key=lambda key: (key.count("."), len(key))):
        values = tuple(str(each.get(key)) for each in described)
        if key not in SEEDS and len(set(values)) > 1:
            columns.setdefault(values, key)
    return [key for key in keys if key in columns.values()]


def metrics_of(runs: Sequence[Run]) -> list[str]:
    """The numbers that some run ended with: first those that compare generators, then the training's own."""
    known = dict.fromkeys(name for run in runs for name in run.results)
    return sorted(known, key=lambda name: (name not in QUANTITIES, list(known).index(name)))


def choose_metric(runs: Sequence[Run], asked: str | None) -> str:
    """The number to compare by: the one asked for, or the runs' own, or the first that compares generators.

    Raises:
        UserError: if no run has the one asked for.
    """
    known = metrics_of(runs)
    if asked is not None:
        if known and asked not in known:
            raise UserError(f"no run has a metric called {asked}; there is {', '.join(known)}")
        return asked
    own = [run.metric for run in runs if run.metric]
    return next(iter([*own, *(name for name in known if name in QUANTITIES)]), "generator_loss")


def higher_is_better(metric: str) -> bool:
    """Otherwise lower is, as of losses."""
    return metric in QUANTITIES and QUANTITIES[metric].better == "higher"


def ranked(runs: Sequence[Run], metric: str) -> list[Run]:
    """The best first; those without a number last."""
    sign = -1 if higher_is_better(metric) else 1
    return sorted(runs, key=lambda run: math.inf if (value := run.results.get(metric)) is None else sign * value)


class Group(NamedTuple):
    """Runs that differ by their seeds alone."""

    runs: list[Run]
    values: dict[str, str]
    """Of the varied hyperparameters."""
    mean: float | None
    std: float | None

    @property
    def seeds(self) -> list[str]:
        """In order."""
        return sorted({run.seed for run in self.runs}, key=lambda seed: (len(seed), seed))


def groups(runs: Sequence[Run], metric: str) -> list[Group]:
    """Mean and standard deviation of a metric over the seeds of equal settings, the best first.

    Runs that diverged or are not finished have no number and do not count; what was read twice counts once.
    """
    keys = varied(runs)
    together: dict[tuple[str, ...], list[Run]] = {}
    for run in ranked(runs, metric):
        exact = tuple(str(run.hyperparameters.get(key)) for key in keys)
        together.setdefault(exact if run.hyperparameters else (str(run.folder),), []).append(run)
    found = []
    for alike in together.values():
        values = [shown(alike[0].hyperparameters.get(key)) for key in keys]
        numbers = [x for x in {run.seed: run.results.get(metric) for run in reversed(alike)}.values() if x is not None]
        mean = statistics.fmean(numbers) if numbers else None
        std = statistics.stdev(numbers) if len(numbers) > 1 else None
        found.append(Group(alike, dict(zip(keys, values, strict=True)), mean, std))
    sign = -1 if higher_is_better(metric) else 1
    return sorted(found, key=lambda group: math.inf if group.mean is None else sign * group.mean)


class Effect(NamedTuple):
    """What a hyperparameter does to a metric, whatever the others are."""

    key: str
    levels: dict[str, list[float]]
    """The metric of each run, by the value of the hyperparameter."""
    share: float
    """Of the metric's variance: how much goes with the value, from 0 to 1, less what chance alone would explain."""

    @property
    def means(self) -> dict[str, float]:
        return {level: statistics.fmean(numbers) for level, numbers in self.levels.items()}


def main_effects(runs: Sequence[Run], metric: str) -> list[Effect]:
    """The main effect of each varied hyperparameter, the largest first.

    The share of variance is the adjusted one, ε² = 1 - (1 - η²)(n - 1)/(n - k) for n runs and k values (Kelley 1935),
    or 0 where that is negative; it is 0, too, where each run has a value of its own.
    """
    finished = [run for run in runs if run.results.get(metric) is not None]
    effects = []
    for key in varied(finished):
        levels: dict[str, list[float]] = {}
        for level, run in sorted(_levels(finished, key), key=lambda pair: pair[0]):
            levels.setdefault(level[1], []).append(run.results[metric])  # type: ignore[arg-type]
        effects.append(Effect(key, levels, _explained(list(levels.values()))))
    return sorted(effects, key=lambda effect: -effect.share)


def _levels(runs: Sequence[Run], key: str) -> list[tuple[tuple[float, str], Run]]:
    """Each run with its value, which sorts numbers as numbers; many numbers become four ranges with as many runs."""
    values = [run.hyperparameters.get(key) for run in runs]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or len(set(numbers)) <= MOST_LEVELS:
        return [
            ((value if isinstance(value, int | float) and value == value else math.inf, shown(value)), run)
            for value, run in zip(values, runs, strict=True)
        ]
    bounds = statistics.quantiles(numbers, n=4, method="inclusive")
    quarters = [sum(number > bound for bound in bounds) for number in numbers]
    members = {quarter: [x for x, q in zip(numbers, quarters, strict=True) if q == quarter] for quarter in quarters}
    texts = {quarter: f"{min(inside):.3g} … {max(inside):.3g}" for quarter, inside in members.items()}
    return [((quarter, texts[quarter]), run) for quarter, run in zip(quarters, runs, strict=True)]


def _explained(levels: list[list[float]]) -> float:
    numbers = [number for level in levels for number in level]
    n, k = len(numbers), len(levels)
    total = statistics.pvariance(numbers) * n
    if total == 0 or n <= k:
        return 0.0
    within = sum(statistics.pvariance(level) * len(level) for level in levels)
    return max(0.0, 1 - within / total * (n - 1) / (n - k))
