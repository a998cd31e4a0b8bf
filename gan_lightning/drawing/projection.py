"""Projection: the latent whose image is nearest to a given one, after Webster et al. 2019, who call it recovery."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gan_lightning.data.pixels import from_uint8, to_uint8
from gan_lightning.drawing.latents import Latents, allowed
from gan_lightning.drawing.motifs import at_once
from gan_lightning.measures.memorisation import nearest_neighbours
from gan_lightning.players.protocol import call, evaluating, frozen
from gan_lightning.players.sampling import generate, labels_to_draw

TRIED = 2048
"""Latents whose images are looked at."""
DESCENDED = 32
"""Of these, so many begin a descent: the nearest of each class, then the nearest of all."""
STEPS = 300
LEARNING_RATE = 0.1
"""Of Adam, at first; it falls to 0 along a cosine."""
CPU = torch.device("cpu")


class Projection(NamedTuple):
    """What of a generator is nearest to an image."""

    latent: Tensor
    """(1, latent_dim)."""
    label: Tensor
    """(1,), the class it is drawn as."""
    image: Tensor
    """(C, H, W), bytes."""


def project(generator: nn.Module, image: Tensor, classes: Sequence[int], seed: int) -> Projection:
    """Find the latent whose image is nearest in the mean square of its pixels' differences.

    Of many latents that the seed decides those with the nearest images are the starts of gradient descents, in which
    they stay what the generator could be given: uniform ones within their bounds, those on a sphere on it, and others
    no longer than the longest that was tried.

    Args:
        generator: on the CPU.
        image: (C, H, W), bytes, of the shape of the generator's.
        classes: those that are tried of a generator that takes labels.
        seed: of the latents.
    """
    wanted = from_uint8(image)
    labels = labels_to_draw(generator, max(TRIED, len(classes)), classes)
    tried = Latents(generator, seed).draw(len(labels))
    parts = zip(tried.split(at_once(image.shape)), labels.split(at_once(image.shape)), strict=True)
    distances = torch.cat([_distances(generate(generator, *part, len(part[0]), CPU), wanted) for part in parts])
    starts = nearest_of_each(distances, labels)
    latent = tried[starts].clone().requires_grad_()
    labels = labels[starts]
    longest = tried.flatten(1).norm(dim=1).max().item()
    optimizer = torch.optim.Adam([latent], lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    best, nearest = latent.detach().clone(), distances[starts]
    with evaluating(generator), frozen(generator):
        for step in tqdm(range(STEPS + 1), unit="step", delay=1, leave=False):
            distance = _distances(call(generator, latent, labels), wanted)
            nearer = distance.detach() < nearest
            best[nearer], nearest = latent.detach()[nearer], torch.where(nearer, distance.detach(), nearest)
            if step < STEPS:
                optimizer.zero_grad()
                distance.sum().backward()
                optimizer.step()
                schedule.step()
                with torch.no_grad():
                    latent.copy_(allowed(generator, latent, longest))
    winner = int(nearest.argmin())
    chosen, label = best[winner][None], labels[winner][None]
    drawn = generate(generator, chosen, label, 1, CPU)
    return Projection(chosen, label, to_uint8(drawn)[0])


def _distances(images: Tensor, wanted: Tensor) -> Tensor:
    return (images - wanted).square().flatten(1).mean(1)


def nearest_of_each(distances: Tensor, labels: Tensor) -> Tensor:
    """Which of (N,) distances begin a descent: of each class as many of the nearest, and no more than DESCENDED in all;
    of more classes than that the nearest of the nearest.
    """
    each = max(1, DESCENDED // len(labels.unique()))
    found = []
    for label in labels.unique():
        (of_class,) = torch.where(labels == label)
        found.append(of_class[distances[of_class].argsort()[:each]])
    chosen = torch.cat(found)
    return chosen[distances[chosen].argsort()[:DESCENDED]]


def difference(image: Tensor, other: Tensor) -> float:
    """The root of the mean square of the differences between the pixels of images (C, H, W), bytes; from 0 to 255."""
    return (image.double() - other.double()).square().mean().sqrt().item()


def nearest_of(images: Tensor, image: Tensor) -> Tensor:
    """Which of images (N, C, H, W), bytes, is nearest to an image (C, H, W) in the same sense."""
    return images[nearest_neighbours(image.flatten()[None], images.flatten(1)).nearest[0]]
