"""The average of the generator's weights, against its definition."""

from typing import Any

import pytest
import torch
from torch import nn

from gan_lightning.averaging import ExponentialMovingAverage, which_weights
from gan_lightning.schedules import Cosine


def weight_of(network: Any) -> float:
    return network.weight.item()


def follow(average: ExponentialMovingAverage, values: list[float], images: int) -> list[float]:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, values[0])
    average.begin_at(network)
    found = [weight_of(average.network)]
    for n, value in enumerate(values[1:], start=1):
        nn.init.constant_(network.weight, value)
        average.set_at(n * images, images)
        average.update(network)
        found.append(weight_of(average.network))
    return found


def test_what_is_half_a_life_ago_counts_half() -> None:
    """A weight that jumps from 0 to 1: after so many images the average is half-way, whatever the batches are."""
    for images in (1, 5, 50):
        found = follow(ExponentialMovingAverage(100), [0.0] + [1.0] * (200 // images), images)
        assert found[100 // images] == pytest.approx(0.5, abs=1e-6)
        assert found[-1] == pytest.approx(0.75, abs=1e-6)


def test_the_definition() -> None:
    values = [0.5, -1.0, 2.0, 4.0]
    expected = [values[0]]
    for value in values[1:]:
        kept = 2 ** (-8 / 20)
        expected.append(kept * expected[-1] + (1 - kept) * value)
    assert follow(ExponentialMovingAverage(20), values, images=8) == pytest.approx(expected, rel=1e-6)


def test_no_half_life_is_the_network_itself_and_none_no_average() -> None:
    assert follow(ExponentialMovingAverage(0), [0.0, 3.0, 5.0], images=8) == [0.0, 3.0, 5.0]
    none = ExponentialMovingAverage()
    none.begin_at(nn.Linear(1, 1))
    none.set_at(8, 8)
    none.update(nn.Linear(1, 1))
    assert none.network is None
    assert not none.state_dict()


def test_a_half_life_may_follow_a_schedule() -> None:
    grows = ExponentialMovingAverage(Cosine(first=0, last=100, images=50))
    found = follow(grows, [0.0] + [1.0] * 2, images=25)
    assert found[1] == pytest.approx(1 - 2 ** (-25 / 50))  # after 25 images it is 50
    assert found[2] == pytest.approx(1 - (1 - found[1]) * 2 ** (-25 / 100))


def test_buffers_are_those_of_the_network_and_nothing_is_trained() -> None:
    network, average = nn.BatchNorm1d(2), ExponentialMovingAverage(1000)
    average.begin_at(network)
    network(torch.randn(8, 2))
    average.set_at(8, 8)
    average.update(network)
    assert average.network is not None
    assert torch.equal(average.network.running_mean, network.running_mean)
    assert average.network.num_batches_tracked == 1
    assert not any(weight.requires_grad for weight in average.network.parameters())


@pytest.mark.parametrize("half_life", [-1, "long", float("inf")])
def test_refuses_what_is_no_half_life(half_life: Any) -> None:
    with pytest.raises(ValueError, match=r"half_life .*must be a number of at least 0"):
        ExponentialMovingAverage(half_life)


def test_the_average_is_meant_where_there_is_one_unless_something_else_is_asked_for() -> None:
    assert [which_weights(asked, averaged=False) for asked in (None, "raw")] == ["raw", "raw"]
    assert [which_weights(asked, averaged=True) for asked in (None, "raw", "ema")] == ["ema", "raw", "ema"]
    with pytest.raises(ValueError, match="and there are none"):
        which_weights("ema", averaged=False)
    with pytest.raises(ValueError, match="weights must be raw, ema or null, not 'best'"):
        which_weights("best", averaged=True)
