"""Points of the plane as pictures: scattered, and over what D says of each place."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate

SIDE = 384
"""Pixels of a picture's sides."""
EDGE = 1.05
"""How far the picture reaches from the middle, each way; the data and what G draws lie within 1."""
FINER = 2
"""How many times as large it is drawn, to be smooth when it has its size."""
RADIUS = 1.6
"""Of a point, in pixels."""
REACH = 0.2
"""Of the longest arrow, in the unit of the plane."""
STEEP = 0.5
"""The slope of G's loss at which an arrow has half of that."""
HEAD = 4.0
"""Of an arrow, in pixels."""
REAL, GENERATED, PUSHED = (23, 92, 160), (226, 98, 6), (90, 40, 0)
"""Colours: real points, generated ones, and the arrows from these."""
TINT = 0.5
"""How much of its colour a place has at most, of which D says that it is surely real, or surely generated."""
STEPS = 12
"""From white to either colour: with many more, the few colours of a GIF would not do for the points."""
OF_CLASSES = (
    *((70, 70, 70), (23, 92, 160), (226, 98, 6), (44, 140, 60), (196, 40, 50)),
    *((128, 90, 180), (130, 80, 70), (214, 100, 180), (160, 160, 20), (10, 165, 185)),
)
"""Of the points of each class, again and again."""


def lattice(number: int) -> Tensor:
    """Places (number², 2, 1, 1), evenly spaced over the picture, row by row from the upper left."""
    line = (torch.arange(number) + 0.5) / number * 2 * EDGE - EDGE
    down, right = torch.meshgrid(-line, line, indexing="ij")
    return torch.stack([right, down], dim=-1).view(-1, 2, 1, 1)


def scatter(points: Tensor, labels: Tensor) -> Tensor:
    """A picture (3, H, W), bytes, of points (N, 2, 1, 1), a class of labels (N,) a colour."""
    picture = Image.new("RGB", 2 * [FINER * SIDE], "white")
    _dots(picture, points, [OF_CLASSES[label % len(OF_CLASSES)] for label in labels.tolist()])
    return _finished(picture)


def scene(leaning: Tensor, real: Tensor, generated: Tensor, pushes: Tensor) -> Tensor:
    """A picture (3, H, W), bytes, of the game: blue where D takes a place for real, orange where for generated, white
    where it cannot tell; blue and orange points; and arrows along which generated points are pushed.

    Args:
        leaning: (K, K) in [-1, 1], of the places of a lattice: 1 where D surely takes them for real.
        real: points (N, 2, 1, 1).
        generated: points (M, 2, 1, 1).
        pushes: (L, 2, 1, 1), of the first of them; of whatever length, which an arrow's follows up to a limit.
    """
    sure = interpolate(leaning[None, None], FINER * SIDE, mode="bilinear")[0].nan_to_num()  # (1, H, W)
    sure = (sure * STEPS).round() / STEPS
    colour = torch.where(sure > 0, _column(REAL), _column(GENERATED))
    ground = torch.full((), 255.0).lerp(colour, TINT * sure.abs())
    picture = Image.fromarray(ground.round().to(torch.uint8).permute(1, 2, 0).numpy())
    _dots(picture, real, [REAL] * len(real))
    _dots(picture, generated, [GENERATED] * len(generated))
    _arrows(picture, generated[: len(pushes)].flatten(1), pushes.flatten(1))
    return _finished(picture)


def _column(colour: Sequence[int]) -> Tensor:
    return torch.tensor(colour, dtype=torch.float32)[:, None, None]


def _places(points: Tensor) -> list[tuple[float, float]]:
    """Where points (N, 2) are in the enlarged picture; what is no number lies far outside."""
    across, up = points.nan_to_num(nan=9.0).clamp(-9, 9).unbind(1)
    scale = FINER * SIDE / (2 * EDGE)
    return [*zip(((across + EDGE) * scale).tolist(), ((EDGE - up) * scale).tolist(), strict=True)]


def _dots(picture: Image.Image, points: Tensor, colours: Sequence[tuple[int, ...]]) -> None:
    draw, radius = ImageDraw.Draw(picture), FINER * RADIUS
    for (x, y), colour in zip(_places(points.flatten(1)), colours, strict=True):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _arrows(picture: Image.Image, starts: Tensor, pushes: Tensor) -> None:
    draw, size = ImageDraw.Draw(picture), FINER * HEAD
    ends = starts + REACH * pushes / (STEEP + pushes.norm(dim=1, keepdim=True))
    for start, end in zip(_places(starts), _places(ends), strict=True):
        along = np.subtract(end, start)
        if (length := np.hypot(*along)) < size / 2:
            continue  # shorter than its head
        along = along / length * min(size, length)
        across = np.array([-along[1], along[0]]) / 2
        draw.line((start, end), fill=PUSHED, width=FINER)
        draw.polygon([end, tuple(end - along + across), tuple(end - along - across)], fill=PUSHED)


def _finished(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture.reduce(FINER))).permute(2, 0, 1)
