"""A checkpoint that was opened: its generator, to draw, and its discriminator, where it has one, to judge."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.averaging import which_weights
from gan_lightning.checkpoints import check_trust, epochs_of, has_average, read_checkpoint, trained_player
from gan_lightning.data.pixels import to_uint8
from gan_lightning.drawing.motifs import Artist, at_once
from gan_lightning.exporting.folder import exported_folder
from gan_lightning.loop.checkpoint_schema import check_finite
from gan_lightning.mistakes import user_mistakes
from gan_lightning.players.protocol import takes_labels
from gan_lightning.players.sampling import generate, judged, labels_to_draw, seeded_latent

COMPARED = 128
"""Images of a kind that a score is seen beside."""
CPU = torch.device("cpu")


class Spread(NamedTuple):
    """Where D's scores of some images lie: one of ten is below `low`, one above `high`, and half are below `middle`."""

    low: float
    middle: float
    high: float


class Opened:
    """The players of a checkpoint, on the CPU, in evaluation mode.

    Args:
        path: of the checkpoint, or of an exported folder, which has no discriminator.
        weights: of the generator: `raw`, `ema`, or None for the average if there is one.
        trust: modules of one's own whose classes may be made.

    Attributes:
        settings: those of the training.
        conditional: whether the generator takes labels.
        discriminator: None where there is none.

    Raises:
        UserError: if it cannot be read, is not trusted, or has no such weights.
    """

    def __init__(self, path: Path, weights: str | None, trust: Sequence[str]) -> None:
        checkpoint = read_checkpoint(str(path))
        self.settings: dict[str, Any] = checkpoint["hyper_parameters"]
        self.epochs = epochs_of(checkpoint)
        players = ["generator"] if exported_folder(path) is not None else ["generator", "discriminator"]
        check_trust(self.settings, players, trust)
        with user_mistakes():
            self.weights = which_weights(weights, has_average(checkpoint))
            generator, *others = (
                trained_player(checkpoint, player, self.weights if player == "generator" else "raw").eval()
                for player in players
            )
        for player, network in zip(players, [generator, *others], strict=True):
            check_finite(network.state_dict(), f"{path}: {player}")
            network.requires_grad_(False)
        classes = range(self.settings["num_classes"])
        self.artist = Artist(path, generator, self.settings["image_shape"], classes, self.settings["class_names"])
        self.conditional = takes_labels(generator)
        self.discriminator: nn.Module | None = others[0] if others else None

    def draw(self, latent: Tensor, label: int) -> Tensor:
        """Images (N, C, H, W), bytes, of latents (N, …), all of one class if the generator takes labels."""
        return self._drawn(latent, torch.full((len(latent),), label))

    def score(self, images: Tensor, label: int) -> float | None:
        """What D says of an image (1, C, H, W), bytes: D(x) where logits are log-odds, else the logit; None without D.

        Of a generator without labels it is not known which class it has drawn; a D that takes them is told class 0.
        """
        scores = self._scores(images, torch.full((len(images),), label))
        return None if scores is None else scores.item()

    @cached_property
    def of_generated(self) -> Spread | None:
        """Of D's scores of some samples; None without D."""
        labels = labels_to_draw(self.artist.generator, COMPARED, self.artist.classes)
        return self.spread(self._drawn(seeded_latent(self.artist.generator, COMPARED, seed=0), labels), labels)

    def spread(self, images: Tensor, labels: Tensor) -> Spread | None:
        """Of D's scores of images (N, C, H, W), bytes, with labels (N,); None without D."""
        scores = self._scores(images, labels)
        return None if scores is None else Spread(*scores.quantile(torch.tensor([0.1, 0.5, 0.9])).tolist())

    def _drawn(self, latent: Tensor, labels: Tensor) -> Tensor:
        batch_size = at_once(self.artist.image_shape)
        return to_uint8(generate(self.artist.generator, latent, labels, batch_size, CPU))

    def _scores(self, images: Tensor, labels: Tensor) -> Tensor | None:
        if self.discriminator is None:
            return None
        logits = judged(self.discriminator, images, labels, COMPARED, CPU)
        return logits.sigmoid() if self.settings["log_odds"] else logits
