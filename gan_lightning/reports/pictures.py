"""The pictures of a report."""

from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from statistics import median
from textwrap import fill, shorten

from matplotlib import colormaps
from matplotlib.figure import Figure

from gan_lightning.errors import UserError, is_number
from gan_lightning.reports.effects import Effect
from gan_lightning.reports.images import read_image
from gan_lightning.reports.runs import Curve, Run

MOST_POINTS = 500
"""Of a curve, on a picture some hundred dots wide."""


def draw_effect(effect: Effect, metric: str) -> Figure:
    """The metric of every run over the values of one hyperparameter, numbers to scale, and the mean of each level."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    values = [value for level in effect.levels for value in level.values]
    numbers = [number for level in effect.levels for number in level.numbers]
    if all(map(is_number, values)):
        places = [level.values for level in effect.levels]
        axes.set_xscale(scale_of(values))
    else:
        places = [[place] * len(level.values) for place, level in enumerate(effect.levels)]
    axes.scatter([x for place in places for x in place], numbers, color="tab:blue", alpha=0.5, label="a run")
    middles = [median(place) for place in places]
    axes.plot(middles, [level.mean for level in effect.levels], "o-", color="tab:orange", label="mean")
    if len(set(map(str, values))) == len(effect.levels):  # not ranges
        slanted = len(effect.levels) > 3
        names = [level.name for level in effect.levels]
        axes.set_xticks(middles, names, rotation=30 * slanted, ha="right" if slanted else "center")
        axes.set_xticks([], minor=True)
    axes.set_xmargin(0.15)
    axes.set_yscale(scale_of(numbers))
    axes.set_xlabel(effect.key)
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def draw_curves(tag: str, curves: Sequence[tuple[Run, Curve]], mark: float | None = None) -> Figure:
    """One metric over the epochs, the first run drawn last, in the strongest colour; a line where `mark` is."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    colours = colormaps["viridis"]
    for place, (run, curve) in reversed(list(enumerate(curves))):
        points = curve[:: 1 + len(curve) // MOST_POINTS]
        # The first few and the last are named; more would hide the curves.
        named = place < 3 or place == len(curves) - 1
        axes.plot(
            *zip(*points, strict=True),
            marker="." if len(points) == 1 else None,
            color=colours(0.9 * place / max(1, len(curves) - 1)),
            linewidth=2 if place == 0 else 1,
            label=shorten(run.name, 70, placeholder=" …") if named else None,
        )
    axes.set_yscale(scale_of([value for _, curve in curves for _, value in curve]))
    if mark is not None:
        axes.axhline(mark, color="gray", linestyle="--", linewidth=1)
    axes.set_xlabel("epoch")
    axes.set_ylabel(tag)
    axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], fontsize=7)
    return figure


def draw_side_by_side(runs: dict[str, Run]) -> Figure:
    """The last samples of runs, by their captions."""
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    for axes, (caption, run) in zip(figure.subplots(1, len(runs)), runs.items(), strict=True):
        axes.set_title("\n".join(fill(line, 70) for line in caption.splitlines()), fontsize=9)
        axes.set_axis_off()
        if run.grids:
            with suppress(UserError):  # the page says what is damaged
                axes.imshow(read_image(run.grids[-1]))
    return figure


def png(figure: Figure) -> bytes:
    """A figure as a file."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def scale_of(values: Sequence[float]) -> str:
    """Logarithmic for positive numbers that span a magnitude or more, half of them below a third of the largest."""
    finite = [value for value in values if value == value]
    wide = finite and min(finite) > 0 and max(finite) >= 10 * min(finite)
    return "log" if wide and median(finite) < max(finite) / 3 else "linear"
