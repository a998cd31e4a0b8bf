"""Grouped bottlenecks without normalisation: Huang et al. 2024, "The GAN is dead; long live the GAN!", section 3.

Meant for `objective=rpgan penalty=r1_r2`. Two things are other than in the code published with the paper. An image
repeats beyond its edges, instead of being black there. A class gets in as it does in this project's other networks: as
a one-hot vector beside the latents, where there it goes through a linear map first, and in D by a projection that has
a term for all classes, too.

At its default widths it is for a patient CPU: for 28 × 28 gray images G and D take 18 million multiply-adds an image
each, for 32 × 32 colours 25 million, and half of that with one block. The published networks, `model.width=768
model.max_width=768`, are for a GPU. A thousand alternations of 64 images took one thread 770 and 870 s
(`benchmarks/README.md`).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gan_lightning.errors import whole_number
from gan_lightning.networks import base
from gan_lightning.networks.labels import BesideLatent, Projection, classes_of
from gan_lightning.networks.linear import Linear

SLOPE = 0.2
"""Of the LeakyReLU within all blocks."""
EXPANSION = 2
"""How many times as many channels a block has inside."""
GROUP = 16
"""Channels in a group of these."""


def _initialised(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Module:
    """Weights from N(0, gain² / fan-in), which multiplies a variance by gain²; biases 0."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, std=gain / math.sqrt(fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _pointwise(channels: int, out_channels: int) -> nn.Module:
    """A 1 × 1 convolution."""
    return _initialised(nn.Conv2d(channels, out_channels, 1, bias=False))


