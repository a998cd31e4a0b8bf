"""Each metric against known answers, closed forms, direct computations and torchmetrics."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import maximum_mean_discrepancy

from gan_lightning.measures.equilibrium import equilibrium
from gan_lightning.measures.frechet import frechet_distance, gaussian_frechet_distance
from gan_lightning.measures.inception_score import inception_score
from gan_lightning.measures.kernel import kernel_distance
from gan_lightning.measures.memorisation import memorisation, nearest_neighbours
from gan_lightning.measures.modes import modes_and_divergence
from gan_lightning.measures.neighbourhoods import neighbourhoods
from gan_lightning.measures.parzen import FINE_SIGMAS, OFFICIAL_SIGMAS, log_likelihoods, parzen_likelihoods


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def clusters(*centres: float, number: int = 300) -> Tensor:
    """As many points around each of these numbers, in two dimensions."""
    return torch.cat([torch.randn(number, 2) * 0.1 + centre for centre in centres])


class Unchanged(torch.nn.Module):
    """Stands where torchmetrics has its Inception network: the points are the features."""

    num_features = 8

    def forward(self, points: Tensor) -> Tensor:
        return points


TWO_SETS: dict[str, Callable[[Tensor, Tensor], object]] = {
    "frechet": frechet_distance,
    "kernel": kernel_distance,
    "neighbourhoods": neighbourhoods,
}


@pytest.mark.parametrize("metric", TWO_SETS)
def test_the_order_of_the_points_does_not_matter(metric: str) -> None:
    x, y = torch.randn(2500, 4), torch.randn(1300, 4) + 0.3
    shuffled = TWO_SETS[metric](x[torch.randperm(2500)], y[torch.randperm(1300)])
    assert shuffled == pytest.approx(TWO_SETS[metric](x, y), abs=1e-9)


@pytest.mark.parametrize("metric", TWO_SETS)
def test_sets_that_cannot_be_measured_are_refused_in_one_line(metric: str) -> None:
    points, broken = torch.randn(50, 3), torch.randn(50, 3)
    broken[7, 1] = torch.nan
    for x, y in ((points, broken), (broken, points)):
        with pytest.raises(ValueError, match=r"hold NaN or infinity$"):
            TWO_SETS[metric](x, y)
    for x, y in ((points, points[:1]), (points[:1], points)):
        with pytest.raises(ValueError, match=r"1 points are too few; at least \d+ are needed$"):
            TWO_SETS[metric](x, y)
    with pytest.raises(ValueError, match=r"must be points"):
        TWO_SETS[metric](points[None], points)


def test_the_same_set_is_at_distance_0_and_fully_covered() -> None:
    points = torch.randn(1500, 6)
    assert frechet_distance(points, points) == pytest.approx(0, abs=1e-9)
    found = neighbourhoods(points, points)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    assert found.density == pytest.approx(1, abs=1e-3)


def test_frechet_distance_of_known_gaussians() -> None:
    # Diagonal covariances: |μ₁ - μ₂|² + Σ (σ₁ - σ₂)².
    mean, other = torch.tensor([1.0, 2.0]).double(), torch.tensor([0.0, -1.0]).double()
    sigma, other_sigma = torch.tensor([1.0, 3.0]).double(), torch.tensor([2.0, 0.5]).double()
    found = gaussian_frechet_distance(mean, (sigma**2).diag(), other, (other_sigma**2).diag())
    assert found.item() == pytest.approx(1 + 9 + 1 + 6.25)
    rotation = torch.linalg.qr(torch.randn(2, 2).double()).Q
    turned = [rotation @ (s**2).diag() @ rotation.T for s in (sigma, other_sigma)]
    found = gaussian_frechet_distance(rotation @ mean, turned[0], rotation @ other, turned[1])
    assert found.item() == pytest.approx(1 + 9 + 1 + 6.25)


def test_frechet_distance_agrees_with_torchmetrics() -> None:
    x, y = torch.randn(400, 8), torch.randn(300, 8) @ torch.randn(8, 8) + 1
    metric = FrechetInceptionDistance(feature=Unchanged())
    metric.update(x, real=True)
    metric.update(y, real=False)
    assert frechet_distance(x, y) == pytest.approx(metric.compute().item(), rel=1e-4)


def test_kernel_distance_agrees_with_torchmetrics_and_is_unbiased() -> None:
    x, y = torch.randn(120, 5), torch.randn(120, 5) + 0.5
    kernel = [(a.double() @ b.double().T / 5 + 1) ** 3 for a, b in ((x, x), (x, y), (y, y))]
    assert kernel_distance(x, y) == pytest.approx(maximum_mean_discrepancy(*kernel).item(), rel=1e-9)
    same = torch.tensor([kernel_distance(torch.randn(60, 5), torch.randn(60, 5)) for _ in range(200)])
    assert abs(same.mean()) < 3 * same.std() / math.sqrt(200)


def test_inception_score_of_known_distributions() -> None:
    sure = torch.eye(4).repeat(5, 1)
    assert inception_score(sure) == pytest.approx(4)  # each image of one class, all classes equally often
    assert inception_score(sure[:1].repeat(9, 1)) == pytest.approx(1)  # always the same class
    assert inception_score(torch.full((9, 4), 0.25)) == pytest.approx(1)  # never sure
    with pytest.raises(ValueError, match="add up to 1"):
        inception_score(torch.ones(3, 4))


@pytest.mark.filterwarnings("ignore:Metric `InceptionScore` will save all extracted features")
@pytest.mark.filterwarnings("ignore:std")  # of a single split
def test_inception_score_agrees_with_torchmetrics() -> None:
    logits = torch.randn(64, 6)
    metric = InceptionScore(feature=torch.nn.Identity(), splits=1)
    metric.update(logits)
    assert inception_score(logits.softmax(1)) == pytest.approx(metric.compute()[0].item(), rel=1e-5)


def test_precision_sees_invention_and_recall_sees_collapse() -> None:
    real = clusters(0, 10)
    collapsed = neighbourhoods(real, clusters(0, number=600))
    assert collapsed.precision > 0.9
    assert collapsed.recall < 0.55
    assert collapsed.coverage < 0.55
    inventing = neighbourhoods(real, clusters(0, 10, 20, number=200))
    assert inventing.precision == pytest.approx(2 / 3, abs=0.06)
    assert inventing.density == pytest.approx(2 / 3, abs=0.1)
    assert inventing.recall > 0.9
    apart = neighbourhoods(real, clusters(50, 60))
    assert tuple(apart) == (0, 0, 0, 0)


def test_neighbourhoods_of_points_on_a_line() -> None:
    # Balls with k = 1 around 0, 1 and 3 reach 1, 1 and 2 far; around 0.5 and 10, 9.5 far.
    real, fake = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.5], [10.0]])
    found = neighbourhoods(real, fake, k=1)
    assert found.precision == 1 / 2  # 0.5 lies in a real ball, 10 in none
    assert found.density == 2 / 2  # 0.5 lies in two of them
    assert found.coverage == 2 / 3  # those around 0 and 1
    assert found.recall == 1  # all lie in the ball around 0.5 or around 10


def test_one_outlier_raises_precision_but_not_density() -> None:
    real = torch.cat([clusters(0), torch.tensor([[100.0, 100.0]])])
    far = neighbourhoods(real, clusters(50))
    assert far.precision == 1  # the outlier's ball reaches over everything
    assert far.density < 0.25


def test_modes() -> None:
    real = torch.arange(4).repeat(10)
    assert modes_and_divergence(real, real, 4) == (4, 0)
    assert modes_and_divergence(torch.zeros(7, dtype=torch.int64), real, 4) == (1, pytest.approx(math.log(4)))
    assert modes_and_divergence(torch.tensor([0, 0, 1, 1]), real, 4) == (2, pytest.approx(math.log(2)))
    with pytest.raises(ValueError, match="no real image has"):
        modes_and_divergence(torch.tensor([3]), torch.tensor([0, 1]), 4)
    with pytest.raises(ValueError, match="classes must be"):
        modes_and_divergence(torch.tensor([4]), real, 4)


def test_parzen_of_one_gaussian_is_its_log_density() -> None:
    centre, points = torch.randn(1, 5), torch.randn(4, 5)
    for sigma in (0.1, 0.7):
        normal = torch.distributions.Normal(centre.double(), sigma)
        expected = normal.log_prob(points.double()).sum(1)
        torch.testing.assert_close(
            log_likelihoods(points, centre, torch.tensor([sigma]))[0], expected, rtol=1e-6, atol=1e-6
        )


def test_parzen_against_a_direct_computation() -> None:
    points, samples = torch.rand(30, 6).double(), torch.rand(40, 6).double()
    found = log_likelihoods(points, samples, OFFICIAL_SIGMAS)
    for row, sigma in zip(found, OFFICIAL_SIGMAS, strict=True):
        exponents = -((points[:, None] - samples[None]) ** 2).sum(2) / (2 * sigma**2)
        expected = exponents.exp().mean(1).log() - 6 * math.log(sigma * math.sqrt(2 * math.pi))
        torch.testing.assert_close(row, expected)


def test_parzen_chooses_the_width_on_validation_images_and_finds_a_known_density() -> None:
    # Many samples of a normal density with deviation 0.5: the window's likelihood nears minus its entropy.
    draws = [0.5 * torch.randn(number, 1) for number in (2500, 500, 1000)]
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.25)
    found, coarse = parzen_likelihoods(*draws, FINE_SIGMAS, OFFICIAL_SIGMAS)
    assert [coarse] == parzen_likelihoods(*draws, OFFICIAL_SIGMAS)
    assert found.mean == pytest.approx(-entropy, abs=4 * found.standard_error)
    assert 0.01 < found.standard_error < 0.04
    assert found.sigma < 0.3
    likelihoods = log_likelihoods(draws[1], draws[0], FINE_SIGMAS).mean(1)
    assert found.sigma == FINE_SIGMAS[likelihoods.argmax()].item()


def test_the_official_widths_are_ten_from_a_tenth_to_one() -> None:
    assert [round(sigma, 4) for sigma in OFFICIAL_SIGMAS.tolist()] == [
        0.1, 0.1292, 0.1668, 0.2154, 0.2783, 0.3594, 0.4642, 0.5995, 0.7743, 1.0,
    ]  # fmt: skip


def test_nearest_neighbours_against_a_direct_computation() -> None:
    points, training = torch.randn(450, 7), torch.randn(300, 7)
    found = nearest_neighbours(points, training)
    direct = torch.cdist(points.double(), training.double()).min(1)
    assert torch.equal(found.nearest, direct.indices)
    torch.testing.assert_close(found.distance, direct.values)


def test_memorisation_tells_copies_from_new_images() -> None:
    training, held_out = torch.rand(400, 20), torch.rand(100, 20)
    copies = training[:50] + 0.001 * torch.randn(50, 20)
    assert memorisation(copies, held_out, training) < 0.05
    assert memorisation(torch.rand(100, 20), held_out, training) == pytest.approx(1, abs=0.1)


def test_equilibrium() -> None:
    undecided = torch.zeros(10)
    assert tuple(equilibrium(undecided, undecided, undecided)) == (0.5, 0.5, 0.5, 0.5)
    sure = equilibrium(torch.full((3,), 50.0), torch.full((4,), 50.0), torch.full((5,), -50.0))
    assert tuple(sure) == (pytest.approx(1), pytest.approx(1), pytest.approx(0), 1)
    with pytest.raises(ValueError, match="generated images are missing"):
        equilibrium(undecided, undecided, undecided[:0])
