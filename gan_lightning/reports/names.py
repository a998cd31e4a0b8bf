"""What runs and their settings are called."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gan_lightning.reports.runs import MISSING, Run
from gan_lightning.settings import LUCK, decides, short_keys


def shown(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "null"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def varied(runs: Sequence[Run]) -> list[str]:
    """The hyperparameters, but for the seeds, in which runs differ; of those that are always the same number, the one
    with the shortest name.
    """
    described = [run.hyperparameters for run in runs if run.hyperparameters]
    keys = dict.fromkeys(key for each in described for key in each)
    columns: dict[tuple[str, ...], str] = {}
    for key in sorted(keys, key=lambda key: (key.count("."), len(key))):
        values = tuple(str(each.get(key, MISSING)) for each in described)
        if decides(key) != LUCK and len(set(values)) > 1:
            columns.setdefault(values, key)
    return [key for key in keys if key in columns.values()]


def named(runs: Sequence[Run]) -> list[Run]:
    """The runs by their numbers, in their one sweep or else in this order, and by what tells them apart:
    `007 lr=0.0001 betas=[0.5,0.999]`.
    """
    of_a_sweep = all(run.number for run in runs) and len({run.folder.parent for run in runs}) == 1
    keys = short_keys(varied(runs))
    seeds = {run.seed for run in runs} - {MISSING}
    result = []
    for place, run in enumerate(runs, start=1):
        number = run.number if of_a_sweep else f"{place:03}"
        settings = {short: run.hyperparameters[key] for key, short in keys.items() if key in run.hyperparameters}
        if len(seeds) > 1 and run.seed in seeds:
            settings["seed"] = run.seed
        parts = [f"{key}={shown(value)}".replace(" ", "") for key, value in settings.items()]
        result.append(replace(run, number=number, name=" ".join([number, *parts])))
    return result
