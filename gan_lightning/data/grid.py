"""25 Gaussians on a grid: Srivastava et al. 2017, "VEEGAN", section 4.1; sizes as in Lin et al. 2018, "PacGAN"."""

import torch

from gan_lightning.data.points import Mixture


class Grid(Mixture):
    """25 modes whose deviation is a fortieth of the distance to the next, as PacGAN's, section 4.1; here it is 0.4."""

    title = "the grid"
    num_classes = 25
    centres = torch.cartesian_prod(*2 * [torch.arange(-2, 3) * 0.4])
    deviation = 0.01
