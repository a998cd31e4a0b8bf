"""Laying images out in one picture."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from gan_lightning.data.pixels import are_points
from gan_lightning.drawing.plane import scatter

MOST_COLUMNS = 10
"""Of a picture with a class a row."""
MARGIN = 2
"""White pixels between images, and around them."""
GAP = 8
"""White pixels between pictures."""


def gray_or_rgb(images: Tensor) -> Tensor:
    """Images (B, C, H, W), bytes, as they can be shown: the mean of their channels, where C is neither 1 nor 3."""
    if images.shape[1] in (1, 3):
        return images
    return images.float().mean(1, keepdim=True).round().to(torch.uint8)


def grid(images: Tensor, columns: int = 8) -> Tensor:
    """One picture (3, H', W') of images (B, C, H, W), bytes, `columns` in a row; gray where C is neither 1 nor 3;
    of points of the plane, where they lie.

    The same as torchvision's `make_grid`, which takes a second and a half to import.
    """
    if are_points(images.shape[1:]):
        return scatter(images, torch.zeros(len(images), dtype=torch.int64))
    images = gray_or_rgb(images).expand(-1, 3, -1, -1)
    if len(images) == 1:
        return images[0]
    columns = min(columns, len(images))
    tiles = pad(images, (MARGIN, 0, MARGIN, 0, 0, 0, 0, -len(images) % columns), value=255)
    rows = tiles.unflatten(0, (-1, columns)).permute(2, 0, 3, 1, 4)  # (3, rows, H, columns, W)
    return pad(rows.flatten(3, 4).flatten(1, 2), (0, MARGIN, 0, MARGIN), value=255)


def grid_of_classes(images: Tensor, labels: Tensor, columns: int = 8) -> Tensor:
    """One picture (3, H', W') of images (B, C, H, W), bytes, with labels (B,) that stand together: a class a row.

    A class of more than ten images has several rows. What a row lacks is white. Of a single class, or of fewer than two
    images a class, it is the plain grid. Of points it is one picture, a class a colour.
    """
    if are_points(images.shape[1:]):
        return scatter(images, labels)
    sizes = labels.unique_consecutive(return_counts=True)[1].tolist()
    if len(sizes) == 1 or len(images) < 2 * len(sizes):
        return grid(images, columns)
    columns = min(max(sizes), MOST_COLUMNS)
    rows = [pad(row, (0, 0, 0, 0, 0, 0, 0, -len(row) % columns), value=255) for row in images.split(sizes)]
    return grid(torch.cat(rows), columns)


def beside(pictures: Sequence[Tensor]) -> Tensor:
    """One picture (3, H', W') of pictures (3, H, W), bytes, of any sizes: up to four in a row, of more a square."""
    if len(pictures) == 1:
        return pictures[0]
    columns = len(pictures) if len(pictures) <= 4 else square_columns(len(pictures))
    tiles = [pad(picture, (0, GAP, 0, GAP), value=255) for picture in of_one_size(pictures)]
    tiles += [torch.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [torch.cat(tiles[start : start + columns], dim=2) for start in range(0, len(tiles), columns)]
    return torch.cat(rows, dim=1)[:, :-GAP, :-GAP]


def of_one_size(pictures: Sequence[Tensor]) -> list[Tensor]:
    """Pictures (3, H, W), bytes, as high and as wide as the largest are, white at their right and below."""
    height, width = (max(sides) for sides in zip(*(picture.shape[1:] for picture in pictures), strict=True))
    return [
        pad(picture, (0, width - picture.shape[2], 0, height - picture.shape[1]), value=255) for picture in pictures
    ]


def square_columns(number: int) -> int:
    """How many of so many things stand in a row, so that they are about square and the last row lacks few."""
    root = -int(-(number**0.5) // 1)
    return min(range(root, root + root // 2 + 1), key=lambda columns: -number % columns)


def enlarged(picture: Tensor, at_least: int) -> Tensor:
    """A picture (3, H, W) so many times as large that its shorter side has about `at_least` pixels, if it has fewer."""
    times = max(1, at_least // min(picture.shape[1:]))
    return picture.repeat_interleave(times, 1).repeat_interleave(times, 2)
