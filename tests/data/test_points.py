"""Points of the plane in place of images."""

import pytest
import torch

from gan_lightning.data.grid import Grid
from gan_lightning.data.pixels import as_kept, as_seen
from gan_lightning.data.points import NUM_POINTS, Mixture, Points
from gan_lightning.data.ring import Ring
from gan_lightning.data.spiral import Spiral
from gan_lightning.data.two_moons import TwoMoons

SETS = (Ring, Grid, Spiral, TwoMoons)


@pytest.mark.parametrize("kind", SETS)
def test_points_are_floats_that_a_generator_can_draw_and_everybody_has_the_same(kind: type[Points]) -> None:
    training, labels = kind(seed=1).split(train=True)
    held_out, _ = kind(seed=2).split(train=False)
    assert training.shape == held_out.shape == (NUM_POINTS, 2, 1, 1)
    assert training.dtype == torch.float32
    assert max(training.abs().max(), held_out.abs().max()) < 1  # where Tanh ends
    assert not torch.equal(training, held_out)
    assert torch.equal(training, kind(seed=2).split(train=True)[0])
    assert set(labels.tolist()) == set(range(kind.num_classes))
    means = [each.mean(0).flatten() for each in (training, held_out)]
    torch.testing.assert_close(*means, atol=0.03, rtol=0)  # of one distribution


@pytest.mark.parametrize("kind", [Ring, Grid])
def test_a_label_is_the_nearest_mode_and_its_points_have_the_deviation(kind: type[Mixture]) -> None:
    points, labels = kind().split(train=True)
    assert len(kind.centres) == kind.num_classes
    distances = torch.cdist(points.flatten(1), kind.centres)
    assert torch.equal(distances.argmin(1), labels)
    away = points.flatten(1) - kind.centres[labels]
    torch.testing.assert_close(away.std(0), torch.full((2,), kind.deviation), rtol=0.03, atol=0)


def test_the_modes_are_as_far_apart_as_pacgans() -> None:
    assert Ring.centres.norm(dim=1).tolist() == pytest.approx([100 * Ring.deviation] * 8)
    nearest = torch.cdist(Grid.centres, Grid.centres).fill_diagonal_(9).amin(1)
    assert nearest.tolist() == pytest.approx([40 * Grid.deviation] * 25)


@pytest.mark.parametrize("kind", [Spiral, TwoMoons])
def test_one_arm_is_the_other_turned_by_half(kind: type[Points]) -> None:
    points, labels = (part[:4000] for part in kind().split(train=True))
    one, other = (points[labels == label].flatten(1) for label in (0, 1))
    there = torch.cdist(-one, other).amin(1)  # to where there is a point of the other arm
    assert there.median() < 0.02
    assert torch.cdist(one, other).amin(1).median() > 0.1


def test_a_points_coordinates_pass_unchanged_and_an_images_bytes_are_scaled() -> None:
    points = torch.rand(5, 2, 1, 1) * 2 - 1
    assert torch.equal(as_kept(as_seen(points)), points)
    pixels = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)
    assert as_seen(pixels).aminmax() == (-1, 1)
    assert torch.equal(as_kept(as_seen(pixels)), pixels)


def test_a_point_as_bytes_is_refused() -> None:
    class Bytes(Ring):
        def load(self, train: bool) -> tuple[torch.Tensor, torch.Tensor]:
            points, labels = super().load(train)
            return points.to(torch.uint8), labels

    with pytest.raises(ValueError, match=r"should load images \(N, 2, 1, 1\) of torch.float32"):
        Bytes().split(train=True)
