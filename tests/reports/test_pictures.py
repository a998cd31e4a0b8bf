from pathlib import Path

import numpy as np
import pytest

from gan_lightning.reports.effects import main_effects
from gan_lightning.reports.pictures import draw_effect, scale_of
from gan_lightning.reports.runs import Run
from gan_lightning.sweeps.jobs import State


def axes_of(*values: object) -> object:
    """The picture of a setting's effect."""
    runs = [Run(Path(), State.COMPLETED, {"x": x}, None, {"fid": float(n)}) for n, x in enumerate(values)]
    (effect,) = main_effects(runs, "fid")
    return draw_effect(effect, "fid").axes[0]


def ticks(axes: object) -> dict[float, str]:
    return dict(zip(axes.get_xticks(), (label.get_text() for label in axes.get_xticklabels()), strict=True))


@pytest.mark.parametrize(
    ("values", "scale"), [((16, 64, 36, 16), "linear"), ((1e-5, 1e-3, 1e-4), "log"), ((0, 0.5, 0.1), "linear")]
)
def test_numbers_are_to_scale(values: tuple[float, ...], scale: str) -> None:
    axes = axes_of(*values)
    assert axes.get_xscale() == scale
    assert ticks(axes) == {value: f"{value:g}" for value in sorted(set(values))}
    (points,) = axes.collections
    np.testing.assert_array_equal(
        sorted(points.get_offsets().data.tolist()), sorted([x, n] for n, x in enumerate(values))
    )


def test_each_of_many_numbers_has_its_own_place() -> None:
    values = np.random.default_rng(0).uniform(1, 50, 24).tolist()
    axes = axes_of(*values)
    (points,) = axes.collections
    np.testing.assert_array_equal(sorted(points.get_offsets()[:, 0]), sorted(values))
    mean = axes.lines[0].get_xydata()
    assert len(mean) == 4
    assert sorted(mean[:, 0]) == mean[:, 0].tolist()


@pytest.mark.parametrize("values", [("a", "b", "a"), (5, None, 5), (True, False, True)])
def test_what_is_no_number_is_a_category(values: tuple[object, ...]) -> None:
    axes = axes_of(*values)
    assert list(ticks(axes)) == [0, 1]


def test_a_logarithmic_scale_is_for_magnitudes() -> None:
    random = np.random.default_rng(0)
    assert scale_of((10 ** random.uniform(-5, -3, 50)).tolist()) == "log"
    assert scale_of(random.uniform(0.005, 0.6, 50).tolist()) == "linear"
    assert scale_of([float("nan"), 1.0, 2.0]) == "linear"
    assert scale_of([]) == "linear"
