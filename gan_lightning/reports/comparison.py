"""Which runs are alike, and which is best."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from gan_lightning.errors import UserError
from gan_lightning.measures.metrics import METRICS, higher_is_better
from gan_lightning.reports.names import shown, varied
from gan_lightning.reports.runs import MISSING, Run


def metrics_of(runs: Sequence[Run]) -> list[str]:
    """The numbers that some run ended with: first those that compare generators, then the training's own."""
    known = dict.fromkeys(name for run in runs for name in run.results)
    return sorted(known, key=lambda name: (name not in METRICS, list(known).index(name)))


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
    return next(iter([*own, *(name for name in known if name in METRICS)]), "generator_loss")


def caveat(metric: str) -> str:
    """What a reader should know of a comparison by this metric, if anything."""
    if metric.endswith("_loss"):
        return "Losses do not tell which generator is better; callbacks=evaluation measures what does."
    return ""


def rank(number: float | None, metric: str) -> float:
    """Sorts the best first, and what has no number last; of losses, as of distances, less is better."""
    if number is None:
        return math.inf
    return -number if higher_is_better(metric) else number


def ranked(runs: Sequence[Run], metric: str) -> list[Run]:
    """The best first; those without a number last."""
    return sorted(runs, key=lambda run: rank(run.results.get(metric), metric))


class Group(NamedTuple):
    """Runs that differ by their seeds alone, the best first."""

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
    together: dict[object, list[Run]] = {}
    for run in ranked(runs, metric):
        exact = tuple(str(run.hyperparameters.get(key, MISSING)) for key in keys)
        together.setdefault(exact if run.hyperparameters else run.folder, []).append(run)
    found = []
    for alike in together.values():
        values = {key: shown(alike[0].hyperparameters.get(key, MISSING)) for key in keys}
        numbers = [x for x in {run.seed: run.results.get(metric) for run in reversed(alike)}.values() if x is not None]
        mean = statistics.fmean(numbers) if numbers else None
        std = statistics.stdev(numbers) if len(numbers) > 1 else None
        found.append(Group(alike, values, mean, std))
    return sorted(found, key=lambda group: rank(group.mean, metric))
