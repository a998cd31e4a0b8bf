"""Pictures of the plane."""

import math

import pytest
import torch
from torch import Tensor

from gan_lightning.drawing.layouts import grid, grid_of_classes
from gan_lightning.drawing.plane import EDGE, GENERATED, PUSHED, REACH, REAL, SIDE, STEEP, TINT, lattice, scatter, scene

NONE = torch.empty(0, 2, 1, 1)
FLAT = torch.zeros(4, 4)


def place(x: float, y: float) -> tuple[int, int]:
    """Row and column of a place."""
    return round((EDGE - y) * SIDE / (2 * EDGE)), round((x + EDGE) * SIDE / (2 * EDGE))


def at(picture: Tensor, x: float, y: float) -> tuple[int, ...]:
    row, column = place(x, y)
    return tuple(picture[:, row, column].tolist())


def point(x: float, y: float) -> Tensor:
    return torch.tensor([x, y]).view(1, 2, 1, 1)


def test_points_are_where_they_lie_and_up_is_up() -> None:
    picture = scene(FLAT, point(0.5, 0.8), point(-0.5, -0.2), NONE)
    assert picture.shape == (3, SIDE, SIDE)
    assert at(picture, 0.5, 0.8) == REAL
    assert at(picture, -0.5, -0.2) == GENERATED
    assert at(picture, 0.0, 0.0) == (255, 255, 255)


def test_the_ground_is_of_the_colour_of_what_d_takes_a_place_for() -> None:
    places = lattice(8)
    assert places.abs().max() < EDGE
    leaning = places[:, 1].sign().view(8, 8)  # real above, generated below
    picture = scene(leaning, NONE, NONE, NONE)
    for y, colour in ((0.9, REAL), (-0.9, GENERATED)):
        expected = [round(255 + TINT * (part - 255)) for part in colour]
        assert at(picture, 0.0, y) == pytest.approx(expected, abs=1)


def test_an_arrow_leads_from_its_point_along_the_push_and_half_as_far_where_this_is_steep() -> None:
    for length in (STEEP, 1e6):
        picture = scene(FLAT, NONE, point(0.0, 0.0), length * point(0.0, 1.0))
        dark = (picture == torch.tensor(PUSHED)[:, None, None]).all(0)
        rows, columns = torch.where(dark)
        reach = (place(0, 0)[0] - rows.min().item()) * 2 * EDGE / SIDE
        assert reach == pytest.approx(REACH * length / (STEEP + length), abs=0.02)
        assert (columns - place(0, 0)[1]).abs().max() <= 3
        assert rows.max() < place(0, 0)[0]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1e30])
def test_what_is_no_place_is_not_seen(wrong: float) -> None:
    blank = scene(FLAT, NONE, NONE, NONE)
    assert torch.equal(scene(FLAT, NONE, point(wrong, 0.0), point(0.0, wrong)), blank)
    assert torch.equal(scene(FLAT * math.nan, NONE, NONE, NONE), blank)


def test_where_images_are_laid_out_points_are_scattered() -> None:
    points, labels = torch.rand(30, 2, 1, 1) * 2 - 1, torch.arange(30) % 3
    assert torch.equal(grid_of_classes(points, labels), scatter(points, labels))
    assert torch.equal(grid(points), scatter(points, torch.zeros(30, dtype=torch.long)))
    one = scatter(point(0.3, 0.3), torch.tensor([1]))
    assert at(one, 0.3, 0.3) != at(scatter(point(0.3, 0.3), torch.tensor([2])), 0.3, 0.3)
