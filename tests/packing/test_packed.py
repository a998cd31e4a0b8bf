"""A tensor that stands for one tensor each of several trainings."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, dropout, layer_norm, linear

from gan_lightning.packing.packed import OwnRandomNumbers, Packed
from gan_lightning.packing.streams import Stream

MEMBERS = 3


def slope(x: Tensor, weight: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(linear(x, weight).relu().sum(), x, create_graph=True)
    return gradient.square()


FUNCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "linear": linear,
    "penalty": slope,
    "in place": lambda x, weight: x.clone().mul_(2).add_(weight.mean()),
    "into another": lambda x, weight: torch.eq(x, x.amax(1, keepdim=True), out=torch.empty_like(x)) * weight.sum(),
    "parts": lambda x, weight: torch.cat([part * n for n, part in enumerate(x.split([2, 3]))]) @ weight.t(),
    "convolution": lambda x, weight: conv2d(x.view(5, 1, 2, 3), weight.view(4, 1, 2, 3)),
    "a layer without a bias": lambda x, weight: layer_norm(x, (6,), weight=weight[0]),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_is_done_to_it_is_done_to_each_and_so_are_gradients(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    inputs, weights = torch.randn(MEMBERS, 5, 6).double(), torch.randn(MEMBERS, 4, 6).double()
    packed = Packed(weights.clone()).requires_grad_()
    of_all = function(Packed(inputs.clone()), packed)
    of_all.square().sum().backward()
    for member in range(MEMBERS):
        weight = weights[member].clone().requires_grad_()
        alone = function(inputs[member].clone(), weight)
        alone.square().sum().backward()
        assert of_all.shape == alone.shape
        torch.testing.assert_close(of_all.stacked[member], alone, rtol=0, atol=1e-12)
        torch.testing.assert_close(packed.grad.stacked[member], weight.grad, rtol=0, atol=1e-12)


def test_its_memory_is_that_of_the_stacked() -> None:
    stacked = torch.zeros(MEMBERS, 2)
    Packed(stacked).add_(1)
    assert stacked.sum() == 2 * MEMBERS


def test_what_depends_on_the_numbers_of_one_is_refused() -> None:
    with pytest.raises(RuntimeError, match="vmap"):
        bool(Packed(torch.ones(MEMBERS)) > 0)


DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "as many as": torch.randn_like,
    "of a size": lambda x: x + torch.rand(len(x), 1),
    "dropout": lambda x: dropout(x, 0.4),
    "in place": lambda x: x.clone().uniform_(-1, 1),
    "twice": lambda x: torch.rand(2).sum() * torch.randint(5, (3,)) + x.mean(),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_each_draws_its_own_random_numbers_and_goes_on_where_it_was(draw: Callable[[Tensor], Tensor]) -> None:
    def stream(member: int) -> Stream:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(member)
            return Stream()

    inputs = torch.randn(MEMBERS, 3, 4)
    packed_streams, alone = ([stream(member) for member in range(MEMBERS)] for _ in range(2))
    outside = torch.get_rng_state()
    for _ in range(2):
        with OwnRandomNumbers(packed_streams):
            of_all = draw(Packed(inputs.clone()))
        for member in range(MEMBERS):
            with alone[member]:
                torch.testing.assert_close(of_all.stacked[member], draw(inputs[member].clone()), rtol=0, atol=1e-6)
    assert torch.equal(torch.get_rng_state(), outside)


def test_a_copied_stream_draws_the_same_and_leaves_the_other_alone() -> None:
    stream = Stream()
    with stream.copy():
        copied = torch.rand(3)
    with stream:
        assert torch.equal(torch.rand(3), copied)
