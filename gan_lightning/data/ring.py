"""Eight Gaussians on a circle: Srivastava et al. 2017, "VEEGAN", section 4.1; sizes as in Lin et al. 2018, "PacGAN"."""

import math

import torch

from gan_lightning.data.points import Mixture


class Ring(Mixture):
    """Eight modes whose deviation is a hundredth of the circle's radius, as PacGAN's, section 4.1; here it is 0.8."""

    title = "the ring"
    num_classes = 8
    centres = 0.8 * torch.tensor([[math.cos(angle), math.sin(angle)] for angle in torch.arange(8) * math.pi / 4])
    deviation = 0.008
