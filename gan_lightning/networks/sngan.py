"""Residual networks under spectral normalisation: Miyato et al. 2018, "Spectral Normalization for Generative
Adversarial Networks", table 4.

Made for a GPU: for 32 × 32 colours G takes 1,600 million multiply-adds an image and D 270 million, for 28 × 28 gray
images 1,200 and 200 million. A CPU can do with small widths: at 32 in both, G takes a sixty-fourth, D a sixteenth.
A thousand alternations of 64 images would take one thread 8,900 and 5,700 s (`benchmarks/README.md`). The weights lie
in memory channels last, which saves a CPU a tenth to a third of the time.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu

from gan_lightning.errors import whole_number
from gan_lightning.networks import base
from gan_lightning.networks.labels import ConditionalBatchNorm2d, Projection, classes_of
from gan_lightning.networks.linear import Linear
from gan_lightning.networks.spectral import normalize_spectrally


def _initialised(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Glorot's uniform weights times a gain, biases 0."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _residual(channels: int, out_channels: int) -> nn.Module:
    """A 3 × 3 convolution of a block."""
    return _initialised(nn.Conv2d(channels, out_channels, 3, padding=1), math.sqrt(2))


def _shortcut(channels: int, out_channels: int) -> nn.Module:
    """The 1 × 1 convolution beside a block."""
    return _initialised(nn.Conv2d(channels, out_channels, 1))


def _doubled(images: Tensor) -> Tensor:
    """Each pixel four times."""
    return interpolate(images, scale_factor=2, mode="nearest")


class _UpBlock(nn.Module):
    """Normalise, ReLU, double the resolution, 3 × 3, normalise, ReLU, 3 × 3; beside it a 1 × 1 shortcut."""

    def __init__(self, channels: int, num_classes: int | None) -> None:
        super().__init__()
        self.first_norm = ConditionalBatchNorm2d(channels, num_classes)
        self.first = _residual(channels, channels)
        self.second_norm = ConditionalBatchNorm2d(channels, num_classes)
        self.second = _residual(channels, channels)
        self.shortcut = _shortcut(channels, channels)

    def forward(self, hidden: Tensor, labels: Tensor | None) -> Tensor:
        residual = self.first(_doubled(relu(self.first_norm(hidden, labels))))
        residual = self.second(relu(self.second_norm(residual, labels)))
        # A 1 × 1 convolution may come before the doubling as well as after it, for a quarter of the work.
        return residual + _doubled(self.shortcut(hidden))


class _DownBlock(nn.Module):
    """ReLU, 3 × 3, ReLU, 3 × 3, halve the resolution; beside it a 1 × 1 shortcut, or in a plain block the input.

    Args:
        channels: of the input.
        out_channels: channels of the output.
        halves: whether the resolution is halved; otherwise the block is plain.
        first: whether the block is shown images, which no ReLU may cut.
    """

    def __init__(self, channels: int, out_channels: int, halves: bool, first: bool = False) -> None:
        super().__init__()
        self.halves = halves
        self.activation = nn.Identity() if first else nn.ReLU()
        self.first = _residual(channels, out_channels)
        self.second = _residual(out_channels, out_channels)
        self.shortcut = _shortcut(channels, out_channels) if halves else nn.Identity()

    def forward(self, hidden: Tensor) -> Tensor:
        residual = self.second(relu(self.first(self.activation(hidden))))
        if self.halves:
            hidden, residual = avg_pool2d(hidden, 2), avg_pool2d(residual, 2)
        return residual + self.shortcut(hidden)


class Generator(base.Generator):
    """A linear layer to the lowest resolution, then residual blocks that double it; Tanh at the end.

    Args:
        image_shape: (C, H, W) of the images, H and W multiples of 4.
        num_classes: how many classes there are.
        latent_dim: the number of latent variables.
        latent_distribution: of these, as in :class:`gan_lightning.networks.base.Generator`.
        width: channels of all blocks.
        conditional: whether it takes labels: its batch normalisation then depends on the class, Miyato & Koyama 2018.

    Raises:
        ValueError: if a setting is not what it must be, or the network cannot draw such images.
    """

    depends_on_batch = True

    def __init__(
        self,
        image_shape: Sequence[int],
        num_classes: int,
        latent_dim: int = 128,
        latent_distribution: str = "normal",
        width: int = 256,
        conditional: bool = False,
    ) -> None:
        super().__init__(latent_dim, latent_distribution)
        whole_number("width", width, at_least=1)
        classes = classes_of(conditional, num_classes)
        (height, breadth), halvings = base.lowest_resolution(image_shape)
        self.conditional = conditional
        self.first = nn.Sequential(
            _initialised(Linear(latent_dim, width * height * breadth)), nn.Unflatten(1, (width, height, breadth))
        )
        self.blocks = nn.ModuleList(_UpBlock(width, classes) for _ in range(halvings))
        self.last = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), _initialised(nn.Conv2d(width, image_shape[0], 3, padding=1)), nn.Tanh()
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (B, latent_dim), and labels (B,) if it takes them, to images (B, C, H, W) in [-1, 1]."""
        hidden = self.first(latent)
        for block in self.blocks:
            hidden = block(hidden, labels)
        return self.last(hidden)


class Discriminator(base.Discriminator):
    """At least two residual blocks that halve the resolution and two plain ones, a sum over the pixels, a linear layer.

    All weights are spectrally normalised, which bounds the slope. 32 × 32 images are halved twice, as in the paper, and
    larger ones until 8 pixels or so are left.

    Args:
        image_shape: (C, H, W) of the images, H and W multiples of 4.
        num_classes: how many classes there are.
        width: channels of all blocks.
        conditional: whether it takes labels, by a projection.

    Raises:
        ValueError: if a setting is not what it must be, or the network cannot judge such images.
    """

    depends_on_batch = False
    lipschitz = True

    def __init__(
        self, image_shape: Sequence[int], num_classes: int, width: int = 128, conditional: bool = False
    ) -> None:
        super().__init__()
        whole_number("width", width, at_least=1)
        _, halvings = base.lowest_resolution(image_shape)
        self.conditional = conditional
        self.blocks = nn.Sequential(
            _DownBlock(image_shape[0], width, halves=True, first=True),
            *(_DownBlock(width, width, halves=True) for _ in range(1, max(2, halvings - 1))),
            *(_DownBlock(width, width, halves=False) for _ in range(2)),
            nn.ReLU(),
        )
        self.last = _initialised(Projection(width, classes_of(conditional, num_classes)))
        normalize_spectrally(self)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) in [-1, 1], and labels (B,) if it takes them, to logits (B,)."""
        hidden = self.blocks(images).sum((2, 3))
        return self.last(hidden, labels)
