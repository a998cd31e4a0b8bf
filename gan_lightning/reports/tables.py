"""The tables of a report, as CSV and as Markdown."""

import csv
import html
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lightning.errors import is_number
from gan_lightning.reports.comparison import Group, caveat, metrics_of
from gan_lightning.reports.names import shown
from gan_lightning.reports.runs import MISSING, Run
from gan_lightning.whole_files import write_text


def write_csv(path: Path, runs: Sequence[Run]) -> None:
    """Every run, a row each: its number, folder and state, all its hyperparameters and all its numbers."""
    hyperparameters = dict.fromkeys(key for run in runs for key in run.hyperparameters)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["trial", "folder", "state", *hyperparameters, *metrics_of(runs), "error"])
    writer.writeheader()
    for run in runs:
        settings = {key: "null" if value is None else value for key, value in run.hyperparameters.items()}
        place = {"trial": run.number, "folder": run.folder, "state": run.state, "error": run.error}
        writer.writerow({key: _no_formula(value) for key, value in (place | settings | run.results).items()})
    write_text(path, text.getvalue())


def _no_formula(value: Any) -> Any:
    """A cell that a spreadsheet shows, and never computes: what a stranger wrote may begin with an equals sign."""
    return value if is_number(value) or not str(value).startswith(("=", "+", "-", "@", "\t", "\r")) else f"'{value}"


def plus_minus(group: Group) -> str:
    """Mean ± standard deviation over the seeds."""
    if group.mean is None:
        return MISSING
    return shown(group.mean) + ("" if group.std is None else f" ± {group.std:.2g}")


def _plain(cell: str) -> str:
    """A cell that Markdown shows as it is: no HTML, no link or picture, no code, no end of the row."""
    return re.sub(r"([\\|`]|(?<=\])\()", r"\\\1", html.escape(" ".join(cell.split()), quote=False))


def markdown(groups: Sequence[Group], metric: str, command: str | None) -> str:
    """A table of settings, one line each, in the order given; below it what to know of the metric, and the command
    that trains the best again, if it is known.
    """
    keys = list(groups[0].values) if groups else []
    rows = [["trials", metric, *keys, "seeds", "state"], ["---"] * (len(keys) + 4)]
    for group in groups:
        trials = ", ".join(sorted(run.number for run in group.runs))
        states = ", ".join(dict.fromkeys(run.state for run in group.runs))
        rows.append([trials, plus_minus(group), *group.values.values(), ", ".join(group.seeds), states])
    table = "".join(f"| {' | '.join(map(_plain, row))} |\n" for row in rows)
    again = f"To train the best again:\n\n    {command}" if command else ""
    return "\n".join(text + "\n" for text in (table.rstrip(), caveat(metric), again) if text)
