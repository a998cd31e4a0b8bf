"""How images are laid out in a picture."""

import pytest
import torch
from torchvision.utils import make_grid

from gan_lightning.drawing.layouts import beside, enlarged, grid, grid_of_classes, square_columns


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


@pytest.mark.parametrize(("number", "columns"), [(1, 3), (2, 3), (3, 3), (7, 3), (64, 8), (5, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_is_torchvisions(number: int, columns: int, channels: int) -> None:
    images = torch.randint(0, 256, (number, channels, 5, 4), dtype=torch.uint8)
    assert torch.equal(grid(images, columns), make_grid(images, nrow=columns, padding=2, pad_value=255))


def test_pictures_of_any_sizes_stand_beside_each_other() -> None:
    sizes = [(3, 5), (4, 2), (1, 1), (2, 2), (4, 4)]
    pictures = [torch.full((3, *size), n, dtype=torch.uint8) for n, size in enumerate(sizes)]
    picture = beside(pictures)
    assert picture.shape == (3, 4 + 8 + 4, 5 + 8 + 5 + 8 + 5)  # three in a row
    for n, (height, width) in enumerate(sizes):
        top, left = 12 * (n // 3), 13 * (n % 3)
        assert (picture[:, top : top + height, left : left + width] == n).all()
    assert (picture == 255).sum() == picture.numel() - 3 * sum(height * width for height, width in sizes)


@pytest.mark.parametrize(("number", "columns"), [(1, 1), (2, 2), (8, 4), (9, 3), (10, 5), (12, 4), (13, 5), (64, 8)])
def test_about_square(number: int, columns: int) -> None:
    assert square_columns(number) == columns


def test_only_what_is_small_is_enlarged() -> None:
    picture = torch.tensor([[1, 2]], dtype=torch.uint8).expand(3, 1, 2)
    assert enlarged(picture, at_least=2)[0].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
    assert torch.equal(enlarged(picture, at_least=1), picture)
