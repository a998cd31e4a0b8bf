"""Which classes are drawn."""

from collections import Counter
from itertools import pairwise

import pytest
from torch import Tensor, nn

from gan_lightning.players.sampling import labels_to_draw


class Conditional(nn.Module):
    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        raise NotImplementedError


class Unconditional(nn.Module):
    def forward(self, latent: Tensor) -> Tensor:
        raise NotImplementedError


@pytest.mark.parametrize(("number", "num_classes"), [(64, 10), (10, 10), (7, 10), (64, 1000), (1, 3), (100, 3)])
def test_classes_stand_together_and_are_spread_evenly(number: int, num_classes: int) -> None:
    labels = labels_to_draw(Conditional(), number, range(num_classes)).tolist()
    assert len(labels) == number
    assert labels == sorted(labels)
    counts = Counter(labels).values()
    assert max(counts) - min(counts) <= 1
    assert len(counts) == min(number, num_classes)
    gaps = [after - before for before, after in pairwise(labels)]
    assert max(gaps, default=0) <= -(-num_classes // number)


def test_chosen_classes_are_in_the_order_in_which_they_are_asked_for() -> None:
    assert labels_to_draw(Conditional(), 5, [7, 2]).tolist() == [7, 7, 7, 2, 2]
    assert labels_to_draw(Unconditional(), 3, [7, 2]).tolist() == [0, 0, 0]
