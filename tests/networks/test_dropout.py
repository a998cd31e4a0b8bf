import pytest
import torch

from gan_lightning.networks.dropout import Dropout


@pytest.mark.parametrize("p", [0.2, 0.3, 0.5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_drops_a_share_p_and_scales_up_the_rest(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    n = 10**6
    x = torch.full((n,), 3.0, dtype=dtype, requires_grad=True)
    y = Dropout(p)(x)
    assert y.dtype == dtype
    deviation = (p * (1 - p) / n) ** 0.5
    assert (y == 0).float().mean().item() == pytest.approx(p, abs=4 * deviation)
    expected = torch.full((), 3 / (1 - p))
    rounding = 1e-2 if dtype == torch.bfloat16 else 1e-6
    torch.testing.assert_close(y[y != 0].float().unique(), expected[None], rtol=rounding, atol=0)
    y.sum().backward()
    torch.testing.assert_close(x.grad * 3, y.detach(), rtol=1e-2, atol=0)  # the same mask, backwards


def test_units_are_dropped_independently() -> None:
    torch.manual_seed(0)
    kept = (Dropout(0.5)(torch.ones(2000, 64)) != 0).float()
    covariance = torch.cov(kept.T)
    assert covariance.diagonal().mean().item() == pytest.approx(0.25, abs=0.01)
    assert covariance.fill_diagonal_(0).abs().max() < 6 * 0.25 / 2000**0.5


def test_every_pass_draws_another_mask_and_the_seed_decides_it() -> None:
    x = torch.ones(1000)
    torch.manual_seed(0)
    first, second = Dropout(0.5)(x), Dropout(0.5)(x)
    torch.manual_seed(0)
    assert torch.equal(Dropout(0.5)(x), first)
    assert not torch.equal(first, second)


def test_does_nothing_in_evaluation_nor_where_nothing_is_dropped() -> None:
    x = torch.randn(100)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(Dropout(1.0)(x), torch.zeros(100))


def test_refuses_what_is_no_share() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Dropout(1.5)
