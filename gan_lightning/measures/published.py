"""FID, KID and IS as they are published: torchmetrics' classes, on points of the Inception network."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from gan_lightning.measures.point_sets import check_points


class _Points(nn.Module):
    """Stands where torchmetrics has its network: what it is given are the points already."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, points: Tensor) -> Tensor:
        return points


@contextmanager
def _quiet_and_seeded() -> Iterator[None]:
    """KID and IS draw random subsets from torch's global random numbers: always the same, and those are given back."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        torch.manual_seed(0)
        warnings.filterwarnings("ignore", message="Metric `.*` will save all extracted features")
        yield


def fid(generated: Tensor, real: Tensor) -> float:
    """The Fréchet Inception distance of points (N, 2048) and (M, 2048): Heusel et al. 2017, equation 6.

    Raises:
        ValueError: if a set does not have more points than dimensions, or holds NaN.
    """
    for name, points in (("the generated images' points", generated), ("the real images' points", real)):
        check_points(name, points, at_least=points.shape[1] + 1)
    metric = FrechetInceptionDistance(feature=_Points(generated.shape[1]))
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return metric.compute().item()


def kid(generated: Tensor, real: Tensor) -> float:
    """The kernel Inception distance, a mean over 100 random subsets of 1,000: Bińkowski et al. 2018, section 4.

    Raises:
        ValueError: if a set has fewer than 1,000 points or holds NaN.
    """
    for name, points in (("the generated images' points", generated), ("the real images' points", real)):
        check_points(name, points, at_least=1000)
    with _quiet_and_seeded():
        metric = KernelInceptionDistance(feature=_Points(generated.shape[1]), subsets=100, subset_size=1000)
        metric.update(real, real=True)
        metric.update(generated, real=False)
        return metric.compute()[0].item()


def inception_score(probabilities: Tensor) -> float:
    """The Inception score, a mean over ten random splits, of class probabilities (N, K): Salimans et al. 2016.

    Raises:
        ValueError: if there are fewer than 20 images, or the probabilities hold NaN.
    """
    check_points("the probabilities", probabilities, at_least=20)
    with _quiet_and_seeded():
        metric = InceptionScore(feature=_Points(probabilities.shape[1]), splits=10)
        metric.update(probabilities.clamp(min=1e-30).log())  # of which it takes the softmax
        return metric.compute()[0].item()
