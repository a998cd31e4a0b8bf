"""The Maxout layer."""

from typing import Any

import torch
from torch import Tensor, nn

from gan_lightning.errors import whole_number
from gan_lightning.networks.linear import Linear


class Maxout(nn.Module):
    """h_i(x) = max_j (x · W_ij + b_ij), j over the pieces: Goodfellow et al. 2013, "Maxout Networks", section 2.

    Args:
        in_features: size of the input, (…, in_features).
        out_features: size of the output, (…, out_features).
        pieces: how many affine maps the maximum is taken over.

    Raises:
        ValueError: if `out_features` or `pieces` is not a whole number of at least 1.
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2) -> None:
        super().__init__()
        whole_number("the width of a Maxout layer", out_features, at_least=1)
        whole_number("pieces", pieces, at_least=1)
        self.pieces = pieces
        # Rows j · out_features … hold piece j, so that the pieces of one batch are contiguous blocks.
        self.linear = Linear(in_features, out_features * pieces)

    def forward(self, x: Tensor) -> Tensor:
        return _Highest.apply(self.linear(x).unflatten(-1, (self.pieces, -1)))


class _Highest(torch.autograd.Function):
    """The maximum over the pieces, (…, pieces, out_features) to (…, out_features).

    As `torch.amax`, equal pieces sharing the gradient; but the backward pass multiplies by a mask of numbers where that
    one compares, which is slow on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, pieces: Tensor) -> Tensor:
        highest = pieces.amax(-2)
        share = torch.eq(pieces, highest.unsqueeze(-2), out=torch.empty_like(pieces))
        ctx.save_for_backward(share.div_(share.sum(-2, keepdim=True)))
        return highest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (share,) = ctx.saved_tensors
        return share * gradient.unsqueeze(-2)
