"""Two half circles, one around the end of the other, as in scikit-learn's `make_moons`."""

import math

import torch
from torch import Tensor

from gan_lightning.data.points import Points

DEVIATION = 0.025


class TwoMoons(Points):
    """Points near two half circles, evenly along them; a label is a half circle. There are no modes."""

    title = "the two moons"
    num_classes = 2

    def sampled(self, number: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        labels = torch.randint(2, (number,), generator=random)
        angle = math.pi * torch.rand(number, generator=random)
        upper = torch.stack([angle.cos() - 0.5, angle.sin() - 0.25], dim=1)
        moons = 0.6 * torch.where(labels[:, None] == 0, upper, -upper)
        return moons + DEVIATION * torch.randn(number, 2, generator=random), labels
