"""The baseline: a fully connected generator and a Maxout discriminator, after Goodfellow et al. 2014."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from gan_lightning.errors import number, whole_number
from gan_lightning.networks import base
from gan_lightning.networks.dropout import Dropout
from gan_lightning.networks.maxout import Maxout


class Generator(base.Generator):
    """Linear layers with LeakyReLU between them and Tanh at the end.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: the number of latent variables.
        hidden_dims: width of each hidden layer, from the latents to the image.
        negative_slope: of the LeakyReLU.
    """

    depends_on_batch = False

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        hidden_dims: Sequence[int] = (512, 1024),
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__(latent_dim)
        number("negative_slope", negative_slope, at_least=0)
        if not isinstance(hidden_dims, Sequence) or isinstance(hidden_dims, str):
            raise ValueError(f"hidden_dims must be a list of widths, such as [512,1024], not {hidden_dims!r}")
        for width in hidden_dims:
            whole_number("each of hidden_dims", width, at_least=1)
        layers: list[nn.Module] = []
        for wide_in, wide_out in pairwise([latent_dim, *hidden_dims]):
            layers += [nn.Linear(wide_in, wide_out), nn.LeakyReLU(negative_slope)]
        last = [latent_dim, *hidden_dims][-1]
        self.layers = nn.Sequential(
            *layers, nn.Linear(last, math.prod(image_shape)), nn.Tanh(), nn.Unflatten(1, tuple(image_shape))
        )

    def forward(self, latent: Tensor) -> Tensor:
        """Latents (B, latent_dim) to images (B, C, H, W) in [-1, 1]."""
        return self.layers(latent)


class Discriminator(base.Discriminator):
    """Linear, LeakyReLU, Dropout, Maxout, Dropout, Linear.

    Args:
        image_shape: (C, H, W) of the images.
        hidden_dim: width of the first hidden layer.
        maxout_dim: width of the Maxout layer.
        maxout_pieces: how many affine maps each Maxout unit takes the maximum of.
        dropout: the share of units dropped after each hidden layer.
        negative_slope: of the LeakyReLU.
    """

    depends_on_batch = False

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden_dim: int = 512,
        maxout_dim: int = 256,
        maxout_pieces: int = 2,
        dropout: float = 0.3,
        negative_slope: float = 0.2,
    ) -> None:
        super().__init__()
        whole_number("hidden_dim", hidden_dim, at_least=1)
        number("dropout", dropout, at_least=0)
        number("negative_slope", negative_slope, at_least=0)
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(image_shape), hidden_dim),
            nn.LeakyReLU(negative_slope),
            Dropout(dropout),
            Maxout(hidden_dim, maxout_dim, maxout_pieces),
            Dropout(dropout),
            nn.Linear(maxout_dim, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] to logits (B,)."""
        return self.layers(images).squeeze(1)
