"""The page of a report: one file that needs nothing else."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gan_lightning.measures.metrics import METRICS
from gan_lightning.reports import charts
from gan_lightning.reports.comparison import Group, caveat, metrics_of
from gan_lightning.reports.effects import SPARE_RUNS, Effect
from gan_lightning.reports.exhibits import SHEETS
from gan_lightning.reports.gallery import Gallery
from gan_lightning.reports.names import shown, varied
from gan_lightning.reports.runs import MISSING, Curve, Run, equilibrium_of
from gan_lightning.reports.tables import plus_minus

MADE_BY = "gan_lightning.report"
"""What a page says that it was made by."""
MOST_POINTS, ALL_POINTS = 300, 60_000
"""Of a curve, and of all curves of a page."""
TOGETHER = ("loss", "probability", "score", "gradient_norm")
"""What curves of one run share an axis: those whose tags begin with the same of these."""


def page(
    title: str,
    metric: str,
    runs: Sequence[Run],
    groups: Sequence[Group],
    effects: Sequence[Effect],
    curves: Mapping[str, Sequence[tuple[Run, Curve]]],
    pictures: Sequence[Gallery],
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
        curves: of the runs, by their tags, in the order in which they are shown.
        pictures: of the runs, a gallery each.
        command: what trains the best settings again, if it is known.
        damaged: lines on what could not be read.
    """
    finished = [run for run in runs if run.results.get(metric) is not None]
    gallery_of = {run.number: gallery for run, gallery in zip(runs, pictures, strict=True)}
    roles = {run.number: charts.OTHER for run in runs}
    if len(finished) > 1:
        roles |= {finished[0].number: charts.BEST, finished[-1].number: charts.WORST}
    details = _details(curves)
    comparing = {} if len(runs) == 1 else _comparing(finished, effects, roles, metric, curves)
    environment = Environment(
        loader=PackageLoader("gan_lightning.reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"shown": shown, "plus_minus": plus_minus, "breakable": _breakable, "tile": _tile}
    numbers = metrics_of(runs)
    of_metric = [number for run in finished if (number := run.results[metric]) is not None]
    return environment.get_template("page.html.jinja").render(
        generator=MADE_BY,
        title=title,
        metric=metric,
        caveat=caveat(metric),
        runs=runs,
        groups=groups,
        effects=effects,
        command=command,
        damaged=damaged,
        keys=varied(runs),
        columns=[*(name for name in numbers if name != metric and name in METRICS), "training_seconds"],
        numbers=numbers,
        titles={name: known.title.strip() for name, known in METRICS.items()},
        missing=MISSING,
        spare_runs=SPARE_RUNS,
        sheets=SHEETS,
        with_seeds=any(len(group.runs) > 1 for group in groups),
        finished=finished,
        gallery_of=gallery_of,
        details_of={
            run.number: [
                name
                for name, spec in details.items()
                if any(run is each for tag in spec["usermeta"]["tags"] for each, _ in curves[tag])
            ]
            for run in runs
        },
        comparing=list(comparing),
        axis_of=_axis_of,
        hours=sum(run.results.get("training_seconds") or 0 for run in runs) / 3600,
        most=max(of_metric, default=0) if min(of_metric, default=-1) >= 0 else 0,
        data={
            "charts": {**details, **comparing, "scores": charts.scores(False), "probabilities": charts.scores(True)},
            "runs": {run.number: _told(run, gallery_of[run.number], roles[run.number], metric) for run in runs},
            **_points(curves, roles),
        },
        library=_library(),
    )


def _details(curves: Mapping[str, Sequence[tuple[Run, Curve]]]) -> dict[str, charts.Spec]:
    """The charts of one run, whichever it is, by their ids."""
    found = {}
    for place, (_, some) in enumerate(groupby(curves, key=_axis_of)):
        tags = list(some)
        drawn = [curve for tag in tags for _, curve in curves[tag]]
        marks = {equilibrium_of(tag, [run for run, _ in curves[tag]]) for tag in tags} - {None}
        found[f"series-{place}"] = charts.series(tags, drawn, next(iter(marks), None))
    return found


def _axis_of(tag: str) -> str:
    """What a curve of one run is drawn in: the beginning of its tag, or all of it."""
    beginning = tag.partition("/")[0]
    return beginning if beginning in TOGETHER else tag


def _comparing(
    finished: Sequence[Run],
    effects: Sequence[Effect],
    roles: dict[str, str],
    metric: str,
    curves: Mapping[str, Sequence[tuple[Run, Curve]]],
) -> dict[str, charts.Spec]:
    """The charts of all runs, by their ids."""
    found = {f"effect-{place}": charts.effect(each, finished, roles, metric) for place, each in enumerate(effects)}
    parallel = charts.parallel_coordinates(finished, [each.key for each in reversed(effects)], roles, metric)
    if parallel is not None:
        found["parallel"] = parallel
    for place, (tag, of_runs) in enumerate(curves.items()):
        drawn = [curve for _, curve in of_runs]
        found[f"curve-{place}"] = charts.curves(tag, drawn, equilibrium_of(tag, [run for run, _ in of_runs]))
    return found


def _told(run: Run, gallery: Gallery, role: str, metric: str) -> dict[str, Any]:
    """What the page's script knows of a run."""
    number = run.results.get(metric)
    told: dict[str, Any] = {
        "name": run.name,
        "role": role,
        "value": f"{metric} {MISSING if number is None else shown(number)}",
        # The last one is on the page.
        "frames": [[frame.epoch, frame.address if frame is not gallery.frames[-1] else ""] for frame in gallery.frames],
    }
    if (exhibits := gallery.exhibits) is not None:
        told["scores"] = {"edges": exhibits.edges, "real": exhibits.real, "generated": exhibits.generated}
    return told


def _points(curves: Mapping[str, Sequence[tuple[Run, Curve]]], roles: dict[str, str]) -> dict[str, Any]:
    """The curves, thinned out: `epochs`, lists that many curves share, and by tag and run which of them, and values.

    The runs that matter come last, to be drawn above the others.
    """
    most = max(20, min(MOST_POINTS, ALL_POINTS // max(1, sum(len(of_runs) for of_runs in curves.values()))))
    epochs: dict[tuple[float | None, ...], int] = {}
    points: dict[str, dict[str, Any]] = {}
    for tag, of_runs in curves.items():
        points[tag] = {}
        for run, curve in sorted(of_runs, key=lambda each: list(reversed(charts.COLOURS)).index(roles[each[0].number])):
            chosen = curve[:: 1 + len(curve) // most]
            chosen += curve[-1:] if chosen[-1:] != curve[-1:] else []
            x = tuple(_rounded(epoch) for epoch, _ in chosen)
            points[tag][run.number] = [epochs.setdefault(x, len(epochs)), [_rounded(value) for _, value in chosen]]
    return {"epochs": list(epochs), "curves": points}


def _rounded(number: float) -> float | None:
    """To five digits, which is more than a chart shows; None for what JSON does not know."""
    return float(f"{number:.5g}") if math.isfinite(number) else None


@cache  # it takes a second to put together
def _library() -> Markup:
    """Vega-Lite, with Vega and what puts both on a page, as a script."""
    from vl_convert import javascript_bundle  # here, because the rest of the package does without

    return Markup(javascript_bundle("window.vegaEmbed = vegaEmbed;").replace("</script", r"<\/script"))  # noqa: S704  # a library's


def _tile(place: int, of: int) -> str:
    """Where the image at a place in a row, or column, of so many is, as CSS has it."""
    return f"{100 * place / max(1, of - 1):.4g}%"


def _breakable(name: str) -> Markup:
    """A long name, which a narrow column may break where its parts join."""
    return Markup(re.sub(r"([._])", r"\1<wbr>", str(escape(name))))  # noqa: S704  # escaped
