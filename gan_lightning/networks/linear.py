"""The linear layer, with faster products on processors whose vendor MKL does not know."""

from typing import Any

import torch
from torch import Tensor, nn

FEWEST = 64
"""Features on either side from which on a product is worth handing over."""


class Linear(nn.Linear):
    """y = x Wᵀ + b, as PyTorch's own.

    On a CPU a float32 product goes to oneDNN, not to MKL, which PyTorch takes: on AMD's processors MKL leaves half of
    what AVX-512 can do, on Intel's the two are as fast. The sums are in another order, so that the last digits differ.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not _is_for_onednn(x, self.weight):
            return super().forward(x)
        product = _Product.apply(x, self.weight)
        return product if self.bias is None else product + self.bias


def _is_for_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dim() == 2
        and x.dtype == weight.dtype == torch.float32
        and min(weight.shape) >= FEWEST
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()  # nor exporting, where the layer is to be what it is everywhere
    )


class _Product(torch.autograd.Function):
    """x Wᵀ of x (B, K) and W (N, K), differentiable as often as one likes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.ops.mkldnn._linear_pointwise(x, weight, None, "none", [], None)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.needs_input_grad
        return (
            _Product.apply(gradient, weight.t()) if of_x else None,
            _Product.apply(gradient.t(), x.t()) if of_weight else None,
        )
