"""What is drawn of a generator: samples, a walk between latents, the plane of four seeds."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_lightning.data.pixels import as_kept
from gan_lightning.drawing.latents import Latents, between, plane, walk
from gan_lightning.drawing.layouts import beside, grid, grid_of_classes, square_columns
from gan_lightning.players.protocol import takes_labels
from gan_lightning.players.sampling import generate, labels_to_draw
from gan_lightning.wording import counted

NUMBERS_AT_ONCE = 2**20
"""In the images that a generator draws at a time: it decides speed and memory."""
STEPS_ON_A_STRIP, STEPS_IN_A_FILM, STEPS_ON_A_PLANE = 8, 24, 9
"""From one latent to the next, unless they are chosen."""
SAMPLES, WALKS = 64, 8
"""How many there are, unless they are chosen; of walks as many as classes, if these are more."""


def at_once(image_shape: Sequence[int]) -> int:
    """How many images (C, H, W) a generator draws at a time: a multiple of 16, as latents are drawn."""
    return max(16, NUMBERS_AT_ONCE // math.prod(image_shape) // 16 * 16)


class Artist(NamedTuple):
    """A generator, and which one it is."""

    path: Path
    """Of its checkpoint."""
    generator: nn.Module
    image_shape: Sequence[int]
    """(C, H, W) of its images."""
    classes: Sequence[int]
    """Those that are drawn, if it takes labels."""
    class_names: Sequence[str] = ()
    """Of all classes, by their labels; none where they are not known."""


class Motif(ABC):
    """Something to draw of a generator, in whatever form; as text it is what it is, such as `64 samples`.

    Args:
        artist: the generator.
    """

    num_images: int
    """Of what :meth:`images` gives, and a picture shows."""
    num_frames = 1
    """Of what :meth:`frames` gives; 1 where nothing moves."""
    num_shown: int
    """Images in each frame."""

    def __init__(self, artist: Artist) -> None:
        self.artist = artist
        self.at_once = at_once(artist.image_shape)
        self.classes = artist.classes if takes_labels(artist.generator) else [0]

    @abstractmethod
    def images(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All images (B, C, H, W), bytes or points, and their labels (B,), batch by batch."""

    @abstractmethod
    def picture(self) -> Tensor:
        """All images in one picture (3, H', W')."""

    def frames(self) -> Iterator[Tensor]:
        """Pictures (3, H', W') one after the other, as a film."""
        yield self.picture()

    def drawn(self, latent: Tensor, labels: Tensor) -> Tensor:
        """Images (B, C, H, W), bytes or points, of latents (B, …) and labels (B,)."""
        parts = zip(latent.split(self.at_once), labels.split(self.at_once), strict=True)
        cpu = torch.device("cpu")
        return torch.cat([as_kept(generate(self.artist.generator, some, of, self.at_once, cpu)) for some, of in parts])


class Samples(Motif):
    """Samples from random latents; of a conditional generator as many of each class as can be.

    Args:
        num_samples: how many.
        seed: of the latents.
        truncation: of the latents.
    """

    def __init__(
        self,
        artist: Artist,
        num_samples: int | None,
        seed: int,
        truncation: float | None,
    ) -> None:
        super().__init__(artist)
        self.num_images = self.num_shown = SAMPLES if num_samples is None else num_samples
        self.seed = seed
        self.truncation = truncation

    def __str__(self) -> str:
        return counted(self.num_images, "sample")

    def images(self) -> Iterator[tuple[Tensor, Tensor]]:
        latents = Latents(self.artist.generator, self.seed, self.truncation)
        for labels in labels_to_draw(self.artist.generator, self.num_images, self.classes).split(self.at_once):
            yield self.drawn(latents.draw(len(labels)), labels), labels

    def picture(self) -> Tensor:
        images, labels = map(torch.cat, zip(*self.images(), strict=True))
        return grid_of_classes(images, labels, columns=max(1, round(self.num_images**0.5)))


class Walk(Motif):
    """Walks through random latents, all at once: in a picture a row each, in a film, where they end as they began, a
    place in the grid each.

    Args:
        stops: how many latents a walk leads through.
        steps: images from one to the next.
        num_walks: how many walks.
        seed: of the latents.
        truncation: of the latents.
        closed: whether a walk leads back to where it began.
    """

    def __init__(
        self,
        artist: Artist,
        stops: int,
        steps: int | None,
        num_walks: int | None,
        seed: int,
        truncation: float | None,
        closed: bool,
    ) -> None:
        super().__init__(artist)
        self.stops = stops
        self.steps = steps or (STEPS_IN_A_FILM if closed else STEPS_ON_A_STRIP)
        self.num_shown = max(WALKS, len(self.classes)) if num_walks is None else num_walks
        self.num_frames = stops * self.steps if closed else (stops - 1) * self.steps + 1
        self.num_images = self.num_shown * self.num_frames
        self.seed = seed
        self.truncation = truncation
        self.closed = closed

    def __str__(self) -> str:
        return f"{counted(self.num_shown, 'walk')} through {self.stops} latents"

    def images(self) -> Iterator[tuple[Tensor, Tensor]]:
        latents = Latents(self.artist.generator, self.seed, self.truncation)
        walks_at_once = max(1, self.at_once // self.num_frames)
        for labels in labels_to_draw(self.artist.generator, self.num_shown, self.classes).split(walks_at_once):
            rows = torch.stack([*self._walk(latents, len(labels))], dim=1).flatten(0, 1)
            all_labels = labels.repeat_interleave(self.num_frames)
            yield self.drawn(rows, all_labels), all_labels

    def picture(self) -> Tensor:
        return grid(torch.cat([images for images, _ in self.images()]), columns=self.num_frames)

    def frames(self) -> Iterator[Tensor]:
        labels = labels_to_draw(self.artist.generator, self.num_shown, self.classes)
        columns = square_columns(self.num_shown)
        for latent in self._walk(Latents(self.artist.generator, self.seed, self.truncation), self.num_shown):
            yield grid_of_classes(self.drawn(latent, labels), labels, columns)

    def _walk(self, latents: Latents, number: int) -> Iterator[Tensor]:
        stops = latents.draw(number * self.stops).unflatten(0, (number, self.stops)).transpose(0, 1)
        return walk(stops, self.steps, between(self.artist.generator), self.closed)


class Plane(Motif):
    """What is between the first samples of four seeds, which are the corners of a square; one for each class.

    Args:
        seeds: upper left and right, lower left and right.
        steps: from one corner to the next; a side has one image more.
        truncation: of the latents.
    """

    def __init__(
        self,
        artist: Artist,
        seeds: Sequence[int],
        steps: int | None,
        truncation: float | None,
    ) -> None:
        super().__init__(artist)
        self.seeds = seeds
        self.steps = steps or STEPS_ON_A_PLANE
        self.truncation = truncation
        self.num_images = self.num_shown = len(self.classes) * (self.steps + 1) ** 2

    def __str__(self) -> str:
        return f"{counted(len(self.classes), 'plane')} of the seeds {', '.join(map(str, self.seeds))}"

    def images(self) -> Iterator[tuple[Tensor, Tensor]]:
        corners = torch.cat([Latents(self.artist.generator, seed, self.truncation).draw(1) for seed in self.seeds])
        latent = plane(corners, self.steps, between(self.artist.generator))
        for label in self.classes:
            labels = torch.full((len(latent),), label)
            yield self.drawn(latent, labels), labels

    def picture(self) -> Tensor:
        return beside([grid(images, columns=self.steps + 1) for images, _ in self.images()])
