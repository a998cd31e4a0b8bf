"""What the page shows: which latent a place stands for, what is drawn there, and what is near."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lightning.checkpoints import training_set
from gan_lightning.drawing.latents import Latents, allowed, between, between_corners, plane
from gan_lightning.drawing.projection import Projection, project
from gan_lightning.drawing.writing import check_alike
from gan_lightning.errors import UserError, one_line
from gan_lightning.exploring.directions import Directions, principal_directions
from gan_lightning.exploring.nearest import Near, nearest
from gan_lightning.exploring.opened import COMPARED, Opened, Spread
from gan_lightning.exploring.runs import Run

KEPT = 16
"""Checkpoints that are kept open."""
SHOWN_DIRECTIONS = 6
REACH = 4
"""How far the page goes along a direction, each way, in standard deviations of a latent variable."""
NEIGHBOURS = 6


class Place(NamedTuple):
    """A point of the latent space, whatever generator draws it."""

    seeds: Sequence[int]
    """Of the corners of a plane: upper left and right, lower left and right."""
    across: float = 0.5
    down: float = 0.5
    """The shares of the way from left to right and from top to bottom."""
    along: Sequence[float] = ()
    """The steps along the principal directions, in standard deviations of a latent variable."""
    start: Tensor | None = None
    """(1, …), where the steps begin in place of a point of the plane."""


class Explorer:
    """Runs, and the images that the first of them was trained on.

    Args:
        runs: with latents of one shape, and images of one shape.
        weights: of the generators, `raw`, `ema` or None.
        data_dir: where the data sets are.
        trust: modules of one's own whose classes may be made.

    Attributes:
        training: images (N, C, H, W), bytes, and labels (N,); None where they are not to be had.
        missing: why they are not, in one line; empty if they are there.
        directions: the principal directions of the first run's last generator, which all checkpoints are shown
            along: so that a place is the same for all of them; None where there are none.

    Raises:
        UserError: if a last checkpoint cannot be opened, or they cannot be shown side by side.
    """

    def __init__(self, runs: Sequence[Run], weights: str | None, data_dir: str, trust: Sequence[str]) -> None:
        self.runs = runs

        @lru_cache(KEPT)
        def open_checkpoint(run: int, epochs: int) -> Opened:
            return Opened(runs[run].checkpoints[epochs], weights, trust)

        self.open = open_checkpoint
        """Of the number of a run, and epochs that it has a checkpoint of, which may raise a UserError."""
        last = [self.last(number) for number in range(len(runs))]
        check_alike([each.artist for each in last])
        for each in last:
            if each.artist.classes != last[0].artist.classes:
                raise UserError(
                    f"{last[0].artist.path} and {each.artist.path} cannot be shown side by side: the one knows"
                    f" {len(last[0].artist.classes)} classes, the other {len(each.artist.classes)}"
                )
        self._generator = last[0].artist.generator
        self.directions = self._directions()
        self.training, self.missing = None, ""
        try:
            self.training = training_set(last[0].settings, data_dir, trust)
        except UserError as reason:
            self.missing = one_line(reason)
        self.of_real = lru_cache(KEPT)(self._of_real)
        """D's scores of some training images, of an opened checkpoint; None without D, or without images."""

    def last(self, run: int) -> Opened:
        """The last checkpoint of a run, by its number."""
        return self.open(run, max(self.runs[run].checkpoints))

    def _directions(self) -> Directions | None:
        found = principal_directions(self._generator, Latents(self._generator, seed=0).draw(2))
        return found and Directions(*(part[:SHOWN_DIRECTIONS] for part in found))

    def _of_real(self, opened: Opened) -> Spread | None:
        if self.training is None:
            return None
        images, labels = self.training
        chosen = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:COMPARED]
        return opened.spread(images[chosen], labels[chosen])

    def latent(self, place: Place) -> Tensor:
        """The latent (1, …) of a place."""
        latent = place.start
        if latent is None:
            latent = between_corners(self._corners(place), place.across, place.down, between(self._generator))
        return self._moved(latent, place.along)

    def plane(self, place: Place, steps: int) -> Tensor:
        """Latents ((steps + 1)², …), row by row, of the plane that a place is in, all as far along the directions."""
        return self._moved(plane(self._corners(place), steps, between(self._generator)), place.along)

    def strip(self, place: Place, direction: int, number: int) -> Tensor:
        """Latents (number, …) from one end of a direction to the other; along the others they are where the place is.

        In the middle of an odd number it stands at 0.
        """
        along = list(place.along)
        steps = torch.linspace(-REACH, REACH, number).tolist()
        return torch.cat(
            [self.latent(place._replace(along=[*along[:direction], step, *along[direction + 1 :]])) for step in steps]
        )

    def nearest(self, image: Tensor) -> tuple[Tensor, Near] | None:
        """The training images (K, C, H, W) that are nearest to an image (C, H, W); None where they are missing."""
        if self.training is None:
            return None
        near = nearest(self.training[0], image, NEIGHBOURS)
        return self.training[0][near.places], near

    def project(self, image: Tensor, opened: Opened) -> Projection:
        """What a generator draws that is most like an image (C, H, W), bytes, of any class."""
        return project(opened.artist.generator, image, opened.artist.classes, seed=0)

    def _corners(self, place: Place) -> Tensor:
        return torch.cat([Latents(self._generator, seed).draw(1) for seed in place.seeds])

    def _moved(self, latent: Tensor, along: Sequence[float]) -> Tensor:
        if self.directions is None:
            return latent
        for step, direction in zip(along, self.directions.vectors, strict=False):
            latent = latent + step * direction
        return allowed(self._generator, latent)
