"""Losses of the two players, as functions of the discriminator's logits.

With D(x) = sigmoid(logit), log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit). Written that way
the losses are exact and finite for any logit, where log(sigmoid(x)) would underflow.

Every function takes logits (B,) and returns the batch mean, a scalar.
"""

from torch import Tensor
from torch.nn.functional import softplus


def discriminator_cross_entropy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))): Goodfellow et al. 2014, equation 1, which D maximises, with the sign turned.

    2 log 2 where D answers 0.5 everywhere.
    """
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def generator_minimax(fake_logits: Tensor) -> Tensor:
    """log(1 - D(G(z))): Goodfellow et al. 2014, equation 1. Its gradient vanishes where D rejects a fake surely."""
    return -softplus(fake_logits).mean()


def generator_non_saturating(fake_logits: Tensor) -> Tensor:
    """-log D(G(z)): Goodfellow et al. 2014, end of section 3; strong gradients where D rejects a fake surely."""
    return softplus(-fake_logits).mean()
