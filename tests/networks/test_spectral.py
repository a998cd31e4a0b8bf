import torch
from torch import nn
from torch.linalg import matrix_norm

from gan_lightning.networks.labels import Projection
from gan_lightning.networks.spectral import normalize_spectrally


def test_the_largest_singular_value_of_each_weight_is_1() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 4), nn.Flatten(), nn.Linear(8, 20))
    projection = Projection(20, 5)
    for part in (network, projection):
        normalize_spectrally(part)
    images, labels = torch.randn(4, 3, 4, 4), torch.arange(4)
    for _ in range(100):
        projection(network(images), labels)
    for layer in (network[0], network[2], projection, projection.classes):
        weight = layer.weight.flatten(1)
        torch.testing.assert_close(matrix_norm(weight, 2), torch.tensor(1.0), atol=1e-3, rtol=0)


def test_a_dense_network_then_has_a_slope_of_at_most_1() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 30), nn.LeakyReLU(0.2), nn.Linear(30, 1))
    normalize_spectrally(network)
    x = torch.randn(500, 6, requires_grad=True)
    for _ in range(100):
        network(x)
    (slope,) = torch.autograd.grad(network(x).sum(), x)
    assert slope.norm(dim=1).max() <= 1.001


def test_both_terms_of_a_projection_are_of_one_size() -> None:
    torch.manual_seed(0)
    projection, features = Projection(400, 10), torch.randn(2000, 400)
    normalize_spectrally(projection)
    plain = features @ projection.weight[0] + projection.bias
    of_class = projection(features, torch.arange(2000) % 10) - plain
    assert 0.5 < of_class.std() / plain.std() < 2
