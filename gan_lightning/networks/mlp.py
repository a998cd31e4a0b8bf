"""Fully connected networks. As they are they are the baseline: a generator and a Maxout discriminator, after Goodfellow
et al. 2014.

Made for a CPU: for 28 × 28 gray images G takes 1.4 million multiply-adds an image and D 0.7 million, for 32 × 32
colours 3.7 and 1.8 million. A thousand alternations of 64 images took one thread 38 and 86 s (`benchmarks/README.md`).
"""

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from torch import Tensor, nn

from gan_lightning.errors import number, whole_number
from gan_lightning.networks import base
from gan_lightning.networks.dropout import Dropout
from gan_lightning.networks.labels import BesideLatent, Projection, classes_of
from gan_lightning.networks.linear import Linear
from gan_lightning.networks.maxout import Maxout
from gan_lightning.networks.spectral import normalize_spectrally

ACTIVATIONS = {"leaky_relu": nn.LeakyReLU, "relu": nn.ReLU, "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU}
"""The layers that names in the settings stand for, those of `torch.nn.functional`."""
NORMALIZATIONS = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def _hidden_layers(
    dims: Sequence[int], activation: str, normalization: str, negative_slope: float, dropout: float | None = None
) -> list[nn.Module]:
    """From one of the dims to the next a linear layer, its normalisation if it has one, the activation, and dropout
    unless that is None.

    Raises:
        ValueError: if there is no such activation, or the slope is none.
    """
    number("negative_slope", negative_slope, at_least=0)
    if activation not in list(ACTIVATIONS):
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {activation!r}")
    activate = partial(nn.LeakyReLU, negative_slope) if activation == "leaky_relu" else ACTIVATIONS[activation]
    layers: list[nn.Module] = []
    for wide_in, wide_out in pairwise(dims):
        layers.append(Linear(wide_in, wide_out))
        if normalization in NORMALIZATIONS:
            layers.append(NORMALIZATIONS[normalization](wide_out))
        layers.append(activate())
        if dropout is not None:
            layers.append(Dropout(dropout))
    return layers


class Generator(base.Generator):
    """Linear layers with an activation between them and Tanh at the end.

    Args:
        image_shape: (C, H, W) of the images.
        latent_dim: the number of latent variables.
        latent_distribution: of these, as in :class:`gan_lightning.networks.base.Generator`.
        hidden_dims: width of each hidden layer, from the latents to the image.
        negative_slope: of the LeakyReLU.
        activation: between the layers: `leaky_relu`, `relu`, `elu`, `gelu` or `silu`.
        normalization: of each hidden layer before its activation: `none`, `batch` or `layer`.
        conditional: whether it takes labels, which stand beside the latents as one-hot vectors.
        num_classes: how many classes there are, for a conditional one.

    Raises:
        ValueError: if a setting is not what it must be.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latent_dim: int = 100,
        latent_distribution: str = "normal",
        hidden_dims: Sequence[int] = (512, 1024),
        negative_slope: float = 0.2,
        activation: str = "leaky_relu",
        normalization: str = "none",
        conditional: bool = False,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(latent_dim, latent_distribution)
        if not isinstance(hidden_dims, Sequence) or isinstance(hidden_dims, str):
            raise ValueError(f"hidden_dims must be a list of widths, such as [512,1024], not {hidden_dims!r}")
        for width in hidden_dims:
            whole_number("each of hidden_dims", width, at_least=1)
        if normalization not in ("none", "batch", "layer"):
            raise ValueError(f"normalization must be none, batch or layer, not {normalization!r}")
        self.conditional = conditional
        self.depends_on_batch = normalization == "batch"
        self.beside_latent = BesideLatent(latent_dim, classes_of(conditional, num_classes))
        dims = [self.beside_latent.features, *hidden_dims]
        self.layers = nn.Sequential(
            *_hidden_layers(dims, activation, normalization, negative_slope),
            Linear(dims[-1], math.prod(image_shape)),
            nn.Tanh(),
            nn.Unflatten(1, tuple(image_shape)),
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (B, latent_dim), and labels (B,) if it takes them, to images (B, C, H, W) in [-1, 1]."""
        return self.layers(self.beside_latent(latent, labels))


class Discriminator(base.Discriminator):
    """Linear, LeakyReLU, Dropout, once or several times; Maxout, Dropout; Linear.

    Args:
        image_shape: (C, H, W) of the images.
        hidden_dim: width of the hidden layer before the Maxout layer, or a list with the width of each.
        maxout_dim: width of the Maxout layer; None for no such layer.
        maxout_pieces: how many affine maps each Maxout unit takes the maximum of.
        dropout: the share of units dropped after each hidden layer.
        negative_slope: of the LeakyReLU.
        activation: of the layers before the Maxout layer, as of the generator's.
        normalization: `none`; `batch` or `layer` of these layers before their activation; or `spectral` of all weights,
            Miyato et al. 2018, which bounds the slope.
        conditional: whether it takes labels, by a projection.
        num_classes: how many classes there are, for a conditional one.

    Raises:
        ValueError: if a setting is not what it must be.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        hidden_dim: int | list[int] = 512,
        maxout_dim: int | None = 256,
        maxout_pieces: int = 2,
        dropout: float = 0.3,
        negative_slope: float = 0.2,
        activation: str = "leaky_relu",
        normalization: str = "none",
        conditional: bool = False,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        number("dropout", dropout, at_least=0)
        hidden_dims = hidden_dim if isinstance(hidden_dim, list | tuple) else [hidden_dim]
        for width in hidden_dims:
            whole_number("hidden_dim", width, at_least=1)
        if normalization not in ("none", "batch", "layer", "spectral"):
            raise ValueError(f"normalization must be none, batch, layer or spectral, not {normalization!r}")
        self.conditional = conditional
        self.depends_on_batch = normalization == "batch"
        dims = [math.prod(image_shape), *hidden_dims]
        layers = [
            nn.Flatten(),
            *_hidden_layers(dims, activation, normalization, negative_slope, dropout),
        ]
        features = dims[-1]
        if maxout_dim is not None:
            layers += [Maxout(features, maxout_dim, maxout_pieces), Dropout(dropout)]
            features = maxout_dim
        layers.append(Projection(features, classes_of(conditional, num_classes)))
        self.layers = nn.Sequential(*layers)
        if normalization == "spectral":
            self.lipschitz = True
            normalize_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) in [-1, 1], and labels (B,) if it takes them, to logits (B,)."""
        return self.layers[-1](self.layers[:-1](images), labels)
