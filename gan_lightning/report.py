"""Say which setting won: `python -m gan_lightning.report sweep=…`, or `run=…`; `--help` lists the settings."""

from pathlib import Path

from omegaconf import DictConfig

from gan_lightning.cli import as_list, entry_point
from gan_lightning.errors import UserError
from gan_lightning.reports.runs import find_runs


@entry_point("report")
def main(settings: DictConfig) -> None:
    """Compare runs and write tables, pictures and a page."""
    given = [each for each in (settings.sweep, settings.run) if each not in (None, "", [])]
    if len(given) != 1:
        raise UserError(
            "which runs? sweep=… takes the folder of a sweep, or of runs, a pattern, or a list of these;"
            " run=… that of a single run"
        )
    patterns = as_list(given[0])
    output_dir = settings.output_dir
    if output_dir is None:
        if len(patterns) > 1 or not Path(patterns[0]).is_dir():
            find_runs(patterns)  # if there are none, that comes first
            raise UserError("where to? output_dir=… takes a folder for the report of several")
        output_dir = f"{patterns[0]}/report"
    from gan_lightning.reports.report import write_report  # not needed for --help and mistyped keys

    print(write_report(patterns, Path(str(output_dir)), settings.metric))


if __name__ == "__main__":
    main()