class Block(nn.Module):
    """x + f(x), f a bottleneck turned outwards: 1 × 1, 3 × 3 in groups and 1 × 1 convolutions; LeakyReLU between them.

    Initialised as Zhang et al. 2019, "Fixup Initialization", section 3.2: f is 0 at first, and its inner layers are
    smaller the more blocks there are.

    Args:
        channels: of x, (B, channels, H, W).
        num_blocks: how many blocks the network has in all.
    """

    def __init__(self, channels: int, num_blocks: int) -> None:
        super().__init__()
        gain = math.sqrt(2 / (1 + SLOPE**2)) * num_blocks**-0.25
        inside = EXPANSION * channels
        self.layers = nn.Sequential(
            _initialised(nn.Conv2d(channels, inside, 1), gain),
            nn.LeakyReLU(SLOPE),
            _initialised(nn.Conv2d(inside, inside, 3, padding=1, groups=inside // GROUP), gain),
            nn.LeakyReLU(SLOPE),
            _initialised(nn.Conv2d(inside, channels, 1, bias=False), 0),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Resampling(nn.Module):
    """Twice or half the resolution, smoothed by the filter [1, 3, 3, 1] along both axes; an even image stays even.

    Each axis is a product with a matrix: convolutions of single channels are slow on a CPU, in bf16 many times so.

    Args:
        height, width: the lower resolution of the two.
        up: whether images (B, C, H, W) become twice as large; otherwise they become half as large.
    """

    vertical: Tensor
    horizontal: Tensor

    def __init__(self, height: int, width: int, up: bool) -> None:
        super().__init__()
        for name, size in (("vertical", height), ("horizontal", width)):
            doubling = _doubling(size)
            self.register_buffer(name, doubling if up else doubling.T / 2, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return self.vertical @ images @ self.horizontal.T


def _doubling(size: int) -> Tensor:
    """(2 size, size): each new pixel is 3/4 of the old one that it lies in and 1/4 of the next one on its side."""
    new = torch.arange(2 * size)
    old = new // 2
    beside = (old + 2 * (new % 2) - 1).clamp(0, size - 1)
    pixels = torch.eye(size)
    return 0.75 * pixels[old] + 0.25 * pixels[beside]


def _resolutions(image_shape: Sequence[int], width: int, max_width: int) -> list[tuple[int, int, int]]:
    """(channels, H, W) at each resolution, from the image's to the lowest.

    Raises:
        ValueError: if a width is not what it must be, or the network has nothing to do with such images.
    """
    step = GROUP // EXPANSION
    for name, value in (("width", width), ("max_width", max_width)):
        whole_number(name, value, at_least=step)
        if value % step:
            raise ValueError(
                f"{name} must be a multiple of {step}, not {value}: a block has {EXPANSION} times as many channels"
                f" inside, in groups of {GROUP}"
            )
    if max_width < width:
        raise ValueError(f"max_width must be at least width, which is {width}, not {max_width}")
    _, halvings = base.lowest_resolution(image_shape)
    _, height, breadth = image_shape
    return [
        (min(width * 2**level, max_width), height // 2**level, breadth // 2**level) for level in range(halvings + 1)
    ]


class Generator(base.Generator):
    """A learned picture of the lowest resolution, each of its channels times a number made of the latents; at each
    resolution residual blocks, between them smooth up-sampling. No Tanh: what lies outside [-1, 1] is clamped when
    images are saved or measured.

    Args:
        image_shape: (C, H, W) of the images, H and W multiples of 4.
        num_classes: how many classes there are.
        latent_dim: the number of latent variables.
        latent_distribution: of these, as in :class:`gan_lightning.networks.base.Generator`.
        width: channels at the image's resolution; they double with each halving.
        max_width: the most there are; as many as `width` for as many everywhere.
        blocks: residual blocks at each resolution.
        conditional: whether it takes labels, which stand beside the latents as one-hot vectors.

    Raises:
        ValueError: if a setting is not what it must be, or the network cannot draw such images.
    """

    depends_on_batch = False

    def __init__(
        self,
        image_shape: Sequence[int],
        num_classes: int,
        latent_dim: int = 64,
        latent_distribution: str = "normal",
        width: int = 16,
        max_width: int = 64,
        blocks: int = 2,
        conditional: bool = False,
    ) -> None:
        super().__init__(latent_dim, latent_distribution)
        whole_number("blocks", blocks, at_least=1)
        *higher, lowest = _resolutions(image_shape, width, max_width)
        num_blocks = blocks * (1 + len(higher))
        channels, height, breadth = lowest
        self.conditional = conditional
        self.beside_latent = BesideLatent(latent_dim, classes_of(conditional, num_classes))
        self.first = _initialised(Linear(self.beside_latent.features, channels, bias=False))
        self.basis = nn.Parameter(torch.randn(lowest))
        layers: list[nn.Module] = [Block(channels, num_blocks) for _ in range(blocks)]
        for out_channels, *_ in reversed(higher):
            if out_channels != channels:
                layers.append(_pointwise(channels, out_channels))
            layers.append(Resampling(height, breadth, up=True))
            layers += [Block(out_channels, num_blocks) for _ in range(blocks)]
            channels, height, breadth = out_channels, 2 * height, 2 * breadth
        self.layers = nn.Sequential(*layers, _pointwise(channels, image_shape[0]))

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Latents (B, latent_dim), and labels (B,) if it takes them, to images (B, C, H, W) around [-1, 1]."""
        amplitudes = self.first(self.beside_latent(latent, labels))
        return self.layers(amplitudes[:, :, None, None] * self.basis)


class Discriminator(base.Discriminator):
    """The generator's mirror image: residual blocks at each resolution, between them smooth down-sampling; each channel
    of the lowest resolution times a learned picture, summed; a linear layer.

    Args:
        image_shape: (C, H, W) of the images, H and W multiples of 4.
        num_classes: how many classes there are.
        width: channels at the image's resolution; they double with each halving.
        max_width: the most there are; as many as `width` for as many everywhere.
        blocks: residual blocks at each resolution.
        conditional: whether it takes labels, by a projection.

    Raises:
        ValueError: if a setting is not what it must be, or the network cannot judge such images.
    """

    depends_on_batch = False

    def __init__(
        self,
        image_shape: Sequence[int],
        num_classes: int,
        width: int = 16,
        max_width: int = 64,
        blocks: int = 2,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        whole_number("blocks", blocks, at_least=1)
        resolutions = _resolutions(image_shape, width, max_width)
        num_blocks = blocks * len(resolutions)
        self.conditional = conditional
        channels = resolutions[0][0]
        layers = [_pointwise(image_shape[0], channels)]
        for level, (out_channels, height, breadth) in enumerate(resolutions):
            if level > 0:
                layers.append(Resampling(height, breadth, up=False))
            if out_channels != channels:
                layers.append(_pointwise(channels, out_channels))
            layers += [Block(out_channels, num_blocks) for _ in range(blocks)]
            channels = out_channels
        self.layers = nn.Sequential(*layers)
        self.basis = nn.Parameter(torch.randn(channels, height, breadth) / math.sqrt(height * breadth))
        self.last = _initialised(Projection(channels, classes_of(conditional, num_classes)))

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (B, C, H, W) around [-1, 1], and labels (B,) if it takes them, to logits (B,)."""
        hidden = (self.layers(images) * self.basis).sum((2, 3))
        return self.last(hidden, labels)
