"""The page of a report: one file that needs nothing else."""

import base64
import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from gan_lightning.measures.metrics import METRICS
from gan_lightning.reports.comparison import Group, caveat, metrics_of
from gan_lightning.reports.effects import SPARE_RUNS, Effect
from gan_lightning.reports.names import shown, varied
from gan_lightning.reports.runs import MISSING, Run
from gan_lightning.reports.tables import plus_minus

MADE_BY = "gan_lightning.report"
"""What a page says that it was made by."""


def page(
    title: str,
    metric: str,
    runs: Sequence[Run],
    groups: Sequence[Group],
    effects: Sequence[Effect],
    pictures: Mapping[str, Mapping[str, bytes]],
    command: str | None,
    damaged: Sequence[str],
) -> str:
    """The page as HTML.

    Args:
        title: what the runs are.
        metric: the number that they are compared by.
        runs: in the order of the table.
        groups: the same by settings.
        effects: of the hyperparameters.
        pictures: PNGs by their titles, under headings.
        command: what trains the best settings again, if it is known.
        damaged: lines on what could not be read.
    """
    environment = Environment(
        loader=PackageLoader("gan_lightning.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"shown": shown, "plus_minus": plus_minus, "png": _embedded, "breakable": _breakable}
    numbers = metrics_of(runs)
    return environment.get_template("page.html.jinja").render(
        generator=MADE_BY,
        title=title,
        metric=metric,
        caveat=caveat(metric),
        runs=runs,
        groups=groups,
        effects=effects,
        pictures=pictures,
        command=command,
        damaged=damaged,
        keys=varied(runs),
        columns=[*(name for name in numbers if name != metric and name in METRICS), "training_seconds"],
        numbers=numbers,
        missing=MISSING,
        spare_runs=SPARE_RUNS,
        with_seeds=any(len(group.runs) > 1 for group in groups),
        finished=[run for run in runs if run.results.get(metric) is not None],
    )


def png(figure: Figure) -> bytes:
    """A figure as a file."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _breakable(name: str) -> Markup:
    """A long name, which a narrow column may break where its parts join."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))  # noqa: S704  # escaped


def _embedded(picture: bytes | Path) -> str:
    content = picture.read_bytes() if isinstance(picture, Path) else picture
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
