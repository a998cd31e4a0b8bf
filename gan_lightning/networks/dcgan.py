"""Strided convolutions, after Radford et al. 2016, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks".

At its width of 32 it is made for a CPU: for 28 × 28 gray images G takes 2 million multiply-adds an image and D as many,
for 32 × 32 colours 5 and 5 million. A thousand alternations of 64 images took one thread 67 and 136 s
(`benchmarks/README.md`).
"""

from collections.abc import Sequence

from torch import Tensor, nn

from gan_lightning.errors import whole_number
from gan_lightning.networks import base
from gan_lightning.networks.labels import BesideLatent, ConditionalBatchNorm2d, Projection, classes_of
from gan_lightning.networks.linear import Linear
from gan_lightning.networks.spectral import normalize_spectrally

SLOPE = 0.2
"""Of the LeakyReLU between all layers."""
MAX_WIDTH = 8
"""Channels double at each halving of the resolution, to so many times the width at most."""


def _channels(width: int, halvings: int) -> list[int]:
    """The channels at each resolution below the image's, from the highest to the lowest."""
    return [width * min(2**level, MAX_WIDTH) for level in range(halvings)]


class Generator(base.Generator):
    """A linear layer to the lowest resolution, then transposed 4 × 4 convolutions that double it; Tanh at the end.

    Args:
        image_shape: (C, H, W) of the images, H and W multiples of 4.
        num_classes: how many classes there are.
        latent_dim: the number of latent variables.
        latent_distribution: of these, as in :class:`gan_lightning.networks.base.Generator`.
        width: channels at half the image's resolution; they double with each halving.
        normalization: `none`, or `batch` after each hidden layer; of a conditional generator it depends on the class.
        conditional: whether it takes labels, which stand beside the latents as one-hot vectors.

    Raises:
        ValueError: if a setting is not what it must be, or the network cannot draw such images.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        num_classes: int,
        latent_dim: int = 64,
        latent_distribution: str = "normal",
        width: int = 32,
        normalization: str = "none",
        conditional: bool = False,
    ) -> None:
        super().__init__(latent_dim, latent_distribution)
        whole_number("width", width, at_least=1)
        classes = classes_of(conditional, num_classes)
        if normalization not in ("none", "batch"):
            raise ValueError(f"normalization must be none or batch, not {normalization!r}")
        (height, breadth), halvings = base.lowest_resolution(image_shape)
        self.conditional = conditional
        self.depends_on_batch = normalization == "batch"
        self.beside_latent = BesideLatent(latent_dim, classes)
        *higher, lowest = _channels(width, halvings)
        self.first = nn.Sequential(
            Linear(self.beside_latent.features, lowest * height * breadth),
            nn.Unflatten(1, (lowest, height, breadth)),
        )
        outputs = [*reversed(higher), image_shape[0]]
        self.convolutions = nn.ModuleList()
        self.normalizations = nn.ModuleList()
        channels = lowest
        for out_channels in outputs:
            if self.depends_on_batch:
                self.normalizations.append(ConditionalBatchNorm2d(channels, classes))
            self.convolutions.append(nn.ConvTranspose2d(channels, out_channels, 4, stride=2, padding=1))
            channels = out_channels
        self.activation = nn.LeakyReLU(SLOPE)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (B, latent_dim), and labels (B,) if it takes them, to images (B, C, H, W) in [-1, 1]."""
        hidden = self.first(self.beside_latent(latent, labels))
        for level, convolution in enumerate(self.convolutions):
            if self.depends_on_batch:
                hidden = self.normalizations[level](hidden, labels)
            hidden = convolution(self.activation(hidden))
        return hidden.tanh()


class Discriminator(base.Discriminator):
    """4 × 4 convolutions that halve the resolution, and two linear layers.

    Args:
        image_shape: (C, H, W) of the images, H and W multiples of 4.
        num_classes: how many classes there are.
        width: channels at half the image's resolution; they double with each halving.
        hidden_dim: width of the layer before the last.
        normalization: `none`; `batch` after each convolution but the first; or `spectral` of all weights, Miyato et al.
            2018, which bounds the slope.
        conditional: whether it takes labels, by a projection.

    Raises:
        ValueError: if a setting is not what it must be, or the network cannot judge such images.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        num_classes: int,
        width: int = 32,
        hidden_dim: int = 128,
        normalization: str = "none",
        conditional: bool = False,
    ) -> None:
        super().__init__()
        whole_number("width", width, at_least=1)
        whole_number("hidden_dim", hidden_dim, at_least=1)
        if normalization not in ("none", "batch", "spectral"):
            raise ValueError(f"normalization must be none, batch or spectral, not {normalization!r}")
        (height, breadth), halvings = base.lowest_resolution(image_shape)
        self.conditional = conditional
        self.depends_on_batch = normalization == "batch"
        layers: list[nn.Module] = []
        channels = image_shape[0]
        for out_channels in _channels(width, halvings):
            layers.append(nn.Conv2d(channels, out_channels, 4, stride=2, padding=1))
            if normalization == "batch" and len(layers) > 1:
                layers.append(nn.BatchNorm2d(out_channels))
            layers.append(nn.LeakyReLU(SLOPE))
            channels = out_channels
        layers += [nn.Flatten(), Linear(channels * height * breadth, hidden_dim), nn.LeakyReLU(SLOPE)]
        self.hidden = nn.Sequential(*layers)
        self.last = Projection(hidden_dim, classes_of(conditional, num_classes))
        if normalization == "spectral":
            self.lipschitz = True
            normalize_spectrally(self)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) in [-1, 1], and labels (B,) if it takes them, to logits (B,)."""
        return self.last(self.hidden(images), labels)
