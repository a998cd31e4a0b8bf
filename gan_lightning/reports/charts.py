"""The charts of a page, as Vega-Lite has them.

What they have in common: their colours are variables of the page's style, so that they change with it, and a signal
`picked` names the run that the pointer is on, in whatever chart. Names of runs and settings are values and titles,
never expressions.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

from gan_lightning.errors import is_number
from gan_lightning.measures.metrics import higher_is_better
from gan_lightning.reports.effects import MOST_LEVELS, Effect
from gan_lightning.reports.names import shown
from gan_lightning.reports.pictures import scale_of
from gan_lightning.reports.runs import MISSING, Curve, Run
from gan_lightning.settings import short_keys

Spec = dict[str, Any]
"""A chart in Vega-Lite's words, as JSON."""

BEST, WORST, OTHER = "best", "worst", "other"
"""What a run is among those that are compared."""
COLOURS = {BEST: "var(--best)", WORST: "var(--worst)", OTHER: "var(--other)"}
SERIES = {
    "real": "var(--real)",
    "generated": "var(--generated)",
    "fake": "var(--generated)",
    "discriminator": "var(--real)",
    "generator": "var(--generated)",
}
"""The colours of what has one of its own; a curve alone, or one more, has that of the text."""
MOST_AXES = 9
"""Of parallel coordinates."""
LABEL_HEIGHT = 0.045
"""Of an axis of parallel coordinates."""
PICKED = {"name": "picked", "value": ""}
CONFIG = {
    "background": "transparent",
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
        **{"labelColor": "var(--muted)", "titleColor": "var(--muted)", "labelFontSize": 11, "titleFontSize": 11},
        **{"titleFontWeight": "normal", "gridColor": "var(--grid)", "domainColor": "var(--line)"},
        **{"tickColor": "var(--line)", "tickCount": 5, "labelLimit": 120, "titleLimit": 300},
    },
    "axisX": {"grid": False},
    "legend": {"orient": "top", "title": None, "labelColor": "var(--text)", "symbolType": "stroke", "offset": 4},
}
ON_TOP = {"test": "datum.run === picked", "value": 1}
"""What holds for the run that the pointer is on."""


def _chart(layers: list[Spec], height: int, **more: Any) -> Spec:
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "params": [PICKED],
        "config": CONFIG,
        "layer": layers,
        **more,
    }


def _y(values: Sequence[float], scale: str) -> Spec:
    """The axis upwards; the page says over the chart what it is."""
    return {"field": "y", "type": "quantitative", "title": None, "scale": _scale(values, scale)}


