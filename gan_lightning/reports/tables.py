"""The tables of a report, as CSV and as Markdown."""

import csv
from collections.abc import Sequence
from pathlib import Path

from gan_lightning.reports.comparison import Group, metrics_of, shown
from gan_lightning.reports.runs import Run


def write_csv(path: Path, runs: Sequence[Run]) -> None:
    """Every run, a row each: its folder, its state, all its hyperparameters and all its numbers."""
    hyperparameters = dict.fromkeys(key for run in runs for key in run.hyperparameters)
    metrics = metrics_of(runs)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["folder", "state", *hyperparameters, *metrics, "error"])
        for run in runs:
            settings = [run.hyperparameters.get(key) for key in hyperparameters]
            numbers = [run.results.get(name) for name in metrics]
            writer.writerow([run.folder, run.state, *settings, *numbers, run.error])


def plus_minus(group: Group) -> str:
    """Mean ± standard deviation over the seeds."""
    return shown(group.mean) + ("" if group.std is None else f" ± {group.std:.2g}")


def markdown(groups: Sequence[Group], metric: str) -> str:
    """A table of settings, one line each, in the order given."""
    keys = list(groups[0].values) if groups else []
    rows = [["", *keys, metric, "seeds", "state"]]
    for place, group in enumerate(groups, start=1):
        states = ", ".join(dict.fromkeys(run.state for run in group.runs))
        seeds = ", ".join(group.seeds)
        rows.append([str(place), *group.values.values(), plus_minus(group), seeds, states])
    rows.insert(1, ["---"] * len(rows[0]))
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)
