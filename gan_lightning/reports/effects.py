"""Which setting made the difference."""

import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from gan_lightning.errors import is_number
from gan_lightning.reports.names import shown, varied
from gan_lightning.reports.runs import MISSING, Run

MOST_LEVELS = 6
"""The effect of a setting with more values than this is that of four ranges of them."""
SPARE_RUNS = 3
"""As many more runs than values a share of the variance takes; with two, chance alone often explains half of it."""


class Level(NamedTuple):
    """Runs with one value of a hyperparameter, or with neighbouring ones."""

    values: Sequence[Any]
    """Of the hyperparameter, a run each, in order."""
    numbers: Sequence[float]
    """The metric of these runs."""

    @property
    def name(self) -> str:
        """The value, or the range of values."""
        return " … ".join(dict.fromkeys([shown(self.values[0]), shown(self.values[-1])]))

    @property
    def mean(self) -> float:
        """Of the metric."""
        return statistics.fmean(self.numbers)


class Effect(NamedTuple):
    """What a hyperparameter does to a metric, whatever the others are."""

    key: str
    levels: list[Level]
    share: float | None
    """Of the metric's variance: how much goes with the level, from 0 to 1; None if there are too few runs to tell."""


def main_effects(runs: Sequence[Run], metric: str) -> list[Effect]:
    """The main effect of each varied hyperparameter, the largest first."""
    effects = []
    finished = [run for run in runs if run.results.get(metric) is not None]
    for key in varied(finished):
        levels = _levels([(run.hyperparameters.get(key, MISSING), run.results[metric]) for run in finished])
        effects.append(Effect(key, levels, share_of_variance([level.numbers for level in levels])))
    return sorted(effects, key=lambda effect: -1 if effect.share is None else effect.share, reverse=True)


def _levels(points: list[tuple[Any, Any]]) -> list[Level]:
    """Pairs of a value and the metric, a level for each value; many numbers become four ranges with as many runs."""
    values = [value for value, _ in points]
    level_of: Callable[[Any], object] = str
    if all(map(is_number, values)) and len(set(values)) > MOST_LEVELS:
        level_of = partial(bisect_left, statistics.quantiles(values, n=4, method="inclusive"))
    in_order = sorted(points, key=lambda point: (point[0] if is_number(point[0]) else math.inf, str(point[0])))
    levels = groupby(in_order, key=lambda point: level_of(point[0]))
    return [Level(*zip(*alike, strict=True)) for _, alike in levels]


def share_of_variance(levels: Sequence[Sequence[float]]) -> float | None:
    """How much of the variance of numbers goes with their levels, less what chance alone would explain.

    This is the adjusted share, ε² = 1 - (1 - η²)(n - 1)/(n - k) for n numbers in k levels (Kelley 1935), or 0 where
    that is negative; None where n < k + SPARE_RUNS.
    """
    numbers = [number for level in levels for number in level]
    n, k = len(numbers), len(levels)
    if n < k + SPARE_RUNS:
        return None
    total = statistics.pvariance(numbers) * n
    if total == 0:
        return 0.0
    within = sum(statistics.pvariance(level) * len(level) for level in levels)
    return max(0.0, 1 - within / total * (n - 1) / (n - k))
