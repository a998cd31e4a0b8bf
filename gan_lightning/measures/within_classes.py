"""How good a conditional generator's images are class by class, where a measure of all together sees no mixing up."""

import statistics

from torch import Tensor

from gan_lightning.measures.kernel import kernel_distance
from gan_lightning.measures.neighbourhoods import neighbourhoods

NUM_NEIGHBOURS = 5
"""k of the coverage; a class needs more generated and more real images than so many."""


def class_accuracy(probabilities: Tensor, labels: Tensor) -> float:
    """The share of images that a classifier takes for the class that was asked for.

    Args:
        probabilities: of each class, (N, K).
        labels: that were asked for, (N,).

    Raises:
        ValueError: if there are no images.
    """
    if len(labels) == 0:
        raise ValueError("the classes of no images cannot be counted")
    return (probabilities.argmax(1) == labels).double().mean().item()


def within_classes(points: Tensor, labels: Tensor, real: Tensor, real_labels: Tensor) -> tuple[float, float]:
    """Two means over the classes: the unbiased kernel distance and the coverage of each class's points.

    Both are fit for few images: the kernel distance is 0 on average for two sets from one distribution however small
    they are, which no Fréchet distance is. Classes of fewer than six generated or six real images are left out.

    Args:
        points: of generated images, (N, D).
        labels: that were asked for, (N,).
        real: points of real images, (M, D).
        real_labels: their classes, (M,).

    Raises:
        ValueError: if no class has so many images, or points hold NaN.
    """
    distances, coverages = [], []
    for label in real_labels.unique():
        of_class, real_of_class = points[labels == label], real[real_labels == label]
        if min(len(of_class), len(real_of_class)) > NUM_NEIGHBOURS:
            distances.append(kernel_distance(of_class, real_of_class))
            coverages.append(neighbourhoods(real_of_class, of_class, NUM_NEIGHBOURS).coverage)
    if not distances:
        raise ValueError(f"no class has {NUM_NEIGHBOURS + 1} generated and as many test images")
    return statistics.fmean(distances), statistics.fmean(coverages)
