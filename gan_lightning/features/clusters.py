"""Which of many looks, and which way up: a feature space that is trained without labels.

Instead of classes a network tells apart clusters of alike images, found by k-means, and by which quarter turn an image
was turned: all pairs of both are one set of classes, as in "DeeperCluster", Caron et al. 2019. Turns alone (RotNet,
Gidaris et al. 2018) ask only for what tells them: where half of FashionMNIST's classes are gone a network that knows no
more sees nothing. Self-supervised features rank generators as those of Inception do, and better where the images are
not like ImageNet's: Morozov et al. 2021.
"""

from functools import cache

import torch
from torch import Tensor

from gan_lightning.data.base import ImageDataModule
from gan_lightning.features.classifier import Classifier, Task, network_of
from gan_lightning.features.spatial import spatial_of, spatial_points

QUARTER_TURNS = 4
MOST_CLUSTERS = 32
LEAST_IMAGES = 20
"""Of a cluster, on average; small data sets have fewer clusters."""
NUM_IMAGES = 10_000
"""Training images that decide the centres of clusters."""
ROUNDS = 20
"""Of k-means."""
SEED = 0


def turned(images: Tensor, clusters: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) of clusters (B,), each turned by some quarters: (B, C, S, S), S the less of H and W; and the
    pairs of both, 4 · cluster + quarters, (B,).

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
    return result, QUARTER_TURNS * clusters + turns


def centres_of(points: Tensor, number: int) -> Tensor:
    """The centres (number, D) of clusters of points (N, D), N at least `number`: k-means, Lloyd 1982."""
    random = torch.Generator().manual_seed(SEED)
    centres = points[torch.randperm(len(points), generator=random)[:number]]
    for _ in range(ROUNDS):
        nearest = torch.cdist(points, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        sizes = nearest.bincount(minlength=number)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return centres


def clusters_of(data: ImageDataModule) -> Classifier:
    """The network of a data set that tells clusters and quarter turns; its accuracy is that on turned test images.

    It is that of the classifier, trained and kept as that is. The clusters are those of spatial features, which are
    trained on nothing. When it describes images it sees the whole of them, also of those that are not square.
    """
    images, _ = data.split(train=True)
    number = max(1, min(MOST_CLUSTERS, len(images) // LEAST_IMAGES))

    @cache
    def nearest() -> tuple[Tensor, Tensor]:
        space, cpu = spatial_of(data), torch.device("cpu")
        centres = centres_of(spatial_points(space, images[:NUM_IMAGES], cpu), number)
        of_training, of_test = (
            torch.cdist(spatial_points(space, data.split(train)[0], cpu), centres).argmin(1) for train in (True, False)
        )
        return of_training, of_test

    return network_of(
        data, Task("clusters", QUARTER_TURNS * number, False, nearest, turned, (images,), suffix="_clusters")
    )
