"""Two arms of a spiral: after Lang & Witbrock 1988, "Learning to Tell Two Spirals Apart"."""

import math

import torch
from torch import Tensor

from gan_lightning.data.points import Points

DEVIATION = 0.015
TURNS = 1.25
NEAREST, FARTHEST = 0.1, 0.9
"""From the middle: where an arm begins, and where it ends."""


class Spiral(Points):
    """Points near two arms, evenly along them; a label is an arm. There are no modes."""

    title = "the spiral"
    num_classes = 2

    def sampled(self, number: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        labels = torch.randint(2, (number,), generator=random)
        # An arm's length grows as the square of the radius, nearly.
        radius = torch.rand(number, generator=random).mul(FARTHEST**2 - NEAREST**2).add(NEAREST**2).sqrt()
        angle = 2 * math.pi * TURNS * radius / FARTHEST + math.pi * labels
        arm = radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
        return arm + DEVIATION * torch.randn(number, 2, generator=random), labels
