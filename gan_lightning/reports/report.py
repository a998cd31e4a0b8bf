"""Everything that a report is made of, written into a folder."""

from collections.abc import Sequence
from pathlib import Path

from gan_lightning.errors import UserError
from gan_lightning.reports.command import winning_command
from gan_lightning.reports.comparison import choose_metric, groups, ranked
from gan_lightning.reports.effects import main_effects
from gan_lightning.reports.gallery import galleries
from gan_lightning.reports.names import named
from gan_lightning.reports.page import MADE_BY, page
from gan_lightning.reports.pictures import draw_curves, draw_effect, draw_side_by_side, png
from gan_lightning.reports.runs import Curve, Run, equilibrium_of, find_runs, read_curves
from gan_lightning.reports.tables import markdown, write_csv
from gan_lightning.whole_files import whole_file, write_text

PAGE = "index.html"


def write_report(patterns: list[str], folder: Path, metric: str | None = None) -> str:
    """Compare the runs in some folders, and write what is found into a folder.

    Returns:
        The table, and where the rest is.

    Raises:
        UserError: if there is no such run or metric, or the folder holds anything but an earlier report.
    """
    if folder.exists() and any(folder.iterdir()):
        earlier = folder / PAGE
        if not earlier.exists() or MADE_BY not in earlier.read_text(errors="replace")[:1000]:
            raise UserError(f"{folder} holds files that are no report; choose another output_dir")
    runs, damaged = find_runs(patterns)
    metric = choose_metric(runs, metric)
    runs = named(ranked(runs, metric))
    by_settings = groups(runs, metric)
    effects = main_effects(runs, metric)
    finished = [run for run in runs if run.results.get(metric) is not None]

    of_effects = {f"effect of {effect.key}": png(draw_effect(effect, metric)) for effect in effects}
    curves = _by_tags(runs, f"evaluation/{metric}")
    of_curves = {
        tag: png(draw_curves(tag, of_runs, equilibrium_of(tag, [run for run, _ in of_runs])))
        for tag, of_runs in curves.items()
    }
    command = None
    if finished and (best := by_settings[0].runs[0]).overrides and best.hyperparameters:
        command = winning_command(best.overrides, best.hyperparameters["trainer.max_epochs"])
    table = markdown(by_settings, metric, command)

    others = of_effects | of_curves
    if len(finished) > 1:
        extremes = {
            f"{place}: {run.name}\n{metric} {run.results[metric]:.4g}": run
            for place, run in (("best", finished[0]), ("worst", finished[-1]))
        }
        others["best_and_worst"] = png(draw_side_by_side(extremes))
    pictures, unreadable = galleries(runs, extremes=[finished[0], finished[-1]] if finished else [])
    damaged += unreadable
    text = page(", ".join(patterns), metric, runs, by_settings, effects, curves, pictures, command, damaged)

    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / PAGE, text)  # first, for it says that the folder is that of a report
    write_text(folder / "table.md", table)
    write_csv(folder / "results.csv", runs)
    for name, picture in others.items():
        with whole_file(folder / f"{name.replace('/', '_').replace(' ', '_')}.png") as file:
            file.write(picture)
    left_out = "".join(f"left out: {line}\n" for line in damaged)
    return f"{table}\n{left_out}page: {folder / PAGE}"


def _by_tags(runs: Sequence[Run], first: str) -> dict[str, list[tuple[Run, Curve]]]:
    """The curves of all runs by their tags: losses come first, then `first`, then the rest, by what they are."""
    curves = [(run, read_curves(run)) for run in runs]
    tags = {tag for _, of_run in curves for tag in of_run}
    in_order = sorted(tags, key=lambda tag: (not tag.startswith("loss/"), tag != first, tag))
    return {tag: [(run, of_run[tag]) for run, of_run in curves if tag in of_run] for tag in in_order}
