"""Ways to damage real images, each at five strengths, for `measures.py`."""

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from torchvision.transforms.functional import gaussian_blur, pil_to_tensor, to_pil_image

Damage = Callable[[Tensor, float, torch.Generator], Tensor]
"""Images (N, C, H, W), bytes, a strength and random numbers to damaged images, as many."""


def to_bytes(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255).to(torch.uint8)


def blurred(images: Tensor, sigma: float, _: torch.Generator) -> Tensor:
    """By a Gaussian, `sigma` in pixels."""
    return to_bytes(gaussian_blur(images.float(), [2 * round(3 * sigma) + 1] * 2, [sigma] * 2))


def noised(images: Tensor, deviation: float, random: torch.Generator) -> Tensor:
    """White noise, its standard deviation in gray levels of 255."""
    return to_bytes(images + deviation * torch.randn(images.shape, generator=random))


def sharpened(images: Tensor, amount: float, _: torch.Generator) -> Tensor:
    """An unsharp mask: what a blur of one pixel takes away is added, `amount` times."""
    return to_bytes(images + amount * (images - gaussian_blur(images.float(), [7, 7], [1.0, 1.0])))


def speckled(images: Tensor, share: float, random: torch.Generator) -> Tensor:
    """A `share` of the pixels is black or white."""
    hit = torch.rand(images[:, :1].shape, generator=random) < share
    white = torch.rand(images[:, :1].shape, generator=random) < 0.5
    return torch.where(hit, white.to(torch.uint8) * 255, images)


def compressed(images: Tensor, quality: float, _: torch.Generator) -> Tensor:
    """By JPEG, its `quality` from 100 down."""
    return torch.stack([_through_jpeg(image, int(quality)) for image in images])


def _through_jpeg(image: Tensor, quality: int) -> Tensor:
    file = BytesIO()
    to_pil_image(image).save(file, "jpeg", quality=quality)
    return pil_to_tensor(Image.open(file))


def shifted(images: Tensor, pixels: float, random: torch.Generator) -> Tensor:
    """Up, down, left or right, each image one of these; the edge is repeated."""
    by = int(pixels)
    moves = [
        moved[..., by + down : by + down + images.shape[2], by + right : by + right + images.shape[3]]
        for moved in [pad(images.float(), (by,) * 4, mode="replicate").to(torch.uint8)]
        for down, right in ((by, 0), (-by, 0), (0, by), (0, -by))
    ]
    which = torch.randint(len(moves), (len(images),), generator=random)
    return torch.stack(moves)[which, torch.arange(len(images))]


def swapped(images: Tensor, pairs: float, random: torch.Generator) -> Tensor:
    """Of the sixteen patches of each image so many pairs change places; H and W must be multiples of 4."""
    patches = images.unflatten(3, (4, -1)).unflatten(2, (4, -1)).permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.rand(len(images), 16, generator=random).argsort(1)
    ones, others = order[:, : 2 * int(pairs)].chunk(2, dim=1)
    source = torch.arange(16).repeat(len(images), 1).scatter(1, ones, others).scatter(1, others, ones)
    changed = patches[torch.arange(len(images))[:, None], source]
    return changed.unflatten(1, (4, 4)).permute(0, 3, 1, 4, 2, 5).reshape(images.shape)


class Strengths(NamedTuple):
    """What a damage does, and how much of it there is at each of five strengths."""

    damage: Damage
    values: tuple[float, float, float, float, float]
    unit: str


DAMAGES = {
    "blurred": Strengths(blurred, (0.4, 0.6, 0.8, 1.2, 2.0), "σ in pixels"),
    "noised": Strengths(noised, (5, 10, 20, 40, 80), "σ in gray levels"),
    "sharpened": Strengths(sharpened, (0.5, 1, 2, 4, 8), "times the mask"),
    "speckled": Strengths(speckled, (0.002, 0.005, 0.01, 0.02, 0.05), "share of the pixels"),
    "compressed": Strengths(compressed, (90, 75, 50, 25, 10), "JPEG's quality"),
    "shifted": Strengths(shifted, (1, 2, 3, 4, 6), "pixels"),
    "patches swapped": Strengths(swapped, (1, 2, 3, 5, 8), "pairs of 16"),
}
"""What is done to each image."""
DROPPED = (0.5, 1, 2, 3, 5)
"""How many classes are not there; of the last of half a one, every second image."""
COPIED = (0.1, 0.2, 0.4, 0.6, 1.0)
"""Which share are training images."""


def without_classes(labels: Tensor, dropped: float) -> Tensor:
    """Which images stay, (N,), where the last `dropped` of the classes do not."""
    last = labels >= int(labels.max()) + 1 - dropped
    if dropped < 1:
        last = labels == labels.max()
        last &= last.cumsum(0) % round(1 / dropped) == 0
    return ~last
