"""How a class gets into a network: into G beside the latents or by its normalisation, into D by a projection."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_lightning.errors import true_or_false, whole_number


def classes_of(conditional: bool, num_classes: int | None) -> int | None:
    """How many classes a network is to tell apart: `num_classes` if it is conditional, otherwise None.

    Raises:
        ValueError: if a conditional network is not told how many there are.
    """
    true_or_false("conditional", conditional)
    if not conditional:
        return None
    whole_number("num_classes", num_classes, at_least=1)
    return num_classes


class BesideLatent(nn.Module):
    """Latents z (B, D), and where there are classes labels (B,) as one-hot vectors beside them: to (B, features).

    Mirza & Osindero 2014, section 3.2. The one is a two here, so that the class weighs as much as four latents of
    variance 1.

    Args:
        latent_dim: D.
        num_classes: how many classes there are; None where z stays as it is.
    """

    def __init__(self, latent_dim: int, num_classes: int | None) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.features = latent_dim + (num_classes or 0)

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        if self.num_classes is None:
            return latent
        return torch.cat([latent, 2 * one_hot(labels, self.num_classes).to(latent.dtype)], dim=1)


class ConditionalBatchNorm2d(nn.BatchNorm2d):
    """γ · BN(h) + β of images (B, C, H, W), or where there are classes (1 + γ_y) · BN(h) + β_y with labels y (B,).

    The latter is conditional batch normalisation: Dumoulin et al. 2017, equation 5.

    Args:
        channels: C.
        num_classes: how many classes there are; None where γ and β do not depend on them.
    """

    def __init__(self, channels: int, num_classes: int | None) -> None:
        super().__init__(channels, affine=num_classes is None)
        if num_classes is not None:
            self.gain, self.offset = (nn.Embedding(num_classes, channels) for _ in range(2))
            nn.init.zeros_(self.gain.weight)
            nn.init.zeros_(self.offset.weight)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        normalized = super().forward(images)
        if self.affine:
            return normalized
        gain, offset = (embedding(labels)[:, :, None, None] for embedding in (self.gain, self.offset))
        return (1 + gain) * normalized + offset


class Projection(nn.Linear):
    """w · h + b of features h (B, D), and where there are classes + s ⟨e_y, h⟩ with labels y (B,), to logits (B,).

    Miyato & Koyama 2018, equation 3. What is added is as large as the rest at the start of a training: the scale s is
    1 / √D, and 1 under spectral normalisation, which shortens e_y itself.

    Args:
        features: D.
        num_classes: how many classes there are; None for a linear layer that knows none.
    """

    def __init__(self, features: int, num_classes: int | None) -> None:
        super().__init__(features, 1)
        self.classes = None if num_classes is None else nn.Embedding(num_classes, features)
        self.scale = 1 / features**0.5

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        logits = super().forward(features).squeeze(1)
        if self.classes is None:
            return logits
        return logits + self.scale * (self.classes(labels) * features).sum(1)
