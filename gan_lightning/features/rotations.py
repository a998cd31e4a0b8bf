"""What stands which way up: a feature space that is trained without labels.

A network that tells by which quarter turn an image was turned must know what is shown: Gidaris et al. 2018, "RotNet".
Of self-supervised features Morozov et al. 2021 show that distances in them rank generators as well as those of
Inception do, and better where the images are not like ImageNet's.
"""

import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.features.classifier import Classifier, Task, network_of

QUARTER_TURNS = 4


def turned(images: Tensor, _: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) each turned by so many quarters, (B,): (B, C, S, S), S the less of H and W.

    Of images that are not square it is one and the same square of all, anywhere, so that no turn can be told by the
    shape.
    """
    side = min(images.shape[2:])
    top, left = (int(torch.randint(length - side + 1, (), generator=random)) for length in images.shape[2:])
    square = images[:, :, top : top + side, left : left + side]
    turns = torch.randint(QUARTER_TURNS, (len(images),), generator=random)
    result = square.clone()
    for quarters in range(1, QUARTER_TURNS):
        result[turns == quarters] = square[turns == quarters].rot90(quarters, (2, 3))
    return result, turns


def rotations_of(data: ImageDataModule) -> Classifier:
    """The network that tells quarter turns of a data set's images, its accuracy that on turned test images: 0.25 is
    guessing, as of images that look the same whichever way one holds them.

    It is that of the classifier, trained and kept as that is. When it describes images it sees all of them, also of
    those that are not square.
    """
    images, _ = data.split(train=True)
    return network_of(data, Task("rotations", QUARTER_TURNS, False, turned, (images,), "_rotations"))
