"""Modes found, of mixtures in the plane."""

import math

import pytest
import torch

from gan_lightning.data.grid import Grid
from gan_lightning.data.points import Mixture
from gan_lightning.data.ring import Ring
from gan_lightning.measures.mixture import modes_found


@pytest.mark.parametrize("data", [Ring(), Grid()])
def test_new_points_of_the_mixture_are_its_floor(data: Mixture) -> None:
    real, held_out = (data.split(train)[0].flatten(1) for train in (True, False))
    found = modes_found(held_out, real, data.centres, data.deviation)
    assert found.found == data.num_classes
    # Within three deviations of the plane lies 1 - exp(-9/2) of a Gaussian.
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.005)
    assert 0 < found.divergence < 0.01


def test_a_lost_mode_is_missed_and_the_rest_is_too_frequent() -> None:
    data = Ring()
    real, labels = data.split(train=True)
    real = real.flatten(1)
    found = modes_found(real[labels < 4], real, data.centres, data.deviation)
    assert found.found == 4
    assert found.divergence == pytest.approx(math.log(2), abs=0.02)
    assert found.high_quality > 0.98


def test_a_mode_is_found_by_one_point_near_it_and_by_none_that_is_far() -> None:
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    real = centres.repeat(5, 1)
    points = torch.tensor([[0.0, 0.29], [1.0, 0.31], [0.0, -0.31], [1.31, 0.0]])
    found = modes_found(points, real, centres, deviation=0.1)
    assert found == (1, 0.25, pytest.approx(0, abs=1e-12))  # the divergence counts far ones, too


def test_no_numbers_are_refused() -> None:
    centres = Ring.centres
    with pytest.raises(ValueError, match="hold NaN"):
        modes_found(centres * math.nan, centres, centres, 0.1)
