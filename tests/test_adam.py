"""Adam with tensors for coefficients, against PyTorch's own."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.adam import Adam, is_fused_on_cpu, step_fused


def train(optimizer_of: Any, betas: list[Any], steps: int = 6) -> list[Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    optimizer = optimizer_of(network.parameters())
    random = torch.Generator().manual_seed(1)
    for _, (beta1, beta2) in zip(range(steps), betas, strict=False):
        for group in optimizer.param_groups:
            group["betas"] = (beta1, beta2)
        loss = network(torch.randn(5, 3, generator=random, dtype=torch.float64)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [weight.detach() for weight in network.parameters()]


@pytest.mark.parametrize("eps", [1e-8, 1e-2])
@pytest.mark.parametrize("beta1", [0.0, 0.5])
def test_moves_as_pytorchs_own_also_while_its_betas_change(beta1: float, eps: float) -> None:
    changing = [(beta1, beta2) for beta2 in (0.9, 0.92, 0.95, 0.97, 0.98, 0.99)]
    theirs = train(lambda weights: torch.optim.Adam(weights, lr=0.01, eps=eps), changing)
    ours = train(lambda weights: Adam(weights, lr=0.01, eps=eps), changing)
    tensors = [tuple(torch.tensor(beta, dtype=torch.float64) for beta in betas) for betas in changing]
    rate = torch.tensor(0.01, dtype=torch.float64)

    def with_tensors(weights: Any) -> Adam:
        optimizer = Adam(weights, lr=0.01, eps=eps)
        optimizer.param_groups[0]["lr"] = rate
        return optimizer

    for one, other, third in zip(theirs, ours, train(with_tensors, tensors), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(third, one, rtol=1e-6, atol=1e-9)


def test_its_state_goes_into_a_checkpoint_and_back() -> None:
    weight = nn.Parameter(torch.ones(3))
    optimizer = Adam([weight], lr=0.1)
    for _ in range(2):
        weight.square().sum().backward()
        optimizer.step()
    state, kept = deepcopy(optimizer.state_dict()), weight.detach().clone()
    again = nn.Parameter(kept.clone())
    resumed = Adam([again], lr=0.1)
    resumed.load_state_dict(state)
    for parameter, each in ((weight, optimizer), (again, resumed)):
        parameter.grad = None
        parameter.square().sum().backward()
        each.step()
    assert torch.equal(weight, again)


@pytest.mark.parametrize(
    "settings",
    [{"lr": -1}, {"lr": "fast"}, {"betas": [0.9, 1.0]}, {"betas": [0.9]}, {"betas": [-0.1, 0.9]}, {"eps": -1}],
)
def test_refuses_what_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be (a number|two numbers)"):
        Adam([nn.Parameter(torch.zeros(1))], **settings)


@pytest.mark.parametrize("more", [{}, {"weight_decay": 0.1}, {"maximize": True}, {"betas": (0.0, 0.99)}])
def test_pytorchs_own_is_the_same_with_less_around_it(more: dict[str, Any]) -> None:
    def trained(by_hand: bool) -> tuple[list[Tensor], dict[str, Any]]:
        torch.manual_seed(0)
        weights = [nn.Parameter(torch.randn(shape)) for shape in ((5, 4), (5,), (1, 5))]
        groups = [{"params": weights[:2]}, {"params": weights[2:], "lr": 0.05}]
        optimizer = torch.optim.Adam(groups, lr=0.01, fused=True, **more)
        assert is_fused_on_cpu(optimizer)
        for number in range(5):
            for weight in weights:
                weight.grad = torch.randn_like(weight)
            if number < 2:
                weights[1].grad = None  # one that has no part in the first steps
            optimizer.param_groups[0]["lr"] = 0.01 / (1 + number)
            step_fused(optimizer) if by_hand else optimizer.step()
        return weights, optimizer.state_dict()

    (ours, state), (theirs, their_state) = trained(True), trained(False)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
    torch.testing.assert_close(state, their_state, rtol=0, atol=0)


def test_other_optimizers_step_by_themselves() -> None:
    weights = [nn.Parameter(torch.ones(3))]
    others = [
        torch.optim.Adam(weights),
        torch.optim.Adam(weights, fused=True, amsgrad=True),
        torch.optim.Adam(weights, fused=True, lr=torch.tensor(0.1)),
        torch.optim.AdamW(weights, fused=True),
        torch.optim.SGD(weights, lr=0.1),
        Adam(weights),
    ]
    assert [is_fused_on_cpu(each) for each in others] == [False] * len(others)