def _scale(values: Sequence[float], kind: str) -> Spec:
    """That of these numbers, with some room about a single one."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if low == high:
        return {"type": "linear", "domain": [low - (abs(low) / 10 or 1), high + (abs(high) / 10 or 1)], "nice": False}
    return {"type": kind, "domain": [low, high], "nice": kind == "linear"}


EPOCHS = {"field": "x", "type": "quantitative", "title": "epoch", "scale": {"zero": False, "nice": False}}


def _role(opacity: float) -> Spec:
    """Colours by role; where the pointer is on a run, others step back."""
    return {
        "color": {
            "field": "role",
            "type": "nominal",
            "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
            "legend": None,
        },
        "opacity": {
            "condition": [ON_TOP, {"test": "picked !== ''", "value": opacity / 3}],
            "value": opacity,
        },
    }


def curves(tag: str, of_runs: Sequence[Curve], mark: float | None) -> Spec:
    """One number of all runs over the epochs; a line where `mark` is. A row is a point: run, role, x, y."""
    encoding = {
        "x": EPOCHS,
        "detail": {"field": "run", "type": "nominal"},
        "strokeWidth": {
            "condition": [{**ON_TOP, "value": 3}, {"test": "datum.role !== 'other'", "value": 2}],
            "value": 1.2,
        },
        **_role(0.85),
    }
    return _over_epochs([tag], of_runs, encoding, mark)


def series(tags: Sequence[str], of_run: Sequence[Curve], mark: float | None) -> Spec:
    """Numbers of one run over the epochs, on one axis. A row is a point: series, x, y."""
    names = [tag.rpartition("/")[2] for tag in tags]
    colours = [SERIES.get(name, "var(--best)" if place == 0 else "var(--text)") for place, name in enumerate(names)]
    encoding = {
        "x": EPOCHS,
        "strokeWidth": {"value": 1.8},
        "color": {
            "field": "series",
            "type": "nominal",
            "scale": {"domain": names, "range": colours},
            "legend": {} if len(names) > 1 else None,
        },
    }
    return _over_epochs(tags, of_run, encoding, mark)


def _over_epochs(tags: Sequence[str], drawn: Sequence[Curve], encoding: Spec, mark: float | None) -> Spec:
    values = [value for curve in drawn for _, value in curve]
    shares = all(tag.startswith("probability/") or tag.endswith("accuracy") for tag in tags)
    # That of a share is linear, however small it becomes: from 0 to 1 it is read at a glance.
    y = _y([*values, *([] if mark is None else [mark])], "linear" if shares else scale_of(values))
    dots = {"point": {"size": 40}} if max(map(len, drawn), default=0) == 1 else {}
    line = {"mark": {"type": "line", "strokeJoin": "round", **dots}, "encoding": {**encoding, "y": y}}
    rule = {"type": "rule", "strokeDash": [4, 3], "color": "var(--muted)"}
    marks = [{"data": {"values": [{}]}, "mark": rule, "encoding": {"y": {"datum": mark}}}] if mark is not None else []
    cursor = {  # where the page puts the point that the pointer is nearest to
        "data": {"name": "cursor", "values": []},
        "mark": {"type": "point", "filled": True, "size": 70, "color": "var(--text)", "opacity": 1},
        "encoding": {"x": EPOCHS, "y": y},
    }
    return _chart([*marks, line, cursor], 200, usermeta={"tags": list(tags)})


def effect(of: Effect, runs: Sequence[Run], roles: dict[str, str], metric: str) -> Spec:
    """The metric of every run over the values of one setting, numbers to scale, and the mean of each level.

    Args:
        of: the effect.
        runs: all that have the metric; their range is the axis of the charts of all effects.
        roles: of the runs, by their numbers.
        metric: its name.
    """
    values = [value for level in of.levels for value in level.values]
    numeric = all(map(is_number, values))
    numbers = [number for run in runs if (number := run.results[metric]) is not None]
    points = []
    for run in runs:
        value = run.hyperparameters.get(of.key, MISSING)
        place = value if numeric else shown(value)
        points.append({"run": run.number, "role": roles[run.number], "x": place, "y": run.results[metric]})
    means = [
        {"x": median(level.values) if numeric else level.name, "y": level.mean, "level": level.name}
        for level in of.levels
    ]
    places = sorted({mean["x"] for mean in means}) if numeric else [level.name for level in of.levels]
    x: Spec = {"field": "x", "title": None, "type": "quantitative" if numeric else "nominal"}
    if numeric:
        few = len(set(values)) <= MOST_LEVELS
        x["scale"] = {**_scale(values, scale_of(values)), "nice": False, "padding": 24}
        x["axis"] = {"labelOverlap": "greedy", "format": "~g", **({"values": places} if few else {})}
    else:
        x |= {"scale": {"domain": places}, "axis": {"labelAngle": 0 if len(places) < 4 else -30}}
    y = _y(numbers, scale_of(numbers))
    mean = {
        "data": {"values": means},
        "mark": {"type": "line", "color": "var(--text)", "strokeWidth": 1.5, "opacity": 0.8}
        | {"point": {"filled": False, "fill": "var(--card)", "color": "var(--text)", "size": 60, "opacity": 1}},
        "encoding": {"x": x, "y": y},
    }
    dots = {
        "data": {"values": points},
        "mark": {"type": "point", "filled": True, "size": 80},
        "encoding": {"x": x, "y": y, **_role(0.9)},
    }
    return _chart([dots, mean], 210)


def parallel_coordinates(runs: Sequence[Run], keys: Sequence[str], roles: dict[str, str], metric: str) -> Spec | None:
    """A line for each run, through its value of each varied setting, to its metric, of which the better is above.

    None where there are fewer than two settings, or runs, to show.

    Args:
        runs: all that have the metric.
        keys: the settings, the one that mattered most last, beside the metric.
        roles: of the runs, by their numbers.
        metric: its name.
    """
    columns: dict[str, list[Any]] = {
        short: [run.hyperparameters.get(key, MISSING) for run in runs]
        for key, short in short_keys(keys[-MOST_AXES:]).items()
    }
    if len({run.seed for run in runs}) > 1:
        columns = {"seed": [int(run.seed) if run.seed.isdigit() else run.seed for run in runs], **columns}
    if len(columns) < 2 or len(runs) < 2:
        return None
    columns[metric] = [run.results[metric] for run in runs]
    points: list[Spec] = []
    labels: list[Spec] = []
    for axis, values in columns.items():
        places = positions(values)
        if axis == metric and not higher_is_better(metric):
            places = [1 - place for place in places]
        points += [
            {"run": run.number, "role": roles[run.number], "axis": axis, "y": place}
            for run, place in zip(runs, places, strict=True)
        ]
        by_place = dict(sorted((place, shown(value)) for place, value in zip(places, values, strict=True)))
        named = by_place if len(by_place) <= MOST_LEVELS else {end: by_place[end] for end in (min(places), max(places))}
        taken: list[float] = []
        for place in sorted(named, key=lambda place: min(place, 1 - place)):  # the ends first
            if all(abs(place - other) >= LABEL_HEIGHT for other in taken):
                labels.append({"axis": axis, "y": place, "text": named[place]})
                taken.append(place)
    # Those that matter are drawn last, above the others.
    points.sort(key=lambda point: list(reversed(COLOURS)).index(point["role"]))
    x = {
        "field": "axis",
        "type": "nominal",
        "title": None,
        "scale": {"type": "point", "padding": 0.4, "domain": list(columns)},
        "axis": {"labelAngle": 0, "domain": False, "ticks": False, "orient": "top", "labelColor": "var(--text)"}
        | {"labelPadding": 14, "labelOverlap": False, "labelLimit": 150, "labelFontSize": 12},
    }
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [0, 1], "nice": False}}
    line = {"type": "line", "strokeJoin": "round", "interpolate": "monotone"}
    detail = {"field": "run", "type": "nominal"}
    width = {"condition": [{**ON_TOP, "value": 3.5}, {"test": "datum.role !== 'other'", "value": 2.5}], "value": 1.5}
    layers: list[Spec] = [
        {
            "data": {"values": [{"axis": axis} for axis in columns]},
            "mark": {"type": "rule", "color": "var(--line)"},
            "encoding": {"x": x},
        },
        {
            "data": {"values": points},
            "mark": line,
            "encoding": {"x": x, "y": y, "detail": detail, "strokeWidth": width, **_role(0.8)},
        },
        {  # wide, to be hit
            "data": {"values": points},
            "mark": {**line, "strokeWidth": 12, "opacity": 0},
            "encoding": {"x": x, "y": y, "detail": detail},
        },
        *(  # with a halo, behind the text
            {
                "data": {"values": labels},
                "mark": {"type": "text", "align": "left", "dx": 7, "fontSize": 11, **colours},
                "encoding": {"x": x, "y": y, "text": {"field": "text", "type": "nominal"}},
            }
            for colours in (
                {"color": "var(--card)", "stroke": "var(--card)", "strokeWidth": 5},
                {"color": "var(--text)"},
            )
        ),
    ]
    return _chart(layers, 320)


def positions(values: Sequence[Any]) -> list[float]:
    """Where values are on an axis from 0 to 1: numbers to scale, others evenly spaced, in order."""
    if all(map(is_number, values)):
        placed = [math.log10(value) if scale_of(values) == "log" else float(value) for value in values]
    else:
        order = sorted(dict.fromkeys(map(str, values)))
        placed = [float(order.index(str(value))) for value in values]
    low, high = min(placed), max(placed)
    return [(place - low) / (high - low) if high > low else 0.5 for place in placed]


def scores(probabilities: bool) -> Spec:
    """The histogram of D's scores of real and of generated images. A row is a bin: start, end, kind, count."""
    title = "D(x)" if probabilities else "score"
    kinds = {"real": "training images", "generated": "samples"}
    bars = {
        "mark": {"type": "bar", "opacity": 0.7, "binSpacing": 0},
        "encoding": {
            "x": {"field": "start", "type": "quantitative", "title": title, "bin": {"binned": True}},
            "x2": {"field": "end"},
            "y": {"field": "count", "type": "quantitative", "title": "images", "stack": None},
            "color": {
                "field": "kind",
                "type": "nominal",
                "scale": {"domain": list(kinds.values()), "range": ["var(--real)", "var(--generated)"]},
                "legend": {"symbolType": "square"},
            },
        },
    }
    return _chart([bars], 280, usermeta={"scores": kinds})
