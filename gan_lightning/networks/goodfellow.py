"""The MNIST networks of Goodfellow et al. 2014, as the code published with the paper builds them.

Made for a CPU: for 28 × 28 gray images G takes 2.5 million multiply-adds an image and D 1.2 million. A thousand
alternations of 64 images took one thread 62 s (`benchmarks/README.md`).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lightning.errors import number, whole_number
from gan_lightning.networks import base
from gan_lightning.networks.dropout import Dropout
from gan_lightning.networks.linear import Linear
from gan_lightning.networks.maxout import Maxout


def _uniform_weights(network: nn.Module, scale: float) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.weight, -scale, scale)
            nn.init.zeros_(layer.bias)


class Generator(base.Generator):
    """z uniform, two ReLU layers, sigmoid pixels; weights uniform in ±`weight_scale`, biases 0.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: the number of latent variables.
        hidden_dim: width of both hidden layers.
        weight_scale: bound of the uniform initial weights.
    """

    depends_on_batch = False

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        hidden_dim: int = 1200,
        weight_scale: float = 0.05,
    ) -> None:
        super().__init__(latent_dim, latent_distribution="uniform")
        whole_number("hidden_dim", hidden_dim, at_least=1)
        number("weight_scale", weight_scale, at_least=0)
        self.image_shape = tuple(image_shape)
        self.hidden = nn.Sequential(
            Linear(latent_dim, hidden_dim), nn.ReLU(), Linear(hidden_dim, hidden_dim), nn.ReLU()
        )
        self.output = Linear(hidden_dim, math.prod(image_shape))
        _uniform_weights(self, weight_scale)

    @torch.no_grad()
    def initialise_from(self, images: Tensor) -> None:
        """Set the output bias to the logit of each pixel's mean over the training images (N, C, H, W), bytes, or points
        in [-1, 1].

        Pixels that never (always) light up would have an infinite logit; they are held at 1e-7 from 0 (from 1).
        """
        mean = images.double().mean(0).flatten()
        shares = (mean + 1) / 2 if images.is_floating_point() else mean / 255
        self.output.bias.copy_(torch.logit(shares, eps=1e-7))

    def forward(self, latent: Tensor) -> Tensor:
        """Latents (B, latent_dim) to images (B, C, H, W) in [-1, 1]."""
        # The paper's pixels are sigmoid(a) in [0, 1]; in [-1, 1] that is 2 sigmoid(a) - 1 = tanh(a / 2).
        return torch.tanh(self.output(self.hidden(latent)) / 2).unflatten(1, self.image_shape)


class Discriminator(base.Discriminator):
    """Two Maxout layers under dropout; weights uniform in ±`weight_scale`, biases 0.

    Args:
        image_shape: (C, H, W) of the images.
        maxout_dim: width of both Maxout layers.
        maxout_pieces: how many affine maps each Maxout unit takes the maximum of.
        input_dropout: the share of pixels dropped.
        hidden_dropout: the share of units dropped after each Maxout layer.
        weight_scale: bound of the uniform initial weights.
    """

    depends_on_batch = False

    def __init__(
        self,
        image_shape: Sequence[int],
        maxout_dim: int = 240,
        maxout_pieces: int = 5,
        input_dropout: float = 0.2,
        hidden_dropout: float = 0.5,
        weight_scale: float = 0.005,
    ) -> None:
        super().__init__()
        for name, value in (("input_dropout", input_dropout), ("hidden_dropout", hidden_dropout)):
            number(name, value, at_least=0)
        number("weight_scale", weight_scale, at_least=0)
        self.layers = nn.Sequential(
            nn.Flatten(),
            Dropout(input_dropout),
            Maxout(math.prod(image_shape), maxout_dim, maxout_pieces),
            Dropout(hidden_dropout),
            Maxout(maxout_dim, maxout_dim, maxout_pieces),
            Dropout(hidden_dropout),
            nn.Linear(maxout_dim, 1),
        )
        _uniform_weights(self, weight_scale)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in [-1, 1] to logits (B,)."""
        # The paper's pixels lie in [0, 1], which matters here: dropout sets them to 0, and 0 is black.
        return self.layers((images + 1) / 2).squeeze(1)
