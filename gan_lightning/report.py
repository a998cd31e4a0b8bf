"""Say which setting won: `python -m gan_lightning.report sweep=…`; `--help` lists the settings."""

from pathlib import Path

from omegaconf import DictConfig, ListConfig, OmegaConf

from gan_lightning.cli import door
from gan_lightning.errors import UserError
from gan_lightning.reports.runs import find_runs
from gan_lightning.whole_files import write_text

PAGE = "index.html"


@door("report")
def main(settings: DictConfig) -> None:
    """Compare runs and write tables, pictures and a page."""
    if settings.sweep in (None, "", []):
        raise UserError("which runs? sweep=… takes the folder of a sweep, or of runs, a pattern, or a list of these")
    sweep = OmegaConf.to_container(settings.sweep) if isinstance(settings.sweep, ListConfig) else [settings.sweep]
    words = [str(word) for word in sweep]  # type: ignore[union-attr]
    output_dir = settings.output_dir
    if output_dir is None:
        if len(words) > 1 or not Path(words[0]).is_dir():
            find_runs(words)  # if there are none, that comes first
            raise UserError("where to? output_dir=… takes a folder for the report of several")
        output_dir = f"{words[0]}/report"
    print(write_report(words, Path(str(output_dir)), settings.metric))


def write_report(words: list[str], folder: Path, metric: str | None = None) -> str:
    """Compare the runs that words stand for, and write what is found into a folder.

    Returns:
        The table, and where the rest is.

    Raises:
        UserError: if there is no such run or metric, or the folder holds anything but an earlier report.
    """
    from gan_lightning.reports.comparison import choose_metric, groups, main_effects, ranked
    from gan_lightning.reports.page import GENERATOR, page, png
    from gan_lightning.reports.pictures import draw_curves, draw_effect, draw_side_by_side
    from gan_lightning.reports.runs import equilibrium_of, read_curves
    from gan_lightning.reports.tables import markdown, write_csv

    if folder.exists() and any(folder.iterdir()):
        earlier = folder / PAGE
        if not earlier.exists() or GENERATOR not in earlier.read_text(errors="replace")[:1000]:
            raise UserError(f"{folder} holds files that are no report; choose another output_dir")
    runs, damaged = find_runs(words)
    metric = choose_metric(runs, metric)
    runs = ranked(runs, metric)
    by_settings = groups(runs, metric)
    effects = main_effects(runs, metric)
    finished = [run for run in runs if run.results.get(metric) is not None]

    of_effects = {f"effect of {effect.key}": png(draw_effect(effect, metric)) for effect in effects}
    of_curves = {}
    curves = {run.folder: read_curves(run) for run in runs}
    tags = dict.fromkeys(tag for of_run in curves.values() for tag in of_run)
    for tag in sorted(tags, key=lambda tag: (not tag.startswith("loss/"), tag != f"evaluation/{metric}")):
        shared = [(run, curves[run.folder][tag]) for run in runs if tag in curves[run.folder]]
        of_curves[tag] = png(draw_curves(tag, shared, equilibrium_of(tag, [run for run, _ in shared])))
    pictures = {"Effects": of_effects, "Curves": of_curves}
    table = markdown(by_settings, metric)

    others = of_effects | of_curves
    if len(finished) > 1:
        extremes = {
            f"{word}: {run.name}\n{metric} {run.results[metric]:.4g}": run
            for word, run in (("best", finished[0]), ("worst", finished[-1]))
        }
        others["best_and_worst"] = png(draw_side_by_side(extremes))
    text = page(", ".join(words), metric, runs, by_settings, effects, pictures, damaged)

    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / PAGE, text)  # first, for it says that the folder is that of a report
    (folder / "table.md").write_text(table)
    write_csv(folder / "results.csv", runs)
    for name, picture in others.items():
        (folder / f"{name.replace('/', '_').replace(' ', '_')}.png").write_bytes(picture)
    left_out = "".join(f"left out: {line}\n" for line in damaged)
    return f"{table}\n{left_out}page: {folder / PAGE}"


if __name__ == "__main__":
    main()
