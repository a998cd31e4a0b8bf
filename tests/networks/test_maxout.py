import pytest
import torch

from gan_lightning.networks.maxout import Maxout


@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_is_the_maximum_over_its_pieces(pieces: int) -> None:
    torch.manual_seed(0)
    layer = Maxout(7, 3, pieces)
    x = torch.randn(4, 7)
    expected = torch.full((4, 3), -torch.inf)
    for sample in range(4):
        for unit in range(3):
            for piece in range(pieces):
                row = piece * 3 + unit
                affine = sum(x[sample, i] * layer.linear.weight[row, i] for i in range(7)) + layer.linear.bias[row]
                expected[sample, unit] = max(expected[sample, unit], affine)
    torch.testing.assert_close(layer(x), expected)


def test_the_gradient_reaches_the_largest_piece_alone() -> None:
    torch.manual_seed(0)
    layer = Maxout(7, 1, pieces=4)
    x = torch.randn(1, 7)
    layer(x).sum().backward()
    largest = layer.linear(x).argmax().item()
    reached = layer.linear.bias.grad.nonzero().flatten().tolist()
    assert reached == [largest]


def test_refuses_no_pieces() -> None:
    with pytest.raises(ValueError, match="pieces must be"):
        Maxout(7, 3, pieces=0)
