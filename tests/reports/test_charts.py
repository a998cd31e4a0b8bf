import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from vl_convert import vegalite_to_vega

from gan_lightning.reports import charts
from gan_lightning.reports.effects import main_effects
from gan_lightning.reports.runs import Run
from gan_lightning.sweeps.jobs import State

HOSTILE = "</script>${alert(1)} datum['x'] \"'"


def some_runs(metric: str = "fid", key: str = "lr") -> list[Run]:
    return [
        Run(
            Path(str(n)),
            State.COMPLETED,
            {key: 10**-n, "width": 2 * n, "seed": n % 2, "kind": "ab"[n % 2]},
            results={metric: float(n)},
            number=f"{n:03}",
        )
        for n in range(5)
    ]


def roles(runs: list[Run]) -> dict[str, str]:
    return {run.number: charts.OTHER for run in runs} | {runs[0].number: charts.BEST, runs[-1].number: charts.WORST}


def all_charts(metric: str, key: str) -> list[charts.Spec]:
    runs = some_runs(metric, key)
    parallel = charts.parallel_coordinates(runs, [key, "width", "kind"], roles(runs), metric)
    assert parallel is not None
    curve = [(0.5, 1.0), (1.0, math.nan), (1.5, 3.0)]
    return [
        parallel,
        *(charts.effect(each, runs, roles(runs), metric) for each in main_effects(runs, metric)),
        charts.curves(metric, [curve, curve], 0.5),
        charts.series([f"loss/{metric}", "loss/other"], [curve], None),
        charts.scores(True),
        charts.scores(False),
    ]


@pytest.mark.parametrize(("metric", "key"), [("fid", "lr"), (HOSTILE, f"a.{HOSTILE}")])
def test_every_chart_is_one_that_vega_lite_understands(metric: str, key: str) -> None:
    for spec in all_charts(metric, key):
        compiled = vegalite_to_vega(spec)
        assert any(signal["name"] == "picked" for signal in compiled["signals"])
        assert "alert" not in str([*_expressions(compiled)])


def _expressions(node: Any) -> list[str]:
    """What Vega would compute."""
    if isinstance(node, list):
        return [each for part in node for each in _expressions(part)]
    if not isinstance(node, dict):
        return []
    own = [str(node[name]) for name in ("signal", "expr", "test", "update") if name in node]
    return own + [each for part in node.values() for each in _expressions(part)]


def places(spec: charts.Spec, axis: str) -> dict[str, float]:
    """Where each run is on an axis of parallel coordinates."""
    (points,) = [
        layer["data"]["values"]
        for layer in spec["layer"]
        if layer["mark"]["type"] == "line" and "color" in layer["encoding"]
    ]
    return {point["run"]: point["y"] for point in points if point["axis"] == axis}


def test_parallel_coordinates_are_to_scale_and_the_better_is_above() -> None:
    runs = some_runs()
    spec = charts.parallel_coordinates(runs, ["width", "lr"], roles(runs), "fid")
    assert spec is not None
    assert list(places(spec, "width").values()) == pytest.approx([0.25, 0.5, 0.75, 1, 0])  # the best is drawn last
    assert places(spec, "lr") == pytest.approx({f"{n:03}": 1 - n / 4 for n in range(5)})  # over magnitudes
    assert places(spec, "fid") == pytest.approx({f"{n:03}": 1 - n / 4 for n in range(5)})
    runs = some_runs("coverage")
    spec = charts.parallel_coordinates(runs, ["width", "lr"], roles(runs), "coverage")
    assert spec is not None
    assert places(spec, "coverage")["004"] == 1
    assert charts.parallel_coordinates(runs[:1], ["width", "lr"], roles(runs), "coverage") is None


def test_the_ends_of_an_axis_are_labelled_whatever_is_near_them() -> None:
    runs = [
        replace(run, results={"fid": value})
        for run, value in zip(some_runs(), (1.0, 1.01, 2.0, 99.0, 100.0), strict=True)
    ]
    spec = charts.parallel_coordinates(runs, ["width", "lr"], roles(runs), "fid")
    assert spec is not None
    texts = [layer["data"]["values"] for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    assert texts
    for labels in texts:
        assert {label["text"]: label["y"] for label in labels if label["axis"] == "fid"} == pytest.approx(
            {"1": 1.0, "100": 0.0, "2": 1 - charts.positions([1, 2, 100])[1]}
        )


def test_places_on_an_axis() -> None:
    assert charts.positions([16, 64, 40]) == [0, 1, 0.5]
    assert charts.positions([1e-2, 1e-4, 1e-3, 1e-4]) == pytest.approx([1, 0, 0.5, 0])
    assert charts.positions(["b", "a", "c", None]) == pytest.approx([2 / 3, 1 / 3, 1, 0])
    assert charts.positions([3, 3]) == [0.5, 0.5]


@pytest.mark.parametrize("value", [0.0, 2.303, -5.0, 1e6])
def test_a_number_that_never_changes_is_in_the_middle(value: float) -> None:
    spec = charts.curves("modes", [[(1.0, value), (2.0, value)]], None)
    low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert (low + high) / 2 == pytest.approx(value)
    assert low < high
