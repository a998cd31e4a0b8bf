import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from gan_lightning.networks.linear import Linear


def layer(bias: bool = True, dtype: torch.dtype = torch.float32) -> tuple[Linear, Tensor]:
    torch.manual_seed(0)
    return Linear(96, 80, bias=bias, dtype=dtype), torch.randn(17, 96, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("by_onednn", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_is_the_linear_map_with_its_first_and_second_derivatives(
    bias: bool, by_onednn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not by_onednn:
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    ours, x = layer(bias)
    y = ours(x)
    doubles = [each.detach().double().requires_grad_() for each in (x, *ours.parameters())]
    expected = linear(*doubles)
    torch.testing.assert_close(y, expected.float(), rtol=1e-5, atol=1e-5)
    found, wanted = [], []
    for output, inputs, into in ((y, [x, *ours.parameters()], found), (expected, doubles, wanted)):
        # As a penalty does: the slope with respect to the input, and its gradient with respect to the weights.
        (slope,) = torch.autograd.grad(output.tanh().sum(), inputs[0], create_graph=True)
        into += [slope, *torch.autograd.grad(slope.square().sum(), inputs)]
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-5)


def test_gradients_reach_only_what_asks_for_them() -> None:
    ours, x = layer()
    ours.requires_grad_(False)
    ours(x).sum().backward()
    assert x.grad is not None
    assert ours.weight.grad is None
    ours.requires_grad_(True)
    ours(x.detach()).sum().backward()
    assert ours.weight.grad is not None
    assert ours.weight.grad.stride() == ours.weight.stride()


@pytest.mark.parametrize("case", ["double", "autocast", "narrow", "more dimensions"])
def test_everything_else_is_pytorchs_own(case: str) -> None:
    ours, x = layer(dtype=torch.float64 if case == "double" else torch.float32)
    if case == "narrow":
        ours, x = Linear(96, 1), x
    if case == "more dimensions":
        x = x[:, None]
    theirs = nn.Linear(96, ours.out_features, dtype=ours.weight.dtype)
    theirs.load_state_dict(ours.state_dict())
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=case == "autocast"):
        assert torch.equal(ours(x), theirs(x))
        assert ours(x).dtype == theirs(x).dtype


def test_an_exported_layer_knows_no_library() -> None:
    ours, x = layer()
    program = torch.export.export(ours.requires_grad_(False), (x.detach(),))
    assert "mkldnn" not in str(program.graph)
