"""How a class gets into a network: into G beside the latents or by its normalisation, into D by a projection."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_lightning.errors import true_or_false, whole_number


def check_classes(conditional: bool, num_classes: int) -> None:
    """See that a network is told whether it takes labels, and of how many classes.

    Raises:
        ValueError: if it is not.
    """
    true_or_false("conditional", conditional)
    whole_number("num_classes", num_classes, at_least=1)


class BesideLatent(nn.Module):
    """Latents (B, D) and labels (B,) to (B, D + num_classes): the label as a one-hot vector beside the latents.

    Mirza & Osindero 2014, section 3.2. The one is a two here, so that the class weighs as much as four latents of
    variance 1.

    Args:
        num_classes: how many classes there are.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([latent, 2 * one_hot(labels, self.num_classes).to(latent.dtype)], dim=1)


class ConditionalBatchNorm2d(nn.Module):
    """(1 + γ_y) · BN(h) + β_y of images (B, C, H, W) with labels y (B,): Dumoulin et al. 2017, equation 5.

    Args:
        channels: C.
        num_classes: how many classes there are.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(num_classes, channels)
        self.bias = nn.Embedding(num_classes, channels)
        nn.init.zeros_(self.gain.weight)
        nn.init.zeros_(self.bias.weight)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        gain, bias = (embedding(labels)[:, :, None, None] for embedding in (self.gain, self.bias))
        return (1 + gain) * self.norm(images) + bias


class Projection(nn.Module):
    """w · h + ⟨e_y, h⟩ / √D for features h (B, D) and labels y (B,), to logits (B,): Miyato & Koyama 2018, equation 3.

    The root of the dimension keeps the second term as large as the first at the start of a training.

    Args:
        features: D.
        num_classes: how many classes there are.
    """

    def __init__(self, features: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)
        self.classes = nn.Embedding(num_classes, features)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        of_class = (self.classes(labels) * features).sum(1) / features.shape[1] ** 0.5
        return self.linear(features).squeeze(1) + of_class
