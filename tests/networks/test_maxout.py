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


def test_values_and_gradients_are_those_of_the_library_also_between_equal_pieces() -> None:
    torch.manual_seed(0)
    layer = Maxout(5, 6, pieces=3)
    with torch.no_grad():
        layer.linear.weight[6:12] = layer.linear.weight[:6]
        layer.linear.bias[6:12] = layer.linear.bias[:6]
    x, towards = torch.randn(8, 5, requires_grad=True), torch.randn(8, 6)
    reference = layer.linear(x).unflatten(-1, (3, 6)).amax(-2)
    assert torch.equal(layer(x), reference)
    expected = torch.autograd.grad(reference, [x, *layer.parameters()], towards)
    ours = torch.autograd.grad(layer(x), [x, *layer.parameters()], towards)
    for one, other in zip(ours, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_can_be_differentiated_twice() -> None:
    torch.manual_seed(0)
    layer = Maxout(5, 6, pieces=3).double()
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    assert torch.autograd.gradgradcheck(layer, x)


def test_refuses_no_pieces_and_no_width() -> None:
    with pytest.raises(ValueError, match="pieces must be"):
        Maxout(7, 3, pieces=0)
    with pytest.raises(ValueError, match="the width of a Maxout layer must be"):
        Maxout(7, 0, pieces=2)
