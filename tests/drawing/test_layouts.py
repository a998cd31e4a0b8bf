"""Which classes are drawn, and how they are laid out in a picture."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.players.sampling import grid, grid_of_classes, labels_to_draw


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


def test_a_grid_shows_gray_images_row_by_row() -> None:
    images = torch.arange(3, dtype=torch.uint8).view(3, 1, 1, 1).expand(3, 1, 4, 4)
    picture = grid(images, columns=2)
    assert picture.shape == (3, 14, 14)
    assert picture[0, 2, 2] == 0
    assert picture[0, 2, 8] == 1
    assert picture[0, 8, 2] == 2
    assert picture[0, 0, 0] == 255


def test_each_class_begins_a_row_and_what_a_row_lacks_is_white() -> None:
    labels = torch.tensor([3, 3, 3, 0, 0, 1, 1, 1])
    images = (10 * labels).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    picture = grid_of_classes(images, labels)
    assert picture[0, 2::6, 2::6].tolist() == [[30, 30, 30], [0, 0, 255], [10, 10, 10]]


def test_a_class_of_many_images_has_several_rows() -> None:
    images = torch.arange(24, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 4, 4)
    picture = grid_of_classes(images, torch.tensor([0] * 12 + [5] * 12))
    rows = picture[0, 2::6, 2::6].tolist()
    assert rows == [[*range(10)], [10, 11, *[255] * 8], [*range(12, 22)], [22, 23, *[255] * 8]]


def test_other_numbers_of_channels_are_shown_gray() -> None:
    images = torch.tensor([10, 20], dtype=torch.uint8)[None, :, None, None].expand(3, 2, 4, 4)
    assert torch.equal(grid(images), grid(torch.full((3, 1, 4, 4), 15, dtype=torch.uint8)))


@pytest.mark.parametrize("labels", [[4, 4, 4, 4, 4], [0, 0, 1, 2, 3]])
def test_one_class_or_too_few_images_are_a_plain_grid(labels: list[int]) -> None:
    images = torch.randint(0, 256, (5, 1, 4, 4), dtype=torch.uint8)
    assert torch.equal(grid_of_classes(images, torch.tensor(labels), 2), grid(images, 2))
