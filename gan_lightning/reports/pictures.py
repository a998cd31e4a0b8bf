"""The pictures of a report."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from matplotlib import colormaps
from matplotlib.figure import Figure

from gan_lightning.reports.comparison import Effect
from gan_lightning.reports.runs import Curve, Run

MOST_POINTS = 500
"""Of a curve, on a picture some hundred dots wide."""


def draw_effect(effect: Effect, metric: str) -> Figure:
    """The metric of every run over the values of one hyperparameter, and the means."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    for x, numbers in enumerate(effect.levels.values()):
        axes.scatter([x] * len(numbers), numbers, color="tab:blue", alpha=0.5, label="a run" if x == 0 else None)
    axes.plot(range(len(effect.levels)), list(effect.means.values()), "o-", color="tab:orange", label="mean")
    axes.set_xticks(range(len(effect.levels)), list(effect.levels), rotation=20 if len(effect.levels) > 3 else 0)
    axes.set_xmargin(0.15)
    _scale(axes, [number for numbers in effect.levels.values() for number in numbers])
    axes.set_xlabel(effect.key)
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def draw_curves(tag: str, curves: Sequence[tuple[Run, Curve]], mark: float | None = None) -> Figure:
    """One quantity over the epochs, the first run drawn last, in the strongest colour; a line where `mark` is."""
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
            label=f"{place + 1}. {run.name}"[:70] if named else None,
        )
    _scale(axes, [value for _, curve in curves for _, value in curve])
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
    from matplotlib.image import imread

    figure = Figure(figsize=(10, 5.4), layout="constrained")
    for axes, (caption, run) in zip(figure.subplots(1, len(runs)), runs.items(), strict=True):
        axes.set_title("\n".join(fill(line, 70) for line in caption.splitlines()), fontsize=9)
        axes.set_axis_off()
        if run.samples is not None:
            axes.imshow(imread(run.samples), cmap="gray", vmin=0, vmax=1)
    return figure


def _scale(axes: Any, values: list[float]) -> None:
    """Logarithmic where the numbers are positive and of several magnitudes."""
    finite = [value for value in values if value == value]
    if finite and min(finite) > 0 and max(finite) > 20 * min(finite):
        axes.set_yscale("log")
