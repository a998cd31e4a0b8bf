"""A trained generator for Python: `from gan_lightning import load`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.averaging import which_weights
from gan_lightning.checkpoints import check_trust, has_average, last_of, read_checkpoint, trained_player
from gan_lightning.classes import asked_for
from gan_lightning.data.pixels import as_kept
from gan_lightning.drawing.latents import between
from gan_lightning.drawing.projection import Projection, project
from gan_lightning.errors import UserError, whole_number
from gan_lightning.loop.checkpoint_schema import check_finite
from gan_lightning.mistakes import user_mistakes
from gan_lightning.players.protocol import sample_latent, takes_labels
from gan_lightning.players.sampling import generate, labels_to_draw, seeded_latent

BATCH_SIZE = 500
"""Images that the network draws at a time."""


class TrainedGenerator(nn.Module):
    """G as it was trained, in evaluation mode: latents (B, latent_dim), and labels (B,) if it takes them, to images
    (B, C, H, W) in [-1, 1].

    Args:
        network: the generator itself.
        image_shape: (C, H, W) of its images.
        num_classes: how many classes there were in its data set.
        class_names: what they are called, by their labels; none where that is not known.

    Attributes:
        conditional: whether it takes labels.
        latent_dim: how many latent variables it takes; None for a network of one's own that does not say.
    """

    def __init__(
        self, network: nn.Module, image_shape: Sequence[int], num_classes: int, class_names: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.network = network
        self.image_shape = tuple(image_shape)
        self.num_classes = num_classes
        self.class_names = tuple(class_names)
        self.conditional = takes_labels(network)
        self.latent_dim = getattr(network, "latent_dim", None)
        self.eval()

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        """Draw; the labels (B,), int64, are for a generator that takes them."""
        return self.network(latent, labels=labels) if self.conditional else self.network(latent)

    def sample_latent(self, num_samples: int, random: torch.Generator) -> Tensor:
        """Draw z (num_samples, latent_dim) as in training, on the device of `random` and from it."""
        return sample_latent(self.network, num_samples, random)

    def draw(
        self, num_samples: int, labels: int | str | Sequence[int | str] | Tensor | None = None, seed: int = 0
    ) -> Tensor:
        """Images (num_samples, C, H, W), bytes or points, on the CPU; the same for the same seed.

        Args:
            num_samples: how many.
            labels: of a generator that takes them: one class, or several, of which as many images each are drawn, one
                class after the other, by their numbers or their names; None for all.
            seed: of the latents.

        Raises:
            UserError: if there are no such labels, or the generator takes none, or a number is not one of these.
        """
        with user_mistakes():
            whole_number("num_samples", num_samples, at_least=1)
            whole_number("seed", seed, at_least=0, at_most=2**63 - 1)
        asked = labels_to_draw(self, num_samples, self._classes(labels))
        latent = seeded_latent(self, num_samples, seed)
        device = next(self.parameters(), latent).device
        return as_kept(generate(self, latent, asked, BATCH_SIZE, device))

    def between(self, start: Tensor, end: Tensor, share: float) -> Tensor:
        """On the way from latents (N, …) to others, which stay as long as they are; share, in [0, 1], of it is gone."""
        return between(self.network)(start, end, share)

    def project(self, image: Tensor, labels: int | Sequence[int] | Tensor | None = None, seed: int = 0) -> Projection:
        """The latent whose image is nearest to an image (C, H, W), bytes, of the shape of the generator's; on the CPU.

        See :func:`gan_lightning.drawing.projection.project`; `labels` are as of :meth:`draw`.
        """
        return project(self.network, image, self._classes(labels), seed)

    def _classes(self, labels: Any) -> Sequence[int]:
        if labels is None:
            return range(self.num_classes)
        if not self.conditional:
            raise UserError("this generator takes no labels: it draws of all classes")
        given = labels.tolist() if isinstance(labels, Tensor) else labels
        return asked_for(given, self.num_classes, self.class_names)


def load(path: str | os.PathLike[str], weights: str | None = None, trust: str | Sequence[str] = ()) -> TrainedGenerator:
    """The generator of a run's folder, of a checkpoint, or of a folder that was exported as safetensors; on the CPU.

    Nothing in the files is run: see :mod:`gan_lightning.checkpoints`.

    Args:
        path: of the folder or the checkpoint.
        weights: `raw`, those of the last step, or `ema`, their average; None for the average if there is one.
        trust: modules of one's own whose classes may be made.

    Raises:
        UserError: if there is no such generator, or it is damaged, or of a class that is not trusted.
    """
    checkpoint = read_checkpoint(str(last_of(Path(path))))
    check_trust(checkpoint["hyper_parameters"], ["generator"], [trust] if isinstance(trust, str) else list(trust))
    with user_mistakes():
        return trained_generator(checkpoint, which_weights(weights, has_average(checkpoint)))


def trained_generator(checkpoint: dict[str, Any], weights: str) -> TrainedGenerator:
    """The generator of a checkpoint in which all that is made here is trusted, with weights that are numbers.

    Raises:
        UserError: if they are not those of the class as it is now, or not finite.
    """
    network = trained_player(checkpoint, "generator", weights)
    check_finite(network.state_dict(), f"{checkpoint['path']}: generator")
    settings = checkpoint["hyper_parameters"]
    return TrainedGenerator(network, settings["image_shape"], settings["num_classes"], settings["class_names"])
