"""The Maxout layer."""

import torch
from torch import Tensor, nn


class Maxout(nn.Module):
    """h_i(x) = max_j (x · W_ij + b_ij), j over the pieces: Goodfellow et al. 2013, "Maxout Networks", section 2.

    Args:
        in_features: size of the input, (…, in_features).
        out_features: size of the output, (…, out_features).
        pieces: how many affine maps the maximum is taken over.

    Raises:
        ValueError: if `pieces` is less than 1.
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2) -> None:
        super().__init__()
        if pieces < 1:
            raise ValueError(f"the pieces of a Maxout layer must be at least 1, not {pieces!r}")
        self.pieces = pieces
        # Rows j · out_features … hold piece j, so that the pieces of one batch are contiguous blocks.
        self.linear = nn.Linear(in_features, out_features * pieces)

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self.linear(x).chunk(self.pieces, dim=-1)
        for other in others:
            first = torch.maximum(first, other)
        return first
